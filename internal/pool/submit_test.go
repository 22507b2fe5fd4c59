package pool

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestQueueLimit(t *testing.T) {
	for _, tt := range []struct {
		name        string
		size, limit int
		pause       bool
		submit      int
		want        int // accepted
	}{
		{"no limit", 0, 0, false, 50, 50},
		{"a pool of size 0 takes as many as may wait", 0, 3, false, 10, 3},
		{"free workers do not count as waiting", 2, 3, false, 10, 5},
		{"a paused pool has no free workers", 2, 3, true, 10, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{Size: tt.size, QueueLimit: tt.limit}, func(t *testing.T, r *rig) {
				if tt.pause {
					r.Pause()
				}
				accepted := 0
				for i := range tt.submit {
					switch err := r.Submit(&r.job(fmt.Sprint(i), 0, 1).Task); err {
					case nil:
						accepted++
					case ErrFull:
					default:
						t.Fatal(err)
					}
				}
				if accepted != tt.want {
					t.Errorf("accepted %d of %d, want %d", accepted, tt.submit, tt.want)
				}
			})
		})
	}
}

func TestRefusedTaskIsNotClaimed(t *testing.T) {
	inBubble(t, Options{QueueLimit: 1}, func(t *testing.T, r *rig) {
		r.submit("a")
		b := r.job("b", 0, 1)
		for range 2 {
			if err := r.Submit(&b.Task); err != ErrFull {
				t.Errorf("got %v, want ErrFull", err)
			}
		}
		r.Resize(1, Finish)
		synctest.Wait()
		if err := r.Submit(&b.Task); err != nil {
			t.Errorf("submit with room: %v", err)
		}
	})
}

func TestSubmitBatchIsAllOrNone(t *testing.T) {
	inBubble(t, Options{Size: 1, QueueLimit: 3}, func(t *testing.T, r *rig) {
		batch := func(names ...string) (ts []*Task) {
			for _, n := range names {
				ts = append(ts, &r.job(n, 0, 1).Task)
			}
			return ts
		}
		if err := r.SubmitBatch(batch("1", "2", "3", "4", "5")); err != ErrFull {
			t.Errorf("five into one worker and a queue of three: %v, want ErrFull", err)
		}
		r.wantStarted()
		if err := r.SubmitBatch(batch("a", "b", "c", "d")); err != nil {
			t.Errorf("four: %v", err)
		}
		r.wantStarted("a")
		if got := r.Stats().Queued; got != 3 {
			t.Errorf("%d queued, want 3", got)
		}
		if err := r.SubmitBatch(nil); err != nil {
			t.Errorf("an empty batch: %v", err)
		}
	})
}

func TestSubmitBatchWithATaskThatIsBusy(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		a, b := r.job("a", 0, 1), r.submit("b")[0]
		for name, ts := range map[string][]*Task{
			"twice in the batch": {&a.Task, &a.Task},
			"queued already":     {&a.Task, &b.Task},
		} {
			if err := r.SubmitBatch(ts); !errors.Is(err, ErrBusy) {
				t.Errorf("%s: %v, want ErrBusy", name, err)
			}
		}
		if err := r.SubmitBatch([]*Task{&a.Task}); err != nil {
			t.Errorf("the task that was not to blame: %v", err)
		}
	})
}

// submitWait calls SubmitWait on a goroutine and returns where its result goes.
func (r *rig) submitWait(ctx context.Context, j *job) <-chan error {
	result := make(chan error, 1)
	go func() { result <- r.SubmitWait(ctx, &j.Task) }()
	synctest.Wait()
	return result
}

func wantPending(t *testing.T, what string, result <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		t.Errorf("%s returned %v, want it to wait", what, err)
	default:
	}
}

func wantResult(t *testing.T, what string, result <-chan error, want error) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-result:
		if !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	default:
		t.Errorf("%s is still waiting, want %v", what, want)
	}
}

func TestSubmitWaitLetsInFirstComeFirstServed(t *testing.T) {
	inBubble(t, Options{Size: 1, QueueLimit: 1}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		a, b := r.submit("a")[0], r.submit("b")[0]
		synctest.Wait()
		c, d := r.job("c", 0, 1), r.job("d", 7, 1)
		first, second := r.submitWait(ctx, c), r.submitWait(ctx, d)
		wantPending(t, "the first", first)
		if err := r.Submit(&r.job("late", 9, 1).Task); err != ErrFull {
			t.Errorf("a later Submit: %v, want ErrFull", err)
		}
		if err := r.Submit(&c.Task); err != ErrBusy {
			t.Errorf("submit what already waits for room: %v, want ErrBusy", err)
		}
		if r.Cancel(&c.Task) {
			t.Error("cancelled a task that is not queued yet")
		}
		finish(a)
		wantResult(t, "the first", first, nil)
		wantPending(t, "the second", second)
		finish(b)
		wantResult(t, "the second", second, nil)
		finish(c)
		r.wantStarted("a", "b", "c", "d")
	})
}

// Right after growth workers are free, and what is queued is about to take them.
func TestSubmitDoesNotOvertakeBlockedSubmitters(t *testing.T) {
	inBubble(t, Options{QueueLimit: 1}, func(t *testing.T, r *rig) {
		r.submit("queued")
		result := r.submitWait(t.Context(), r.job("blocked", 0, 1))
		r.lock()
		r.size = 3
		got := r.closedOrFullLocked([]*Task{&r.job("newcomer", 0, 1).Task})
		r.unlock()
		if got != ErrFull {
			t.Errorf("a newcomer gets %v, want ErrFull", got)
		}
		wantResult(t, "SubmitWait", result, nil)
		r.wantStartedSet("blocked", "queued")
	})
}

func TestSubmitWaitWithRoomDoesNotWait(t *testing.T) {
	inBubble(t, Options{QueueLimit: 1}, func(t *testing.T, r *rig) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.SubmitWait(ctx, &r.job("a", 0, 1).Task); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatEndsSubmitWait(t *testing.T) {
	cause := errors.New("enough")
	for _, tt := range []struct {
		name string
		do   func(r *rig, queued *job, cancel context.CancelCauseFunc)
		want error
	}{
		{"its context", func(_ *rig, _ *job, cancel context.CancelCauseFunc) { cancel(cause) }, cause},
		{"closing the pool", func(r *rig, _ *job, _ context.CancelCauseFunc) { _ = r.Close(r.t.Context()) }, ErrClosed},
		{"a queued task that is cancelled", func(r *rig, queued *job, _ context.CancelCauseFunc) { r.Cancel(&queued.Task) }, nil},
		{"growth", func(r *rig, _ *job, _ context.CancelCauseFunc) { r.Resize(1, Finish) }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{QueueLimit: 1, Name: "db"}, func(t *testing.T, r *rig) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				queued, late := r.submit("queued")[0], r.job("late", 0, 1)
				result := r.submitWait(ctx, late)
				wantPending(t, "SubmitWait", result)
				tt.do(r, queued, cancel)
				wantResult(t, "SubmitWait", result, tt.want)
				if tt.want == nil {
					return
				}
				if err := New(Options{}).Submit(&late.Task); err != nil {
					t.Errorf("the task is still claimed: %v", err)
				}
			})
		})
	}
}

func TestSubmitWaitThatGaveUpIsPassedOver(t *testing.T) {
	inBubble(t, Options{QueueLimit: 1}, func(t *testing.T, r *rig) {
		queued := r.submit("queued")[0]
		var results []<-chan error
		var cancels []context.CancelFunc
		for _, name := range []string{"a", "b", "c"} {
			ctx, cancel := context.WithCancel(t.Context())
			cancels = append(cancels, cancel)
			results = append(results, r.submitWait(ctx, r.job(name, 0, 1)))
		}
		cancels[1]()
		wantResult(t, "b", results[1], context.Canceled)
		cancels[0]()
		wantResult(t, "a", results[0], context.Canceled)
		r.Cancel(&queued.Task)
		wantResult(t, "c", results[2], nil)
		cancels[2]()
		r.Resize(1, Finish)
		r.wantStarted("c")
	})
}

func TestCancel(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		js := r.submit("a", "b", "c", "d")
		synctest.Wait()
		if r.Cancel(&js[0].Task) {
			t.Error("cancelled a running task")
		}
		if !r.Cancel(&js[2].Task) {
			t.Error("did not cancel a queued task")
		}
		if r.Cancel(&js[2].Task) {
			t.Error("cancelled twice")
		}
		finish(js[0])
		if r.Cancel(&js[0].Task) {
			t.Error("cancelled a finished task")
		}
		finish(js[1])
		r.wantStarted("a", "b", "d")
		if len(r.dropped) != 0 {
			t.Errorf("Dropped was called: %v", r.dropped)
		}
		if err := r.Submit(&js[2].Task); err != nil {
			t.Errorf("submit a cancelled task again: %v", err)
		}
	})
}

func TestTaskWhoseContextIsDoneIsDropped(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		a := r.submit("a")[0]
		ctx, cancel := context.WithCancelCause(t.Context())
		b := r.job("b", 0, 1)
		b.Ctx = ctx
		silent := &Task{Do: b.do, Ctx: ctx}
		for _, task := range []*Task{&b.Task, silent} {
			if err := r.Submit(task); err != nil {
				t.Fatal(err)
			}
		}
		r.submit("c")
		cancel(errors.New("not needed any more"))
		synctest.Wait()
		if len(r.dropped) != 0 {
			t.Error("dropped before its turn")
		}
		finish(a)
		r.wantStarted("a", "c")
		if diff := cmp.Diff([]string{"b: not needed any more"}, r.dropped); diff != "" {
			t.Errorf("dropped (-want +got):\n%s", diff)
		}
		if s := r.Stats(); s.Dropped != 2 || s.Done != 1 {
			t.Errorf("stats %+v, want 2 dropped and 1 done", s)
		}
	})
}

func TestAdopt(t *testing.T) {
	for _, tt := range []struct {
		name    string
		size    int
		pause   bool
		weight  int
		busy    int // with one task running before where there is room
		workers []int
	}{
		{"into a pool with room", 2, false, 1, 2, []int{0, 1}},
		{"beyond the size", 1, false, 1, 2, []int{0, 1}},
		{"into a paused pool", 2, true, 1, 1, []int{-1, 0}},
		{"into a pool of size 0", 0, false, 1, 1, []int{-1, 0}},
		{"heavier than the pool", 2, false, 9, 3, []int{0, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{Size: tt.size}, func(t *testing.T, r *rig) {
				if tt.pause {
					r.Pause()
				}
				a := r.submit("a")[0]
				synctest.Wait()
				b := r.job("b", 0, tt.weight)
				if err := r.Adopt(&b.Task); err != nil {
					t.Fatal(err)
				}
				if got := r.Stats().Busy; got != tt.busy {
					t.Errorf("busy %d right after Adopt, want %d", got, tt.busy)
				}
				synctest.Wait()
				if diff := cmp.Diff(tt.workers, []int{a.worker, b.worker}); diff != "" {
					t.Errorf("workers (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestOthersWaitForAdoptedTasks(t *testing.T) {
	inBubble(t, Options{Size: 2}, func(t *testing.T, r *rig) {
		var adopted []*job
		for i := range 4 {
			j := r.job(fmt.Sprint("adopted", i), 0, 1)
			adopted = append(adopted, j)
			if err := r.Adopt(&j.Task); err != nil {
				t.Fatal(err)
			}
		}
		r.submit("a")
		synctest.Wait()
		finish(adopted[0], adopted[1])
		if s := r.Stats(); s.Queued != 1 || s.Running != 2 {
			t.Errorf("stats %+v, want a to wait while 2 adopted run", s)
		}
		finish(adopted[2])
		if s := r.Stats(); s.Queued != 0 || s.Running != 2 || s.Workers != 2 {
			t.Errorf("stats %+v, want a running and no worker beyond the size", s)
		}
	})
}

func TestAdoptUsesAnIdleWorker(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		finish(r.submit("a")...)
		b := r.job("b", 0, 1)
		if err := r.Adopt(&b.Task); err != nil {
			t.Fatal(err)
		}
		r.wantStarted("a", "b")
		if s := r.Stats(); s.Workers != 1 || s.Idle != 0 {
			t.Errorf("stats %+v, want the one worker busy", s)
		}
	})
}
