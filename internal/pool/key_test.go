package pool

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/google/go-cmp/cmp"
)

// with adds a job with a key.
func (r *rig) with(k *Key, name string, priority int) *job {
	r.t.Helper()
	j := r.job(name, priority, 1)
	j.Key = k
	if err := r.Submit(&j.Task); err != nil {
		r.t.Fatalf("submit %s: %v", name, err)
	}
	return j
}

func (r *rig) wantQueued(queued, held int) {
	r.t.Helper()
	synctest.Wait()
	if got := r.Stats(); got.Queued != queued || got.Held != held {
		r.t.Errorf("%d queued, %d held; want %d and %d", got.Queued, got.Held, queued, held)
	}
}

func TestHeldTasksLetOthersPass(t *testing.T) {
	inBubble(t, Options{Size: 3}, func(t *testing.T, r *rig) {
		k := r.NewKey(1)
		a := r.with(k, "a", 9)
		r.with(k, "b", 9)
		r.with(k, "c", 9)
		r.submit("other", "another")
		r.wantStartedSet("a", "other", "another")
		r.wantQueued(2, 2)
		finish(a)
		r.wantQueued(1, 1)
	})
}

func TestHeldTasksStartInTheirOrder(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		k, other := r.NewKey(0), r.NewKey(0)
		r.Pause()
		js := map[string]*job{}
		for _, j := range []*job{
			r.with(k, "held first", 0), r.submit("first")[0], r.with(other, "other's", 0), r.with(k, "held high", 1),
			r.submit("second")[0], r.with(other, "other's high", 1), r.with(k, "held last", 0),
		} {
			js[j.name] = j
		}
		r.wantQueued(7, 5)
		r.SetKeyLimit(k, 1)
		r.SetKeyLimit(other, 1)
		r.Resume()
		want := []string{"held high", "other's high", "held first", "first", "other's", "second", "held last"}
		for i := range want {
			r.wantStarted(want[:i+1]...)
			finish(js[want[i]])
		}
	})
}

func TestKeyLimitChangesLive(t *testing.T) {
	inBubble(t, Options{Size: 10}, func(t *testing.T, r *rig) {
		k := r.NewKey(-1)
		var js []*job
		for i := range 9 {
			js = append(js, r.with(k, fmt.Sprint(i), 0))
		}
		for _, step := range []struct{ limit, running int }{{0, 0}, {2, 2}, {5, 5}, {3, 5}, {math.MinInt, 5}, {6, 6}} {
			r.SetKeyLimit(k, step.limit)
			synctest.Wait()
			if got := r.Stats().Running; got != step.running {
				t.Errorf("limit %d: %d running, want %d", step.limit, got, step.running)
			}
		}
		r.SetKeyLimit(k, 1)
		finish(js[:5]...)
		r.wantQueued(3, 3)
		finish(js[5])
		r.wantQueued(2, 2)
		r.SetKeyLimit(k, Unlimited)
		r.wantQueued(0, 0)
	})
}

func TestHeldTaskIsCancelled(t *testing.T) {
	inBubble(t, Options{Size: 5}, func(t *testing.T, r *rig) {
		k := r.NewKey(1)
		a, b := r.with(k, "a", 0), r.with(k, "b", 0)
		r.with(k, "c", 0)
		synctest.Wait()
		if !r.Cancel(&b.Task) || r.Cancel(&b.Task) || r.Cancel(&a.Task) {
			t.Error("the held task, and it alone, can be cancelled once")
		}
		r.wantQueued(1, 1)
		finish(a)
		r.wantStarted("a", "c")
	})
}

func TestAdoptedTasksCountForTheirKey(t *testing.T) {
	inBubble(t, Options{Size: 5}, func(t *testing.T, r *rig) {
		k := r.NewKey(1)
		r.SetPermits(1)
		r.SetKeyPermits(k, 1)
		var js []*job
		for _, name := range []string{"a", "b"} {
			j := r.job(name, 0, 1)
			j.Key = k
			if err := r.Adopt(&j.Task); err != nil {
				t.Fatal(err)
			}
			js = append(js, j)
		}
		r.with(k, "c", 0)
		r.wantStartedSet("a", "b")
		finish(js[0])
		r.wantQueued(1, 1)
		finish(js[1])
		r.wantQueued(0, 0)
		if got := r.AddPermits(0); got != 0 {
			t.Errorf("%d permits left: adoptions take none, the one start took the one", got)
		}
	})
}

func TestHeldTasksCountAsWaiting(t *testing.T) {
	inBubble(t, Options{Size: 3, QueueLimit: 2}, func(t *testing.T, r *rig) {
		k := r.NewKey(1)
		a := r.with(k, "a", 0)
		r.with(k, "b", 0)
		r.with(k, "c", 0)
		r.wantQueued(2, 2)
		held := r.job("held", 0, 1)
		held.Key = k
		if err := r.Submit(&held.Task); err != ErrFull {
			t.Errorf("one more that would be held: %v, want ErrFull", err)
		}
		if err := r.SubmitBatch([]*Task{&r.job("x", 0, 1).Task, &held.Task}); err != ErrFull {
			t.Errorf("a batch with such a one: %v, want ErrFull", err)
		}
		result := r.submitWait(t.Context(), held)
		wantPending(t, "SubmitWait of such a one", result)
		finish(a)
		wantResult(t, "SubmitWait, now that one has started", result, nil)
	})
}

func TestBlockedSubmitterGoesPastHeldTasks(t *testing.T) {
	inBubble(t, Options{Size: 1, QueueLimit: 1}, func(t *testing.T, r *rig) {
		k := r.NewKey(0)
		a := r.submit("a")[0]
		r.wantStarted("a")
		r.with(k, "held", 0)
		result := r.submitWait(t.Context(), r.job("b", 0, 1))
		wantPending(t, "SubmitWait while no worker is free", result)
		finish(a)
		wantResult(t, "SubmitWait with a free worker", result, nil)
		r.wantStarted("a", "b")
	})
}

func TestCloseDropsHeldTasksInTheirOrder(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		k, other := r.NewKey(0), r.NewKey(1)
		r.with(k, "a", 0)
		r.submit("b")
		r.with(other, "c", 0)
		r.with(other, "d", 1)
		r.with(k, "e", 1)
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{}
		for _, name := range []string{"d", "e", "a", "b", "c"} {
			want = append(want, name+": "+ErrClosed.Error())
		}
		if diff := cmp.Diff(want, r.dropped); diff != "" {
			t.Errorf("dropped (-want +got):\n%s", diff)
		}
		r.wantQueued(0, 0)
		r.SetKeyLimit(k, 7) // harms nobody
	})
}

func TestKeyOfAnotherPool(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		j := r.job("a", 0, 1)
		j.Key = New(Options{}).NewKey(1)
		if err := r.Submit(&j.Task); err == nil || err == ErrBusy {
			t.Errorf("submit: %v, want an error about the key", err)
		}
		j.Key = nil
		if err := r.Submit(&j.Task); err != nil {
			t.Errorf("without it: %v", err)
		}
	})
}

func TestPermits(t *testing.T) {
	inBubble(t, Options{Size: 100}, func(t *testing.T, r *rig) {
		r.SetPermits(0)
		for i := range 20 {
			r.submit(fmt.Sprint(i))
		}
		running := 0
		for _, step := range []struct {
			name       string
			do         func() int
			left, more int
		}{
			{"a permit starts one", func() int { return r.AddPermits(1) }, 1, 1},
			{"three start three", func() int { return r.AddPermits(3) }, 3, 3},
			{"below none is none", func() int { r.SetPermits(-5); return r.AddPermits(0) }, 0, 0},
			{"a debt is paid first", func() int { r.AddPermits(-2); return r.AddPermits(3) }, 1, 1},
			{"the largest number is no end of metering", func() int {
				r.Pause()
				r.AddPermits(Unlimited)
				left := r.AddPermits(Unlimited)
				r.SetPermits(2)
				r.Resume()
				return left
			}, Unlimited - 1, 2},
			{"the largest debt", func() int {
				r.AddPermits(math.MinInt)
				left := r.AddPermits(math.MinInt)
				r.SetPermits(0)
				return left
			}, math.MinInt, 0},
			{"without a meter all start", func() int { r.SetPermits(Unlimited); return r.AddPermits(5) }, Unlimited, 13},
		} {
			if got := step.do(); got != step.left {
				t.Errorf("%s: %d left, want %d", step.name, got, step.left)
			}
			running += step.more
			synctest.Wait()
			if got := r.Stats(); got.Running != running || got.Held != 0 {
				t.Errorf("%s: %d running, %d held; want %d and none", step.name, got.Running, got.Held, running)
			}
		}
	})
}

func TestKeyPermitsHoldTheirTasksAlone(t *testing.T) {
	inBubble(t, Options{Size: 10}, func(t *testing.T, r *rig) {
		k := r.NewKey(Unlimited)
		r.SetKeyPermits(k, 1)
		r.with(k, "a", 1)
		r.with(k, "b", 1)
		r.with(k, "c", 1)
		r.submit("other")
		r.wantStartedSet("a", "other")
		r.wantQueued(2, 2)
		if got := r.AddKeyPermits(k, 1); got != 1 {
			t.Errorf("%d left with the one that was added, want 1", got)
		}
		r.wantQueued(1, 1)
		r.SetKeyPermits(k, Unlimited)
		r.wantQueued(0, 0)
	})
}

// Whatever a task waits for, it has taken nothing meanwhile.
func TestNothingIsTakenBeforeAWorker(t *testing.T) {
	inBubble(t, Options{Size: 2}, func(t *testing.T, r *rig) {
		k := r.NewKey(1)
		r.SetPermits(2)
		r.SetKeyPermits(k, 1)
		one := r.submit("one")[0]
		r.wantStarted("one")
		heavy := r.job("heavy", 0, 2)
		heavy.Key = k
		if err := r.Submit(&heavy.Task); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if pool, key := r.AddPermits(0), r.AddKeyPermits(k, 0); pool != 1 || key != 1 {
			t.Errorf("%d and %d permits left while a task waits for workers, want 1 and 1", pool, key)
		}
		finish(one)
		if pool, key := r.AddPermits(0), r.AddKeyPermits(k, 0); pool != 0 || key != 0 {
			t.Errorf("%d and %d permits left after its start, want none", pool, key)
		}
	})
}

func TestDroppedTaskGivesItsPermitsBack(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		k := r.NewKey(1)
		r.SetPermits(1)
		r.SetKeyPermits(k, 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		late := r.job("late", 1, 1)
		late.Ctx, late.Key = ctx, k
		if err := r.Submit(&late.Task); err != nil {
			t.Fatal(err)
		}
		r.with(k, "a", 0)
		r.wantStarted("a")
	})
}

func TestUnusedKeyIsGarbage(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		k := r.NewKey(1)
		w := weak.Make(k)
		a, b, c := r.with(k, "a", 0), r.with(k, "b", 3), r.with(k, "c", 0)
		r.Cancel(&c.Task)
		finish(a)
		finish(b)
		a.Key, b.Key, c.Key = nil, nil, nil
		for range 3 {
			runtime.GC()
		}
		if w.Value() != nil {
			t.Error("the pool still holds a key without tasks")
		}
	})
}
