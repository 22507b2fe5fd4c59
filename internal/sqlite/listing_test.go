package sqlite

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/poold/poold/internal/run"
)

// mixed is a ledger with runs in every state, in several pools and priorities,
// and with what they are by then.
func mixed(t *testing.T) (*Ledger, []run.Run) {
	t.Helper()
	l := open(t)
	var ids []int64
	for i := range 240 {
		def := job(fmt.Sprintf("j%d", i%5))
		def.Pool = fmt.Sprintf("p%d", i%3)
		n := run.New{Priority: i % 4, Trigger: run.TriggerManual}
		if i%7 == 0 {
			n.DueAt = at(100_000)
		}
		r := enqueue(t, l, def, n, at(i*20))
		ids = append(ids, r.ID)
		switch i % 8 {
		case 0, 1:
		case 2:
			start(t, l, r, at(i*20))
		case 3:
			done := make(chan error, 1)
			l.Hold(&r, "lock:x", nil, func(_ []run.Run, err error) { done <- err })
			if err := <-done; err != nil && i%7 != 0 { // one that is not due is not ready
				t.Fatal(err)
			}
		default:
			state := []run.State{run.Succeeded, run.Failed, run.Canceled, run.Skipped}[i%8-4]
			end(t, l, start(t, l, r, at(i*20)), run.Next{State: state}, at(i*20+5))
		}
	}
	var all []run.Run
	for _, id := range ids {
		r, err := l.Run(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return l, all
}

func TestAListingHasJustWhatItsFilterSelects(t *testing.T) {
	l, all := mixed(t)
	states := []run.State{run.Queued, run.Running, run.Succeeded, run.Failed, run.Canceled, run.Skipped}
	rapid.Check(t, func(rt *rapid.T) {
		f := run.Filter{
			Job:    rapid.SampledFrom([]string{"", "j1", "j4", "none"}).Draw(rt, "job"),
			Pool:   rapid.SampledFrom([]string{"", "p0", "p2", "none"}).Draw(rt, "pool"),
			States: rapid.SliceOfN(rapid.SampledFrom(states), 0, 3).Draw(rt, "states"),
			Limit:  rapid.SampledFrom([]int{0, 1, 7, 50, 500}).Draw(rt, "limit"),
			Oldest: rapid.Bool().Draw(rt, "oldest"),
			Before: rapid.SampledFrom([]int64{0, 90}).Draw(rt, "before"),
		}
		if rapid.Bool().Draw(rt, "in a window") {
			f.Since, f.Until = at(750), at(3333)
		}
		got, err := l.Runs(t.Context(), f)
		if err != nil {
			rt.Fatal(err)
		}
		if want := selected(all, f); !slices.Equal(ids(got), want) {
			rt.Errorf("%+v\ngot  %v\nwant %v", f, ids(got), want)
		}
	})
}

// selected are the ids that the filter selects, in its order.
func selected(all []run.Run, f run.Filter) []int64 {
	var list []int64
	for _, r := range all {
		if (f.Job == "" || r.Job == f.Job) && (f.Pool == "" || r.Pool == f.Pool) &&
			(len(f.States) == 0 || slices.Contains(f.States, r.State)) &&
			(f.Since.IsZero() || !r.EnqueuedAt.Before(f.Since)) && (f.Until.IsZero() || r.EnqueuedAt.Before(f.Until)) &&
			(f.Before == 0 || r.ID < f.Before) {
			list = append(list, r.ID)
		}
	}
	if !f.Oldest {
		slices.Reverse(list)
	}
	if f.Limit > 0 {
		list = list[:min(f.Limit, len(list))]
	}
	return list
}

// The state of a ledger before version 3 of the schema.
const beforeLatest = `DROP TABLE latest; DROP INDEX runs_final; DROP INDEX runs_final_of; DROP INDEX runs_held;
CREATE INDEX runs_ended ON runs (job, state, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX runs_unlucky ON runs (state) WHERE state = 'failed' OR state = 'canceled' OR state = 'skipped';
PRAGMA user_version = 2`

func TestAnOlderLedgerKnowsItsLastEnds(t *testing.T) {
	dir := t.TempDir()
	l := openIn(t, dir)
	lived(t, l, "healed", run.Failed, at(10))
	lived(t, l, "healed", run.Succeeded, at(20))
	lived(t, l, "broken", run.Succeeded, at(10))
	broken := lived(t, l, "broken", run.Failed, at(20))
	never := lived(t, l, "never", run.Failed, at(30))
	lived(t, l, "canceled", run.Canceled, at(40))
	if err := l.writer.conn.script(t.Context(), beforeLatest); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openIn(t, dir)
	failed, err := l.FailedSince(t.Context(), at(0))
	if want := []int64{never.ID, broken.ID}; err != nil || !slices.Equal(ids(failed), want) {
		t.Errorf("got failed %v, want %v; %v", ids(failed), want, err)
	}
	for name, want := range map[string]int{"healed": 21, "broken": 11} {
		if got, err := l.LastSuccess(t.Context(), name); err != nil || !got.Equal(at(want)) {
			t.Errorf("%s: got %v, want %v; %v", name, got, at(want), err)
		}
	}
}

func TestARunThatFailsWithoutAStartIsALastFailure(t *testing.T) {
	l := open(t)
	r := enqueue(t, l, job("a"), run.New{State: run.Failed, Reason: run.ReasonStart}, at(5))
	failed, err := l.FailedSince(t.Context(), at(0))
	if err != nil || !slices.Equal(ids(failed), []int64{r.ID}) {
		t.Errorf("got %v, want %v; %v", ids(failed), []int64{r.ID}, err)
	}
}

func TestASuccessAfterAClockFromTheFutureCounts(t *testing.T) {
	l := open(t)
	lived(t, l, "a", run.Succeeded, at(1_000_000))
	lived(t, l, "a", run.Failed, at(10)) // the clock was set right
	if failed, err := l.FailedSince(t.Context(), at(0)); err != nil || len(failed) != 1 {
		t.Errorf("a failure after that: got %v, %v", ids(failed), err)
	}
	lived(t, l, "a", run.Succeeded, at(20))
	if got, err := l.LastSuccess(t.Context(), "a"); err != nil || !got.Equal(at(21)) {
		t.Errorf("got %v, want %v; %v", got, at(21), err)
	}
}
