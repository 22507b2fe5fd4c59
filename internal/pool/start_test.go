package pool

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

type valueKey struct{}

// runOne runs do as the only task of a pool of one.
func runOne(t *testing.T, parent context.Context, do func(s Start)) {
	t.Helper()
	p := New(Options{Size: 1})
	done := make(chan struct{})
	if err := p.Submit(&Task{Ctx: parent, Do: func(s Start) { defer close(done); do(s) }}); err != nil {
		t.Fatal(err)
	}
	<-done
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestContextOfAStart(t *testing.T) {
	at := time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)
	parent, cancel := context.WithDeadline(context.WithValue(t.Context(), valueKey{}, "value"), at)
	defer cancel()
	for _, tt := range []struct {
		name     string
		parent   context.Context
		value    any
		deadline bool
	}{
		{"without a parent", nil, nil, false},
		{"from a parent", parent, "value", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runOne(t, tt.parent, func(s Start) {
				c := s.Context()
				if d, ok := c.Deadline(); ok != tt.deadline || ok && !d.Equal(at) {
					t.Errorf("deadline %v, %t", d, ok)
				}
				if got := c.Value(valueKey{}); got != tt.value {
					t.Errorf("value %v, want %v", got, tt.value)
				}
				if c.Err() != nil {
					t.Errorf("done at once: %v", c.Err())
				}
				if again := s.Context(); again != c {
					t.Error("the second call returns another one")
				}
			})
		})
	}
}

func TestContextOfTheZeroStart(t *testing.T) {
	if got := (Start{}).Context(); got != context.Background() {
		t.Errorf("got %v, want the background", got)
	}
}

func TestContextEndsWithTheTask(t *testing.T) {
	for _, parent := range []context.Context{nil, t.Context()} {
		var looked context.Context
		var start Start
		runOne(t, parent, func(s Start) { looked, start = s.Context(), s })
		for name, ctx := range map[string]context.Context{
			"asked for in time": looked,
			"asked for after":   start.Context(),
		} {
			if ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
				t.Errorf("%s: err %v, cause %v, want context canceled", name, ctx.Err(), context.Cause(ctx))
			}
		}
	}
}

func TestContextPassesTheCauseOn(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		name   string
		end    func(r *rig, cancel context.CancelCauseFunc)
		want   error
		before bool // the cause is there before anybody asks for the context
	}{
		{"of a shrink", func(r *rig, _ context.CancelCauseFunc) { r.Resize(0, StopNewest) }, ErrShrunk, false},
		{"of a shrink before", func(r *rig, _ context.CancelCauseFunc) { r.Resize(0, StopOldest) }, ErrShrunk, true},
		{"of the parent", func(_ *rig, cancel context.CancelCauseFunc) { cancel(boom) }, boom, false},
		{"of the parent before", func(_ *rig, cancel context.CancelCauseFunc) { cancel(boom) }, boom, true},
		{"of Close", closeNow, ErrClosed, false},
		{"of Close before", closeNow, ErrClosed, true},
		{"the first of two", func(r *rig, c context.CancelCauseFunc) { r.Resize(0, StopNewest); closeNow(r, c) }, ErrShrunk, false},
		{"the first of two before", func(r *rig, c context.CancelCauseFunc) { r.Resize(0, StopNewest); closeNow(r, c) }, ErrShrunk, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
				parent, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				gate := make(chan struct{})
				var got [2]error
				j := r.job("a", 0, 1)
				j.Ctx = parent
				j.Do = func(s Start) {
					if tt.before {
						<-gate
					}
					child, stop := context.WithCancel(s.Context())
					defer stop()
					<-child.Done()
					got = [2]error{context.Cause(s.Context()), context.Cause(child)}
				}
				if err := r.Submit(&j.Task); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				tt.end(r, cancel)
				synctest.Wait()
				close(gate)
				synctest.Wait()
				if got != [2]error{tt.want, tt.want} {
					t.Errorf("causes %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func closeNow(r *rig, _ context.CancelCauseFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	go func() { _ = r.Close(ctx) }()
	synctest.Wait()
}

func TestGoroutinesOfATaskShareItsContext(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		got := make(chan context.Context, 8)
		j := r.job("a", 0, 1)
		j.Do = func(s Start) {
			for range cap(got) {
				go func() { got <- s.Context() }()
			}
			<-j.end
		}
		if err := r.Submit(&j.Task); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		first := <-got
		for range cap(got) - 1 {
			if next := <-got; next != first {
				t.Error("two goroutines of a task got different contexts")
			}
		}
		finish(j)
		if first.Err() == nil {
			t.Error("the context lives on after its task")
		}
	})
}

// The record and the worker are the same; the starts are not.
func TestStartIsNotShownTheNextOnesContext(t *testing.T) {
	inBubble(t, Options{Size: 1}, func(t *testing.T, r *rig) {
		var starts []Start
		j := r.job("a", 0, 1)
		j.Do = func(s Start) {
			starts = append(starts, s)
			<-j.end
		}
		for range 2 {
			if err := r.Submit(&j.Task); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if len(starts) == 1 {
				finish(j)
			}
		}
		first, second := starts[0].Context(), starts[1].Context()
		if first.Err() == nil || second.Err() != nil {
			t.Errorf("the ended start has %v, the running one %v", first.Err(), second.Err())
		}
		r.Resize(0, StopNewest)
		if got := context.Cause(first); got != context.Canceled {
			t.Errorf("the shrink of a later start gave an earlier one the cause %v", got)
		}
		if got := context.Cause(second); got != ErrShrunk {
			t.Errorf("the start that was stopped has the cause %v", got)
		}
		finish(j)
	})
}

// TestStressContextsAskedForTooLate has goroutines that outlive their tasks ask
// for contexts while the same records start again: each must get one that ends.
func TestStressContextsAskedForTooLate(t *testing.T) {
	p := New(Options{Size: 2})
	const each = 2000
	asked := make(chan context.Context, 2*each)
	for range 2 {
		task := &Task{Do: func(s Start) { go func() { asked <- s.Context() }() }}
		for range each {
			for p.Submit(task) != nil {
				runtime.Gosched()
			}
		}
	}
	for range 2 * each {
		<-(<-asked).Done()
	}
	closePool(t, p)
}
