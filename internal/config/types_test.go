package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/exec"
	"github.com/poold/poold/internal/jobs/http"
)

// The built-in types themselves, as a daemon has them.
func TestTheBuiltInTypes(t *testing.T) {
	clearEnv(t)
	o := options()
	o.Types = jobs.NewRegistry(map[string]jobs.Type{"exec": exec.New(exec.Options{}), "http": http.New(http.Options{})})

	inFolder(t, map[string]string{"config.yaml": example + `
  probe:
    type: http
    with: {url: "https://example.org/{arg}", method: PUT, expect_status: [200, 3xx], max_body: 4KiB, headers: {X-Run: "{run_id}"}, body: "x"}
  script:
    with: {shell: "echo $POOLD_ARG", umask: "0077", nice: 5, env: {TOKEN: "${env:TOKEN}"}, stdin: "{arg}"}
`})
	c, err := Load(o)
	if err != nil {
		t.Fatalf("load:\n%v", err)
	}
	if got, want := string(c.Jobs["probe"].With), `{"method":"PUT","url":"https://example.org/{arg}","headers":{"X-Run":"{run_id}"},"body":"x","expect_status":["200","3xx"],"max_body":"4KiB"}`; got != want {
		t.Errorf("settings of probe\n got %s\nwant %s", got, want)
	}
	for name := range c.Jobs {
		lines, err := c.Cat(name)
		if err != nil || len(lines) < 10 {
			t.Errorf("cat %s: %d lines, %v", name, len(lines), err)
		}
	}

	inFolder(t, map[string]string{"config.yaml": `jobs:
  a: {with: {command: ["{arg}"], limits: {cpu: 1}}}
  b: {with: {command: ["{arg}"]}}
  c: {with: {}}
  d: {type: http, with: {url: "ftp://x"}}
  e: {type: http, with: {url: "http://x", expect_status: [999]}}
  f: {args: {list: [-rf]}, with: {command: [rm, "{arg}"]}}
`})
	_, err = Load(o)
	if err == nil {
		t.Fatal("no error")
	}
	var places []string
	for line := range strings.Lines(err.Error()) {
		place, rest, _ := strings.Cut(line, ": ")
		key, _, _ := strings.Cut(rest, ": ")
		places = append(places, place+" "+key)
	}
	want := []string{
		"config.yaml:2:24 jobs.a.with.command[0]",
		"config.yaml:2:34 jobs.a.with.limits",
		"config.yaml:3:24 jobs.b.with.command[0]",
		"config.yaml:4:13 jobs.c.with",
		"config.yaml:5:31 jobs.d.with.url",
		"config.yaml:6:59 jobs.e.with.expect_status[0]",
		"config.yaml:7:21 jobs.f.args.list[0]",
	}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("%s\n%v", diff, err)
	}
}
