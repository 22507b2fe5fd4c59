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

// slowReads is a ledger whose readers are slow: what they return is a second
// old.
type slowReads struct{ dispatch.Ledger }

func (l slowReads) Window(ctx context.Context, pool string, after *run.Position, n int) ([]run.Run, error) {
	runs, err := l.Ledger.Window(ctx, pool, after, n)
	time.Sleep(time.Second) // virtual: in a bubble
	return runs, err
}

func TestARunThatBecomesReadyDuringAReadIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"))
		h.close(0)
		h.wrap = func(l dispatch.Ledger) dispatch.Ledger { return slowReads{l} }
		h.typ.do = takes(time.Minute)
		h.open()
		h.wait(2 * time.Second)
		h.enqueue("j", nil, numbers(1000)...) // too many for the window: it is read afresh
		h.wait(500 * time.Millisecond)        // in the midst of that
		urgent := h.enqueue("j", func(n *run.New) { n.Priority = 5 }, "urgent")
		h.wait(3 * time.Minute)
		if got := h.run(urgent[0]); got.State != run.Succeeded {
			t.Errorf("the urgent run is %s, want succeeded before the rest", got.State)
		}
	})
}

// slowEnqueue is a ledger that answers a second after it has recorded.
type slowEnqueue struct{ dispatch.Ledger }

func (l slowEnqueue) Enqueue(ctx context.Context, subs []run.Submission, now time.Time) ([]run.Submitted, error) {
	got, err := l.Ledger.Enqueue(ctx, subs, now)
	time.Sleep(time.Second) // virtual: in a bubble
	return got, err
}

func TestARunThatTheWindowHadFirstIsNotStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j", func(d *jobs.Definition) { d.Retry.Attempts = 2 }))
		h.close(0)
		h.wrap = func(l dispatch.Ledger) dispatch.Ledger { return slowEnqueue{l} }
		h.typ.do = fail
		h.open()
		h.wait(time.Second)
		time.AfterFunc(500*time.Millisecond, func() { h.d.Rewind("p") })
		h.enqueue("j", nil, "x")
		h.wait(2 * time.Second)
		if got := h.typ.started(); len(got) != 1 {
			t.Errorf("started %d times, without waiting for the backoff", len(got))
		}
		h.wait(time.Minute)
		if got := h.typ.started(); len(got) != 2 {
			t.Errorf("in the end started %d times, want 2", len(got))
		}
	})
}
