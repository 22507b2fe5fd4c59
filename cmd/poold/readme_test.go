package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/poold/poold/internal/api"
)

// A block of shell commands in a document. A comment in front of it says how the
// tests treat it; without one, all its commands are run and must succeed.
type shellBlock struct {
	comment string
	text    string
}

const (
	commentDaemon = "the tests start this as the daemon"
	commentNotRun = "not run by the tests: "
)

var shellBlocks = regexp.MustCompile("(?m)(?:^<!-- (.*) -->\n)?^```sh\n((?:[^`].*\n|\n)*)```$")

// readBlocks finds the blocks of a document.
func readBlocks(t *testing.T, name string) []shellBlock {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []shellBlock
	for _, m := range shellBlocks.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, shellBlock{comment: m[1], text: m[2]})
	}
	if got := strings.Count(string(text), "```sh\n"); got != len(blocks) {
		t.Fatalf("%s has %d blocks of commands, and %d were understood", name, got, len(blocks))
	}
	return blocks
}

// readmeHost is a folder with what a clone has in it for an operator, and the
// daemon that the README's first command starts.
func readmeHost(t *testing.T) *host {
	t.Helper()
	shipped, err := os.ReadFile("../../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, string(shipped))
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(examples, h.path("examples")); err != nil {
		t.Fatal(err)
	}
	first := readBlocks(t, "README.md")[0]
	if first.comment != commentDaemon {
		t.Fatalf("the README's first command is %q, want the one that starts the daemon", first.text)
	}
	h.client = api.New(h.path(".state/poold.sock"))
	h.daemon = h.shell("exec " + first.text)
	h.daemon.Stdout, h.daemon.Stderr = h.log, h.log
	if err := h.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	h.await(10*time.Second, "the daemon answers", func() bool {
		_, err := h.client.Status(t.Context())
		return err == nil
	})
	return h
}

// shell runs commands of a document as they stand, but for three things: the
// program is the one under test instead of one that Go compiles once more, and
// a thousand naps are forty.
func (h *host) shell(script string) *exec.Cmd {
	script = strings.NewReplacer(
		"go run ./cmd/poold", "poold",
		"go build -o bin/poold ./cmd/poold", `mkdir -p bin && ln -s "$(command -v poold)" bin/poold`,
		"seq 1000", "seq 40",
	).Replace(script)
	cmd := exec.Command("sh", "-euc", script)
	cmd.Dir = h.dir
	return cmd
}

// runBlocks runs all blocks of a document that are to be run, in one shell, and
// returns what they print.
func (h *host) runBlocks(name string) string {
	h.t.Helper()
	var script strings.Builder
	for _, b := range readBlocks(h.t, name) {
		switch {
		case b.comment == "":
			script.WriteString(b.text)
		case b.comment == commentDaemon, strings.HasPrefix(b.comment, commentNotRun):
		default:
			h.t.Errorf("%s: no one knows what the comment %q means", name, b.comment)
		}
	}
	cmd := h.shell("set -x\n" + script.String())
	cmd.Env = append(os.Environ(), "POOLD_SOCKET="+h.path(".state/poold.sock"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s: %v; the last command is the one that failed:\n%s", name, err, tail(string(out), 25))
	}
	return string(out)
}

// expect checks that what was printed matches all expressions.
func expect(t *testing.T, printed string, expressions ...string) {
	t.Helper()
	for _, e := range expressions {
		if !regexp.MustCompile("(?m)" + e).MatchString(printed) {
			t.Errorf("nothing matches %s in\n%s", e, printed)
		}
	}
}

func TestTheReadmesCommandsDoWhatItSays(t *testing.T) {
	t.Parallel()
	h := readmeHost(t)
	h.await(15*time.Second, "a command and a request have ended, in two pools", func() bool {
		for _, job := range []string{"load", "poold-health"} {
			runs, err := h.client.Runs(t.Context(), api.RunsQuery{Job: job, State: api.StateSucceeded, Limit: 1})
			if err != nil || len(runs) == 0 {
				return false
			}
		}
		return true
	})
	if second := readBlocks(t, "README.md")[1].text; second != "make test\n" {
		t.Errorf("the README's second command is %q, want make test", second)
	}
	expect(t, h.runBlocks("README.md"),
		`^config\.yaml is good: 6 jobs, 2 pools$`,
		`^hello: run \d+ succeeded after 1`,
		`^hello from run \d+$`,
		`^default +8 `,
		`^pool default: 20 workers, .*; by hand, configured 8, until `,
		`^pool default: 8 workers, \d+ busy, \d+ queued$`,
		`nothing failed since yesterday`,
		`schedule: \["\*/10 \* \* \* \*"\] +# config\.yaml:\d+$`,
		`: 40 runs, 40 succeeded, 0 failed; wall .*, ideal .* ideal$`,
		`02:30:00 \+0[12]00 +dump`,
	)
}

func TestTheCommandsOfTheAPIsDocumentAreAnswered(t *testing.T) {
	t.Parallel()
	if said, err := exec.Command("curl", "--help", "all").Output(); err != nil || !strings.Contains(string(said), "--json") {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no curl that knows --json")
		}
		t.Skip("there is no curl that knows --json")
	}
	printed := readmeHost(t).runBlocks("docs/api.md")
	expect(t, printed,
		`^ok$`,
		`^"summary":"One pool"$`,
		`"batch":"mine",.*"total":3,"queued":0,"running":0,"succeeded":3`,
		`"name":"default","workers":6,.*"by_hand":true`,
		`"name":"nap",.*"pause_reason":"swap"`,
		`"count":0,"runs":\[\],"refused":\[\]`,
		`"dry_run":true,"unchanged":true`,
	)
	if regexp.MustCompile(`"status":[45]\d\d`).MatchString(printed) {
		t.Errorf("a request was refused:\n%s", printed)
	}
}

func TestTheCommandsForOperatorsWork(t *testing.T) {
	t.Parallel()
	expect(t, readmeHost(t).runBlocks("docs/operations.md"),
		`^config\.yaml is good: `,
		`^nothing to do: this configuration was applied `,
	)
}
