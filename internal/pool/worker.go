package pool

import (
	"context"
	"runtime/debug"
	"sync/atomic"
)

const (
	// maxWaking is how many woken workers may be on their way. One would let a
	// worker that is slow to be scheduled hold up the rest; more than two only
	// crowd the lock.
	maxWaking = 2
	// maxParked is how many idle workers a pool keeps, so that one burst into an
	// unlimited pool does not leave its goroutines behind for good.
	maxParked = 1024
)

// worker is one goroutine that runs tasks. It is on its way to the lock, holds
// a task, or is parked. A parked worker is sent for through wake by whoever took
// it off the parked list, once; what for is in its fields, written before.
type worker struct {
	pool *Pool
	wake chan struct{} // nil until it parks for the first time
	quit bool          // is to leave

	task *Task
	startState

	// What the task in hand has; guarded by the mutex of the pool.
	slot   int
	number uint64 // of the start, 0 if there is none
	held   int    // workers it has taken
	cause  error  // why it is to stop, nil if it is not
	// ctx is set under that mutex, and nil until somebody asks for it.
	ctx atomic.Pointer[startContext]
}

// startState is what happens in the course of one start. The first three are the
// worker's own, the rest is guarded by the mutex of the pool.
type startState struct {
	ran      bool // the task was begun, and is to be finished next
	dropped  bool // it was dropped instead
	panicked bool // its Do panicked
	paid     bool // it took a permit of the pool
	paidKey  bool // it took one of its key
	leaving  bool // a shrink has stopped it
}

// verdict is what a worker without a task is to do.
type verdict int

const (
	took verdict = iota // it has a task now
	parked
	left
)

// wakeLocked picks the workers to send for after the lock is released. It wakes
// no more than can start: one for each free place and each waiting task.
func (p *Pool) wakeLocked() (ws [maxWaking]*worker) {
	n := min(maxWaking, p.startableLocked(), p.freeLocked()) - p.waking
	for i := range max(n, 0) {
		p.waking++
		ws[i] = p.idleLocked()
	}
	return ws
}

// idleLocked takes a worker off the parked list, or makes one.
func (p *Pool) idleLocked() *worker {
	n := len(p.parked)
	if n == 0 {
		p.alive++
		p.workers.Add(1) // here, so that Close cannot miss a worker about to start
		return &worker{pool: p}
	}
	w := p.parked[n-1]
	p.parked[n-1] = nil
	p.parked = p.parked[:n-1]
	return w
}

// send starts or wakes w, which the caller took from idleLocked or the parked
// list.
func (p *Pool) send(w *worker) {
	if w.wake == nil {
		go p.work(w)
		return
	}
	w.wake <- struct{}{} // never blocks: sent for once, and there is room for one
}

// work is the loop of a worker. It leaves early, with its task in hand, when Do
// panics or exits the goroutine; a new goroutine then goes on as the same
// worker.
func (p *Pool) work(w *worker) {
	defer p.workers.Done()
	defer p.replace(w)
	defer p.recovered(w)
	for p.next(w) {
		w.run()
	}
}

func (p *Pool) replace(w *worker) {
	if w.ran {
		p.workers.Add(1)
		go p.work(w)
	}
}

// recovered turns a panic of Do into a call of OnPanic. It also runs when the
// worker leaves or Do has called runtime.Goexit; nothing was recovered then.
func (p *Pool) recovered(w *worker) {
	v := recover()
	if v == nil {
		return
	}
	w.panicked = true
	if p.onPanic != nil {
		p.onPanic(w.task, v, debug.Stack())
	}
}

// run does the task in hand, or drops it.
func (w *worker) run() {
	w.ran = true
	t := w.task
	if t.Ctx == nil || t.Ctx.Err() == nil {
		t.Do(Start{Worker: w.slot, by: w, number: w.number})
		return
	}
	w.dropped = true
	if t.Dropped != nil {
		t.Dropped(context.Cause(t.Ctx))
	}
}

// next puts the finished task away and takes another, in one lock section. With
// none to take it waits until there is one. It returns false when the worker is
// to leave.
func (p *Pool) next(w *worker) bool {
	var v verdict
	if w.ran {
		v = p.turn(w)
	} else { // a new worker
		v = p.arrive(w)
	}
	for v == parked {
		<-w.wake
		v = p.arrive(w)
	}
	return v == took
}

// turn is the lock section of a worker that has done a task.
func (p *Pool) turn(w *worker) verdict {
	if c := w.ctx.Load(); c != nil {
		c.end()
	}
	p.lock()
	late := p.finishLocked(w)
	v := p.settleLocked(w)
	p.unlock()
	if late != nil {
		late.end()
	}
	return v
}

// arrive is what a worker does that was sent for.
func (p *Pool) arrive(w *worker) verdict {
	switch {
	case w.quit:
		return left
	case w.task != nil: // adopted, or started by a growth
		return took
	}
	p.lock()
	p.waking--
	v := p.settleLocked(w)
	p.unlock()
	return v
}

// settleLocked gives w the best task if that may start, and parks or dismisses w
// otherwise.
func (p *Pool) settleLocked(w *worker) verdict {
	if t := p.bestLocked(); t != nil && p.fitsLocked(t) {
		p.beginLocked(w, t)
		return took
	}
	if p.closed || p.alive > p.size || len(p.parked) >= maxParked {
		p.alive--
		return left
	}
	if w.wake == nil {
		w.wake = make(chan struct{}, 1)
	}
	p.parked = append(p.parked, w)
	return parked
}

// fitsLocked reports whether t, which is or would be the best, may start now.
func (p *Pool) fitsLocked(t *Task) bool {
	return !p.paused && p.permits > 0 && p.size > 0 && min(max(t.Weight, 1), p.size) <= p.size-p.busy
}

// freeLocked returns how many tasks of weight 1 could start now, which is none
// while the best task does not fit.
func (p *Pool) freeLocked() int {
	if p.paused || p.closed {
		return 0
	}
	if t := p.bestLocked(); t != nil && !p.fitsLocked(t) {
		return 0
	}
	return max(min(p.size-p.busy, p.permits), 0)
}

// beginLocked takes the best task, which fits, out of the queue for w.
func (p *Pool) beginLocked(w *worker, t *Task) {
	p.payLocked(w, t)
	p.removeLocked(t)
	p.startLocked(w, t, min(max(t.Weight, 1), p.size))
}

func (p *Pool) startLocked(w *worker, t *Task, held int) {
	p.started++
	w.task, w.held, w.number = t, held, p.started
	w.slot = p.slots.take(w)
	p.busy += held
	p.running++
}

// finishLocked puts away the task of w and releases its record. It returns the
// context of the task.
func (p *Pool) finishLocked(w *worker) *startContext {
	t, ctx := w.task, w.ctx.Load()
	p.busy -= w.held
	p.running--
	if w.leaving {
		p.leaving -= w.held
	}
	p.slots.free(w.slot)
	if w.dropped {
		p.dropped++
		p.payBackLocked(w)
	} else {
		p.done++
	}
	if w.panicked {
		p.panicked++
	}
	if k := t.Key; k != nil {
		k.running--
		p.weighLocked(k)
	}
	w.task, w.number = nil, 0
	w.startState = startState{}
	if w.cause != nil {
		w.cause = nil
	}
	if ctx != nil {
		w.ctx.Store(nil)
	}
	t.taken = false
	if p.running == 0 {
		p.quietLocked()
	}
	return ctx
}

// quietLocked tells those who wait for the last running task.
func (p *Pool) quietLocked() {
	p.endDrainLocked(nil)
	if p.closed {
		close(p.ended)
	}
}
