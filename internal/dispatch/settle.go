package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// Settle decides what an earlier daemon left running, before anything else
// runs: attempts that are still alive are stopped, by their own ladder; then
// every run found running is lost, and its retry rule says whether it is
// queued again, and which jobs follow. Settle is called once, after Apply and
// before Run, when what was set by hand is in force again.
func (d *Dispatcher) Settle(ctx context.Context, registry jobs.Registry) error {
	left, err := d.o.Ledger.Running(ctx)
	if err != nil {
		return fmt.Errorf("look for runs of an earlier daemon: %w", err)
	}
	if err := d.stopHeld(ctx, registry, left); err != nil {
		return err
	}
	for i := range left {
		if err := d.lose(&left[i]); err != nil {
			return fmt.Errorf("settle run %d: %w", left[i].ID, err)
		}
	}
	last, err := d.wakeHeld(ctx, "")
	if err != nil {
		return fmt.Errorf("wake held runs: %w", err)
	}
	if last != "" {
		d.loading.Go(func() { d.wakeMore(last) })
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.feeds { // it may have been read before that
		f.rewindLocked()
	}
	return nil
}

// wakeHeld lets one of those go who wait for each of the next resources: the
// earlier daemon may have died on the way to it.
func (d *Dispatcher) wakeHeld(ctx context.Context, after run.Resource) (last run.Resource, err error) {
	woken, last, err := d.o.Ledger.WakeAll(ctx, after, func(res run.Resource) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.isHeldLocked(res)
	})
	d.offer(woken)
	return last, err
}

// wakeMore goes on with the others, of which there may be a million; runs that
// wait for nothing start meanwhile.
func (d *Dispatcher) wakeMore(after run.Resource) {
	for after != "" && d.lifetime.Err() == nil {
		last, err := d.wakeHeld(d.lifetime, after)
		if err == nil {
			after = last
		} else if d.lifetime.Err() == nil {
			d.complain("wake held runs", "err", err)
			d.waitToRetry(d.lifetime)
		}
	}
}

// stopHeld stops every attempt that is still alive, all at once.
func (d *Dispatcher) stopHeld(ctx context.Context, registry jobs.Registry, left []run.Run) error {
	stops := map[int64]jobs.Stop{}
	for i := range left {
		stops[left[i].ID] = left[i].Def.Stop
	}
	var stopping sync.WaitGroup
	for _, name := range registry.Names() {
		typ, _ := registry.Lookup(name)
		held, err := typ.Held(ctx, d.o.LedgerID)
		if err != nil {
			return fmt.Errorf("look for what is left of type %s: %w", name, err)
		}
		for _, h := range held {
			ladder, unfinished := stops[h.Run]
			if !unfinished { // a job that has ended left it behind on purpose: stop.mode is process
				continue
			}
			d.o.Log.Warn("stopping what an earlier daemon left running", "run", h.Run, "attempt", h.Attempt)
			stopping.Go(func() {
				if err := h.Stop(ctx, ladder); err != nil {
					d.o.Log.Error("stop what an earlier daemon left running", "run", h.Run, "err", err)
				}
			})
		}
	}
	stopping.Wait()
	return nil
}

// lose concludes a run whose daemon is gone.
func (d *Dispatcher) lose(r *run.Run) error {
	now := time.Now()
	out := run.Lost()
	next := run.Conclude(r.Def, r, out, jobs.ErrLost, now, run.Jitter())
	end := run.End{
		Run: r, From: run.Running, Next: next, Release: r.Resources(), Finished: now,
		Attempt: &run.Attempt{
			Run: r.ID, Number: r.Attempts, StartedAt: r.StartedAt, FinishedAt: now,
			Outcome: next.Outcome, Error: out.Error,
		},
	}
	d.mu.Lock()
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
	if err := <-recorded; err != nil && !errors.Is(err, run.ErrStale) {
		return err
	}
	return nil
}
