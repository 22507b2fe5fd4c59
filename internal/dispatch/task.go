package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/pool"
	"github.com/poold/poold/internal/run"
)

// task is one run in memory. The fields below the run are guarded by
// Dispatcher.mu.
type task struct {
	pool.Task
	d    *Dispatcher
	feed *feed
	run  run.Run
	need []run.Resource // locks that it asks for in its own name
	key  *key           // which it has in its pool, or nil

	asks     bool // it is listed among those who ask for these
	worker   int
	claimed  bool      // a worker goes on with it, and it has what it needs
	since    time.Time // it is claimed
	started  bool      // an attempt is recorded as running
	ending   bool      // its end is on its way to the ledger
	stopped  error
	stop     context.CancelCauseFunc // set while an attempt may be stopped
	finished []func()                // called when the end is recorded
}

// errPutBack says that the run left the worker's hand without an attempt.
var errPutBack = errors.New("not to be executed now")

// work is what a worker does with the run: steps 2 to 6 of the package comment.
func (t *task) work(s pool.Start) {
	d := t.d
	if !d.claim(t, s.Worker) {
		return
	}
	defer d.leave(t)
	ctx, cancel := context.WithCancelCause(s.Context())
	defer cancel(nil)
	d.mu.Lock()
	t.stop = cancel
	if t.stopped != nil {
		cancel(t.stopped)
	}
	d.mu.Unlock()

	sink := d.o.Outputs.Sink(t.run.ID, t.run.Attempts+1, int64(t.run.Def.Output.Max))
	if t.run.Def.Condition != nil {
		t.untilDue(ctx)
		if !d.mayStart(ctx, t, sink) {
			return
		}
	}
	if err := d.recordStart(ctx, t); err != nil {
		d.closeOutput(t, sink) // the condition may have printed something
		if !errors.Is(err, errPutBack) {
			d.complain("record a start", "run", t.run.ID, "job", t.run.Job, "err", err)
		}
		return
	}
	t.untilDue(ctx)
	d.attempt(ctx, t, sink)
}

// early is how long before it is due a run is handed over at most.
const early = 50 * time.Millisecond

// tooEarly is how long it is until the run is due, if that is a matter of
// moments. The scheduler hands runs over a little early, so that all that is
// written to disk before a start is written by then.
func (t *task) tooEarly(now time.Time) time.Duration {
	if wait := t.run.DueAt.Sub(now); wait > 0 && wait <= early {
		return wait
	}
	return 0
}

// untilDue waits for the last moments until the run is due.
func (t *task) untilDue(ctx context.Context) {
	wait := t.tooEarly(time.Now())
	if wait == 0 {
		return
	}
	due := time.NewTimer(wait)
	defer due.Stop()
	select {
	case <-ctx.Done():
	case <-due.C:
	}
}

// claim decides whether the worker may go on with the run, and takes what the
// run has to hold.
func (d *Dispatcher) claim(t *task, worker int) bool {
	d.mu.Lock()
	f := t.feed
	f.leaveLocked(t)
	if f.lowLocked() {
		poke(f.wake)
	}
	t.worker = worker
	if d.closing { // the ledger keeps it for the next daemon
		f.unusedLocked(t, false)
		d.forgetLocked(t)
		d.mu.Unlock()
		return false
	}
	now := time.Now()
	next, over := t.overLocked(now)
	on, blocked := d.blockedLocked(&t.run)
	if _, paused := d.pausedJobs[t.run.Job]; paused {
		on, blocked = run.PausedResource(t.run.Job), true
	}
	if !over && !blocked {
		d.takeLocked(&t.run)
		f.tookLocked(t, now)
		t.claimed, t.since = true, now
		d.busy.Add(1)
		d.mu.Unlock()
		return true
	}
	f.unusedLocked(t, false)
	if !over {
		f.holdLocked(t, on)
		d.mu.Unlock()
		return false
	}
	d.mu.Unlock()
	d.conclude(t, next, nil)
	return false
}

// leave is the end of what a worker does with a run that it claimed.
func (d *Dispatcher) leave(t *task) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.feed.leftLocked(t)
}

// overLocked says whether the run has ended before it began.
func (t *task) overLocked(now time.Time) (run.Next, bool) {
	switch {
	case t.stopped != nil:
		return stoppedBefore(t.stopped), true
	case t.run.Attempts == 0 && !t.run.ExpiresAt.IsZero() && now.After(t.run.ExpiresAt):
		return expired(), true
	}
	return run.Next{}, false
}

// stoppedBefore is what becomes of a run that is stopped before it began.
func stoppedBefore(cause error) run.Next {
	next := run.Next{State: run.Canceled, Reason: run.ReasonOperator, Error: cause.Error()}
	if errors.Is(cause, jobs.ErrReplaced) {
		next.Reason = run.ReasonReplaced
	}
	if errors.Is(cause, errJobRemoved) {
		next.Reason = run.ReasonJobRemoved
	}
	return next
}

func expired() run.Next {
	return run.Next{State: run.Skipped, Reason: run.ReasonExpired, Error: "not started within start_within"}
}

// hold takes the run out of the window until the resource is free. Those who
// wait for what it leaves free may go before it.
func (d *Dispatcher) hold(t *task, on run.Resource, free []run.Resource) {
	d.o.Ledger.Hold(&t.run, on, free, func(woken []run.Run, err error) {
		if err != nil && !errors.Is(err, run.ErrStale) {
			d.complain("hold a run back", "run", t.run.ID, "err", err)
			d.later(func() { d.hold(t, on, free) })
			return
		}
		d.mu.Lock()
		stopped := t.stopped
		t.feed.holding--
		d.forgetLocked(t)
		givenBack := !t.feed.letsGoLocked(t, on)
		d.mu.Unlock()
		d.offer(woken)
		if stopped != nil && !cutShort(stopped) {
			go d.stopSurely(t.run.ID, stopped)
		}
		if err != nil { // it has ended, or has been held back elsewhere
			go d.wakeEach(free)
			return
		}
		if givenBack { // while the record was on its way
			go d.wake(on, on.Shared())
		}
	})
}

func (d *Dispatcher) isHeldLocked(on run.Resource) bool {
	_, held := d.held[on]
	for job := range d.pausedJobs {
		held = held || run.PausedResource(job) == on
	}
	return held
}

// wake makes those who wait for the resource ready: the best of each pool, or
// all of them.
func (d *Dispatcher) wake(on run.Resource, all bool) {
	for {
		woken, more, err := d.o.Ledger.Wake(d.lifetime, on, all)
		if err != nil {
			if d.lifetime.Err() == nil {
				d.o.Log.Error("wake who waits", "resource", on, "err", err)
				d.later(func() { go d.wake(on, all) })
			}
			return
		}
		d.offer(woken)
		if more == 0 {
			return
		}
	}
}

// wakeEach wakes one in each pool of those who wait for each of the resources.
func (d *Dispatcher) wakeEach(list []run.Resource) {
	for _, on := range list {
		d.wake(on, false)
	}
}

// recordStart records the start of an attempt, durably. A run whose start
// cannot be recorded goes back to its pool.
func (d *Dispatcher) recordStart(ctx context.Context, t *task) error {
	if d.stoppedEarly(t) {
		return errPutBack
	}
	now := time.Now()
	now = now.Add(t.tooEarly(now)) // it does not begin before
	d.mu.Lock()
	next := t.feed.nextLocked(t, now)
	d.mu.Unlock()
	recorded := make(chan error, 1)
	d.o.Ledger.Start(run.Start{Run: &t.run, Worker: t.worker, At: now, Next: next, Woken: d.offer}, func(err error) {
		if err == nil { // at this moment: who is held back after it was not woken by it
			d.mu.Lock()
			t.feed.unaskLocked(t)
			d.mu.Unlock()
		}
		recorded <- err
	})
	err := <-recorded
	if err == nil {
		d.mu.Lock()
		t.run.State, t.run.Reason, t.run.StartedAt = run.Running, "", now
		t.run.Attempts++
		t.run.Tries++
		t.run.Host = d.o.Host
		t.started = true
		if errors.Is(t.stopped, errJobRemoved) {
			t.stopped = nil // it came too late: what is executed goes on to its end
		}
		d.mu.Unlock()
		d.changed(t.run)
		return nil
	}
	if errors.Is(err, run.ErrStale) || errors.Is(err, run.ErrClosed) {
		d.letGo(t)
		d.Rewind(t.feed.name) // what is known of it here is out of date
		return errPutBack
	}
	d.waitToRetry(ctx)
	d.letGo(t)
	d.Rewind(t.feed.name)
	return err
}

// stoppedEarly ends a claimed run that is to be stopped before its start is
// recorded, or lets it go where only this asking for a worker is over.
func (d *Dispatcher) stoppedEarly(t *task) bool {
	d.mu.Lock()
	stopped := t.stopped
	d.mu.Unlock()
	switch {
	case stopped == nil:
		return false
	case cutShort(stopped):
		d.letGo(t)
		d.Rewind(t.feed.name)
	default:
		d.conclude(t, stoppedBefore(stopped), nil)
	}
	return true
}

// letGo drops a claimed run from memory without an end; the ledger keeps it as
// it is, unless somebody has asked to end it.
func (d *Dispatcher) letGo(t *task) {
	d.mu.Lock()
	need := t.passesOn()
	d.releaseLocked(&t.run)
	d.forgetLocked(t)
	stopped := t.stopped
	d.mu.Unlock()
	d.wakeEach(need)
	if stopped != nil && !cutShort(stopped) {
		go d.stopSurely(t.run.ID, stopped)
	}
	d.busy.Done()
}

// retryRecord is how long to wait before the ledger is tried again.
const retryRecord = time.Second

// waitToRetry waits a little, unless the run's context ends.
func (d *Dispatcher) waitToRetry(ctx context.Context) {
	wait := time.NewTimer(retryRecord)
	defer wait.Stop()
	select {
	case <-ctx.Done():
	case <-d.lifetime.Done():
	case <-wait.C:
	}
}

// later calls f after a little while, unless the dispatcher has ended by then.
func (d *Dispatcher) later(f func()) {
	time.AfterFunc(retryRecord, func() {
		if d.lifetime.Err() == nil {
			f()
		}
	})
}
