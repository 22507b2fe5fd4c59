package dispatch_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// slowJournal is a ledger that takes its time to record starts and ends, and
// may refuse starts.
type slowJournal struct {
	dispatch.Ledger
	start, finish time.Duration
	full          atomic.Bool // starts and delays fail
}

func (l *slowJournal) Start(s run.Start, done func(error)) {
	time.AfterFunc(l.start, func() {
		if l.full.Load() {
			done(errors.New("disk full"))
			return
		}
		l.Ledger.Start(s, done)
	})
}

func (l *slowJournal) Finish(e run.End, done func(run.Ended, error)) {
	time.AfterFunc(l.finish, func() { l.Ledger.Finish(e, done) })
}

func (l *slowJournal) SetAsked(r *run.Run, at, dueAt time.Time, done func(error)) {
	if l.full.Load() {
		go done(errors.New("disk full"))
		return
	}
	l.Ledger.SetAsked(r, at, dueAt, done)
}

// slow puts a slow journal before the ledger.
func (h *host) slow(l *slowJournal) {
	h.t.Helper()
	h.close(0)
	h.wrap = func(under dispatch.Ledger) dispatch.Ledger {
		l.Ledger = under
		return l
	}
	h.open()
}

func retried(d *jobs.Definition) { d.Retry.Attempts = 3 }

// stubborn goes on for ten seconds after it was told to stop.
func stubborn(ctx context.Context, t jobs.Task) jobs.Outcome {
	out := takes(time.Hour)(ctx, t)
	time.Sleep(10 * time.Second) // virtual: in a bubble
	return out
}

func TestACancelHoldsWhateverElseEndsTheAttempt(t *testing.T) {
	tests := []struct {
		name  string
		ended func(h *host) // at one second
	}{
		{"its timeout", func(*host) {}},
		{"a shrink that queues it again", func(h *host) {
			if err := h.d.SetHand("p", dispatch.Hand{Workers: 0, OnShrink: dispatch.Requeue}); err != nil {
				h.t.Error(err)
			}
			if err := h.d.SetHand("p", dispatch.Hand{Workers: 1}); err != nil {
				h.t.Error(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j", retried, func(d *jobs.Definition) {
					d.Timeout = schedule.Duration(2 * time.Second)
				}))
				h.typ.do = stubborn
				ids := h.enqueue("j", nil, "x")
				h.wait(time.Second)
				tt.ended(h)
				h.wait(4 * time.Second)
				if err := h.d.Cancel(t.Context(), ids[0]); err != nil {
					t.Fatal(err)
				}
				h.wait(time.Hour)
				if r := h.run(ids[0]); r.State != run.Canceled || r.Reason != run.ReasonOperator || r.Attempts != 1 {
					t.Errorf("the run is %s (%s) after %d attempts, want canceled (operator) after 1", r.State, r.Reason, r.Attempts)
				}
			})
		})
	}
}

func TestACancelHoldsWhileAFailureIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j", retried))
		h.slow(&slowJournal{finish: time.Second})
		h.typ.do = fail
		ids := h.enqueue("j", nil, "x")
		h.wait(500 * time.Millisecond)
		if err := h.d.Cancel(t.Context(), ids[0]); err != nil {
			t.Fatal(err)
		}
		h.wait(time.Hour)
		if r := h.run(ids[0]); r.State != run.Canceled || r.Attempts != 1 {
			t.Errorf("the run is %s after %d attempts, want canceled after 1", r.State, r.Attempts)
		}
	})
}

func TestACancelHoldsWhenAStartCannotBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"))
		l := &slowJournal{start: time.Second}
		h.slow(l)
		l.full.Store(true)
		h.typ.do = takes(time.Minute)
		ids := h.enqueue("j", nil, "x")
		h.wait(500 * time.Millisecond)
		if err := h.d.Cancel(t.Context(), ids[0]); err != nil {
			t.Fatal(err)
		}
		h.wait(700 * time.Millisecond)
		l.full.Store(false)
		h.wait(time.Hour)
		if got := h.states(ids[0])[0]; got != "canceled operator" {
			t.Errorf("the run is %s, want canceled operator", got)
		}
	})
}

func TestARunThatIsAboutToStartOutlivesItsJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"))
		h.slow(&slowJournal{start: time.Second})
		h.typ.do = takes(time.Minute)
		ids := h.enqueue("j", nil, "x")
		h.wait(500 * time.Millisecond)
		if err := h.d.CancelRemoved(t.Context(), ids[0]); err != nil {
			t.Fatal(err)
		}
		h.wait(time.Hour)
		if got := h.states(ids[0])[0]; got != "succeeded" {
			t.Errorf("the run is %s, want succeeded", got)
		}
	})
}

func TestAStopBeforeTheStartIsRecordedLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j", func(d *jobs.Definition) {
			d.Condition = &jobs.Condition{Command: []string{"ask"}}
		}))
		h.typ.ask = func(jobs.Task) int { time.Sleep(time.Second); return 0 } // virtual
		h.typ.do = takes(time.Minute)
		ids := h.enqueue("j", nil, "x")
		h.wait(500 * time.Millisecond)
		h.close(0)
		h.open()
		h.wait(time.Hour)
		if r := h.run(ids[0]); r.State != run.Succeeded || r.Attempts != 1 {
			t.Errorf("the run is %s (%s) after %d attempts, want succeeded after 1", r.State, r.Reason, r.Attempts)
		}
	})
}

func TestARunThatCannotBePutOffIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j", func(d *jobs.Definition) {
			d.Condition = &jobs.Condition{
				Command: []string{"ask"}, Wait: schedule.Duration(time.Hour), Every: schedule.Duration(time.Minute),
			}
		}))
		l := &slowJournal{}
		h.slow(l)
		l.full.Store(true)
		var asked, answer atomic.Int32
		answer.Store(1)
		h.typ.ask = func(jobs.Task) int { asked.Add(1); return int(answer.Load()) }
		ids := h.enqueue("j", nil, "x")
		h.wait(5 * time.Second)
		if n := asked.Load(); n < 2 || n > 10 {
			t.Errorf("in five seconds it was asked %d times, want once a second", n)
		}
		l.full.Store(false)
		answer.Store(0)
		h.wait(2 * time.Minute)
		if got := h.states(ids[0])[0]; got != "succeeded" {
			t.Errorf("the run is %s, want succeeded", got)
		}
	})
}
