package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// taskContext is the context of one start of one task. It costs one small
// record; the real context behind it is made when somebody first looks, which
// most short tasks never do. A record belongs to one start and is never used
// again, so a goroutine that outlives its task cannot get the next one's.
//
// Value goes to the real context too: that is how package context finds the
// cause, and attaches children without a goroutine.
type taskContext struct {
	parent context.Context // nil is Background

	real  atomic.Pointer[realContext]
	mu    sync.Mutex // held to make real, and to end
	ended bool
}

type realContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

// get returns the real context, made now if need be.
func (c *taskContext) get() *realContext {
	if r := c.real.Load(); r != nil {
		return r
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.real.Load(); r != nil {
		return r
	}
	parent := c.parent
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithCancelCause(parent)
	if c.ended {
		cancel(nil)
	}
	r := &realContext{ctx, cancel}
	c.real.Store(r)
	return r
}

// cancel cancels the context with a cause. It calls into the parent, so no lock
// of a pool may be held.
func (c *taskContext) cancel(cause error) { c.get().cancel(cause) }

// end is called when the task is over. Whoever looks from now on sees a
// cancelled context.
func (c *taskContext) end() {
	c.mu.Lock()
	c.ended = true
	r := c.real.Load()
	c.mu.Unlock()
	if r != nil {
		r.cancel(nil)
	}
}

func (c *taskContext) Deadline() (time.Time, bool) {
	if c.parent == nil {
		return time.Time{}, false
	}
	return c.parent.Deadline()
}

func (c *taskContext) Done() <-chan struct{} { return c.get().Done() }
func (c *taskContext) Err() error            { return c.get().Err() }
func (c *taskContext) Value(key any) any     { return c.get().Value(key) }
