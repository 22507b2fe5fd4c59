package dispatch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// The scheduler hands a run over a little before it is due. It is recorded and
// in a worker's hand then, and nothing of it begins early: neither its condition
// nor its attempt, nor what the ledger says of it.
func TestARunThatIsHandedOverEarlyStartsAtItsMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asks := job("asks")
		asks.Condition = &jobs.Condition{Command: []string{"x"}}
		h := newHost(t, []dispatch.Pool{pool("p", 4)}, job("plain"), asks)
		due := time.Now().Add(time.Hour).Truncate(time.Second)
		begun := make(chan time.Time, 3)
		h.typ.do = func(context.Context, jobs.Task) jobs.Outcome {
			begun <- time.Now()
			return jobs.Outcome{OK: true}
		}
		h.typ.ask = func(jobs.Task) int {
			begun <- time.Now()
			return 0
		}
		h.wait(time.Until(due) - 5*time.Millisecond)
		var ids []int64
		for _, name := range []string{"plain", "asks"} {
			sub := run.Submission{Def: h.prog.Jobs[name], Runs: []run.New{{State: run.Queued, Trigger: run.TriggerSchedule, ScheduledAt: due, DueAt: due}}}
			done, err := h.d.Enqueue(context.Background(), []run.Submission{sub}, due)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, done[0].Runs[0].ID)
		}
		h.wait(time.Second)
		for range 3 {
			if at := <-begun; !at.Equal(due) {
				t.Errorf("something began %v from its moment", at.Sub(due))
			}
		}
		for _, id := range ids {
			r, err := h.ledger.Run(context.Background(), id)
			if err != nil || !r.StartedAt.Equal(due) || r.State != run.Succeeded {
				t.Errorf("the ledger says it started at %v, want %v (%v, %v)", r.StartedAt, due, r.State, err)
			}
		}
		if got := h.d.Lateness(); got.Starts != 2 || got.Max != 0 {
			t.Errorf("lateness %+v, want two starts and none late", got)
		}
	})
}

func TestLatenessCountsScheduledStartsFromTheirDueTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"))
		h.typ.do = takes(2 * time.Second)
		due := time.Now()
		scheduled := func(n *run.New) { n.Trigger, n.DueAt = run.TriggerSchedule, due }
		h.enqueue("j", scheduled, "first", "second", "third")
		h.enqueue("j", nil, "by hand")
		h.enqueue("j", func(n *run.New) { n.Trigger, n.DueAt = run.TriggerCatchUp, due.Add(-time.Hour) }, "missed")
		h.wait(time.Minute)
		want := dispatch.Lateness{Starts: 3, P50: 2 * time.Second, P99: 2 * time.Second, Max: 4 * time.Second}
		if got := h.d.Lateness(); got != want {
			t.Errorf("lateness %+v, want %+v", got, want)
		}
	})
}
