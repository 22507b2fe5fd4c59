package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/poold/poold/bench/rig"
)

func TestSuitesAreWellFormed(t *testing.T) {
	all, err := choose(suites(), "")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range all {
		if s.Name == "" || s.Title == "" || s.About == "" || seen[s.Name] {
			t.Errorf("suite %q wants a name of its own, a title and what it is about", s.Name)
		}
		seen[s.Name] = true
	}
}

func TestChoose(t *testing.T) {
	got, err := choose(suites(), "memory,naps")
	if err != nil || len(got) != 2 || got[0].Name != "naps" || got[1].Name != "memory" {
		t.Errorf("got %d suites, %v; want naps and memory in the order of the report", len(got), err)
	}
	if _, err := choose(suites(), "naps,nap"); err == nil || !strings.Contains(err.Error(), `no suite "nap"; there are `) {
		t.Errorf("got %v", err)
	}
}

func TestFindLooksWhereDebianKeepsServers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "some-tool")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if got := rig.Find("some-tool"); got != path {
		t.Errorf("got %q, want %q", got, path)
	}
	if got := rig.Missing([]string{"some-tool", "no-such-tool"}); got != "no-such-tool" {
		t.Errorf("got %q", got)
	}
}
