package pool

import (
	"context"
	"errors"
	"sync/atomic"
)

// Task is one piece of work. The caller owns the record and keeps the exported
// fields as they are while the pool has it, which is from a successful Submit
// until the task has left Running, was cancelled or was dropped. Then it may be
// submitted again, to this or another pool. The return of Do is a moment too
// early for that: until the worker has put the task away Submit says ErrBusy.
type Task struct {
	// Do is the work. Its argument is this start's own, and knows its context
	// and its worker.
	Do func(s Start)
	// Ctx is the parent of the context of a start; nil is context.Background. If
	// it is done when the task's turn comes, the task is dropped: by a worker, and
	// until that has put it away the task counts as running, also for its key.
	Ctx context.Context
	// Priority orders the queue, higher first.
	Priority int
	// Weight is how many workers the task takes. Below 1 is 1, and more than
	// the size of the pool, when the task's turn comes, is that size. So
	// math.MaxInt takes all of them.
	Weight int
	// Key holds the task back while as many tasks of that key run as may, or
	// while the key is metered and has no permit; nil is none.
	Key *Key
	// Dropped, if set, is called once when the pool knows that an accepted task
	// will never start: with the cause of Ctx on a worker, or with ErrClosed on
	// the goroutine that calls Close. The task may be submitted again only when
	// it has returned. It is not called for Cancel, whose caller knows.
	Dropped func(err error)

	pool atomic.Pointer[Pool] // the last one it was given to, nil if none

	// The rest is guarded by the mutex of that pool.
	older, newer *Task  // neighbours in its level of the queue
	order        uint64 // rises with each task submitted
	taken        bool   // that pool has the record
	queued       bool
}

// check refuses what cannot be submitted to p, whoever has the record.
func (t *Task) check(p *Pool) error {
	switch {
	case t == nil || t.Do == nil:
		return errors.New("submit a task without Do: set Task.Do first")
	case t.Key != nil && t.Key.pool != p:
		return errors.New("submit a task with a key of another pool: make one with NewKey of this pool")
	case t.pool.Load() != p:
		return t.move(p)
	}
	return nil
}

// move makes p the pool whose mutex guards t, unless another one has t. No lock
// may be held. Whether p has it already, it sees under its own.
func (t *Task) move(p *Pool) error {
	if t.pool.CompareAndSwap(nil, p) {
		return nil
	}
	from := t.pool.Load()
	from.lock()
	defer from.mu.Unlock()
	if t.pool.Load() != from || t.taken { // somebody else was faster
		return ErrBusy
	}
	t.pool.Store(p)
	return nil
}

// freeLocked reports whether p may take t.
func (t *Task) freeLocked(p *Pool) bool { return t.pool.Load() == p && !t.taken }

// taskList holds tasks in the order they came. The links are in the tasks.
type taskList struct {
	oldest, newest *Task
	len            int
}

func (l *taskList) add(t *Task) {
	t.older = l.newest
	if l.newest != nil {
		l.newest.newer = t
	} else {
		l.oldest = t
	}
	l.newest = t
	l.len++
}

func (l *taskList) remove(t *Task) {
	if t.older != nil {
		t.older.newer = t.newer
	} else {
		l.oldest = t.newer
	}
	if t.newer != nil {
		t.newer.older = t.older
	} else {
		l.newest = t.older
	}
	t.older, t.newer = nil, nil
	l.len--
}
