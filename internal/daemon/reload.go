package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/scheduler"
	"github.com/poold/poold/internal/server"
)

// What asks for a reload.
const (
	byStart  = "start"
	bySignal = "signal"
	byWatch  = "watch"
	byAPI    = "api"
	byZones  = "zones"
)

// Reload loads the configuration, checks it, plans what changes, and applies
// that, unless dryRun. The first three may fail and have touched nothing then;
// the last cannot fail. Every way to reload is this one.
func (d *Daemon) doReload(ctx context.Context, trigger string, dryRun bool) (api.Reload, error) {
	d.reload.Lock()
	defer d.reload.Unlock()
	now := time.Now()
	next, err := config.Load(d.o.Config)
	if err != nil {
		return d.refuseReload(ctx, now, trigger, dryRun, err)
	}
	old := d.current.Load()
	if next.Digest == old.Digest {
		same := d.reload.running
		if !dryRun {
			d.reload.last = &d.reload.running // a refusal is put right by going back, too
		}
		same.Unchanged, same.DryRun = true, dryRun
		return same, nil
	}
	plan, err := d.plan(ctx, old, next)
	if err != nil {
		return api.Reload{}, err
	}
	done := api.Reload{
		At: api.At(now), Trigger: trigger, DryRun: dryRun, Plan: plan,
		Warnings: wireErrors(next.Warnings()), Errors: []api.ConfigNote{},
	}
	if dryRun {
		return done, nil
	}
	d.tell.reloading()
	d.apply(ctx, next)
	d.tell.ready(d.summary())
	d.reload.running, d.reload.last = done, &done
	d.log.Info("configuration reloaded", "trigger", trigger, "plan", planText(&plan))
	for _, key := range plan.NeedsRestart {
		d.log.Warn("this setting needs a restart", "key", key)
	}
	d.noteReload(ctx, &done)
	d.hub.Reload(done)
	return done, nil
}

// reloadAlone reloads where nobody waits for the answer. A configuration that
// is refused has been logged; whatever else keeps it from being applied is here.
func (d *Daemon) reloadAlone(ctx context.Context, trigger string) {
	_, err := d.doReload(ctx, trigger, false)
	var refused *server.Error
	if err != nil && !errors.As(err, &refused) && ctx.Err() == nil {
		d.log.Error("reload; the configuration in force stays", "trigger", trigger, "err", err)
	}
}

// refuseReload keeps the configuration in force and says what is wrong with
// the new one.
func (d *Daemon) refuseReload(ctx context.Context, now time.Time, trigger string, dryRun bool, err error) (api.Reload, error) {
	var errs config.Errors
	if !errors.As(err, &errs) {
		return api.Reload{}, fmt.Errorf("reload: %w", err)
	}
	notes := wireErrors(errs)
	refused := api.Reload{
		At: api.At(now), Trigger: trigger, DryRun: dryRun, Errors: notes, Warnings: []api.ConfigNote{},
		Plan: wirePlan(config.Plan{}, 0),
	}
	if !dryRun {
		d.reload.last = &refused
		d.log.Error("reload refused; the configuration in force stays", "trigger", trigger, "errors", len(errs))
		for _, e := range errs {
			d.log.Error("configuration", "err", e.Error())
		}
		d.noteReload(ctx, &refused)
		d.hub.Reload(refused)
	}
	return refused, server.InvalidConfig(notes)
}

// plan says what applying the next configuration would change.
func (d *Daemon) plan(ctx context.Context, old, next *config.Config) (api.Plan, error) {
	diff := config.Diff(old, next)
	touched := 0
	for _, job := range diff.JobsRemoved {
		n, err := d.countQueued(ctx, run.Filter{Job: job})
		if err != nil {
			return api.Plan{}, fmt.Errorf("count the runs of job %q: %w", job, err)
		}
		touched += n
	}
	for _, pool := range diff.PoolsRemoved {
		err := d.eachQueued(ctx, run.Filter{Pool: pool}, func(r run.Run) error {
			if next.Jobs[r.Job] != nil {
				touched++
			}
			return nil
		})
		if err != nil {
			return api.Plan{}, fmt.Errorf("count the runs of pool %q: %w", pool, err)
		}
	}
	return wirePlan(diff, touched), nil
}

func (d *Daemon) countQueued(ctx context.Context, f run.Filter) (n int, err error) {
	err = d.eachQueued(ctx, f, func(run.Run) error { n++; return nil })
	return n, err
}

func (d *Daemon) eachQueued(ctx context.Context, f run.Filter, do func(run.Run) error) error {
	f.States, f.Oldest = []run.State{run.Queued}, true
	return d.ledger.EachRun(ctx, f, do)
}

// apply puts the configuration in force. It cannot fail: what the ledger still
// has to do for it is tried until it works.
func (d *Daemon) apply(ctx context.Context, next *config.Config) {
	ctx = context.WithoutCancel(ctx)
	if old := d.current.Swap(next); old.Retention != next.Retention {
		select {
		case d.rule <- struct{}{}:
		default:
		}
	}
	d.pools.Apply(dispatchProgram(next))
	d.forgetHands(ctx, next)
	d.clock.Apply(ctx, schedulerProgram(next))
	d.settleStrays(ctx, next)
	handBack(next)
}

// manyJobs is from how many on a load takes memory by the hundred megabytes.
const manyJobs = 10_000

// handBack gives the memory that a large load took, and does not keep, back to
// the system at once. It would take minutes otherwise.
func handBack(cfg *config.Config) {
	if len(cfg.Jobs) >= manyJobs {
		debug.FreeOSMemory()
	}
}

// watchStrays settles runs that come to be queued in a pool that is gone after
// the reload that took it away: they ran then, or were being enqueued.
func (d *Daemon) watchStrays(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.strays:
		}
		d.reload.Lock()
		d.settleStrays(ctx, d.current.Load())
		d.reload.Unlock()
	}
}

// settleStrays deals with queued runs that the configuration has no place for:
// those of jobs that are gone are canceled, those of pools that are gone move
// to where their job belongs now.
func (d *Daemon) settleStrays(ctx context.Context, cfg *config.Config) {
	if err := d.trySettleStrays(ctx, cfg); err != nil && ctx.Err() == nil && !errors.Is(err, run.ErrClosed) {
		d.log.Error("settle the runs of removed jobs and pools; trying again", "err", err)
		time.AfterFunc(time.Second, func() {
			if d.current.Load() == cfg {
				d.settleStrays(ctx, cfg)
			}
		})
	}
}

func (d *Daemon) trySettleStrays(ctx context.Context, cfg *config.Config) error {
	active, err := d.ledger.ActiveJobs(ctx)
	if err != nil {
		return err
	}
	for _, job := range active {
		if _, known := cfg.Jobs[job]; !known {
			if err := d.cancelRemoved(ctx, job); err != nil {
				return err
			}
		}
	}
	for pool, count := range d.ledger.Counts() {
		if _, known := cfg.Pools[pool]; known || count.Queued == 0 {
			continue
		}
		if err := d.rehome(ctx, cfg, pool, active); err != nil {
			return err
		}
	}
	return nil
}

// cancelAtOnce is how many runs are canceled beside each other, so that they
// share transactions of the ledger.
const cancelAtOnce = 256

// cancelRemoved ends the queued runs of a job that is gone.
func (d *Daemon) cancelRemoved(ctx context.Context, job string) error {
	var canceling sync.WaitGroup
	room, failed := make(chan struct{}, cancelAtOnce), make(chan error, 1)
	canceled := 0
	err := d.eachQueued(ctx, run.Filter{Job: job}, func(r run.Run) error {
		canceled++
		room <- struct{}{}
		canceling.Go(func() {
			defer func() { <-room }()
			if err := d.pools.CancelRemoved(ctx, r.ID); err != nil && !errors.Is(err, run.ErrStale) {
				select {
				case failed <- err:
				default: // one is enough
				}
			}
		})
		return nil
	})
	canceling.Wait()
	if canceled > 0 {
		d.log.Warn("queued runs of a removed job canceled", "job", job, "runs", canceled)
	}
	select {
	case failure := <-failed:
		return errors.Join(err, failure)
	default:
		return err
	}
}

// rehome moves the queued runs of a pool that is gone to where their jobs
// belong now.
func (d *Daemon) rehome(ctx context.Context, cfg *config.Config, pool string, active []string) error {
	for _, job := range active {
		def, known := cfg.Jobs[job]
		if !known {
			continue
		}
		n, err := d.ledger.Rehome(ctx, job, pool, def.Pool)
		if err != nil {
			return err
		}
		if n > 0 {
			d.log.Warn("queued runs of a removed pool moved", "job", job, "runs", n, "from", pool, "to", def.Pool)
			d.pools.Rewind(def.Pool)
		}
	}
	return nil
}

// watchFiles reloads on SIGHUP and when the files change.
func (d *Daemon) watchFiles(watcher *config.Watcher, hangups <-chan os.Signal) {
	changes := watcher.Changes()
	if d.current.Load().Daemon.Watch.Enabled {
		d.background("config watch", watcher.Run)
	} else {
		changes = nil
	}
	d.background("reloads", func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-hangups:
				d.reloadAlone(ctx, bySignal)
			case <-changes:
				d.reloadAlone(ctx, byWatch)
			}
			watcher.Look()
		}
	})
}

// rememberStart makes the configuration the daemon started with its first
// reload.
func (d *Daemon) rememberStart(cfg *config.Config) {
	d.reload.Lock()
	defer d.reload.Unlock()
	d.reload.running = api.Reload{
		At: api.At(d.began), Trigger: byStart, Errors: []api.ConfigNote{},
		Warnings: wireErrors(cfg.Warnings()), Plan: wirePlan(config.Plan{}, 0),
	}
	first := d.reload.running
	d.reload.last = &first
}

// schedulerProgram is the configuration as the scheduler needs it.
func schedulerProgram(c *config.Config) scheduler.Program {
	limits := make(map[string]int, len(c.Pools))
	for name, p := range c.Pools {
		limits[name] = p.QueueLimit
	}
	return scheduler.Program{Jobs: c.Jobs, Timetable: c.Timetable, QueueLimits: limits, Blackouts: c.Blackouts}
}

func wirePlan(p config.Plan, touched int) api.Plan {
	some := func(names []string) []string {
		if names == nil {
			return []string{}
		}
		return names
	}
	wire := api.Plan{
		JobsAdded: some(p.JobsAdded), JobsChanged: some(p.JobsChanged), JobsRemoved: some(p.JobsRemoved),
		PoolsAdded: some(p.PoolsAdded), PoolsChanged: some(p.PoolsChanged), PoolsRemoved: some(p.PoolsRemoved),
		PoolsResized: []api.PoolResize{}, RunsTouched: touched, NeedsRestart: some(p.NeedsRestart), Settings: []string{},
	}
	if p.Retention {
		wire.Settings = append(wire.Settings, "retention")
	}
	if p.Calendars {
		wire.Settings = append(wire.Settings, "calendars")
	}
	if p.TimeZone != nil {
		wire.Settings = append(wire.Settings, "time_zone")
	}
	for _, zone := range p.Zones {
		wire.Settings = append(wire.Settings, "rules of "+zone)
	}
	for _, r := range p.PoolsResized {
		wire.PoolsResized = append(wire.PoolsResized, api.PoolResize{Pool: r.Pool, From: wireSize(r.From), To: wireSize(r.To)})
	}
	return wire
}

// planText says a plan in a few words, for the log.
func planText(p *api.Plan) string {
	return fmt.Sprintf("jobs +%d ~%d -%d, pools +%d ~%d -%d, %d runs touched",
		len(p.JobsAdded), len(p.JobsChanged), len(p.JobsRemoved),
		len(p.PoolsAdded), len(p.PoolsResized)+len(p.PoolsChanged), len(p.PoolsRemoved), p.RunsTouched)
}
