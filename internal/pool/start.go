package pool

import "context"

// Start is one start of a task: what Do gets. It is a value, so it costs nothing
// to hand out, and it stays that start's for good: a goroutine that outlives its
// task and looks at it later is not shown the next one's context.
type Start struct {
	// Worker is a small number that no other running task has: the lowest that
	// was free. It is below the size of the pool, unless the task was adopted or
	// the pool was shrunk since.
	Worker int

	by     *worker
	number uint64 // among all starts of the pool, from 1
}

// Context returns the context of this start, derived from Task.Ctx. It ends when
// Do has returned, when a shrink stops the task, with the cause ErrShrunk, or
// when Close does, with ErrClosed. It is made by the first call, since most short
// tasks never look, and is the same for all later ones. A first call after Do has
// returned gets one that has ended and may lack the parent's values. That of the
// zero Start, for calling a Do by hand, is the background.
func (s Start) Context() context.Context {
	if s.by == nil {
		return context.Background()
	}
	parent, c := s.by.look(s.number)
	if c != nil {
		return c
	}
	return s.by.derive(parent, s.number)
}

// startContext is a context that was asked for.
type startContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

// newContext makes one. It calls into the parent, so no lock of a pool may be
// held; the same goes for cancelling it.
func newContext(parent context.Context) *startContext {
	ctx, cancel := context.WithCancelCause(parent)
	return &startContext{ctx, cancel}
}

// ended returns a context for those who come too late.
func ended(parent context.Context) *startContext {
	c := newContext(parent)
	c.cancel(nil)
	return c
}

// look returns the context of a start if there is one, and otherwise what it is
// to be derived from.
func (w *worker) look(number uint64) (parent context.Context, c *startContext) {
	w.pool.lock()
	defer w.pool.mu.Unlock()
	switch {
	case w.number != number:
		return nil, ended(context.Background())
	case w.task.Ctx == nil:
		return context.Background(), w.ctx.Load()
	}
	return w.task.Ctx, w.ctx.Load()
}

// derive makes the context of a start, unless it is over or another goroutine of
// the task is faster.
func (w *worker) derive(parent context.Context, number uint64) *startContext {
	c := newContext(parent)
	w.pool.lock()
	if w.number != number {
		w.pool.mu.Unlock()
		c.cancel(nil)
		return c
	}
	if first := w.ctx.Load(); first != nil {
		w.pool.mu.Unlock()
		c.cancel(nil)
		return first
	}
	w.ctx.Store(c)
	cause := w.cause
	w.pool.mu.Unlock()
	if cause != nil {
		c.cancel(cause)
	}
	return c
}

// stopLocked notes that the task of w is to stop and why, and returns its
// context, to be cancelled after the lock is released. It is nil if nobody has
// asked for it; who does later finds the cause.
func (w *worker) stopLocked(cause error) *startContext {
	if w.cause == nil {
		w.cause = cause
	}
	return w.ctx.Load()
}

// end ends the context of a task that is over. The worker does so before it takes
// the lock to put the task away, and once more with what finishLocked returns: a
// goroutine of the task may have asked in between.
func (c *startContext) end() { c.cancel(nil) }
