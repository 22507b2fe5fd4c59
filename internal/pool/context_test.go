package pool

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

type key struct{}

// runOne runs do as the only task of a pool of one.
func runOne(t *testing.T, parent context.Context, do func(ctx context.Context)) {
	t.Helper()
	p := New(Options{Size: 1})
	done := make(chan struct{})
	if err := p.Submit(&Task{Ctx: parent, Do: func(ctx context.Context, _ int) { defer close(done); do(ctx) }}); err != nil {
		t.Fatal(err)
	}
	<-done
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestContextOfATask(t *testing.T) {
	at := time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)
	parent, cancel := context.WithDeadline(context.WithValue(t.Context(), key{}, "value"), at)
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
			c := &taskContext{parent: tt.parent}
			if d, ok := c.Deadline(); ok != tt.deadline || ok && !d.Equal(at) {
				t.Errorf("deadline %v, %t", d, ok)
			}
			if got := c.Value(key{}); got != tt.value {
				t.Errorf("value %v, want %v", got, tt.value)
			}
			if c.Err() != nil {
				t.Errorf("done at once: %v", c.Err())
			}
			select {
			case <-c.Done():
				t.Error("Done is closed at once")
			default:
			}
		})
	}
}

func TestContextEndsWithTheTask(t *testing.T) {
	var looked, unseen context.Context
	for _, parent := range []context.Context{nil, t.Context()} {
		runOne(t, parent, func(ctx context.Context) { looked = ctx; _ = ctx.Err() })
		runOne(t, parent, func(ctx context.Context) { unseen = ctx })
		for _, ctx := range []context.Context{looked, unseen} {
			if ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
				t.Errorf("err %v, cause %v after the task, want context canceled", ctx.Err(), context.Cause(ctx))
			}
		}
	}
}

func TestContextPassesTheCauseOn(t *testing.T) {
	boom := errors.New("boom")
	parent, cancel := context.WithCancelCause(t.Context())
	for name, end := range map[string]func(c *taskContext){
		"cancelled itself":      func(c *taskContext) { c.cancel(boom) },
		"through its parent":    func(*taskContext) { cancel(boom) },
		"only the first counts": func(c *taskContext) { c.cancel(boom); c.cancel(ErrClosed); c.end() },
	} {
		c := &taskContext{parent: parent}
		child, stop := context.WithCancel(c)
		end(c)
		<-child.Done()
		for _, ctx := range []context.Context{c, child} {
			if got := context.Cause(ctx); got != boom {
				t.Errorf("%s: cause %v, want boom", name, got)
			}
		}
		stop()
	}
}

// A child of a context that package context does not know costs a goroutine,
// which the bubble would miss at its end.
func TestContextAttachesChildrenWithoutAGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &taskContext{}
		_, stop := context.WithCancel(c)
		_ = stop // never called: a waiting goroutine would stay
		defer c.end()
		called := false
		context.AfterFunc(c, func() { called = true })
		c.cancel(ErrShrunk)
		synctest.Wait()
		if !called {
			t.Error("AfterFunc was not called")
		}
	})
}

func TestContextsAreNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Size: 1})
		seen := map[context.Context]bool{}
		var kept context.Context
		for range 3 * bareContexts {
			task := &Task{Do: func(ctx context.Context, _ int) {
				if seen[ctx] {
					t.Error("two tasks got the same context")
				}
				seen[ctx] = true
				kept = ctx
			}}
			if err := p.Submit(task); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		ended := context.Cause(kept)
		if err := p.Submit(&Task{Do: func(ctx context.Context, _ int) { <-ctx.Done() }}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p.Resize(0, StopNewest)
		if got := context.Cause(kept); got != ended {
			t.Errorf("the shrink of a later task gave an earlier one the cause %v", got)
		}
		_ = p.Close(t.Context())
	})
}
