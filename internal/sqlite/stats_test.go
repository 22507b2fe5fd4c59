package sqlite

import (
	"testing"
	"time"

	"github.com/poold/poold/internal/run"
)

func TestStatsAreOfTheRunsOfTheSpan(t *testing.T) {
	l := open(t)
	live := func(name string, enqueued, started, ended int, state run.State) {
		r := start(t, l, enqueue(t, l, job(name), run.New{}, at(enqueued)), at(started))
		end(t, l, r, run.Next{State: state}, at(ended))
	}
	live("a", 0, 1, 100, run.Succeeded) // before the span
	live("a", 70, 72, 80, run.Succeeded)
	live("a", 71, 75, 175, run.Failed)
	live("a", 72, 73, 74, run.Canceled)
	live("b", 75, 75, 76, run.Succeeded)
	enqueue(t, l, job("a"), run.New{State: run.Skipped, Reason: run.ReasonMissed}, at(76))
	enqueue(t, l, job("a"), run.New{}, at(77))
	start(t, l, enqueue(t, l, job("a"), run.New{DueAt: at(90)}, at(78)), at(96))
	live("a", 200, 201, 202, run.Succeeded) // after it
	got, err := l.Stats(t.Context(), nil, at(65), at(100))
	if err != nil || len(got) != 2 || got[0].Job != "a" || got[1].Job != "b" {
		t.Fatalf("got %+v, %v", got, err)
	}
	a := got[0]
	if a.Runs != 4 || a.Succeeded != 1 || a.Failed != 1 || a.Canceled != 1 || a.Skipped != 1 {
		t.Errorf("got %+v", a)
	}
	if a.Took.Count() != 2 || a.Took.Of(0.5) != 100*time.Second || a.Took.Of(0) != 8*time.Second || a.Took.Max != 100*time.Second {
		t.Errorf("took: got %d, p50 %v, at most %v", a.Took.Count(), a.Took.Of(0.5), a.Took.Max)
	}
	if a.Waited.Count() != 3 || a.Waited.Max != 4*time.Second || a.Waited.Of(0) != time.Second {
		t.Errorf("waited: got %d, from %v to %v", a.Waited.Count(), a.Waited.Of(0), a.Waited.Max)
	}
	only, err := l.Stats(t.Context(), []string{"b", "none"}, at(65), at(100))
	if err != nil || len(only) != 1 || only[0].Job != "b" || only[0].Runs != 1 {
		t.Errorf("of one job: got %+v, %v", only, err)
	}
	all, err := l.Stats(t.Context(), nil, time.Time{}, time.Time{})
	if err != nil || len(all) != 2 || all[0].Runs != 6 {
		t.Errorf("without bounds: got %+v, %v", all, err)
	}
}

func TestTheUsualTimeIsThatOfTheLastSuccesses(t *testing.T) {
	l := open(t)
	lived(t, l, "a", run.Failed, at(0))
	if got, err := l.UsualTime(t.Context(), "a"); err != nil || got.Count() != 0 {
		t.Errorf("got %d, %v", got.Count(), err)
	}
	for i := range usualOf + 5 {
		lived(t, l, "a", run.Succeeded, at(i))
	}
	if got, err := l.UsualTime(t.Context(), "a"); err != nil || got.Count() != usualOf || got.Of(0.5) != time.Second {
		t.Errorf("got %d, p50 %v, %v", got.Count(), got.Of(0.5), err)
	}
}
