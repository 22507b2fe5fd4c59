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
	d.loading.Go(d.wakeHeld)
	return nil
}

// wakeHeld lets one of those go who wait for each resource: the earlier daemon
// may have died on the way to it. There may be a million of them, so runs that
// wait for nothing go on meanwhile.
func (d *Dispatcher) wakeHeld() {
	skip := func(res run.Resource) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.isHeldLocked(res)
	}
	for after, more := run.Resource(""), true; more && d.lifetime.Err() == nil; {
		woken, last, err := d.o.Ledger.WakeAll(d.lifetime, after, skip)
		if err != nil && d.lifetime.Err() == nil {
			d.complain("wake held runs", "err", err)
			d.waitToRetry(d.lifetime)
			continue
		}
		d.offer(woken)
		after, more = last, last != ""
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
