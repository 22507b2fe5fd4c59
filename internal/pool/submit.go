package pool

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// Submit queues t and returns at once. It refuses with ErrFull when as many
// tasks wait as may, with ErrClosed after Close, and with ErrBusy when t is
// queued or running already. It allocates nothing for the task.
func (p *Pool) Submit(t *Task) error {
	if err := t.check(p); err != nil {
		return err
	}
	p.lock()
	if err := p.refusalLocked(t); err != nil {
		p.mu.Unlock()
		return err
	}
	p.pushLocked(t)
	p.unlock()
	return nil
}

// SubmitBatch queues all of ts, in their order, or none of them. A batch that is
// larger than what may wait is refused with ErrFull even by an idle pool.
func (p *Pool) SubmitBatch(ts []*Task) error {
	for i, t := range ts {
		if err := t.check(p); err != nil {
			return fmt.Errorf("task %d of the batch: %w", i, err)
		}
	}
	p.lock()
	if err := p.takeAllLocked(ts); err != nil {
		p.mu.Unlock()
		return err
	}
	for _, t := range ts {
		p.pushLocked(t)
	}
	p.unlock()
	return nil
}

// takeAllLocked takes the records of a batch, or none of them: one that is in
// it twice is busy the second time.
func (p *Pool) takeAllLocked(ts []*Task) error {
	for i, t := range ts {
		if !t.freeLocked(p) {
			giveBack(ts[:i])
			return fmt.Errorf("task %d of the batch: %w", i, ErrBusy)
		}
		t.taken = true
	}
	err := p.closedOrFullLocked(ts)
	if err != nil {
		giveBack(ts)
	}
	return err
}

func giveBack(ts []*Task) {
	for _, t := range ts {
		t.taken = false
	}
}

// SubmitWait queues t, and waits for room when as many tasks wait as may. The
// submitters that wait are let in first come first served, whatever the
// priority of their tasks, and before any later Submit. When ctx ends first t is
// not queued and the cause is returned; when there is room at once ctx is not
// looked at. It allocates nothing either, but for those that wait, now and then.
func (p *Pool) SubmitWait(ctx context.Context, t *Task) error {
	if err := t.check(p); err != nil {
		return err
	}
	p.lock()
	err := p.refusalLocked(t)
	if err == nil {
		p.pushLocked(t)
		p.unlock()
		return nil
	}
	if err != ErrFull { //nolint:errorlint // it is never wrapped
		p.mu.Unlock()
		return err
	}
	t.taken = true
	w, _ := p.waiters.Get().(*waiter)
	if w == nil {
		w = &waiter{ready: make(chan error, 1)}
	}
	w.task = t
	p.blocked.add(w)
	p.mu.Unlock()
	return p.waitForRoom(ctx, w)
}

func (p *Pool) waitForRoom(ctx context.Context, w *waiter) error {
	select {
	case err := <-w.ready:
		p.waiters.Put(w)
		return err
	case <-ctx.Done():
	}
	p.lock()
	defer p.unlock() // who waits behind it may be let in where it could not
	select {
	case err := <-w.ready: // just as ctx ended
		p.waiters.Put(w)
		return err
	default:
	}
	w.task.taken = false
	p.blocked.remove(w)
	return fmt.Errorf("wait for room in pool %q: %w", p.name, context.Cause(ctx))
}

// Cancel takes t out of the queue and reports whether it did. It returns false
// when t is running, was never queued here, or belongs to a SubmitWait that is
// still blocked. It takes the same short time wherever in the queue t is.
func (p *Pool) Cancel(t *Task) bool {
	if t == nil || t.pool.Load() != p {
		return false
	}
	p.lock()
	defer p.unlock()
	// Only under the lock is it certain that t is still ours to look at.
	if t.pool.Load() != p || !t.queued {
		return false
	}
	p.removeLocked(t)
	p.dropped++
	t.taken = false
	return true
}

// Adopt starts t at once, past the queue, the size and a pause. It is for work
// that runs already and only has to be watched: it counts as busy, so others
// wait until there is room again. An adopted task takes one worker at least,
// even of a pool of size 0. It counts for its key, past the limit of that, and
// takes no permit.
func (p *Pool) Adopt(t *Task) error {
	if err := t.check(p); err != nil {
		return err
	}
	p.lock()
	switch {
	case p.closed:
		p.mu.Unlock()
		return ErrClosed
	case !t.freeLocked(p):
		p.mu.Unlock()
		return ErrBusy
	}
	t.taken = true
	held := min(max(t.Weight, 1), max(p.size, 1))
	held = min(held, math.MaxInt-p.busy) // all of an unlimited pool, twice
	w := p.idleLocked()
	p.startLocked(w, t, held)
	if k := t.Key; k != nil {
		k.running++
		p.weighLocked(k)
	}
	p.submitted++
	p.unlock()
	p.send(w)
	return nil
}

// refusalLocked returns why t cannot be queued, or takes it and returns nil.
func (p *Pool) refusalLocked(t *Task) error {
	if !t.freeLocked(p) {
		return ErrBusy
	}
	if p.closed || p.limit > 0 {
		one := [1]*Task{t}
		if err := p.closedOrFullLocked(one[:]); err != nil {
			return err
		}
	}
	t.taken = true
	return nil
}

// closedOrFullLocked returns why ts cannot be queued even if they are free.
func (p *Pool) closedOrFullLocked(ts []*Task) error {
	if p.closed {
		return ErrClosed
	}
	if p.limit == 0 {
		return nil
	}
	over := p.queuedLocked() + len(ts) - p.limit
	switch {
	case over <= 0:
		return nil
	case p.blocked.first != nil: // they come first
		return ErrFull
	// Tasks that a free place will take at once do not count as waiting; the
	// workers for them may still be on their way.
	case over <= min(p.freeLocked(), p.startableLocked()+startable(ts)):
		return nil
	}
	return ErrFull
}

// startable counts the tasks among ts that no key would hold, were they queued.
func startable(ts []*Task) (n int) {
	for _, t := range ts {
		if k := t.Key; k == nil {
			n++
		} else if k.coming++; k.queue.len+k.coming <= k.roomLocked() {
			n++
		}
	}
	for _, t := range ts {
		if t.Key != nil {
			t.Key.coming = 0
		}
	}
	return n
}

func (p *Pool) pushLocked(t *Task) {
	p.submitted++
	t.queued, t.order = true, p.submitted
	if t.Key != nil {
		p.pushKeyedLocked(t)
		return
	}
	p.queue.push(t)
}

func (p *Pool) removeLocked(t *Task) {
	t.queued = false
	if t.Key != nil {
		p.removeKeyedLocked(t)
		return
	}
	p.queue.remove(t)
}

// clearLocked takes out all tasks and returns them, the best first.
func (p *Pool) clearLocked() []*Task {
	ts := p.queue.clear()
	if p.keys.first != nil {
		for k := p.keys.first; k != nil; k = p.keys.first {
			ts = append(ts, k.queue.clear()...)
			p.keys.remove(k)
			p.weighLocked(k)
		}
		p.keyed = 0
		slices.SortFunc(ts, func(a, b *Task) int {
			return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.order, b.order))
		})
	}
	for _, t := range ts {
		t.queued = false
	}
	return ts
}

// queuedLocked is how many tasks wait.
func (p *Pool) queuedLocked() int { return p.queue.len + p.keyed }

// startableLocked is how many of them no key holds.
func (p *Pool) startableLocked() int { return p.queue.len + p.could }

// bestLocked returns the task to start next, or nil. Those that a key holds do
// not count.
func (p *Pool) bestLocked() *Task {
	t := p.queue.best()
	if len(p.ready) == 0 {
		return t
	}
	first := p.ready[0]
	if t != nil && !first.before(readyKey{priority: t.Priority, order: t.order}) {
		return t
	}
	return first.key.queue.best()
}

// waiter is one blocked SubmitWait.
type waiter struct {
	task       *Task
	ready      chan error // gets one when settled, and has room for it
	prev, next *waiter
}

// waiterList holds the blocked submitters, first come first.
type waiterList struct{ first, last *waiter }

func (l *waiterList) add(w *waiter) {
	w.prev = l.last
	if l.last != nil {
		l.last.next = w
	} else {
		l.first = w
	}
	l.last = w
}

func (l *waiterList) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		l.last = w.prev
	}
	w.prev, w.next, w.task = nil, nil, nil
}

// admitLocked lets blocked submitters in as far as there is room in the queue. It
// runs at the end of every section, so whoever finds room finds nobody waiting
// for it. Free workers do not count here: what is queued takes them first, and
// that makes the room. Only when keys hold all that is queued does a task that
// can start go past them.
func (p *Pool) admitLocked() {
	for w := p.blocked.first; w != nil; w = p.blocked.first {
		if p.queuedLocked() >= p.limit &&
			(p.startableLocked() > 0 || p.freeLocked() == 0 || startable([]*Task{w.task}) == 0) {
			return
		}
		p.pushLocked(w.task)
		p.blocked.remove(w)
		w.ready <- nil
	}
}
