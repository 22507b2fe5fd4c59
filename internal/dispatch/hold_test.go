package dispatch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
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

func locked(names ...string) func(*jobs.Definition) {
	return func(d *jobs.Definition) { d.Locks = names }
}

func TestALockHoldsAcrossJobsAndPools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(
			t, []dispatch.Pool{pool("p", 4), pool("q", 4)},
			job("a", locked("db")), job("b", locked("db"), func(d *jobs.Definition) { d.Pool = "q" }), job("free"),
		)
		h.typ.do = takes(time.Second)
		ids := h.enqueue("a", nil, "1", "2")
		ids = append(ids, h.enqueue("b", nil, "3")...)
		free := h.enqueue("free", nil, "x")
		h.wait(500 * time.Millisecond)
		states := h.states(ids...)
		slices.Sort(states)
		if diff := cmp.Diff([]string{"queued lock", "queued lock", "running"}, states); diff != "" {
			t.Fatalf("while one has the lock (-want +got):\n%s", diff)
		}
		if got := h.states(free...); got[0] != "running" {
			t.Errorf("a run that needs no lock is %s: held ones starve it", got[0])
		}
		h.wait(10 * time.Second)
		if diff := cmp.Diff(times(3, "succeeded"), h.states(ids...)); diff != "" {
			t.Errorf("in the end (-want +got):\n%s", diff)
		}
	})
}

// Whatever is locked, cancelled, paused and resized on the way, everything
// comes to its end, and no lock is ever held twice.
func TestTheQueueCannotWedge(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { wedge(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func wedge(t *testing.T, rnd *rand.Rand) {
	h := newHost(
		t, []dispatch.Pool{pool("p", 3), pool("q", 2)},
		job("a", locked("x")), job("b", locked("x", "y")), job("c", locked("y", "z")),
		job("d", locked("z", "x"), func(d *jobs.Definition) { d.Pool = "q" }),
		job("s", func(d *jobs.Definition) { d.Overlap, d.Pool = jobs.OverlapQueueAll, "q" }),
		job("free", func(d *jobs.Definition) { d.Retry.Attempts = 3 }),
	)
	h.typ.do = takes(50 * time.Millisecond)
	var ids []int64
	for range 150 {
		name := []string{"a", "b", "c", "d", "s", "free"}[rnd.IntN(6)]
		ids = append(ids, h.enqueue(name, func(n *run.New) { n.Priority = rnd.IntN(3) }, fmt.Sprint(rnd.IntN(2)))...)
		switch rnd.IntN(8) {
		case 0:
			_ = h.d.Cancel(t.Context(), ids[rnd.IntN(len(ids))]) // it may have ended already
		case 1:
			name := []string{"p", "q"}[rnd.IntN(2)]
			if err := h.d.SetHand(name, dispatch.Hand{Workers: rnd.IntN(4), OnShrink: dispatch.Requeue}); err != nil {
				t.Fatal(err)
			}
		case 2:
			h.d.PauseJob("b", dispatch.Pause{Since: time.Now()})
		case 3:
			h.d.ResumeJob("b")
		case 4:
			h.wait(time.Duration(rnd.IntN(100)) * time.Millisecond)
		}
	}
	h.d.ResumeJob("b")
	for _, name := range []string{"p", "q"} {
		if err := h.d.ResetHand(name); err != nil {
			t.Fatal(err)
		}
	}
	h.wait(time.Hour)
	for _, id := range ids {
		if r := h.run(id); !r.State.Final() {
			t.Errorf("run %d of job %s is still %s, reason %q, waiting for %q", id, r.Job, r.State, r.Reason, r.Waits)
		}
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		if n := h.typ.most[name]; n > 1 {
			t.Errorf("%d runs of job %s held its locks at once", n, name)
		}
	}
}

func TestOverlapKeepsRunsOfOneArgumentApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 8)}, job("j", func(d *jobs.Definition) { d.Overlap = jobs.OverlapQueueAll }))
		h.typ.do = takes(time.Second)
		same := append(h.enqueue("j", nil, "x"), h.enqueue("j", nil, "x")...)
		other := h.enqueue("j", nil, "y")
		h.wait(500 * time.Millisecond)
		if diff := cmp.Diff([]string{"running", "queued"}, h.states(same...)); diff != "" {
			t.Errorf("of one argument (-want +got):\n%s", diff)
		}
		if got := h.states(other...); got[0] != "running" {
			t.Errorf("another argument is %s, want running", got[0])
		}
		h.wait(5 * time.Second)
		if diff := cmp.Diff(times(2, "succeeded"), h.states(same...)); diff != "" {
			t.Errorf("in the end (-want +got):\n%s", diff)
		}
	})
}

func TestReplaceStartsWhenTheOldRunIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 8)}, job("j", func(d *jobs.Definition) { d.Overlap = jobs.OverlapReplace }))
		h.typ.do = takes(time.Hour)
		ids := h.enqueue("j", nil, "x")
		h.wait(time.Second)
		ids = append(ids, h.enqueue("j", nil, "x")...)
		h.wait(time.Second)
		if diff := cmp.Diff([]string{"canceled replaced", "running"}, h.states(ids...)); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if n := h.typ.most["j"]; n != 1 {
			t.Errorf("%d ran at once", n)
		}
	})
}

func TestAConditionWaitsWithoutHoldingAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cond := &jobs.Condition{Command: []string{"x"}, Wait: schedule.Duration(10 * time.Minute), Every: schedule.Duration(time.Minute)}
		h := newHost(
			t, []dispatch.Pool{pool("p", 1)},
			job("j", func(d *jobs.Definition) { d.Condition = cond }), job("other"),
		)
		begin, asked := time.Now(), 0
		h.typ.ask = func(jobs.Task) int {
			asked++
			if time.Since(begin) < 3*time.Minute {
				return 1
			}
			return 0
		}
		ids := h.enqueue("j", nil, "x")
		h.wait(time.Second)
		if diff := cmp.Diff([]string{"queued condition"}, h.states(ids...)); diff != "" {
			t.Fatalf("while it waits (-want +got):\n%s", diff)
		}
		other := h.enqueue("other", nil, "y")
		h.wait(time.Second)
		if got := h.states(other...); got[0] != "succeeded" {
			t.Errorf("another run is %s: the worker was held", got[0])
		}
		h.wait(5 * time.Minute)
		if diff := cmp.Diff([]string{"succeeded"}, h.states(ids...)); diff != "" {
			t.Errorf("in the end (-want +got):\n%s", diff)
		}
		if asked != 4 {
			t.Errorf("asked %d times, want 4", asked)
		}
	})
}

func TestAConditionSkipsOrFails(t *testing.T) {
	for code, want := range map[int]string{1: "skipped condition", 254: "skipped condition", 255: "failed condition", 0: "succeeded"} {
		t.Run(fmt.Sprint("exit status ", code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, []dispatch.Pool{pool("p", 1)}, job("j", func(d *jobs.Definition) { d.Condition = &jobs.Condition{Command: []string{"x"}} }))
				h.typ.ask = func(jobs.Task) int { return code }
				ids := h.enqueue("j", nil, "x")
				h.wait(time.Second)
				if diff := cmp.Diff([]string{want}, h.states(ids...)); diff != "" {
					t.Errorf("state (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestARunNotStartedInTimeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 0)}, job("j"))
		ids := h.enqueue("j", func(n *run.New) { n.ExpiresAt = time.Now().Add(time.Hour) }, "x")
		h.wait(59 * time.Minute)
		if got := h.states(ids...); got[0] != "queued" {
			t.Fatalf("a minute early it is %s", got[0])
		}
		h.wait(2 * time.Minute)
		if diff := cmp.Diff([]string{"skipped expired"}, h.states(ids...)); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
	})
}

func TestAPausedJobsRunsWaitForItsResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 2)}, job("j"), job("other"))
		h.d.PauseJob("j", dispatch.Pause{Since: time.Now(), Until: time.Now().Add(time.Hour)})
		ids := h.enqueue("j", nil, "1", "2", "3")
		other := h.enqueue("other", nil, "x")
		h.wait(time.Minute)
		if diff := cmp.Diff(times(3, "queued"), h.states(ids...)); diff != "" {
			t.Errorf("while it is paused (-want +got):\n%s", diff)
		}
		if got := h.states(other...); got[0] != "succeeded" {
			t.Errorf("another job's run is %s", got[0])
		}
		h.wait(time.Hour)
		if diff := cmp.Diff(times(3, "succeeded"), h.states(ids...)); diff != "" {
			t.Errorf("when the pause has ended by itself (-want +got):\n%s", diff)
		}
	})
}

func TestPauseOfPoolAndHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 2), pool("q", 2)}, job("j"))
		h.d.PauseHost(dispatch.Pause{Since: time.Now()})
		if err := h.d.PausePool("p", dispatch.Pause{Since: time.Now()}); err != nil {
			t.Fatal(err)
		}
		ids := h.enqueue("j", nil, "1")
		h.wait(time.Minute)
		h.d.ResumeHost()
		h.wait(time.Minute)
		if got := h.states(ids...); got[0] != "queued" {
			t.Fatalf("the host is resumed, but its pool is not: %s", got[0])
		}
		if err := h.d.ResumePool("p"); err != nil {
			t.Fatal(err)
		}
		h.wait(time.Second)
		if got := h.states(ids...); got[0] != "succeeded" {
			t.Errorf("resumed: %s", got[0])
		}
	})
}

// Those before it in the queue end without a start, all at the same moment; the
// last one waits for none of them.
func TestTheEndOfThoseBeforeLeavesNobodyBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var defs []*jobs.Definition
		for _, lock := range numbers(8) {
			defs = append(defs, job(lock, locked(lock)))
		}
		h := newHost(t, []dispatch.Pool{pool("p", 1)}, defs...)
		if err := h.d.PausePool("p", dispatch.Pause{Since: time.Now()}); err != nil {
			t.Fatal(err)
		}
		var last []int64
		for _, def := range defs {
			h.enqueue(def.Name, func(n *run.New) { n.ExpiresAt = time.Now().Add(time.Second) }, numbers(20)...)
			last = append(last, h.enqueue(def.Name, nil, "last")...)
		}
		h.wait(time.Minute)
		if err := h.d.ResumePool("p"); err != nil {
			t.Fatal(err)
		}
		h.wait(time.Minute)
		if diff := cmp.Diff(times(len(last), "succeeded"), h.states(last...)); diff != "" {
			t.Errorf("the last ones (-want +got):\n%s", diff)
		}
		if n := h.d.InMemory(); n != 0 {
			t.Errorf("%d runs are left in memory", n)
		}
	})
}

// Who is held behind a better one keeps its place when that one goes to wait for
// something else: a worse one that asks as well may be far from its turn.
func TestAHeldRunKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(
			t, []dispatch.Pool{pool("p", 1), pool("q", 1)},
			job("free"), job("one", locked("x")), job("both", locked("x", "y")),
			job("other", locked("y"), func(d *jobs.Definition) { d.Pool = "q" }),
		)
		h.typ.do = func(ctx context.Context, t jobs.Task) jobs.Outcome {
			if t.Job == "other" {
				return takes(time.Hour)(ctx, t)
			}
			return takes(time.Second)(ctx, t)
		}
		with := func(priority int) func(*run.New) { return func(n *run.New) { n.Priority = priority } }
		h.enqueue("free", nil, "first")
		h.wait(0)
		h.enqueue("one", with(0), "last")
		h.enqueue("both", with(5), "best")
		held := h.enqueue("one", with(3), "held")
		h.enqueue("other", nil, "")
		h.enqueue("free", with(2), numbers(100)...)
		h.wait(10 * time.Second)
		if got := h.states(held...); got[0] != "succeeded" {
			t.Errorf("it is %s, and worse ones go before it: %v", got, h.typ.started())
		}
	})
}
