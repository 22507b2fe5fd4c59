package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/poold/poold/internal/api"
)

const userConfig = `
jobs:
  nobody: {with: {shell: "id -un; env; echo by name >> /dev/stdout", user: nobody}}
  group: {with: {shell: "echo $(id -un):$(id -gn)", user: nobody, group: daemon}}
  nobody-at-all: {with: {command: [id], user: no-such-user}}
`

func TestAJobRunsAsTheUserItNames(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("changing the user takes root")
	}
	if err := exec.Command("id", "nobody").Run(); err != nil {
		t.Skip("this host has no user nobody")
	}
	h := newHost(t, userConfig)
	h.start()
	if err := os.Chmod(h.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h.poold("", "run", "nobody", "--wait")
	got := strings.Split(h.output(1), "\n")
	for _, want := range []string{"nobody", "USER=nobody", "LOGNAME=nobody", "by name"} {
		if !slices.Contains(got, want) {
			t.Errorf("no line %q in %q", want, got)
		}
	}
	if slices.Contains(got, "HOME="+os.Getenv("HOME")) {
		t.Errorf("the job has the daemon's HOME: %q", got)
	}
	h.poold("", "run", "group", "--wait")
	if got, want := h.output(2), "nobody:daemon\n"; got != want {
		t.Errorf("the job ran as %q, want %q", got, want)
	}
	if err := h.command("run", "nobody-at-all", "--wait").Run(); err == nil {
		t.Error("a job of a user that does not exist succeeded")
	}
	r := h.runs("nobody-at-all")[0]
	if text := api.Or(r.Error, ""); api.Or(r.Reason, "") != "start" || !strings.Contains(text, "no-such-user") {
		t.Errorf("it ended with %q (%s), which names no user", text, api.Or(r.Reason, ""))
	}
}
