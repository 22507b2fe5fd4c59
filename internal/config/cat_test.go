package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCatShowsWhereEachValueComesFrom(t *testing.T) {
	c := mustLoad(t, `defaults:
  timeout: 1h
  exec: {env: {LANG: C}}
jobs:
  a:
    with: {command: [find, "!", -newer, "010"], env: {Path: "a b"}}
    grace: 0s
    retry: {attempts: 2}
`)
	lines, err := c.Cat("a")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimLeft(`
jobs:
  a:                                             # config.yaml:5
    type: exec                                   # default
    with:
      command: [find, "!", "-newer", "010"]      # config.yaml:6
      env:
        LANG: C                                  # defaults, config.yaml:3
        Path: "a b"                              # config.yaml:6
    dst:
      gap: run_after                             # default
      fold: once                                 # default
    overlap: allow                               # default
    catch_up:
      policy: none                               # default
    grace: 0s                                    # config.yaml:7
    pool: default                                # default
    slots: 1                                     # default
    timeout: 1h                                  # defaults, config.yaml:2
    stop:
      signal: TERM                               # default
      after: 30s                                 # default
      mode: tree                                 # default
    retry:
      attempts: 2                                # config.yaml:8
      backoff: 10s                               # default
      max_backoff: 10m                           # default
    output:
      max: 16MiB                                 # default
    enabled: true                                # default
`, "\n")
	got := Annotated(lines)
	squeeze := func(s string) string {
		out := strings.Split(s, "\n")
		for i, line := range out {
			text, origin, _ := strings.Cut(line, "#")
			out[i] = strings.TrimRight(text, " ") + " # " + origin
		}
		return strings.Join(out, "\n")
	}
	if diff := cmp.Diff(squeeze(want), squeeze(got)); diff != "" {
		t.Error(diff)
	}
	columns := map[int]bool{}
	for line := range strings.Lines(got) {
		if i := strings.Index(line, " # "); i >= 0 {
			columns[i] = true
		}
	}
	if len(columns) != 1 {
		t.Errorf("origins begin in columns %v, want one:\n%s", columns, got)
	}
}

// What Cat prints is a configuration itself, and means the same.
func TestCatReadsBack(t *testing.T) {
	c := mustLoad(t, example+`
  odd:
    description: "tab\there, \"quotes\", a \\ and \u2028, \x7f, 😀"
    enabled: false
    stop: {after: 0s}
    with: {command: ["", ~a, 1, 1.5, "true", "null", "# x", "a: b", "[", "{arg}", "@x"], env: {"A B": "", "yes": "no"}}
`)
	for _, name := range c.JobNames() {
		lines, err := c.Cat(name)
		if err != nil {
			t.Fatal(err)
		}
		text := Annotated(lines)
		if name == "nightly-backup" {
			text += "  fetch: {with: {command: [x]}}\n"
		}
		again := mustLoad(t, text)
		got, want := again.Jobs[name], c.Jobs[name]
		got.DefinedAt = want.DefinedAt
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", diff, text)
		}
	}
}

func TestCatOfAJobThatIsNotThere(t *testing.T) {
	c := mustLoad(t, "jobs: {backup: {with: {command: [x]}}}\n")
	_, err := c.Cat("bakup")
	if want := `there is no job "bakup"; did you mean backup?`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
