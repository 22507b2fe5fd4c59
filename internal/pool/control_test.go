package pool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGrowthStartsWhatFits(t *testing.T) {
	for _, tt := range []struct {
		name             string
		from, to, queued int
		running          int
	}{
		{"fewer tasks than growth", 1, 10, 4, 5},
		{"more tasks than growth", 1, 4, 10, 4},
		{"from nothing", 0, 3, 10, 3},
		{"to unlimited", 0, Unlimited, 40, 40},
		{"no growth", 2, 2, 5, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{Size: tt.from}, func(t *testing.T, r *rig) {
				for i := range tt.from + tt.queued {
					r.submit(fmt.Sprint(i))
				}
				synctest.Wait()
				if got := r.Resize(tt.to, Finish); got != nil {
					t.Errorf("growth stopped %v", got)
				}
				synctest.Wait()
				if got := r.Stats().Running; got != tt.running {
					t.Errorf("%d running, want %d", got, tt.running)
				}
			})
		})
	}
}

func TestShrink(t *testing.T) {
	for _, tt := range []struct {
		name    string
		weights []int // of tasks a, b, c, …
		to      int
		mode    Mode
		want    []string // stopped, in this order
	}{
		{"finish stops none", []int{1, 1, 1}, 1, Finish, nil},
		{"an unknown mode stops none", []int{1, 1, 1}, 1, Mode(42), nil},
		{"the newest", []int{1, 1, 1, 1}, 2, StopNewest, []string{"d", "c"}},
		{"the oldest", []int{1, 1, 1, 1}, 2, StopOldest, []string{"a", "b"}},
		{"all", []int{1, 1}, 0, StopOldest, []string{"a", "b"}},
		{"just enough by weight", []int{2, 1, 3}, 3, StopNewest, []string{"c"}},
		{"a heavy one for a small surplus", []int{1, 5}, 5, StopNewest, []string{"b"}},
		{"none where the rest fits", []int{1, 1}, 2, StopNewest, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{Size: 8}, func(t *testing.T, r *rig) {
				var js []*job
				sum := 0
				for i, w := range tt.weights {
					js = append(js, r.add(string(rune('a'+i)), 0, w))
					sum += w
				}
				synctest.Wait()
				got := names(index(js...), r.Resize(tt.to, tt.mode))
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("stopped (-want +got):\n%s", diff)
				}
				synctest.Wait()
				if len(r.causes) != len(tt.want) {
					t.Errorf("contexts ended: %v, want %v", r.causes, tt.want)
				}
				for _, name := range tt.want {
					if r.causes[name] != ErrShrunk {
						t.Errorf("cause for %s: %v, want ErrShrunk", name, r.causes[name])
					}
				}
				if len(tt.want) == 0 && r.Stats().Busy != sum {
					t.Errorf("busy %d, want %d: the running go on", r.Stats().Busy, sum)
				}
			})
		})
	}
}

func TestShrinkLetsSurplusIdleWorkersGoAtOnce(t *testing.T) {
	inBubble(t, Options{Size: 5}, func(t *testing.T, r *rig) {
		js := r.submit("a", "b", "c", "d", "e")
		synctest.Wait()
		finish(js[:4]...)
		r.Resize(2, Finish)
		if s := r.Stats(); s.Workers != 2 || s.Idle != 1 {
			t.Errorf("stats %+v right after Resize, want 2 workers, 1 idle", s)
		}
		r.Resize(0, Finish)
		if s := r.Stats(); s.Workers != 1 || s.Idle != 0 {
			t.Errorf("stats %+v, want only the busy worker", s)
		}
		finish(js[4])
		if s := r.Stats(); s.Workers != 0 {
			t.Errorf("stats %+v, want no worker", s)
		}
	})
}

func TestNothingStartsWhileAboveTheSize(t *testing.T) {
	inBubble(t, Options{Size: 3}, func(t *testing.T, r *rig) {
		js := r.submit("a", "b", "c", "d")
		synctest.Wait()
		r.Resize(1, Finish)
		finish(js[0], js[1])
		r.wantStartedSet("a", "b", "c")
		finish(js[2])
		r.wantStartedSet("a", "b", "c", "d")
	})
}

// stubborn keeps running after its context has ended, until gate is closed.
func stubborn(gate chan struct{}) *Task {
	return &Task{Do: func(Start) { <-gate }}
}

func TestShrinkCountsTasksOnTheirWayOut(t *testing.T) {
	inBubble(t, Options{Size: 4}, func(t *testing.T, r *rig) {
		gate := make(chan struct{})
		var ts []*Task
		for range 4 {
			ts = append(ts, stubborn(gate))
		}
		if err := r.SubmitBatch(ts); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		steps := []struct{ to, stopped int }{{3, 1}, {3, 0}, {1, 2}, {4, 0}, {2, 0}, {0, 1}}
		for _, s := range steps {
			if got := len(r.Resize(s.to, StopNewest)); got != s.stopped {
				t.Errorf("shrink to %d stopped %d more, want %d", s.to, got, s.stopped)
			}
		}
		close(gate)
		synctest.Wait()
		if r.leaving != 0 || r.busy != 0 {
			t.Errorf("leaving %d, busy %d after all ended", r.leaving, r.busy)
		}
	})
}

func TestTaskThatWasStoppedMayBeStoppedAgain(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		a := r.job("a", 0, 1)
		for range 2 {
			if err := r.Submit(&a.Task); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := r.Resize(0, StopOldest); len(got) != 1 || got[0] != &a.Task {
				t.Errorf("stopped %v, want the task", got)
			}
			synctest.Wait()
			r.Resize(1, Finish)
		}
		r.wantStarted("a", "a")
	})
}

func TestPause(t *testing.T) {
	inBubble(t, Options{Size: 2}, func(t *testing.T, r *rig) {
		a := r.submit("a")[0]
		synctest.Wait()
		r.Pause()
		r.submit("b", "c")
		finish(a)
		r.wantStarted("a")
		if s := r.Stats(); !s.Paused || s.Draining || s.Queued != 2 {
			t.Errorf("stats %+v, want paused with 2 queued", s)
		}
		r.Resume()
		r.wantStartedSet("a", "b", "c")
	})
}

func TestPauseStopsAWorkerOnItsWay(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		r.submit("a")
		r.Pause() // before the worker has come to take it
		synctest.Wait()
		if s := r.Stats(); s.Running+s.Queued != 1 {
			t.Errorf("stats %+v, want the task queued or running", s)
		}
		r.Resume()
		r.wantStarted("a")
	})
}

// drain calls Drain on a goroutine and returns where its result goes.
func (r *rig) drain(ctx context.Context) <-chan error {
	result := make(chan error, 1)
	go func() { result <- r.Drain(ctx) }()
	synctest.Wait()
	return result
}

func TestDrainWaitsForTheRunning(t *testing.T) {
	inBubble(t, Options{Size: 2}, func(t *testing.T, r *rig) {
		js := r.submit("a", "b", "c")
		synctest.Wait()
		first, second := r.drain(t.Context()), r.drain(t.Context())
		finish(js[0])
		wantPending(t, "Drain", first)
		if s := r.Stats(); !s.Draining || !s.Paused {
			t.Errorf("stats %+v, want draining", s)
		}
		finish(js[1])
		wantResult(t, "Drain", first, nil)
		wantResult(t, "the second Drain", second, nil)
		if s := r.Stats(); s.Draining || !s.Paused || s.Queued != 1 {
			t.Errorf("stats %+v, want paused with one queued", s)
		}
		if err := r.Drain(t.Context()); err != nil {
			t.Errorf("drain an idle pool: %v", err)
		}
	})
}

func TestDrainEndsEarly(t *testing.T) {
	inBubble(t, Options{Size: 1, Name: "db"}, func(t *testing.T, r *rig) {
		a := r.submit("a", "b")[0]
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		short, long := r.drain(ctx), r.drain(t.Context())
		time.Sleep(time.Hour) // of the bubble's clock
		select {
		case err := <-short:
			want := `drain pool "db": 1 still running: context deadline exceeded`
			if !errors.Is(err, context.DeadlineExceeded) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		default:
			t.Error("Drain outlived its context")
		}
		if s := r.Stats(); !s.Draining || !s.Paused {
			t.Errorf("stats %+v, want draining: one still waits", s)
		}
		r.Resume()
		wantResult(t, "Drain", long, ErrResumed)
		if s := r.Stats(); s.Draining || s.Paused {
			t.Errorf("stats %+v, want neither draining nor paused", s)
		}
		finish(a)
		r.wantStarted("a", "b")
	})
}

func TestDrainGivenUpByAllIsOver(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		a := r.submit("a")[0]
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		result := r.drain(ctx)
		cancel()
		wantResult(t, "Drain", result, context.Canceled)
		if s := r.Stats(); s.Draining || !s.Paused {
			t.Errorf("stats %+v, want paused and not draining", s)
		}
		finish(a)
	})
}

func TestDrainWaitsForAdoptedTasks(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		a := r.submit("a")[0]
		synctest.Wait()
		result := r.drain(t.Context())
		b := r.job("b", 0, 1)
		if err := r.Adopt(&b.Task); err != nil {
			t.Fatal(err)
		}
		finish(a)
		wantPending(t, "Drain", result)
		finish(b)
		wantResult(t, "Drain", result, nil)
	})
}

func TestClose(t *testing.T) {
	inBubble(t, Options{Size: 1, Name: "db"}, func(t *testing.T, r *rig) {
		r.Pause() // so that all are queued when the first starts
		js := r.submit("a", "b", "c")
		high := r.add("high", 1, 1)
		if err := r.Submit(&Task{Do: high.do}); err != nil { // without Dropped
			t.Fatal(err)
		}
		r.Resume()
		r.wantStarted("high")
		finish(high)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		result := make(chan error, 1)
		go func() { result <- r.Close(ctx) }()
		wantPending(t, "Close", result)
		if diff := cmp.Diff([]string{"b: pool is closed", "c: pool is closed"}, r.dropped); diff != "" {
			t.Errorf("dropped (-want +got):\n%s", diff)
		}
		if s := r.Stats(); !s.Closed || s.Queued != 0 || s.Dropped != 3 || s.Running != 1 {
			t.Errorf("stats %+v, want closed, one running, three dropped", s)
		}
		for name, err := range map[string]error{
			"Submit":      r.Submit(&js[1].Task),
			"SubmitWait":  r.SubmitWait(ctx, &js[1].Task),
			"SubmitBatch": r.SubmitBatch([]*Task{&js[1].Task}),
			"Adopt":       r.Adopt(&js[1].Task),
		} {
			if err != ErrClosed {
				t.Errorf("%s after Close: %v, want ErrClosed", name, err)
			}
		}
		if r.Cancel(&js[2].Task) {
			t.Error("cancelled a task that was dropped")
		}
		if err := New(Options{}).Submit(&js[1].Task); err != nil {
			t.Errorf("another pool refuses a dropped task: %v", err)
		}
		finish(js[0])
		wantResult(t, "Close", result, nil)
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("the second Close: %v", err)
		}
	})
}

func TestCloseCancelsWhenItsContextEnds(t *testing.T) {
	inBubble(t, Options{Size: 2, Name: "db"}, func(t *testing.T, r *rig) {
		gate := make(chan struct{})
		slow := stubborn(gate)
		if err := r.Submit(slow); err != nil {
			t.Fatal(err)
		}
		r.submit("a")
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- r.Close(ctx) }()
		wantPending(t, "Close", result)
		cancel()
		wantPending(t, "Close", result)
		if got := r.causes["a"]; got != ErrClosed {
			t.Errorf("cause %v, want ErrClosed", got)
		}
		close(gate)
		synctest.Wait()
		err := <-result
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), `"db": cancelled 2 running`) {
			t.Errorf("got %v, want the pool, the count and the cause", err)
		}
	})
}

func TestSecondCloseMayBeLessPatient(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		r.submit("a")
		synctest.Wait()
		patient := make(chan error, 1)
		go func() { patient <- r.Close(t.Context()) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("the second Close: %v, want context.Canceled", err)
		}
		wantResult(t, "the first Close", patient, nil)
	})
}

func TestClosePausedAndDrainingPool(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		a := r.submit("a", "b")[0]
		synctest.Wait()
		result := r.drain(t.Context())
		closed := make(chan error, 1)
		go func() { closed <- r.Close(t.Context()) }()
		finish(a)
		wantResult(t, "Drain", result, nil)
		wantResult(t, "Close", closed, nil)
		r.Resume()
		r.Resize(10, Finish)
		r.wantStarted("a")
	})
}
