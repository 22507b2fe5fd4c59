package dispatch_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

func TestAStopDrainsThenInterrupts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(
			t, []dispatch.Pool{pool("p", 3)},
			job("short"), job("once"), job("again", func(d *jobs.Definition) { d.Retry.Attempts = 2 }),
		)
		h.typ.do = takes(time.Hour)
		once, again := h.enqueue("once", nil, "x"), h.enqueue("again", nil, "x")
		h.wait(59*time.Minute + 50*time.Second)
		short := h.enqueue("short", nil, "x")
		queued := h.enqueue("once", nil, "y")
		h.wait(time.Second)
		h.close(5 * time.Second) // the two begun first would need 9 s
		h.open()
		h.wait(time.Millisecond)
		want := []string{"failed lost", "running", "failed lost", "running"}
		if diff := cmp.Diff(want, h.states(once[0], again[0], short[0], queued[0])); diff != "" {
			t.Errorf("after the restart (-want +got):\n%s", diff)
		}
		if r := h.run(again[0]); r.Attempts != 2 || r.Tries != 1 {
			t.Errorf("the interrupted run has %d starts and %d tries, want 2 and 1", r.Attempts, r.Tries)
		}
	})
}

func TestAStopLetsWorkEndWithinItsPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"))
		h.typ.do = takes(time.Minute)
		ids := h.enqueue("j", nil, "1", "2")
		h.wait(time.Second)
		begin := time.Now()
		h.close(time.Hour)
		if took := time.Since(begin); took != 59*time.Second {
			t.Errorf("the stop took %v, want as long as what ran", took)
		}
		h.open()
		h.wait(time.Millisecond)
		if diff := cmp.Diff([]string{"succeeded", "running"}, h.states(ids...)); diff != "" {
			t.Errorf("after the restart (-want +got):\n%s", diff)
		}
	})
}

func TestWindowsAndHandsChangeTheSize(t *testing.T) {
	expr := func(text string) schedule.Schedule {
		e, err := schedule.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return schedule.Schedule{Exprs: []schedule.Expr{e}, Zone: time.UTC}
	}
	synctest.Test(t, func(t *testing.T) { // the bubble begins at midnight UTC
		p := pool("p", 2)
		p.Windows = []dispatch.Window{{At: expr("0 22 * * *"), Workers: 40}, {At: expr("0 6 * * *"), Workers: 20}}
		h := newHost(t, []dispatch.Pool{p}, job("j"))
		size := func() int { return h.d.Pools()[0].Workers }
		check := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if got := size(); got != want {
				t.Errorf("%s the size is %d, want %d", when, got, want)
			}
		}
		check("at midnight, in the window begun last evening,", 40)
		h.wait(6 * time.Hour)
		check("at 06:00", 20)
		if err := h.d.SetHand("p", dispatch.Hand{Workers: 7, Until: time.Now().Add(20 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		h.wait(17 * time.Hour)
		check("by hand, across a window,", 7)
		h.d.Apply(h.prog)
		check("after a reload that leaves the pool alone", 7)
		h.wait(4 * time.Hour)
		check("when its time is over", 40)
		if err := h.d.SetHand("p", dispatch.Hand{Workers: 3}); err != nil {
			t.Fatal(err)
		}
		p.Entry = "changed"
		h.prog.Pools = map[string]dispatch.Pool{"p": p}
		h.d.Apply(h.prog)
		check("after its entry in the file changed", 40)
	})
}

func TestNothingStartsBeforeRunSoThatAPauseHoldsAcrossARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 0)}, job("j"))
		h.enqueue("j", nil, "1")
		h.close(0)
		h.prog.Pools["p"] = pool("p", 1)
		h.prepare()
		check := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			if got := h.typ.started(); !slices.Equal(got, want) {
				t.Errorf("%s these have started: %v, want %v", when, got, want)
			}
		}
		check("before Run")
		h.d.PauseHost(dispatch.Pause{Since: time.Now()})
		h.launch()
		check("while the host is paused")
		h.d.ResumeHost()
		check("when it is resumed", "j/1")
	})
}

func TestAPoolThatIsTakenAwayEndsWhatItExecutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moved := job("j")
		h := newHost(t, []dispatch.Pool{pool("p", 1), pool("q", 1)}, moved)
		h.typ.do = takes(time.Minute)
		ids := h.enqueue("j", nil, "1", "2")
		h.wait(time.Second)
		next := h.prog
		now := *moved
		now.Pool = "q"
		next.Jobs = map[string]*jobs.Definition{"j": &now}
		next.Pools = map[string]dispatch.Pool{"q": pool("q", 1)}
		h.d.Apply(next)
		if n, err := h.ledger.Rehome(t.Context(), "j", "p", "q"); err != nil || n != 1 {
			t.Fatalf("moved %d runs, %v; want 1", n, err)
		}
		h.d.Rewind("q")
		h.wait(time.Second)
		if diff := cmp.Diff([]string{"running", "running"}, h.states(ids...)); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		h.wait(2 * time.Minute)
		if diff := cmp.Diff(times(2, "succeeded"), h.states(ids...)); diff != "" {
			t.Errorf("in the end (-want +got):\n%s", diff)
		}
	})
}

// leaveRunning records starts as a daemon leaves them that is killed then.
func (h *host) leaveRunning(ids ...int64) {
	h.t.Helper()
	for _, id := range ids {
		r := h.run(id)
		started := make(chan error, 1)
		h.ledger.Start(run.Start{Run: &r, At: time.Now()}, func(err error) { started <- err })
		if err := <-started; err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestARunFoundRunningIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 2)}, job("once"), job("again", func(d *jobs.Definition) { d.Retry.Attempts = 2 }))
		h.d.PauseHost(dispatch.Pause{Since: time.Now()})
		ids := append(h.enqueue("once", nil, "x"), h.enqueue("again", nil, "x")...)
		h.wait(time.Second)
		h.leaveRunning(ids...)
		h.close(0)
		h.open()
		h.wait(time.Millisecond)
		if diff := cmp.Diff([]string{"failed lost", "queued retry"}, h.states(ids...)); diff != "" {
			t.Errorf("settled (-want +got):\n%s", diff)
		}
		h.wait(time.Minute)
		if diff := cmp.Diff([]string{"failed lost", "succeeded"}, h.states(ids...)); diff != "" {
			t.Errorf("in the end (-want +got):\n%s", diff)
		}
	})
}

func TestAPauseOfAJobThatEndsWhileTheDaemonIsDownHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"))
		h.d.PauseJob("j", dispatch.Pause{})
		ids := h.enqueue("j", nil, numbers(5)...)
		h.wait(time.Second)
		h.close(0)
		h.open() // and nobody pauses it again
		h.wait(time.Second)
		if diff := cmp.Diff(times(5, "succeeded"), h.states(ids...)); diff != "" {
			t.Errorf("the runs that were held (-want +got):\n%s", diff)
		}
	})
}

func TestAPauseOfAJobHoldsAcrossARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"))
		h.d.PauseJob("j", dispatch.Pause{})
		ids := h.enqueue("j", nil, numbers(3)...)
		h.wait(time.Second)
		h.close(0)
		h.prepare()
		h.d.PauseJob("j", dispatch.Pause{})
		h.launch()
		h.wait(time.Hour)
		if diff := cmp.Diff(times(3, "queued"), h.states(ids...)); diff != "" {
			t.Errorf("while it is paused (-want +got):\n%s", diff)
		}
		h.d.ResumeJob("j")
		h.wait(time.Second)
		if diff := cmp.Diff(times(3, "succeeded"), h.states(ids...)); diff != "" {
			t.Errorf("when it is resumed (-want +got):\n%s", diff)
		}
	})
}

func TestALostRunSetsOffWhatFollowsItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"), job("alarm", func(d *jobs.Definition) {
			d.After = jobs.After{Failure: []string{"j"}}
		}))
		h.d.PauseHost(dispatch.Pause{})
		ids := h.enqueue("j", nil, "x")
		h.leaveRunning(ids...)
		h.close(0)
		h.open()
		h.wait(time.Second)
		if diff := cmp.Diff([]string{"failed lost"}, h.states(ids...)); diff != "" {
			t.Errorf("the lost run (-want +got):\n%s", diff)
		}
		if got, want := h.typ.started(), []string{"alarm/x"}; !slices.Equal(got, want) {
			t.Errorf("these have started: %v, want %v", got, want)
		}
	})
}

func TestARunThatIsQueuedAgainInAPoolThatIsGoneIsAStray(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moved := job("j", retried)
		moved.Pool = "q"
		h := newHost(t, []dispatch.Pool{pool("p", 1), pool("q", 1)}, moved)
		h.typ.do = func(ctx context.Context, t jobs.Task) jobs.Outcome {
			time.Sleep(time.Minute) // virtual: in a bubble
			return fail(ctx, t)
		}
		ids := h.enqueue("j", nil, "x")
		h.wait(time.Second)
		delete(h.prog.Pools, "q")
		h.d.Apply(h.prog)
		h.wait(2 * time.Minute)
		if got := h.states(ids[0])[0]; got != "queued retry" || h.strays.Load() == 0 {
			t.Fatalf("the run is %s, and told of as a stray %d times", got, h.strays.Load())
		}
		if n, err := h.ledger.Rehome(t.Context(), "j", "q", "p"); err != nil || n != 1 {
			t.Fatalf("moved %d runs, %v; want 1", n, err)
		}
		h.d.Rewind("p")
		h.wait(time.Second)
		if got := h.states(ids[0])[0]; got != "running" {
			t.Errorf("moved to a pool that is there, the run is %s, want running", got)
		}
	})
}

// slowAnswer is a ledger whose Enqueue returns late.
type slowAnswer struct {
	dispatch.Ledger
	meanwhile func()
}

func (l *slowAnswer) Enqueue(ctx context.Context, subs []run.Submission, now time.Time) ([]run.Submitted, error) {
	got, err := l.Ledger.Enqueue(ctx, subs, now)
	l.meanwhile()
	return got, err
}

// A run may be found in the ledger, start and end before whoever enqueued it
// hears of it. What they offer then is out of date, and is not started again.
func TestARunThatIsOfferedLateIsNotStartedTwice(t *testing.T) {
	for what, within := range map[string]time.Duration{"at any time": 0, "soon": time.Second / 2} {
		t.Run("to be started "+what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j", func(d *jobs.Definition) { d.Retry.Attempts = 2 }))
				h.typ.do = fail
				h.close(0)
				h.wrap = func(l dispatch.Ledger) dispatch.Ledger {
					return &slowAnswer{Ledger: l, meanwhile: func() {
						h.d.Rewind("p")
						h.wait(time.Second)
					}}
				}
				h.open()
				id := h.enqueue("j", func(n *run.New) {
					if within > 0 {
						n.ExpiresAt = time.Now().Add(within)
					}
				}, "")[0]
				h.wait(time.Second)
				if n := len(h.typ.started()); n != 1 {
					t.Errorf("it has started %d times within its backoff", n)
				}
				h.wait(time.Minute)
				if got := h.states(id); got[0] != "failed exit" || len(h.typ.started()) != 2 {
					t.Errorf("it is %s after %d starts, want failed after 2", got[0], len(h.typ.started()))
				}
			})
		})
	}
}
