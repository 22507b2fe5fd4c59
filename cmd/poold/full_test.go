package main

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const fullConfig = `
jobs:
  tick: {schedule: "@every 1s", catch_up: {policy: latest}, grace: 1s, overlap: allow, with: {command: ["true"]}}
  hand: {with: {command: ["true"]}}
`

// TestAFullDiskDelaysDecisionsAndLosesNone fills the disk of the state folder
// under a running daemon, stops and kills daemons on it, and makes room again:
// each moment has one row then.
func TestAFullDiskDelaysDecisionsAndLosesNone(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullConfig)
	h.mountState("6m")
	h.start()
	h.await(20*time.Second, "runs are recorded", func() bool { return len(h.runs("tick")) > 1 })

	h.fill()
	h.await(20*time.Second, "a run is refused", func() bool {
		out, err := h.command("run", "hand").CombinedOutput()
		return err != nil && strings.Contains(string(out), "full")
	})
	accepted := len(h.runs("hand"))
	h.await(20*time.Second, "the log says so", func() bool { return h.logged("record due runs; they are decided when it works again") })
	decided := h.runs("tick")
	h.await(20*time.Second, "moments pass", func() bool { return time.Since(decided[0].ScheduledAt.Time) > 3*time.Second })
	if out, err := h.command("run", "hand").CombinedOutput(); err == nil {
		t.Errorf("with a full disk a run is accepted: %s", out)
	}

	h.makeRoom()
	h.await(20*time.Second, "the log says it works again", func() bool { return h.logged("due runs are recorded again") })
	h.await(20*time.Second, "runs are recorded again", func() bool { return len(h.runs("tick")) > len(decided)+2 })
	if got := len(h.runs("hand")); got != accepted {
		t.Errorf("%d runs of hand are there, %d were accepted", got, accepted)
	}
	why, _ := h.poold("", "why", "tick", "--limit", "50")
	if !strings.Contains(why, "could not be decided within grace") && !strings.Contains(why, "decided only at") {
		t.Errorf("why says nothing of it:\n%s", why)
	}

	h.fill()
	h.await(20*time.Second, "a run is refused", func() bool { return h.command("run", "hand").Run() != nil })
	h.kill()
	h.makeRoom()
	h.start()
	before := len(h.runs("tick"))
	h.await(20*time.Second, "it goes on", func() bool { return len(h.runs("tick")) > before })
	runs := h.runs("tick")
	slices.Reverse(runs)
	checkMoments(t, "tick", runs)
}

// mountState gives the state folder a disk of its own.
func (h *host) mountState(size string) {
	h.t.Helper()
	if os.Geteuid() != 0 {
		h.t.Skip("mounting a disk takes root")
	}
	if err := os.Mkdir(h.path("state"), 0o700); err != nil {
		h.t.Fatal(err)
	}
	err := unix.Mount("tmpfs", h.path("state"), "tmpfs", 0, "size="+size)
	if errors.Is(err, unix.EPERM) {
		h.t.Skip("this host lets nobody mount a disk")
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		h.kill()
		if err := unix.Unmount(h.path("state"), unix.MNT_DETACH); err != nil {
			h.t.Error(err)
		}
	})
}

// fill takes all room that is left.
func (h *host) fill() {
	h.t.Helper()
	var exit *exec.ExitError
	err := exec.Command("dd", "if=/dev/zero", "of="+h.path("state/filler"), "bs=4096").Run()
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).ExitStatus() != 1 {
		h.t.Fatalf("the disk is not full: %v", err)
	}
}

func (h *host) makeRoom() {
	h.t.Helper()
	if err := os.Remove(h.path("state/filler")); err != nil {
		h.t.Fatal(err)
	}
}

// logged says whether the daemon has logged some words.
func (h *host) logged(words string) bool {
	text, err := os.ReadFile(h.log.Name())
	return err == nil && strings.Contains(string(text), words)
}
