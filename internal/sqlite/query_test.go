package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/run"
)

// lived enqueues a run and takes it to its end.
func lived(t testing.TB, l *Ledger, name string, state run.State, when time.Time) run.Run {
	t.Helper()
	r := start(t, l, enqueue(t, l, job(name), run.New{}, when), when)
	end(t, l, r, run.Next{State: state}, when.Add(time.Second))
	return r
}

func TestFailedSinceNamesWhatHasNotSucceededAgain(t *testing.T) {
	l := open(t)
	lived(t, l, "healed", run.Failed, at(10))
	lived(t, l, "healed", run.Succeeded, at(20))
	lived(t, l, "broken", run.Succeeded, at(5))
	lived(t, l, "broken", run.Failed, at(10))
	last := lived(t, l, "broken", run.Failed, at(30))
	lived(t, l, "old", run.Failed, at(1))
	lived(t, l, "fine", run.Succeeded, at(10))
	canceled := lived(t, l, "canceled after", run.Failed, at(12))
	lived(t, l, "canceled after", run.Canceled, at(13))
	// One that began before a failure and succeeded after it.
	slow := start(t, l, enqueue(t, l, job("slow"), run.New{}, at(14)), at(14))
	lived(t, l, "slow", run.Failed, at(15))
	end(t, l, slow, run.Next{State: run.Succeeded}, at(40))
	got, err := l.FailedSince(t.Context(), at(9))
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{canceled.ID, last.ID}; !slices.Equal(ids(got), want) && !slices.Equal(ids(got), []int64{last.ID, canceled.ID}) {
		t.Errorf("got %v, want %v", ids(got), want)
	}
	for _, r := range got {
		if r.Def != nil {
			t.Error("a listing has definitions")
		}
	}
}

func ids(runs []run.Run) []int64 {
	var list []int64
	for _, r := range runs {
		list = append(list, r.ID)
	}
	return list
}

func TestLastRunsOfJobs(t *testing.T) {
	l := open(t)
	if last, err := l.LastRunPerJob(t.Context()); err != nil || len(last) != 0 {
		t.Errorf("empty: got %v, %v", last, err)
	}
	want := map[string]int64{}
	for i := range 20 {
		name := fmt.Sprintf("j%d", i%3)
		want[name] = enqueue(t, l, job(name), run.New{}, at(i)).ID
	}
	last, err := l.LastRunPerJob(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for name, r := range last {
		got[name] = r.ID
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("last runs (-want +got):\n%s", diff)
	}
	runs, err := l.LastRuns(t.Context(), "j1", 2)
	if err != nil || len(runs) != 2 || runs[0].ID != want["j1"] {
		t.Errorf("got %v, %v", ids(runs), err)
	}
	if runs, err := l.LastRuns(t.Context(), "j1", 0); err != nil || len(runs) != 0 {
		t.Errorf("none asked for: got %v, %v", ids(runs), err)
	}
}

func TestLastSuccess(t *testing.T) {
	l := open(t)
	if got, err := l.LastSuccess(t.Context(), "a"); err != nil || !got.IsZero() {
		t.Errorf("never: got %v, %v", got, err)
	}
	lived(t, l, "a", run.Succeeded, at(10))
	lived(t, l, "a", run.Failed, at(20))
	lived(t, l, "b", run.Succeeded, at(30))
	if got, err := l.LastSuccess(t.Context(), "a"); err != nil || !got.Equal(at(11)) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEachRunReadsPageAfterPage(t *testing.T) {
	l := open(t)
	const n = pageMost*2 + 17
	sub := run.Submission{Def: job("a"), Runs: make([]run.New, n)}
	if _, err := l.Enqueue(t.Context(), []run.Submission{sub}, at(0)); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]run.Filter{
		"all": {}, "oldest first": {Oldest: true}, "queued": {States: []run.State{run.Queued}}, "of a job": {Job: "a", Limit: n + 5},
	} {
		var last int64
		seen := 0
		err := l.EachRun(t.Context(), f, func(r run.Run) error {
			if seen > 0 && (r.ID > last) != f.Oldest {
				t.Fatalf("%s: run %d after %d", name, r.ID, last)
			}
			last = r.ID
			seen++
			return nil
		})
		if err != nil || seen != n {
			t.Errorf("%s: saw %d, %v", name, seen, err)
		}
	}
	if runs, err := l.Runs(t.Context(), run.Filter{Limit: pageMost + 3}); err != nil || len(runs) != pageMost+3 {
		t.Errorf("a limit above a page: got %d, %v", len(runs), err)
	}
	seen := 0
	err := l.EachRun(t.Context(), run.Filter{}, func(run.Run) error {
		if seen++; seen == 3 {
			return errStop
		}
		return nil
	})
	if !errors.Is(err, errStop) || seen != 3 {
		t.Errorf("stopped: saw %d, %v", seen, err)
	}
}

func TestOldestQueuedIsTheOldestReadyRun(t *testing.T) {
	l := open(t)
	if _, ok, err := l.OldestQueued(t.Context(), "default"); ok || err != nil {
		t.Errorf("empty: got %v, %v", ok, err)
	}
	enqueue(t, l, job("a"), run.New{DueAt: at(1000)}, at(0))
	enqueue(t, l, job("a"), run.New{Priority: 2}, at(10))
	first := enqueue(t, l, job("a"), run.New{Priority: 1}, at(5)) // the clock was set back
	enqueue(t, l, job("a"), run.New{Priority: 2}, at(20))
	got, ok, err := l.OldestQueued(t.Context(), "default")
	if err != nil || !ok || !got.Equal(at(10)) {
		t.Errorf("got %v, %v, %v", got, ok, err)
	}
	start(t, l, first, at(30))
	if got := l.Counts()["default"]; got != (PoolCount{Queued: 3, Running: 1}) {
		t.Errorf("got counts %+v", got)
	}
}

func TestCountsAreTheSameAfterReopening(t *testing.T) {
	dir := t.TempDir()
	l := openIn(t, dir)
	enqueue(t, l, job("a"), run.New{}, at(0))
	enqueue(t, l, job("a"), run.New{DueAt: at(10)}, at(0))
	start(t, l, enqueue(t, l, job("a"), run.New{}, at(0)), at(1))
	lived(t, l, "a", run.Succeeded, at(2))
	held := enqueue(t, l, job("a"), run.New{}, at(3))
	done := make(chan error, 1)
	l.Hold(&held, "lock:x", nil, func(_ []run.Run, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := l.Counts()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, openIn(t, dir).Counts()); diff != "" || want["default"] != (PoolCount{Queued: 3, Running: 1}) {
		t.Errorf("got %v before; after (-want +got):\n%s", want, diff)
	}
}

func TestTimesBeyondNanosecondsBecomeTheNearest(t *testing.T) {
	l := open(t)
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	r := enqueue(t, l, job("a"), run.New{DueAt: far, ScheduledAt: time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC)}, at(0))
	got, err := l.Run(t.Context(), r.ID)
	if err != nil || got.DueAt.Year() != 2262 || got.ScheduledAt.Year() != 1678 {
		t.Errorf("got due %v, scheduled %v, %v", got.DueAt, got.ScheduledAt, err)
	}
}
