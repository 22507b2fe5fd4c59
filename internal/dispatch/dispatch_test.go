package dispatch_test

import (
	"context"
	"errors"
	"fmt"
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

func TestRunsGoByPriorityThenAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 0)}, job("j"))
		h.enqueue("j", nil, "a", "b")
		h.enqueue("j", func(n *run.New) { n.Priority = 5 }, "urgent")
		h.enqueue("j", func(n *run.New) { n.Priority = -5 }, "idle")
		h.enqueue("j", nil, "c")
		h.wait(time.Second)
		if got := h.typ.started(); len(got) != 0 {
			t.Fatalf("a pool of size 0 started %v", got)
		}
		h.prog.Pools["p"] = pool("p", 1)
		h.d.Apply(h.prog)
		h.wait(time.Second)
		want := []string{"j/urgent", "j/a", "j/b", "j/c", "j/idle"}
		if diff := cmp.Diff(want, h.typ.started()); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestAQueueLongerThanTheWindowRunsEachRunOnceInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"))
		h.typ.do = takes(time.Millisecond)
		args := numbers(3000)
		h.enqueue("j", nil, args[:1000]...)
		h.enqueue("j", nil, args[1000:]...)
		h.wait(time.Minute)
		want := make([]string, len(args))
		for i, arg := range args {
			want[i] = "j/" + arg
		}
		if diff := cmp.Diff(want, h.typ.started()); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestPriorityPassesALongQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"))
		h.typ.do = takes(time.Second)
		h.enqueue("j", nil, numbers(2000)...)
		h.wait(1500 * time.Millisecond)
		h.enqueue("j", func(n *run.New) { n.Priority = 1 }, "urgent")
		h.wait(time.Second)
		if got := h.typ.started(); got[len(got)-1] != "j/urgent" {
			t.Errorf("started last: %s, want the urgent one", got[len(got)-1])
		}
	})
}

func TestResizeActsAtOnce(t *testing.T) {
	tests := []struct {
		mode  dispatch.OnShrink
		tries int
		want  []string // of four running attempts, oldest first, after a shrink to 2
	}{
		{dispatch.Finish, 1, []string{"running", "running", "running", "running"}},
		{dispatch.StopNewest, 1, []string{"running", "running", "canceled shrink", "canceled shrink"}},
		{dispatch.StopOldest, 1, []string{"canceled shrink", "canceled shrink", "running", "running"}},
		{dispatch.Requeue, 2, []string{"running", "running", "queued requeued", "queued requeued"}},
		{dispatch.Requeue, 1, []string{"running", "running", "running", "running"}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s with %d tries", tt.mode, tt.tries), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j", func(d *jobs.Definition) { d.Retry.Attempts = tt.tries }))
				h.typ.do = takes(time.Hour)
				ids := h.enqueue("j", nil, "1")
				for _, arg := range []string{"2", "3", "4"} { // one after another: the order of starts
					ids = append(ids, h.enqueue("j", nil, arg)...)
				}
				h.wait(time.Second)
				if diff := cmp.Diff([]string{"running", "queued", "queued", "queued"}, h.states(ids...)); diff != "" {
					t.Fatalf("before (-want +got):\n%s", diff)
				}
				for size := 2; size <= 4; size++ {
					if err := h.d.SetHand("p", dispatch.Hand{Workers: size}); err != nil {
						t.Fatal(err)
					}
					h.wait(time.Millisecond)
				}
				if diff := cmp.Diff(times(4, "running"), h.states(ids...)); diff != "" {
					t.Fatalf("growth did not start what waits (-want +got):\n%s", diff)
				}
				if err := h.d.SetHand("p", dispatch.Hand{Workers: 2, OnShrink: tt.mode}); err != nil {
					t.Fatal(err)
				}
				h.wait(time.Millisecond)
				if diff := cmp.Diff(tt.want, h.states(ids...)); diff != "" {
					t.Errorf("after the shrink (-want +got):\n%s", diff)
				}
				if tt.mode != dispatch.Requeue || tt.tries == 1 {
					return
				}
				h.wait(2 * time.Hour)
				if diff := cmp.Diff(times(4, "succeeded"), h.states(ids...)); diff != "" {
					t.Errorf("in the end (-want +got):\n%s", diff)
				}
				if r := h.run(ids[3]); r.Attempts != 2 || r.Tries != 1 {
					t.Errorf("a requeued run has %d starts and %d tries, want 2 and 1", r.Attempts, r.Tries)
				}
			})
		})
	}
}

func TestWhatIsAboutToStartIsTheNewestToAShrink(t *testing.T) {
	for mode, want := range map[dispatch.OnShrink]string{dispatch.StopNewest: "running", dispatch.StopOldest: "canceled shrink"} {
		synctest.Test(t, func(t *testing.T) {
			asked := job("asked", func(d *jobs.Definition) { d.Condition = &jobs.Condition{Command: []string{"x"}} })
			h := newHost(t, []dispatch.Pool{pool("p", 2)}, job("j"), asked)
			h.typ.do = takes(time.Hour)
			h.typ.ask = func(jobs.Task) int { time.Sleep(time.Minute); return 0 }
			older := h.enqueue("j", nil, "1")
			h.wait(time.Second)
			h.enqueue("asked", nil, "1")
			h.wait(time.Second)
			if err := h.d.SetHand("p", dispatch.Hand{Workers: 1, OnShrink: mode}); err != nil {
				t.Fatal(err)
			}
			h.wait(time.Second)
			if diff := cmp.Diff([]string{want}, h.states(older...)); diff != "" {
				t.Errorf("%s: the older run (-want +got):\n%s", mode, diff)
			}
		})
	}
}

func TestRetryWaitsForItsBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j", func(d *jobs.Definition) { d.Retry.Attempts = 3 }))
		h.typ.do = fail
		ids := h.enqueue("j", nil, "x")
		h.wait(time.Second)
		if diff := cmp.Diff([]string{"queued retry"}, h.states(ids...)); diff != "" {
			t.Fatalf("after the first try (-want +got):\n%s", diff)
		}
		if wait := time.Until(h.run(ids[0]).DueAt); wait < 3*time.Second || wait > 10*time.Second {
			t.Errorf("it is due in %v, want 5 to 10 s after its end", wait)
		}
		h.wait(time.Minute)
		r := h.run(ids[0])
		if r.State != run.Failed || r.Attempts != 3 {
			t.Errorf("in the end: %s after %d starts, want failed after 3", r.State, r.Attempts)
		}
		attempts, err := h.ledger.Attempts(t.Context(), ids[0])
		if err != nil || len(attempts) != 3 {
			t.Errorf("recorded %d attempts, %v", len(attempts), err)
		}
	})
}

func TestCancelReachesARunWhereverItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"))
		h.typ.do = takes(time.Hour)
		ids := h.enqueue("j", nil, numbers(5000)...)
		h.wait(time.Second)
		running, inWindow, onDisk := ids[0], ids[1], ids[4999]
		for _, id := range []int64{running, inWindow, onDisk} {
			if err := h.d.Cancel(t.Context(), id); err != nil {
				t.Errorf("cancel run %d: %v", id, err)
			}
		}
		h.wait(time.Second)
		if diff := cmp.Diff(times(3, "canceled operator"), h.states(running, inWindow, onDisk)); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if err := h.d.Cancel(t.Context(), running); !errors.Is(err, run.ErrStale) {
			t.Errorf("a second cancel: %v, want ErrStale", err)
		}
		if err := h.d.Cancel(t.Context(), 999999); !errors.Is(err, run.ErrNotFound) {
			t.Errorf("cancel of no run: %v, want ErrNotFound", err)
		}
		if diff := cmp.Diff([]string{"j/1", "j/3"}, h.typ.started()); diff != "" {
			t.Errorf("started (-want +got):\n%s", diff)
		}
	})
}

func TestTimeoutStopsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j", func(d *jobs.Definition) { d.Timeout = schedule.Duration(time.Minute) }))
		h.typ.do = takes(time.Hour)
		ids := h.enqueue("j", nil, "x")
		h.wait(61 * time.Second)
		if diff := cmp.Diff([]string{"failed timeout"}, h.states(ids...)); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
	})
}

func TestAPanicEndsItsOwnRunAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j"))
		h.typ.do = func(ctx context.Context, task jobs.Task) jobs.Outcome {
			if task.Arg == "bad" {
				panic("boom")
			}
			return succeed(ctx, task)
		}
		ids := h.enqueue("j", nil, "bad", "good")
		h.wait(time.Second)
		if diff := cmp.Diff([]string{"failed start", "succeeded"}, h.states(ids...)); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

func TestSlotsTakeSeveralWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wide := job("wide", func(d *jobs.Definition) { d.Slots = jobs.AllSlots })
		h := newHost(t, []dispatch.Pool{pool("p", 4)}, job("j"), wide)
		h.typ.do = takes(time.Second)
		h.enqueue("j", nil, "1", "2")
		h.wait(time.Millisecond)
		h.enqueue("wide", nil, "w")
		h.enqueue("j", nil, "3", "4")
		h.wait(500 * time.Millisecond)
		if diff := cmp.Diff([]string{"j/1", "j/2"}, slices.Sorted(slices.Values(h.typ.started()))); diff != "" {
			t.Fatalf("before the wide one (-want +got):\n%s", diff)
		}
		h.wait(time.Second)
		if got := h.typ.started(); len(got) != 3 || got[2] != "wide/w" {
			diff := cmp.Diff([]string{"j/1", "j/2", "wide/w"}, got)
			t.Fatalf("while the wide one runs (-want +got):\n%s", diff)
		}
		h.wait(time.Second)
		got := h.typ.started()
		slices.Sort(got)
		if diff := cmp.Diff([]string{"j/1", "j/2", "j/3", "j/4", "wide/w"}, got); diff != "" {
			t.Errorf("in the end (-want +got):\n%s", diff)
		}
	})
}

func TestAfterChains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(
			t, []dispatch.Pool{pool("p", 4)}, job("a"), job("b"),
			job("on-success", func(d *jobs.Definition) { d.After = jobs.After{Success: []string{"a"}} }),
			job("on-failure", func(d *jobs.Definition) { d.After = jobs.After{Failure: []string{"a"}} }),
			job("both", func(d *jobs.Definition) { d.After = jobs.After{Success: []string{"a", "b"}, Match: jobs.MatchAll} }),
			job("off", func(d *jobs.Definition) { d.After = jobs.After{Any: []string{"a"}}; d.Enabled = false }),
		)
		h.enqueue("a", nil, "x")
		h.wait(time.Second)
		if diff := cmp.Diff([]string{"a/x", "on-success/x"}, h.typ.started()); diff != "" {
			t.Errorf("after a (-want +got):\n%s", diff)
		}
		h.enqueue("b", nil, "y")
		h.wait(time.Second)
		if diff := cmp.Diff([]string{"a/x", "on-success/x", "b/y", "both/y"}, h.typ.started()); diff != "" {
			t.Errorf("after b (-want +got):\n%s", diff)
		}
		skipped, err := h.ledger.Runs(t.Context(), run.Filter{Job: "off"})
		if err != nil || len(skipped) != 1 || skipped[0].Reason != run.ReasonDisabled {
			t.Errorf("of the job that is off: %+v, %v; want a row that says so", skipped, err)
		}
	})
}

func TestABatchSetsOffItsFollowersOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(
			t, []dispatch.Pool{pool("p", 4)}, job("a"),
			job("then", func(d *jobs.Definition) { d.After = jobs.After{Failure: []string{"a"}} }),
		)
		h.typ.do = func(ctx context.Context, task jobs.Task) jobs.Outcome {
			if task.Arg == "2" {
				return fail(ctx, task)
			}
			return succeed(ctx, task)
		}
		sub := run.Submission{Def: h.prog.Jobs["a"], Batch: true}
		for _, arg := range numbers(5) {
			sub.Runs = append(sub.Runs, run.New{State: run.Queued, Trigger: run.TriggerBatch, Arg: arg})
		}
		if _, err := h.d.Enqueue(t.Context(), []run.Submission{sub}, time.Now()); err != nil {
			t.Fatal(err)
		}
		h.wait(time.Second)
		follow, err := h.ledger.Runs(t.Context(), run.Filter{Job: "then"})
		if err != nil || len(follow) != 1 {
			t.Fatalf("the batch set off %d runs, %v; want 1", len(follow), err)
		}
		if len(h.ends) != 1 || <-h.ends != "b1" {
			t.Error("the end of the batch was not told once")
		}
		if follow[0].Arg != "" || follow[0].Trigger != run.TriggerAfter {
			t.Errorf("it has argument %q and trigger %s", follow[0].Arg, follow[0].Trigger)
		}
	})
}

func TestATaskSeesItsMomentInTheJobsZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(
			t, []dispatch.Pool{pool("p", 1)}, job("plain"),
			job("own", func(d *jobs.Definition) { d.TimeZone = "Asia/Tokyo" }),
		)
		h.prog.Zone = time.FixedZone("here", 2*3600)
		h.d.Apply(h.prog)
		seen := map[string]string{}
		h.typ.do = func(ctx context.Context, task jobs.Task) jobs.Outcome {
			seen[task.Job] = task.ScheduledText()
			return succeed(ctx, task)
		}
		at := func(n *run.New) { n.ScheduledAt = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC) }
		h.enqueue("plain", at, "x")
		h.wait(time.Second)
		h.enqueue("own", at, "x")
		h.wait(time.Second)
		want := map[string]string{"plain": "2026-01-02T05:00:00+02:00", "own": "2026-01-02T12:00:00+09:00"}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("scheduled at (-want +got):\n%s", diff)
		}
	})
}
