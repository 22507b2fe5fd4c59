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
	// it is done when the task's turn comes, the task is dropped.
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

	pool atomic.Pointer[Pool] // who has the record, nil if nobody

	// The rest is guarded by the mutex of that pool.
	order        uint64 // rises with each task submitted
	queued       bool
	older, newer *Task // neighbours in its level of the queue
}

// claim makes t the record of p, so that no one else can submit it.
func (t *Task) claim(p *Pool) error {
	if t == nil || t.Do == nil {
		return errors.New("submit a task without Do: set Task.Do first")
	}
	if t.Key != nil && t.Key.pool != p {
		return errors.New("submit a task with a key of another pool: make one with NewKey of this pool")
	}
	if !t.pool.CompareAndSwap(nil, p) {
		return ErrBusy
	}
	return nil
}

// release gives the record back. Nothing of t may be touched afterwards: its
// owner may be using it again.
func (t *Task) release() { t.pool.Store(nil) }

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
