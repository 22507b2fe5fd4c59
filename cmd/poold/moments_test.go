package main

import (
	"slices"
	"testing"
	"time"

	"github.com/poold/poold/internal/api"
)

const momentsConfig = `
defaults: {schedule: "@every 1s", exec: {command: ["true"]}}
jobs:
  none: {}
  latest: {catch_up: {policy: latest}, grace: 400ms}
  all: {catch_up: {policy: all}, grace: 400ms}
  skipping: {overlap: skip, grace: 400ms, retry: {attempts: 1}, with: {command: [sleep, "1.6"]}}
`

// TestEveryDueMomentLeavesARow stops the daemon in every way, and counts.
func TestEveryDueMomentLeavesARow(t *testing.T) {
	t.Parallel()
	h := newHost(t, momentsConfig)
	h.start()
	lived := func() {
		h.t.Helper()
		before := len(h.runs("none"))
		h.await(20*time.Second, "another run is there", func() bool { return len(h.runs("none")) > before+1 })
	}
	lived()
	h.kill()
	time.Sleep(1200 * time.Millisecond) // the clock goes on
	h.start()
	lived()
	h.stop() // which takes its time, too
	h.start()
	lived()
	for _, job := range []string{"none", "latest", "all", "skipping"} {
		runs := h.runs(job)
		slices.Reverse(runs)
		checkMoments(t, job, runs)
	}
}

// checkMoments checks that the rows, oldest first, stand for each second from
// the first to the last, once.
func checkMoments(t *testing.T, job string, runs []api.Run) {
	t.Helper()
	var moments []time.Time
	for _, r := range runs {
		moments = append(moments, r.ScheduledAt.Time)
		if r.Count == nil {
			continue
		}
		last := r.ScheduledAt.Add(time.Duration(*r.Count-1) * time.Second)
		if !last.Equal(r.Until.Time) {
			t.Errorf("%s: run %d stands for %d moments, from %v until %v", job, r.ID, *r.Count, r.ScheduledAt, r.Until)
		}
		for at := r.ScheduledAt.Add(time.Second); !at.After(last); at = at.Add(time.Second) {
			moments = append(moments, at)
		}
	}
	slices.SortFunc(moments, time.Time.Compare)
	for i := 1; i < len(moments); i++ {
		if step := moments[i].Sub(moments[i-1]); step != time.Second {
			t.Errorf("%s: after the row of %v comes that of %v", job, moments[i-1], moments[i])
		}
	}
	if len(moments) < 5 {
		t.Errorf("%s: only %d moments: this tested nothing", job, len(moments))
	}
}
