package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
	"github.com/poold/poold/internal/server"
)

// backend answers the API's questions and does what it asks.
type backend struct{ d *Daemon }

func (d *Daemon) backend() server.Backend {
	b := &backend{d}
	return server.Backend{
		Runs: b, Stats: b, Why: b, Actions: b, Jobs: b, Starter: b, JobHold: b, Pools: b, Control: b, Host: b, Hold: b,
	}
}

func (b *backend) unknownJob(name string) error {
	return server.UnknownName("job", name, b.d.current.Load().JobNames())
}

func (b *backend) unknownPool(name string) error {
	return server.UnknownName("pool", name, b.d.current.Load().PoolNames())
}

// Jobs lists the jobs by name.
func (b *backend) Jobs(ctx context.Context) ([]api.Job, error) {
	cfg := b.d.current.Load()
	last, err := b.d.ledger.LastRunPerJob(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the last runs: %w", err)
	}
	list := make([]api.Job, 0, len(cfg.Jobs))
	for _, name := range cfg.JobNames() {
		var lastRun *run.Run
		if r, ok := last[name]; ok {
			lastRun = &r
		}
		list = append(list, b.d.wireJob(cfg, cfg.Jobs[name], lastRun))
	}
	return list, nil
}

// Job returns one job.
func (b *backend) Job(ctx context.Context, name string) (api.Job, error) {
	cfg := b.d.current.Load()
	def, ok := cfg.Jobs[name]
	if !ok {
		return api.Job{}, b.unknownJob(name)
	}
	last, err := b.d.ledger.LastRuns(ctx, name, 1)
	if err != nil {
		return api.Job{}, fmt.Errorf("read the last run of job %q: %w", name, err)
	}
	var lastRun *run.Run
	if len(last) > 0 {
		lastRun = &last[0]
	}
	return b.d.wireJob(cfg, def, lastRun), nil
}

func (d *Daemon) wireJob(cfg *config.Config, def *jobs.Definition, last *run.Run) api.Job {
	w := api.Job{
		Name: def.Name, Description: api.Text(def.Description), Type: def.Type, Pool: def.Pool,
		Schedule: def.Schedule, TimeZone: api.Text(def.TimeZone), Enabled: def.Enabled, DefinedAt: api.Text(def.DefinedAt),
	}
	if w.Schedule == nil {
		w.Schedule = []string{}
	}
	table := cfg.Timetable(def.Name)
	w.InWords = table.Describe(zoneName(table.Zone))
	if last != nil {
		r := server.WireRun(last)
		w.LastRun = &r
	}
	if p := d.pools.JobPause(def.Name); p != nil {
		w.Paused, w.PauseReason, w.PauseUntil = true, api.Text(p.Reason), api.At(p.Until)
	}
	splay := d.splay(def)
	if at, ok := cfg.Blackouts(def.Name).NextRun(table, time.Now().Add(-splay)); ok && def.Enabled {
		w.NextAt = api.At(at.Add(splay))
	}
	return w
}

func (d *Daemon) splay(def *jobs.Definition) time.Duration {
	return schedule.Splay(d.host, def.Name, time.Duration(def.Splay))
}

// Definition returns a job's effective definition.
func (b *backend) Definition(_ context.Context, name string) (api.Definition, error) {
	cfg := b.d.current.Load()
	def, ok := cfg.Jobs[name]
	if !ok {
		return api.Definition{}, b.unknownJob(name)
	}
	lines, err := cfg.Cat(name)
	if err != nil {
		return api.Definition{}, fmt.Errorf("show job %q: %w", name, err)
	}
	return api.Definition{Job: name, DefinedAt: api.Text(def.DefinedAt), Text: config.Annotated(lines)}, nil
}

// Occurrences lists coming occurrences in order of time.
func (b *backend) Occurrences(_ context.Context, q server.OccurrenceQuery) ([]api.Occurrence, error) {
	cfg := b.d.current.Load()
	names := q.Jobs
	if len(names) == 0 {
		names = cfg.JobNames()
	}
	list := []api.Occurrence{}
	for _, name := range names {
		def, ok := cfg.Jobs[name]
		if !ok {
			return nil, b.unknownJob(name)
		}
		if !def.Enabled && len(q.Jobs) == 0 {
			continue
		}
		list = append(list, b.d.occurrences(cfg, def, q, server.MaxOccurrences-len(list))...)
	}
	slices.SortStableFunc(list, func(x, y api.Occurrence) int {
		return cmp.Or(x.At.Compare(y.At.Time), cmp.Compare(x.Job, y.Job))
	})
	return list, nil
}

func (d *Daemon) occurrences(cfg *config.Config, def *jobs.Definition, q server.OccurrenceQuery, most int) []api.Occurrence {
	table := cfg.Timetable(def.Name)
	if q.Count > 0 {
		most = min(most, q.Count)
	}
	splay := d.splay(def)
	var list []api.Occurrence
	for at := q.From.Add(-splay - 1); len(list) < most; {
		occ, ok := table.Next(at)
		if !ok || (!q.Until.IsZero() && !occ.At.Add(splay).Before(q.Until)) {
			break
		}
		at = occ.At
		o := api.Occurrence{Job: def.Name, At: api.ZonedTime{Time: occ.At.Add(splay)}, Mark: occ.Mark}
		o.NotDuring, o.DeferredTo = wireBlackout(cfg.Blackouts(def.Name), table, occ.At, splay)
		list = append(list, o)
	}
	return list
}

// wireBlackout says which calendar keeps a moment from running, and when it runs
// instead, if it does.
func wireBlackout(b *schedule.Blackouts, table schedule.Schedule, at time.Time, splay time.Duration) (calendar *string, deferred *api.ZonedTime) {
	out, in := b.At(at)
	if !in {
		return nil, nil
	}
	if b.Defer && out.Stands(table, at) {
		deferred = &api.ZonedTime{Time: out.Until.Add(splay)}
	}
	return &out.Calendar, deferred
}

// Pools lists the pools by name.
func (b *backend) Pools(ctx context.Context) ([]api.Pool, error) {
	counts := b.d.ledger.Counts()
	states := b.d.pools.Pools()
	list := make([]api.Pool, 0, len(states))
	for _, s := range states {
		p, err := b.wirePool(ctx, s, counts[s.Name].Queued)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// Pool returns one pool.
func (b *backend) Pool(ctx context.Context, name string) (api.Pool, error) {
	for _, s := range b.d.pools.Pools() {
		if s.Name == name {
			return b.wirePool(ctx, s, b.d.ledger.Counts()[name].Queued)
		}
	}
	return api.Pool{}, b.unknownPool(name)
}

func (b *backend) wirePool(ctx context.Context, s dispatch.PoolState, queued int) (api.Pool, error) {
	p := api.Pool{
		Name: s.Name, Workers: wireSize(s.Workers), Busy: s.Busy, Queued: queued, Paused: s.Paused,
		Draining: s.Draining, ByHand: s.ByHand, Succeeded: s.Tally.Succeeded, Failed: s.Tally.Failed,
		Configured: wireSize(s.InFile), ByHandUntil: api.At(s.Until),
		DefinedAt: api.Text(b.d.current.Load().Pools[s.Name].DefinedAt),
	}
	if s.Pause != nil {
		p.PauseReason, p.PauseUntil = api.Text(s.Pause.Reason), api.At(s.Pause.Until)
	}
	if err := b.wireLimits(ctx, &p, s.Stuck); err != nil {
		return p, err
	}
	if queued > 0 {
		oldest, ok, err := b.d.ledger.OldestQueued(ctx, s.Name)
		if err != nil {
			return p, fmt.Errorf("read the queue of pool %q: %w", s.Name, err)
		}
		if ok {
			p.OldestQueuedAt = api.At(oldest)
		}
	}
	return p, nil
}

// Status is the daemon and the host at a glance.
func (b *backend) Status(ctx context.Context) (api.Status, error) {
	d, cfg := b.d, b.d.current.Load()
	pools, err := b.Pools(ctx)
	if err != nil {
		return api.Status{}, err
	}
	s := api.Status{
		Version: d.o.Version, Host: d.host, PID: os.Getpid(), StartedAt: api.At(d.began),
		Uptime: api.Duration(time.Since(d.began).Round(time.Second)), TimeZone: zoneName(cfg.Zone), Config: cfg.Path,
		StateDir: d.settings.StateDir, Pools: pools, PausedJobs: []api.Job{}, Running: []api.Run{}, NeedsRestart: []string{},
	}
	if t := d.ledger.Trouble(); t.Err != nil {
		s.WriteError, s.WriteErrorAt = api.Text(t.Err.Error()), api.At(t.Since)
	}
	if p := d.pools.HostPause(); p != nil {
		s.Paused, s.PauseReason, s.PauseUntil = true, api.Text(p.Reason), api.At(p.Until)
		s.Draining = p.Drain && len(d.pools.Running()) > 0
	}
	if l := d.pools.Lateness(); l.Starts > 0 {
		s.Lateness = &api.Lateness{Starts: l.Starts, P50: api.Duration(l.P50), P99: api.Duration(l.P99), Max: api.Duration(l.Max)}
	}
	for _, busy := range d.pools.Running() {
		s.Running = append(s.Running, server.WireRun(&busy.Run))
	}
	if s.PausedJobs, err = b.pausedJobs(ctx, cfg); err != nil {
		return s, err
	}
	d.reload.Lock()
	defer d.reload.Unlock()
	if last := d.reload.last; last != nil {
		shown := *last
		s.LastReload = &shown
	}
	s.NeedsRestart = append(s.NeedsRestart, config.NeedsRestart(d.settings, cfg.Daemon)...)
	return s, nil
}

func (b *backend) pausedJobs(ctx context.Context, cfg *config.Config) ([]api.Job, error) {
	list := []api.Job{}
	for _, name := range cfg.JobNames() {
		if b.d.pools.JobPause(name) == nil {
			continue
		}
		job, err := b.Job(ctx, name)
		if err != nil {
			return nil, err
		}
		list = append(list, job)
	}
	return list, nil
}

// Reload loads the configuration anew.
func (b *backend) Reload(ctx context.Context, dryRun bool) (api.Reload, error) {
	return b.d.doReload(ctx, byAPI, dryRun)
}

// Zone is the configured zone.
func (b *backend) Zone() *time.Location { return b.d.current.Load().Zone }

// HeldBack says in words what keeps a job, a pool or a run from running.
func (b *backend) HeldBack(ctx context.Context, kind, name string) ([]string, error) {
	words := []string{}
	if p := b.d.pools.HostPause(); p != nil {
		words = append(words, "the host is paused"+b.pauseText(*p)+"; poold resume --all")
	}
	switch kind {
	case "pool":
		return b.poolHeldBack(words, name), nil
	case "job":
		return b.jobHeldBack(words, name), nil
	case "run":
		id, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("run %q: %w", name, run.ErrNotFound)
		}
		return b.runHeldBack(ctx, words, id)
	}
	return words, nil
}

func (b *backend) poolHeldBack(words []string, name string) []string {
	for _, s := range b.d.pools.Pools() {
		if s.Name != name {
			continue
		}
		if s.Pause != nil {
			words = append(words, fmt.Sprintf("pool %s is paused%s; poold pool resume %s", name, b.pauseText(*s.Pause), name))
		}
		switch {
		case s.Workers == 0:
			words = append(words, fmt.Sprintf("pool %s has 0 workers; poold pool resize %s N", name, name))
		case s.Busy >= s.Workers:
			words = append(words, fmt.Sprintf("all %d workers of pool %s are busy", s.Workers, name))
		}
	}
	return words
}

func (b *backend) jobHeldBack(words []string, name string) []string {
	def, ok := b.d.current.Load().Jobs[name]
	if !ok {
		return words
	}
	if p := b.d.pools.JobPause(name); p != nil {
		words = append(words, fmt.Sprintf("job %s is paused%s; poold job resume %s", name, b.pauseText(*p), name))
	}
	if !def.Enabled {
		words = append(words, "its schedule is off: enabled: false")
	}
	for _, lock := range def.Locks {
		if id, held := b.d.pools.Holder(run.LockResource(lock)); held {
			words = append(words, fmt.Sprintf("run %d holds the lock %s", id, lock))
		}
	}
	return b.poolHeldBack(words, def.Pool)
}

func (b *backend) runHeldBack(ctx context.Context, words []string, id int64) ([]string, error) {
	r, err := b.d.ledger.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.State != run.Queued {
		return []string{}, nil
	}
	if r.DueAt.After(time.Now()) {
		return append(words, "not due before "+r.DueAt.In(b.Zone()).Format(time.RFC3339)), nil
	}
	for _, res := range r.Resources() {
		if holder, held := b.d.pools.Holder(res); held && holder != id {
			words = append(words, inTheWay(&r, holder, res))
		}
	}
	words = append(words, b.limitWords(&r)...)
	if p := b.d.pools.JobPause(r.Job); p != nil {
		words = append(words, fmt.Sprintf("job %s is paused%s; poold job resume %s", r.Job, b.pauseText(*p), r.Job))
	}
	return b.poolHeldBack(words, r.Pool), nil
}

// inTheWay says what another run holds that r waits for.
func inTheWay(r *run.Run, holder int64, res run.Resource) string {
	if res == run.SerialResource(r.Job, r.Arg) {
		return fmt.Sprintf("run %d of this job is not done", holder)
	}
	return fmt.Sprintf("run %d holds the lock %s", holder, res.Lock())
}

func (b *backend) pauseText(p dispatch.Pause) string {
	const form = "2006-01-02 15:04:05 -0700"
	text := " since " + p.Since.In(b.Zone()).Format(form)
	if !p.Until.IsZero() {
		text += " until " + p.Until.In(b.Zone()).Format(form)
	}
	if p.Reason != "" {
		text += " (" + p.Reason + ")"
	}
	return text
}

// isGone says whether the error is that there is nothing.
func isGone(err error) bool { return errors.Is(err, os.ErrNotExist) }

// zoneName names the zone; the host's by $TZ, or by what /etc/localtime leads
// to.
func zoneName(zone *time.Location) string {
	if zone.String() != "Local" {
		return zone.String()
	}
	path, set := os.LookupEnv("TZ")
	if path = strings.TrimPrefix(path, ":"); set && !filepath.IsAbs(path) {
		return cmp.Or(path, "UTC")
	}
	if path == "" {
		path = "/etc/localtime"
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if _, name, ok := strings.Cut(path, "/zoneinfo/"); ok {
		return name
	}
	return zone.String()
}
