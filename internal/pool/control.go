package pool

import (
	"context"
	"fmt"
	"slices"
)

// Mode is what a shrink does with the running tasks that are too many for the
// new size.
type Mode int

const (
	// Finish lets them end on their own. Nothing starts meanwhile.
	Finish Mode = iota
	// StopNewest cancels the ones started last.
	StopNewest
	// StopOldest cancels the ones started first.
	StopOldest
)

// Resize changes the size to n; below 0 is 0. Growth starts as many queued tasks
// as now fit. After a shrink idle workers that are too many leave at once. With
// StopNewest or StopOldest the contexts of running tasks are cancelled with the
// cause ErrShrunk, in that order, until the rest fits; these tasks are returned.
// Tasks that an earlier shrink cancelled and that still run count as gone, and
// are not returned again.
func (p *Pool) Resize(n int, mode Mode) []*Task {
	p.lock()
	p.size = max(n, 0)
	victims, ctxs := p.stopLocked(mode)
	leavers := p.dismissLocked()
	starters := p.fillLocked()
	p.unlock()
	sendAll(p, leavers)
	sendAll(p, starters)
	// A task may have ended since; its context is its own, so that harms nobody.
	cancelAll(ctxs, ErrShrunk)
	return victims
}

// fillMost bounds how long the lock is held to start tasks after a growth; what
// fits beyond it is started as after any other change.
const fillMost = 1024

// fillLocked starts what fits, and returns the workers to be sent to it. Woken
// one by one, each would come to the lock first.
func (p *Pool) fillLocked() []*worker {
	var ws []*worker
	for t := p.bestLocked(); t != nil && p.fitsLocked(t) && len(ws) < fillMost; t = p.bestLocked() {
		w := p.idleLocked()
		p.beginLocked(w, t)
		p.admitLocked() // who is let in may have the best task
		ws = append(ws, w)
	}
	return ws
}

func sendAll(p *Pool, ws []*worker) {
	for _, w := range ws {
		p.send(w)
	}
}

func cancelAll(ctxs []*startContext, cause error) {
	for _, c := range ctxs {
		if c != nil {
			c.cancel(cause)
		}
	}
}

// stopLocked marks the running tasks to be stopped, and returns them with the
// contexts that were asked for.
func (p *Pool) stopLocked(mode Mode) (ts []*Task, ctxs []*startContext) {
	if mode != StopNewest && mode != StopOldest || p.busy-p.leaving <= p.size {
		return nil, nil
	}
	ws := p.slots.workers()
	if mode == StopNewest {
		slices.Reverse(ws)
	}
	for _, w := range ws {
		if p.busy-p.leaving <= p.size {
			break
		}
		if !w.leaving {
			w.leaving = true
			p.leaving += w.held
			ts, ctxs = append(ts, w.task), append(ctxs, w.stopLocked(ErrShrunk))
		}
	}
	return ts, ctxs
}

// dismissLocked takes the parked workers that are too many off the list, those
// parked longest first, and returns them to be sent away.
func (p *Pool) dismissLocked() []*worker {
	n := min(p.alive-p.size, len(p.parked))
	if p.closed {
		n = len(p.parked)
	}
	if n <= 0 {
		return nil
	}
	leavers := make([]*worker, n)
	copy(leavers, p.parked)
	p.parked = append([]*worker(nil), p.parked[n:]...)
	p.alive -= n
	for _, w := range leavers {
		w.quit = true
	}
	return leavers
}

// Pause starts nothing more until Resume. Running tasks go on, and tasks may be
// submitted.
func (p *Pool) Pause() {
	p.lock()
	p.paused = true
	p.unlock()
}

// Resume ends Pause and Drain.
func (p *Pool) Resume() {
	p.lock()
	p.paused = false
	p.endDrainLocked(ErrResumed)
	p.unlock()
}

// drain is shared by all who drain at the same time.
type drain struct {
	done    chan struct{} // closed when over
	err     error         // set before
	waiting int           // calls of Drain
}

// Drain pauses the pool and waits until nothing runs. The pool stays paused,
// also when ctx ends the wait, with its cause. It returns ErrResumed when Resume
// was called meanwhile.
func (p *Pool) Drain(ctx context.Context) error {
	p.lock()
	p.paused = true
	if p.running == 0 {
		p.unlock()
		return nil
	}
	if p.draining == nil {
		p.draining = &drain{done: make(chan struct{})}
	}
	d := p.draining
	d.waiting++
	p.unlock()

	select {
	case <-d.done:
		return d.err
	case <-ctx.Done():
	}
	return p.giveUpDrain(ctx, d)
}

func (p *Pool) giveUpDrain(ctx context.Context, d *drain) error {
	p.lock()
	defer p.mu.Unlock()
	if p.draining != d {
		return d.err // it was over just as ctx ended
	}
	if d.waiting--; d.waiting == 0 {
		p.draining = nil
	}
	return fmt.Errorf("drain pool %q: %d still running: %w", p.name, p.running, context.Cause(ctx))
}

func (p *Pool) endDrainLocked(err error) {
	if d := p.draining; d != nil {
		p.draining = nil
		d.err = err
		close(d.done)
	}
}

// Close refuses new tasks, gives ErrClosed to queued ones and to blocked
// submitters, and waits for the running ones. When ctx ends first it cancels
// their contexts with the cause ErrClosed, waits for them to return all the
// same, and then returns the cause of ctx. No goroutine of the pool is left when
// it returns. It may be called again, and then waits in the same way; with a ctx
// that has ended it cancels what an earlier call still waits for.
func (p *Pool) Close(ctx context.Context) error {
	p.shut()
	var err error
	select {
	case <-p.ended:
	default:
		select {
		case <-p.ended:
		case <-ctx.Done():
			err = p.cancelRunning(ctx)
			<-p.ended
		}
	}
	p.workers.Wait()
	return err
}

// shut closes the pool to new work and empties the queue, once.
func (p *Pool) shut() {
	p.lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	for w := p.blocked.first; w != nil; w = p.blocked.first {
		w.task.taken = false
		p.blocked.remove(w)
		w.ready <- ErrClosed
	}
	ts := p.clearLocked()
	p.dropped += uint64(len(ts))
	leavers := p.dismissLocked()
	if p.running == 0 {
		close(p.ended)
	}
	p.mu.Unlock()

	sendAll(p, leavers)
	for _, t := range ts {
		if t.Dropped != nil {
			t.Dropped(ErrClosed)
		}
		p.lock()
		t.taken = false
		p.mu.Unlock()
	}
}

func (p *Pool) cancelRunning(ctx context.Context) error {
	p.lock()
	var ctxs []*startContext
	for _, w := range p.slots.workers() {
		ctxs = append(ctxs, w.stopLocked(ErrClosed))
	}
	p.mu.Unlock()
	cancelAll(ctxs, ErrClosed)
	if len(ctxs) == 0 {
		return nil
	}
	return fmt.Errorf("close pool %q: cancelled %d running: %w", p.name, len(ctxs), context.Cause(ctx))
}
