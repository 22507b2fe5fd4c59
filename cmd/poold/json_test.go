package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// jsonCommand is
//
//	json FILE [PATH [VALUE]]
//
// FILE, or stdout, is exactly one JSON document; the path leads to something in
// it, that is the value (with !: is not). A step of a path is a key, the index
// of an item, NAME=VALUE for the item that has such a member, or len for how many
// there are. An absent key is null.
func jsonCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 3 {
		ts.Fatalf("usage: json FILE [PATH [VALUE]]")
	}
	text := []byte(ts.ReadFile(args[0]))
	if len(args) == 3 {
		err := checkJSON(text, args[1], args[2])
		if (err != nil) != neg {
			ts.Fatalf("%s is %s, unexpectedly (%v) in\n%s", args[1], args[2], err, text)
		}
		return
	}
	document, err := oneDocument(text)
	if err == nil && len(args) == 2 {
		_, err = lookUp(document, args[1])
	}
	if (err != nil) != neg {
		ts.Fatalf("%v in\n%s", err, text)
	}
}

// checkJSON compares what a path leads to with a value, as text.
func checkJSON(text []byte, path, want string) error {
	document, err := oneDocument(text)
	if err != nil {
		return err
	}
	found, err := lookUp(document, path)
	if err != nil {
		return err
	}
	got, ok := found.(string)
	if !ok {
		raw, err := json.Marshal(found)
		if err != nil {
			return err
		}
		got = string(raw)
	}
	if got != want {
		return fmt.Errorf("%s is %s, want %s", path, got, want)
	}
	return nil
}

// oneDocument decodes a text that is one document and nothing else.
func oneDocument(text []byte) (any, error) {
	var document any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("no JSON document: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON document")
	}
	return document, nil
}

func lookUp(from any, path string) (any, error) {
	for step := range strings.SplitSeq(path, ".") {
		next, err := lookUpStep(from, step)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		from = next
	}
	return from, nil
}

func lookUpStep(from any, step string) (any, error) {
	switch v := from.(type) {
	case map[string]any:
		if step == "len" {
			return json.Number(strconv.Itoa(len(v))), nil
		}
		return v[step], nil
	case []any:
		if step == "len" {
			return json.Number(strconv.Itoa(len(v))), nil
		}
		if key, value, ok := strings.Cut(step, "="); ok {
			for _, item := range v {
				if member, ok := item.(map[string]any); ok && fmt.Sprint(member[key]) == value {
					return item, nil
				}
			}
			return nil, fmt.Errorf("no item has %s", step)
		}
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v) {
			return v[i], nil
		}
	}
	return nil, fmt.Errorf("there is no %s", step)
}

func TestPathsLeadThroughDocuments(t *testing.T) {
	t.Parallel()
	const document = `{"runs": [{"id": 7, "job": "a", "pool": null}, {"id": 8, "job": "b"}], "n": 1.50}`
	for _, tt := range []struct{ path, want string }{
		{"runs.len", "2"},
		{"runs.1.job", "b"},
		{"runs.job=b.id", "8"},
		{"runs.id=7.pool", "null"},
		{"runs.0.absent", "null"},
		{"n", "1.50"},
		{"runs.1", `{"id":8,"job":"b"}`},
	} {
		if err := checkJSON([]byte(document), tt.path, tt.want); err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{"runs.2", "runs.job=c", "n.x", "runs.x"} {
		if err := checkJSON([]byte(document), path, "null"); err == nil {
			t.Errorf("%s leads somewhere", path)
		}
	}
	if _, err := oneDocument([]byte("{} {}")); err == nil {
		t.Error("two documents pass as one")
	}
}
