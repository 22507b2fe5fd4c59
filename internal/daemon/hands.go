package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/server"
	"github.com/poold/poold/internal/sqlite"
)

// What an operator may set by hand. It is kept in the ledger, so that it holds
// across restarts.
const (
	handPoolSize  = "pool_size"
	handPoolPause = "pool_pause"
	handJobPause  = "job_pause"
	handHostPause = "host_pause"
)

// restoreHands puts what was set by hand in force again.
func (d *Daemon) restoreHands(ctx context.Context) error {
	set, err := d.ledger.Overrides(ctx)
	if err != nil {
		return fmt.Errorf("read what was set by hand: %w", err)
	}
	now := time.Now()
	for _, o := range set {
		over := !o.Until.IsZero() && !o.Until.After(now)
		if over || outdated(o, d.current.Load()) {
			if err := d.ledger.DeleteOverride(ctx, o.Kind, o.Name); err != nil {
				return fmt.Errorf("forget what has ended: %w", err)
			}
			continue
		}
		if err := d.restoreHand(o); err != nil && !errors.Is(err, run.ErrNotFound) {
			return err
		}
	}
	return nil
}

// outdated says whether the pool is gone whose size or pause it is, or has
// another entry in the file than when the hand was at work.
func outdated(o sqlite.Override, cfg *config.Config) bool {
	if o.Kind != handPoolSize && o.Kind != handPoolPause {
		return false
	}
	p, ok := cfg.Pools[o.Name]
	return !ok || (o.Entry != "" && o.Entry != p.Entry())
}

// forgetHands drops from the ledger what the configuration has put an end to,
// lest it comes back with the next start when the file is as it was.
func (d *Daemon) forgetHands(ctx context.Context, cfg *config.Config) {
	set, err := d.ledger.Overrides(ctx)
	for _, o := range set {
		if !outdated(o, cfg) {
			continue
		}
		if err = d.ledger.DeleteOverride(ctx, o.Kind, o.Name); err != nil {
			break
		}
		d.log.Info("set by hand no longer: the pool's entry has changed", "pool", o.Name, "what", o.Kind)
		if o.Kind == handPoolPause {
			d.note(run.Event{Kind: run.EventResume, Subject: run.SubjectPool(o.Name), By: actorFile}, nil)
		}
	}
	if err != nil {
		d.log.Error("forget what was set by hand", "err", err)
	}
}

func (d *Daemon) restoreHand(o sqlite.Override) error {
	pause := dispatch.Pause{Since: o.At, Until: o.Until, Reason: o.Reason, By: o.By, Entry: o.Entry}
	switch o.Kind {
	case handPoolSize:
		return d.pools.SetHand(o.Name, dispatch.Hand{
			Workers: o.Workers, OnShrink: dispatch.OnShrink(o.OnShrink), Until: o.Until, Entry: o.Entry,
		})
	case handPoolPause:
		return d.pools.PausePool(o.Name, pause)
	case handJobPause:
		d.pools.PauseJob(o.Name, pause)
	case handHostPause:
		d.pools.PauseHost(pause)
	}
	return nil
}

// ResizePool sets the size of a pool by hand, or takes that back.
func (b *backend) ResizePool(ctx context.Context, name string, r server.ResizeRequest) (api.Pool, error) {
	spec, ok := b.d.current.Load().Pools[name]
	if !ok {
		return api.Pool{}, b.unknownPool(name)
	}
	if r.Reset {
		if err := b.d.ledger.DeleteOverride(ctx, handPoolSize, name); err != nil {
			return api.Pool{}, fmt.Errorf("reset pool %q: %w", name, err)
		}
		if err := b.d.pools.ResetHand(name); err != nil {
			return api.Pool{}, err
		}
		b.d.noteHandSize(ctx, name, run.Size{Reset: true}, time.Time{})
		return b.tellPool(ctx, name, "size of the configuration again")
	}
	hand := dispatch.Hand{Workers: dispatch.Unlimited, OnShrink: dispatch.OnShrink(r.OnShrink), Until: until(r.For), Entry: spec.Entry()}
	if r.Workers != nil {
		hand.Workers = *r.Workers
	}
	err := b.d.ledger.SetOverride(ctx, sqlite.Override{
		Kind: handPoolSize, Name: name, Workers: hand.Workers, OnShrink: r.OnShrink,
		Until: hand.Until, At: time.Now(), Entry: hand.Entry, By: server.Peer(ctx),
	})
	if err != nil {
		return api.Pool{}, fmt.Errorf("resize pool %q: %w", name, err)
	}
	if err := b.d.pools.SetHand(name, hand); err != nil {
		return api.Pool{}, err
	}
	b.d.noteHandSize(ctx, name, run.Size{Workers: r.Workers}, hand.Until)
	return b.tellPool(ctx, name, "resized by hand")
}

// PausePool lets nothing new start in the pool.
func (b *backend) PausePool(ctx context.Context, name string, h server.Hold) (api.Pool, error) {
	return b.holdPool(ctx, name, pauseFor(ctx, h, false), "paused by hand")
}

// DrainPool pauses the pool; it is draining until nothing runs in it.
func (b *backend) DrainPool(ctx context.Context, name string, h server.Hold) (api.Pool, error) {
	return b.holdPool(ctx, name, pauseFor(ctx, h, true), "draining")
}

func (b *backend) holdPool(ctx context.Context, name string, p dispatch.Pause, what string) (api.Pool, error) {
	spec, ok := b.d.current.Load().Pools[name]
	if !ok {
		return api.Pool{}, b.unknownPool(name)
	}
	p.Entry = spec.Entry()
	if err := b.d.keepPause(ctx, handPoolPause, name, p); err != nil {
		return api.Pool{}, err
	}
	if err := b.d.pools.PausePool(name, p); err != nil {
		return api.Pool{}, err
	}
	b.d.notePause(run.SubjectPool(name), p)
	return b.tellPool(ctx, name, what)
}

// ResumePool ends a pause or drain of the pool.
func (b *backend) ResumePool(ctx context.Context, name string) (api.Pool, error) {
	if _, ok := b.d.current.Load().Pools[name]; !ok {
		return api.Pool{}, b.unknownPool(name)
	}
	if err := b.d.ledger.DeleteOverride(ctx, handPoolPause, name); err != nil {
		return api.Pool{}, fmt.Errorf("resume pool %q: %w", name, err)
	}
	if err := b.d.pools.ResumePool(name); err != nil {
		return api.Pool{}, err
	}
	b.d.noteResume(ctx, run.SubjectPool(name))
	return b.tellPool(ctx, name, "resumed")
}

// tellPool logs and publishes a change of a pool and returns the pool.
func (b *backend) tellPool(ctx context.Context, name, what string) (api.Pool, error) {
	p, err := b.Pool(ctx, name)
	if err != nil {
		return p, err
	}
	b.d.log.Info("pool "+what, "pool", name)
	b.d.hub.Pool(p)
	return p, nil
}

// PauseJob holds back a job's runs and skips its occurrences.
func (b *backend) PauseJob(ctx context.Context, name string, h server.Hold) (api.Job, error) {
	if _, ok := b.d.current.Load().Jobs[name]; !ok {
		return api.Job{}, b.unknownJob(name)
	}
	p := pauseFor(ctx, h, false)
	if err := b.d.keepPause(ctx, handJobPause, name, p); err != nil {
		return api.Job{}, err
	}
	b.d.pools.PauseJob(name, p)
	b.d.notePause(run.SubjectJob(name), p)
	b.d.log.Info("job paused", "job", name, "reason", h.Reason)
	return b.Job(ctx, name)
}

// ResumeJob ends the pause of a job.
func (b *backend) ResumeJob(ctx context.Context, name string) (api.Job, error) {
	if _, ok := b.d.current.Load().Jobs[name]; !ok {
		return api.Job{}, b.unknownJob(name)
	}
	if err := b.d.ledger.DeleteOverride(ctx, handJobPause, name); err != nil {
		return api.Job{}, fmt.Errorf("resume job %q: %w", name, err)
	}
	b.d.pools.ResumeJob(name)
	b.d.noteResume(ctx, run.SubjectJob(name))
	b.d.log.Info("job resumed", "job", name)
	return b.Job(ctx, name)
}

// PauseAll lets nothing new start on the host.
func (b *backend) PauseAll(ctx context.Context, h server.Hold) error {
	return b.holdHost(ctx, pauseFor(ctx, h, false))
}

// DrainAll pauses the host; it is draining until nothing runs.
func (b *backend) DrainAll(ctx context.Context, h server.Hold) error {
	return b.holdHost(ctx, pauseFor(ctx, h, true))
}

func (b *backend) holdHost(ctx context.Context, p dispatch.Pause) error {
	if err := b.d.keepPause(ctx, handHostPause, "", p); err != nil {
		return err
	}
	b.d.pools.PauseHost(p)
	b.d.notePause(run.SubjectHost, p)
	b.d.log.Info("host paused", "reason", p.Reason, "drain", p.Drain)
	return nil
}

// ResumeAll ends the pause of the host; what was paused one by one stays so.
func (b *backend) ResumeAll(ctx context.Context) error {
	if err := b.d.ledger.DeleteOverride(ctx, handHostPause, ""); err != nil {
		return fmt.Errorf("resume the host: %w", err)
	}
	b.d.pools.ResumeHost()
	b.d.noteResume(ctx, run.SubjectHost)
	b.d.log.Info("host resumed")
	return nil
}

// keepPause records a pause so that it holds across restarts. A drain is
// recorded as the pause that it becomes.
func (d *Daemon) keepPause(ctx context.Context, kind, name string, p dispatch.Pause) error {
	err := d.ledger.SetOverride(ctx, sqlite.Override{
		Kind: kind, Name: name, Until: p.Until, Reason: p.Reason, By: p.By, At: p.Since, Entry: p.Entry,
	})
	if err != nil {
		return fmt.Errorf("record the pause: %w", err)
	}
	return nil
}

func pauseFor(ctx context.Context, h server.Hold, drain bool) dispatch.Pause {
	return dispatch.Pause{Since: time.Now(), Until: until(h.For), Reason: h.Reason, By: server.Peer(ctx), Drain: drain}
}
