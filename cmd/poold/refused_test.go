package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/poold/poold/internal/config"
)

// refusedCommand is
//
//	refused FILE
//
// The file becomes $WORK/config.yaml. `poold check` refuses it with status 2, in
// words and as JSON alike. Where the script's daemon runs, `poold reload` does
// so, too, says the same, and the daemon goes on as before. What check said is
// the output, with paths relative to $WORK.
func refusedCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: refused FILE")
	}
	work := ts.Getenv("WORK")
	path := filepath.Join(work, "config.yaml")
	text, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(path, text, 0o600))

	said, _ := refusal(ts, "check", path)
	document, _ := refusal(ts, "check", path, "--json")
	if got := inWords(ts, document); got != said {
		ts.Fatalf("check --json says\n%s\nand check says\n%s", got, said)
	}
	if ts.Value(daemonKey{}).(*storyDaemon).cmd != nil {
		refusedReload(ts, said)
	}
	_, _ = ts.Stdout().Write([]byte(strings.ReplaceAll(said, work+"/", "")))
}

// refusedReload checks that the running daemon refuses its configuration, too.
func refusedReload(ts *testscript.TestScript, said string) {
	before, err := storyCmd(ts, "poold", "jobs", "--json").Output()
	ts.Check(err)
	if _, complaints := refusal(ts, "reload"); !strings.HasPrefix(complaints, said) {
		ts.Fatalf("reload says\n%s\nand check says\n%s", complaints, said)
	}
	document, _ := refusal(ts, "reload", "--json")
	if got := inWords(ts, document); got != said {
		ts.Fatalf("reload --json says\n%s\nand check says\n%s", got, said)
	}
	after, err := storyCmd(ts, "poold", "jobs", "--json").Output()
	ts.Check(err)
	if !bytes.Equal(before, after) {
		ts.Fatalf("after a refused reload the jobs are\n%s\nand were\n%s", after, before)
	}
}

// refusal runs poold, which must exit with status 2.
func refusal(ts *testscript.TestScript, args ...string) (stdout, stderr string) {
	var out, complaints bytes.Buffer
	cmd := storyCmd(ts, "poold", args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	ended := (*exec.ExitError)(nil)
	if err := cmd.Run(); !errors.As(err, &ended) || ended.ExitCode() != 2 {
		ts.Fatalf("%s ends with %v, want status 2\n%s%s", strings.Join(args, " "), err, out.String(), complaints.String())
	}
	return out.String(), complaints.String()
}

// inWords gives a document of errors as check prints them.
func inWords(ts *testscript.TestScript, document string) string {
	var list struct{ Errors config.Errors }
	_, err := oneDocument([]byte(document))
	ts.Check(err)
	ts.Check(json.Unmarshal([]byte(document), &list))
	return list.Errors.Error() + "\n"
}
