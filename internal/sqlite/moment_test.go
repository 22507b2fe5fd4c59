package sqlite

import (
	"strings"
	"testing"
	"time"

	"github.com/poold/poold/internal/run"
)

func TestAMomentLeadsToTheRowThatStandsForIt(t *testing.T) {
	l := open(t)
	def, minute := job("j"), func(n int) time.Time { return time.Date(2026, 1, 10, 2, n, 0, 0, time.UTC) }
	add := func(n run.New) {
		t.Helper()
		_, err := l.Enqueue(t.Context(), []run.Submission{{Def: def, Runs: []run.New{n}}}, minute(59))
		if err != nil {
			t.Fatal(err)
		}
	}
	due := func(n int) run.New {
		return run.New{Key: run.OccurrenceKey("j", minute(n), 0), State: run.Queued, ScheduledAt: minute(n)}
	}
	skip := func(n int) run.New {
		s := due(n)
		s.State, s.Reason = run.Skipped, run.ReasonPaused
		return s
	}
	add(due(0))
	add(skip(1))
	add(skip(2))
	add(skip(3))
	add(run.New{State: run.Queued}) // by hand: it has no moment
	add(due(4))
	again := due(4)
	again.Key = run.OccurrenceKey("j", minute(4), 1) // the clock was set back
	add(again)
	if _, err := l.Enqueue(t.Context(), []run.Submission{{
		Def: def, Runs: []run.New{due(5)}, Lines: []string{"a", "b"}, Batch: true, BatchKey: due(5).Key,
	}}, minute(59)); err != nil {
		t.Fatal(err)
	}
	for n, want := range []int64{1, 2, 2, 2, 5, 0, 0} {
		r, err := l.RunFor(t.Context(), "j", minute(n))
		if err != nil || r.ID != want {
			t.Errorf("for 02:0%d there is run %d, %v; want %d", n, r.ID, err, want)
		}
	}
	if r, err := l.RunFor(t.Context(), "other", minute(1)); err != nil || r.ID != 0 {
		t.Errorf("another job has run %d, %v", r.ID, err)
	}
	var walked []string
	for before := minute(9); ; {
		r, err := l.RunBefore(t.Context(), "j", before)
		if err != nil {
			t.Fatal(err)
		}
		if r.ID == 0 {
			break
		}
		walked = append(walked, r.ScheduledAt.Format("04"))
		before = r.ScheduledAt
	}
	if got, want := strings.Join(walked, " "), "05 04 01 00"; got != want {
		t.Errorf("walking back leads to %s, want %s", got, want)
	}
}

func TestRunsBesideAreThoseUnderWay(t *testing.T) {
	l := open(t)
	first := enqueue(t, l, job("a"), run.New{}, at(0))
	second := enqueue(t, l, job("b"), run.New{}, at(1))
	start(t, l, first, at(2))
	got, err := l.RunsBeside(t.Context(), second.ID, at(3), at(60))
	if err != nil || len(got) != 1 || got[0].ID != first.ID || got[0].Def == nil {
		t.Errorf("while it runs: %v, %v; want run %d", got, err, first.ID)
	}
	if got, err := l.RunsBeside(t.Context(), second.ID, at(0), at(1)); err != nil || len(got) != 0 {
		t.Errorf("before it started: %v, %v", got, err)
	}
}

func TestMomentsAreFoundByTheIndexOfKeys(t *testing.T) {
	l := analyzed(t)
	const query = "SELECT id FROM runs INDEXED BY runs_key WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT 1"
	for _, step := range explain(t, l, query) {
		if !strings.HasPrefix(step, "SEARCH runs USING COVERING INDEX runs_key") {
			t.Errorf("a step of it is %q", step)
		}
	}
	const events = `SELECT id FROM events INDEXED BY events_subject WHERE subject = ? AND at >= ? AND at < ? ORDER BY at DESC, id DESC LIMIT ?`
	for _, step := range explain(t, l, events) {
		if !strings.HasPrefix(step, "SEARCH events USING COVERING INDEX events_subject") {
			t.Errorf("a step of the events is %q", step)
		}
	}
}
