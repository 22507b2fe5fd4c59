package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// errJobRemoved stops the queued runs of a job that a reload removes.
var errJobRemoved = errors.New("its job was removed from the configuration")

// Cancel ends a run before its time: a queued one at once, a running one by its
// stop ladder, which goes on after Cancel has returned. It returns run.ErrStale
// for a run that has ended already and run.ErrNotFound for one that never was.
func (d *Dispatcher) Cancel(ctx context.Context, id int64) error {
	return d.stopRun(ctx, id, jobs.ErrCanceled)
}

// CancelAll ends many runs, as Cancel does each, and returns what became of
// each. They share the ledger's transactions.
func (d *Dispatcher) CancelAll(ctx context.Context, ids []int64) []error {
	errs := make([]error, len(ids))
	var stopping sync.WaitGroup
	for i, id := range ids {
		stopping.Go(func() { errs[i] = d.stopRun(ctx, id, jobs.ErrCanceled) })
	}
	stopping.Wait()
	return errs
}

// CancelRemoved ends a queued run of a job that the configuration has no more.
func (d *Dispatcher) CancelRemoved(ctx context.Context, id int64) error {
	return d.stopRun(ctx, id, errJobRemoved)
}

// replace stops a run that a newer one takes the place of.
func (d *Dispatcher) replace(id int64) {
	err := d.stopRun(d.lifetime, id, jobs.ErrReplaced)
	if err != nil && !errors.Is(err, run.ErrStale) && d.lifetime.Err() == nil {
		d.o.Log.Error("replace a run", "run", id, "err", err)
	}
}

// stopSurely stops a run of which somebody was told that it would be, as soon
// as the ledger can record it.
func (d *Dispatcher) stopSurely(id int64, cause error) {
	for d.lifetime.Err() == nil {
		err := d.stopRun(d.lifetime, id, cause)
		if err == nil || errors.Is(err, run.ErrStale) || errors.Is(err, run.ErrNotFound) {
			return
		}
		d.complain("stop a run; trying again", "run", id, "err", err)
		d.waitToRetry(d.lifetime)
	}
}

// forGood says whether the cause ends the run, and not only this attempt.
func forGood(cause error) bool {
	return errors.Is(cause, jobs.ErrCanceled) || errors.Is(cause, jobs.ErrReplaced)
}

// stopRun stops a run wherever it is.
func (d *Dispatcher) stopRun(ctx context.Context, id int64, cause error) error {
	for {
		done, inMemory := d.stopInMemory(id, cause)
		if !inMemory {
			err := d.stopQueued(id, cause)
			if errors.Is(err, errMoved) && ctx.Err() == nil {
				continue
			}
			return err
		}
		if done == nil {
			return nil
		}
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stopInMemory stops a run that is in memory. The channel, if any, is closed
// when its end is recorded; a running attempt is not waited for.
func (d *Dispatcher) stopInMemory(id int64, cause error) (done chan struct{}, ok bool) {
	d.mu.Lock()
	t, ok := d.tasks[id]
	if !ok {
		d.mu.Unlock()
		return nil, false
	}
	removed := errors.Is(cause, errJobRemoved)
	if removed && t.started { // it goes on to its end
		d.mu.Unlock()
		return nil, true
	}
	if t.stopped == nil || (forGood(cause) && !forGood(t.stopped)) {
		t.stopped = cause
	}
	if t.stop != nil && !removed { // claimed: it asks its condition, or is executed
		t.stop(cause)
	}
	if t.started || t.ending {
		d.mu.Unlock()
		return nil, true
	}
	_, waits := t.feed.waiting[id]
	taken := waits && t.feed.pool.Cancel(&t.Task)
	if taken {
		t.feed.leaveLocked(t)
		done = make(chan struct{})
		t.finished = append(t.finished, func() { close(done) })
	}
	d.mu.Unlock()
	if taken {
		d.conclude(t, stoppedBefore(cause), nil)
		return done, true
	}
	return nil, true // in a worker's hand: it sees t.stopped
}

// errMoved says that a run came into memory while its end was being recorded.
var errMoved = errors.New("the run has moved")

// stopQueued ends a queued run that is in no window.
func (d *Dispatcher) stopQueued(id int64, cause error) error {
	r, err := d.o.Ledger.Run(d.lifetime, id)
	if err != nil {
		return err
	}
	if r.State == run.Running {
		return errMoved
	}
	if r.State.Final() {
		return &run.StaleError{State: r.State}
	}
	return d.endQueued(&r, stoppedBefore(cause))
}

// endQueued records the end of a run that is in no window, and waits for it.
func (d *Dispatcher) endQueued(r *run.Run, next run.Next) error {
	end := run.End{Run: r, From: run.Queued, Next: next, Release: r.Resources(), Finished: time.Now()}
	d.mu.Lock()
	if on, _ := d.keyer.per(r); on != "" {
		end.Release = append(end.Release, on)
	}
	if _, ok := d.tasks[r.ID]; ok {
		d.mu.Unlock()
		return errMoved
	}
	for _, f := range d.feeds { // a read under way may still bring it in
		if f.reading {
			f.left[r.ID] = true
		}
	}
	end.Follow = d.followLocked(r)
	d.mu.Unlock()

	recorded := make(chan error, 1)
	d.o.Ledger.Finish(end, func(ended run.Ended, err error) {
		if err == nil {
			d.report(r, &end)
			d.settled(ended)
		}
		recorded <- err
	})
	err := <-recorded
	if errors.Is(err, run.ErrStale) {
		return errMoved
	}
	return err
}

// expireAll skips queued runs that were not started in time, side by side: the
// ledger records many at once, and due runs wait for this.
func (d *Dispatcher) expireAll(expired []run.Run) {
	var recorded sync.WaitGroup
	for i := range expired {
		recorded.Go(func() { d.expire(&expired[i]) })
	}
	recorded.Wait()
}

// expire skips a queued run that was not started in time.
func (d *Dispatcher) expire(r *run.Run) {
	d.mu.Lock()
	t, ok := d.tasks[r.ID]
	if ok {
		_, waits := t.feed.waiting[r.ID]
		waits = waits && t.feed.pool.Cancel(&t.Task)
		if waits {
			t.feed.leaveLocked(t)
		}
		d.mu.Unlock()
		if waits {
			d.conclude(t, expired(), nil)
		}
		return // in a worker's hand: claim decides
	}
	d.mu.Unlock()
	if err := d.endQueued(r, expired()); err != nil && !errors.Is(err, errMoved) {
		d.o.Log.Error("skip an expired run", "run", r.ID, "err", err)
	}
}

// Bump moves a queued run to the front of its pool's queue.
func (d *Dispatcher) Bump(ctx context.Context, id int64) (run.Run, error) {
	r, err := d.o.Ledger.Bump(ctx, id)
	if errors.Is(err, run.ErrStale) {
		if now, lookErr := d.o.Ledger.Run(ctx, id); lookErr == nil {
			return now, &run.StaleError{State: now.State}
		}
	}
	if err != nil {
		return r, err
	}
	d.Rewind(r.Pool)
	d.changed(r)
	return r, nil
}

// Close stops claiming at once, waits for what runs until ctx is done, then
// interrupts it, and returns when every end is recorded. What is queued stays
// in the ledger.
func (d *Dispatcher) Close(ctx context.Context) {
	d.mu.Lock()
	d.closing = true
	for _, f := range d.feeds {
		f.pool.Pause()
	}
	d.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		d.busy.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
		d.interrupt()
		<-d.orHopeless(idle)
	}
	d.stop()
	d.closePools()
	d.loading.Wait()
}

// recordPatience is how long a stopping daemon tries to record what has ended.
const recordPatience = 10 * time.Second

// orHopeless returns the channel that closes when everything is recorded. While
// it waits, ends that the ledger cannot take are given up after a while: a full
// disk must not keep the daemon from stopping.
func (d *Dispatcher) orHopeless(idle chan struct{}) chan struct{} {
	give := time.AfterFunc(recordPatience, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.hopeless = true
	})
	go func() {
		<-idle
		give.Stop()
	}()
	return idle
}

// interrupt stops everything that runs because the daemon stops.
func (d *Dispatcher) interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.tasks {
		if t.stopped == nil {
			t.stopped = jobs.ErrShutdown
		}
		if t.stop != nil {
			t.stop(jobs.ErrShutdown)
		}
	}
}

func (d *Dispatcher) closePools() {
	d.mu.Lock()
	pools := make([]*feed, 0, len(d.feeds))
	for _, f := range d.feeds {
		pools = append(pools, f)
	}
	d.mu.Unlock()
	for _, f := range pools {
		_ = f.pool.Close(context.Background())
	}
}

// Interrupt cuts short what runs, at once: the second ^C.
func (d *Dispatcher) Interrupt() { d.interrupt() }
