package pool

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestNewStartsNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	p := New(Options{Size: 100})
	if got, want := p.Stats(), (Stats{Size: 100}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, %d before New", after, before)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Errorf("close an unused pool: %v", err)
	}
}

func TestZeroOptionsHoldEverything(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		r.submit("a", "b")
		r.wantStarted()
		r.Resize(1, Finish)
		r.wantStarted("a")
	})
}

func TestNegativeSizesAreZero(t *testing.T) {
	p := New(Options{Size: -3, QueueLimit: -1})
	if got := p.Stats().Size; got != 0 {
		t.Errorf("size %d, want 0", got)
	}
	p.Resize(5, Finish)
	p.Resize(math.MinInt, Finish)
	if got := p.Stats().Size; got != 0 {
		t.Errorf("size after Resize %d, want 0", got)
	}
	if err := p.Submit(&Task{Do: func(Start) {}}); err != nil {
		t.Errorf("a negative limit must not limit: %v", err)
	}
}

func TestOrder(t *testing.T) {
	type add struct {
		name             string
		priority, weight int
	}
	for _, tt := range []struct {
		name string
		size int
		adds []add
		want []string
	}{
		{"first in first out within one priority", 1, []add{{"a", 0, 1}, {"b", 0, 1}, {"c", 0, 1}}, []string{"a", "b", "c"}},
		{"the higher priority first", 1, []add{{"low", -5, 1}, {"mid", 0, 1}, {"high", 9, 1}, {"mid2", 0, 1}}, []string{"high", "mid", "mid2", "low"}},
		{"the extreme priorities", 1, []add{{"min", math.MinInt, 1}, {"max", math.MaxInt, 1}, {"zero", 0, 1}}, []string{"max", "zero", "min"}},
		{"nothing passes a heavy task that does not fit", 2, []add{{"one", 2, 1}, {"heavy", 1, 2}, {"light", 0, 1}}, []string{"one", "heavy", "light"}},
		{"weights below one are one", 2, []add{{"zero", 0, 0}, {"minus", 0, -7}, {"next", 0, 1}}, []string{"zero", "minus", "next"}},
		{"a weight above the size is the size", 3, []add{{"all", 1, math.MaxInt}, {"next", 0, 1}}, []string{"all", "next"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, func(t *testing.T, r *rig) {
				js, labels := map[string]*job{}, map[*Task]string{}
				for _, a := range tt.adds {
					js[a.name] = r.add(a.name, a.priority, a.weight)
					labels[&js[a.name].Task] = a.name
				}
				r.Resize(tt.size, Finish)
				synctest.Wait()
				var got []string
				for ts := r.Running(); len(ts) > 0; ts = r.Running() {
					if busy := r.Stats().Busy; busy > tt.size {
						t.Fatalf("busy %d of %d", busy, tt.size)
					}
					got = append(got, labels[ts[0]])
					finish(js[labels[ts[0]]])
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("order (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestHeavyTaskHoldsBackLighterOnes(t *testing.T) {
	inBubble(t, Options{Size: 3}, func(t *testing.T, r *rig) {
		a := r.add("a", 0, 2)
		heavy := r.add("heavy", 0, 2)
		r.add("light", 0, 1)
		r.wantStarted("a")
		if got := r.Stats(); got.Busy != 2 || got.Queued != 2 {
			t.Errorf("stats %+v, want busy 2 and 2 queued", got)
		}
		finish(a)
		r.wantStartedSet("a", "heavy", "light")
		finish(heavy)
	})
}

func TestCancellingTheHeavyTaskLetsOthersPass(t *testing.T) {
	inBubble(t, Options{Size: 2}, func(t *testing.T, r *rig) {
		r.submit("a")
		heavy := r.add("heavy", 0, 2)
		r.submit("light")
		r.wantStarted("a")
		if !r.Cancel(&heavy.Task) {
			t.Error("the heavy task was queued and not cancelled")
		}
		r.wantStarted("a", "light")
	})
}

func TestWeightIsClampedWhenTheTaskIsTaken(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		all := r.add("all", 0, math.MaxInt)
		r.Resize(4, Finish)
		synctest.Wait()
		if got := r.Stats().Busy; got != 4 {
			t.Errorf("busy %d, want the whole size 4", got)
		}
		r.Resize(6, Finish)
		r.submit("b", "c", "d")
		r.wantStartedSet("all", "b", "c")
		finish(all)
		r.wantStartedSet("all", "b", "c", "d")
	})
}

func TestUnlimitedStartsEverything(t *testing.T) {
	inBubble(t, Options{Size: Unlimited, QueueLimit: 1}, func(t *testing.T, r *rig) {
		var js []*job
		for range 300 {
			js = append(js, r.add("x", 0, 1))
		}
		synctest.Wait()
		if got := r.Stats(); got.Running != 300 || got.Queued != 0 {
			t.Errorf("stats %+v, want 300 running", got)
		}
		all := r.add("all", 0, math.MaxInt)
		synctest.Wait()
		if got := r.Stats().Queued; got != 1 {
			t.Errorf("%d queued, want the one that takes all", got)
		}
		finish(js...)
		if got := r.Stats(); got.Busy != math.MaxInt || got.Running != 1 {
			t.Errorf("stats %+v, want the whole pool taken by one", got)
		}
		over := r.job("adopted", 0, math.MaxInt)
		if err := r.Adopt(&over.Task); err != nil {
			t.Fatal(err)
		}
		if got := r.Stats().Busy; got != math.MaxInt {
			t.Errorf("busy %d with a second task that takes all", got)
		}
		finish(all, over)
		if got := r.Stats().Busy; got != 0 {
			t.Errorf("busy %d after all ended", got)
		}
	})
}

func TestUnlimitedKeepsFewIdleWorkers(t *testing.T) {
	inBubble(t, Options{Size: Unlimited}, func(t *testing.T, r *rig) {
		var js []*job
		for range maxParked + 100 {
			js = append(js, r.add("x", 0, 1))
		}
		synctest.Wait()
		finish(js...)
		if got := r.Stats(); got.Idle != maxParked || got.Workers != maxParked {
			t.Errorf("%d idle of %d workers, want %d", got.Idle, got.Workers, maxParked)
		}
	})
}

func TestWorkersAreReused(t *testing.T) {
	inBubble(t, Options{Size: 3}, func(t *testing.T, r *rig) {
		for range 10 {
			finish(r.submit("a", "b")...)
		}
		got := r.Stats()
		if got.Workers != 2 || got.Idle != 2 {
			t.Errorf("%d workers, %d idle; want the 2 that were ever needed", got.Workers, got.Idle)
		}
		if got.Submitted != 20 || got.Done != 20 {
			t.Errorf("submitted %d, done %d, want 20", got.Submitted, got.Done)
		}
	})
}

func TestWorkerNumbersAreTheLowestFree(t *testing.T) {
	inBubble(t, Options{Size: 3}, func(t *testing.T, r *rig) {
		js := r.submit("a", "b", "c")
		synctest.Wait()
		var got []int
		for _, j := range js {
			got = append(got, j.worker)
		}
		if diff := cmp.Diff([]int{0, 1, 2}, got); diff != "" {
			t.Errorf("first numbers (-want +got):\n%s", diff)
		}
		finish(js[2])
		finish(js[0])
		d := r.submit("d")[0]
		synctest.Wait()
		if d.worker != 0 {
			t.Errorf("worker %d, want 0, the lowest free", d.worker)
		}
	})
}

func TestTaskMayBeSubmittedAgain(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		a := r.submit("a")[0]
		synctest.Wait()
		if err := r.Submit(&a.Task); err != ErrBusy {
			t.Errorf("submit a running task: %v, want ErrBusy", err)
		}
		if err := r.Adopt(&a.Task); err != ErrBusy {
			t.Errorf("adopt a running task: %v, want ErrBusy", err)
		}
		other := New(Options{})
		if err := other.Submit(&a.Task); err != ErrBusy {
			t.Errorf("submit to another pool: %v, want ErrBusy", err)
		}
		if other.Cancel(&a.Task) {
			t.Error("another pool cancelled it")
		}
		finish(a)
		if err := r.Submit(&a.Task); err != nil {
			t.Errorf("submit again: %v", err)
		}
		r.wantStarted("a", "a")
	})
}

func TestBadTasksAreRefused(t *testing.T) {
	p := New(Options{})
	good := &Task{Do: func(Start) {}}
	for _, tt := range []struct {
		name string
		err  error
	}{
		{"no task", p.Submit(nil)},
		{"no Do", p.Submit(&Task{})},
		{"no Do, waiting", p.SubmitWait(t.Context(), &Task{})},
		{"no Do, adopted", p.Adopt(&Task{})},
		{"no Do, in a batch", p.SubmitBatch([]*Task{good, {}})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err == nil || !strings.Contains(tt.err.Error(), "set Task.Do") {
				t.Errorf("got %v, want an error that says what to set", tt.err)
			}
		})
	}
	if p.Cancel(nil) {
		t.Error("cancelled a nil task")
	}
	if err := p.Submit(good); err != nil {
		t.Errorf("a task of a refused batch stays claimed: %v", err)
	}
}

func TestPanicEndsThatTaskOnly(t *testing.T) {
	type report struct {
		task  *Task
		value any
		stack bool
	}
	var got []report
	o := Options{Size: 1, OnPanic: func(t *Task, v any, stack []byte) {
		got = append(got, report{t, v, strings.Contains(string(stack), "TestPanicEndsThatTaskOnly")})
	}}
	inBubble(t, o, func(t *testing.T, r *rig) {
		boom := errors.New("boom")
		a := r.submit("a")[0]
		b := r.submit("b")[0]
		a.end <- func() { panic(boom) }
		r.wantStarted("a", "b")
		finish(b)
		if len(got) != 1 || got[0] != (report{&a.Task, boom, true}) {
			t.Errorf("reports %v, want one with the task, the value and the stack", got)
		}
		if s := r.Stats(); s.Panicked != 1 || s.Done != 2 || s.Workers != 1 || s.Busy != 0 {
			t.Errorf("stats %+v, want one panic, 2 done, 1 worker", s)
		}
		if b.worker != 0 {
			t.Errorf("worker %d after the panic, want 0", b.worker)
		}
	})
}

func TestPanicWithoutOnPanicIsCounted(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		r.submit("a")[0].end <- func() { panic(nil) }
		r.submit("b")
		r.wantStarted("a", "b")
		if s := r.Stats(); s.Panicked != 1 || s.Done != 1 {
			t.Errorf("stats %+v, want one panic", s)
		}
	})
}

func TestGoexitReplacesTheGoroutine(t *testing.T) {
	called := 0
	inBubble(t, Options{Size: 1, OnPanic: func(*Task, any, []byte) { called++ }}, func(t *testing.T, r *rig) {
		r.submit("a")[0].end <- runtime.Goexit
		b := r.submit("b")[0]
		r.wantStarted("a", "b")
		finish(b)
		if s := r.Stats(); s.Done != 2 || s.Panicked != 0 || s.Workers != 1 || called != 0 {
			t.Errorf("stats %+v, OnPanic %d times; want 2 done by 1 worker and no panic", s, called)
		}
	})
}

func TestGoexitInOnPanicLosesNoWorker(t *testing.T) {
	inBubble(t, Options{Size: 1, OnPanic: func(*Task, any, []byte) { runtime.Goexit() }}, func(t *testing.T, r *rig) {
		r.submit("a")[0].end <- func() { panic("a") }
		r.submit("b")
		r.wantStarted("a", "b")
	})
}

func TestRunningIsOldestFirst(t *testing.T) {
	inBubble(t, Options{Size: 4}, func(t *testing.T, r *rig) {
		js := r.submit("a", "b", "c", "d")
		synctest.Wait()
		finish(js[1])
		js = append(js, r.submit("e")...)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a", "c", "d", "e"}, names(index(js...), r.Running())); diff != "" {
			t.Errorf("running (-want +got):\n%s", diff)
		}
	})
}
