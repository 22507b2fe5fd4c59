// Package dispatch stands between the ledger and the pools. It keeps each
// pool's window filled with the ledger's ready runs, executes attempts through
// their job types, and records how they end. The way of one run:
//
//  1. offer: a run that became ready (enqueued, due, woken) enters its pool's
//     window if its place in the queue is inside it; otherwise it stays in the
//     ledger, where the feed finds it when the window runs dry. One that could
//     not go on is held back at once: it would only keep a worker busy.
//  2. claim: a worker has the run, and with it a place of its key and a permit
//     of the rates (limits.go). It must not have been cancelled or have
//     expired, its job must not be paused, and everything it has to hold must
//     be free: then it takes all of it at once. Otherwise the run leaves the
//     window, and the worker goes on with the next. Nothing waits while
//     holding.
//  3. condition: asked before the start; it may send the run back to wait.
//  4. start: recorded, durably, before anything is executed.
//  5. attempt: the job type executes it, under the run's own context, whose
//     cause says who ended it early.
//  6. end: run.Conclude decides, and one transaction of the ledger records the
//     attempt, the run's next state, the runs that follow from it and those
//     that may now have what it held. The worker does not wait for that: its
//     next start does, since the ledger records in order.
//
// A run is in memory while it is in a window or in a worker's hand, and only
// then: the ledger has everything else.
package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// Queue is the part of the ledger that runs wait in.
type Queue interface {
	Enqueue(ctx context.Context, subs []run.Submission, now time.Time) ([]run.Submitted, error)
	Window(ctx context.Context, pool string, after *run.Position, n int) ([]run.Run, error)
	Ripen(ctx context.Context, now time.Time, limit int) (run.Ripe, error)
	Bump(ctx context.Context, id int64) (run.Run, error)
}

// Journal is the part of the ledger that records what becomes of a run. Its
// methods return at once; the given function is called when the record is
// durable, or has failed, in the order of the calls.
type Journal interface {
	Start(s run.Start, done func(error))
	Finish(e run.End, done func(run.Ended, error))
	Hold(r *run.Run, on run.Resource, free []run.Resource, done func(woken []run.Run, err error))
	SetAsked(r *run.Run, at, dueAt time.Time, done func(error))
}

// Records is the part of the ledger that is looked up.
type Records interface {
	Run(ctx context.Context, id int64) (run.Run, error)
	Running(ctx context.Context) ([]run.Run, error)
	Wake(ctx context.Context, on run.Resource, all bool) (woken []run.Run, more int, err error)
	WakeAll(ctx context.Context, after run.Resource, skip func(run.Resource) bool) (woken []run.Run, last run.Resource, err error)
	LimitPer(per run.PerKey)
	Unlimit(ctx context.Context, pool, kind string) (ready []run.Run, more bool, err error)
}

// Ledger is what dispatch needs of the durable record of all runs.
type Ledger interface {
	Queue
	Journal
	Records
}

// Outputs gives each attempt the place for its output.
type Outputs interface {
	Sink(runID int64, attempt int, limit int64) Output
}

// Output is an attempt's output until its end.
type Output interface {
	jobs.Sink
	Close() (written int64, err error)
}

// Options are what a Dispatcher is made of. All but the functions
// are needed; those must not block.
type Options struct {
	Ledger   Ledger
	Outputs  Outputs
	Log      *slog.Logger
	LedgerID string        // marks what is started for this ledger
	Host     string        // recorded with each attempt
	Changed  func(run.Run) // told of each recorded change
	Resized  func(pool string, workers int, by SizeBy, at time.Time)
	BatchEnd func(id string) // told when all runs of a batch are final
	// Stray is told that a run is queued in a pool that is not there: its
	// pool was taken away while it ran, or while it was being enqueued.
	Stray func()
}

// Program is the configuration as dispatch needs it. Apply swaps it whole; the
// value is not changed afterwards.
type Program struct {
	Registry jobs.Registry
	Jobs     map[string]*jobs.Definition
	Pools    map[string]Pool
	Zone     *time.Location // of jobs without a zone of their own
}

// Dispatcher keeps the pools fed and the ledger told.
type Dispatcher struct {
	o Options

	ripen chan struct{} // something may be due earlier than known

	mu         sync.Mutex
	program    Program
	keyer      *keyer
	followers  map[string][]*jobs.Definition // by the job they follow
	feeds      map[string]*feed
	tasks      map[int64]*task // every run in memory
	held       map[run.Resource]*holding
	pausedJobs map[string]Pause
	paused     *Pause // the whole host
	hands      map[string]Hand
	hushed     map[string]Pause // pools paused by hand
	watched    map[int64]*watch // runs that are watched
	departed   departed
	going      bool // Run has begun: nothing starts before
	closing    bool
	hopeless   bool                 // an end that cannot be recorded is given up
	said       map[string]time.Time // when an error was last logged
	late       lateness
	loading    sync.WaitGroup // feeds that read, pools that drain away
	busy       sync.WaitGroup // runs in a worker's hand, until recorded
	lifetime   context.Context
	stop       context.CancelFunc
}

// New returns a dispatcher without pools. Apply, Settle and Run come next, in
// this order. Nothing starts before Run: what was paused or resized by hand can
// be put in force again, and runs without a place dealt with.
func New(o Options) *Dispatcher {
	if o.Changed == nil {
		o.Changed = func(run.Run) {}
	}
	if o.Resized == nil {
		o.Resized = func(string, int, SizeBy, time.Time) {}
	}
	if o.BatchEnd == nil {
		o.BatchEnd = func(string) {}
	}
	if o.Stray == nil {
		o.Stray = func() {}
	}
	d := &Dispatcher{
		o:          o,
		ripen:      make(chan struct{}, 1),
		feeds:      map[string]*feed{},
		tasks:      map[int64]*task{},
		held:       map[run.Resource]*holding{},
		pausedJobs: map[string]Pause{},
		hands:      map[string]Hand{},
		hushed:     map[string]Pause{},
		watched:    map[int64]*watch{},
		said:       map[string]time.Time{},
	}
	d.lifetime, d.stop = context.WithCancel(context.Background())
	return d
}

// Apply swaps the configuration: pools are made, resized or taken away, and
// runs that end from now on set off the jobs that follow them now. It cannot
// fail. Runs queued in a pool that is taken away must have been moved in the
// ledger before; those it executes go on to their end.
func (d *Dispatcher) Apply(p Program) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closing {
		return
	}
	d.program = p
	d.keyer = &keyer{pools: p.Pools, registry: p.Registry}
	d.o.Ledger.LimitPer(d.keyer.per)
	d.followers = map[string][]*jobs.Definition{}
	for _, def := range p.Jobs {
		for _, up := range def.After.Upstream() {
			d.followers[up] = append(d.followers[up], def)
		}
	}
	for name, f := range d.feeds {
		if _, ok := p.Pools[name]; !ok {
			d.retireLocked(f)
		}
	}
	now := time.Now()
	for name, spec := range p.Pools {
		if hand, ok := d.hands[name]; ok && hand.Entry != spec.Entry {
			delete(d.hands, name)
		}
		if pause, ok := d.hushed[name]; ok && pause.Entry != spec.Entry {
			delete(d.hushed, name)
		}
		f, ok := d.feeds[name]
		if !ok {
			f = newFeed(d, name)
			d.feeds[name] = f
			d.loading.Go(f.run)
		}
		old := f.spec
		f.spec = spec
		f.relimitLocked(old, now)
		if !ok || old.Per.Key != spec.Per.Key { // also while no daemon ran
			d.loading.Go(func() { d.unlimit(name) })
		}
		d.resizeLocked(f, now)
		d.pauseLocked(f)
	}
	poke(d.ripen)
}

// Run makes due runs ready, skips the expired, and lets pool windows and timed
// pauses act, until ctx is done.
func (d *Dispatcher) Run(ctx context.Context) error {
	d.begin()
	for {
		next := d.ripenOnce(ctx)
		wait := time.NewTimer(max(time.Until(next), 0))
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-d.ripen:
			wait.Stop()
		case <-wait.C:
		}
	}
}

// begin lets the pools work.
func (d *Dispatcher) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.going = true
	for _, f := range d.feeds {
		d.pauseLocked(f)
	}
}

// longestWait bounds every wait, so that a clock that was set is noticed.
const longestWait = 30 * time.Second

// ripenOnce does what is due and returns when to look again.
func (d *Dispatcher) ripenOnce(ctx context.Context) time.Time {
	now := time.Now()
	next := now.Add(longestWait)
	if at := d.retime(now); at.Before(next) {
		next = at
	}
	ripe, err := d.o.Ledger.Ripen(ctx, now, ripenLimit)
	if err != nil {
		if ctx.Err() == nil {
			d.complain("look for due runs", "err", err)
		}
		return now.Add(retryRecord)
	}
	d.offer(ripe.Ready)
	d.expireAll(ripe.Expired)
	if len(ripe.Ready) == ripenLimit {
		return now
	}
	if !ripe.Next.IsZero() && ripe.Next.Before(next) {
		next = ripe.Next
		if !next.After(now) { // what expires now is being recorded
			next = now.Add(10 * time.Millisecond)
		}
	}
	return next
}

// ripenLimit is how many due runs become ready in one step.
const ripenLimit = 1000

// Enqueue records the submissions and dispatches what is ready. It returns
// when they are durable.
func (d *Dispatcher) Enqueue(ctx context.Context, subs []run.Submission, now time.Time) ([]run.Submitted, error) {
	if d.isClosing() {
		return nil, fmt.Errorf("enqueue: %w", run.ErrClosed)
	}
	done, err := d.o.Ledger.Enqueue(ctx, subs, now)
	if err != nil {
		return nil, err
	}
	for i := range done {
		d.welcome(&subs[i], &done[i], now)
	}
	return done, nil
}

// welcome dispatches what one submission brought in.
func (d *Dispatcher) welcome(sub *run.Submission, got *run.Submitted, now time.Time) {
	for _, id := range got.Replace {
		d.replace(id)
	}
	if got.Existing {
		return
	}
	later := false
	ready := make([]run.Run, 0, len(got.Runs))
	for i := range got.Runs {
		r := got.Runs[i]
		if r.Def == nil {
			r.Def = sub.Def
		}
		d.changed(r)
		switch {
		case r.State != run.Queued || r.Waits != "":
		case r.DueAt.After(now):
			later = true
		default:
			ready = append(ready, r)
		}
		later = later || !r.ExpiresAt.IsZero()
	}
	if got.More { // the rest is in the ledger
		d.Rewind(sub.Def.Pool)
	} else {
		d.offer(d.unseen(ready))
	}
	if later || got.More {
		poke(d.ripen)
	}
}

// unseen leaves out new runs that a window has had already: read from the ledger
// before whoever enqueued them heard of it, they may have been held, put off or
// tried, and are not ready any more.
func (d *Dispatcher) unseen(runs []run.Run) []run.Run {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(runs, func(r run.Run) bool { return d.departed.ids[r.ID] })
}

func (d *Dispatcher) isClosing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closing
}

// Wake looks at the clock now: it was set.
func (d *Dispatcher) Wake() { poke(d.ripen) }

// sayEvery is how often an error that goes on is logged.
const sayEvery = 10 * time.Second

// complain logs an error of the ledger, which may meet every worker at once,
// only now and then.
func (d *Dispatcher) complain(what string, attrs ...any) {
	d.mu.Lock()
	now := time.Now()
	quiet := now.Sub(d.said[what]) < sayEvery
	if !quiet {
		d.said[what] = now
	}
	d.mu.Unlock()
	if !quiet {
		d.o.Log.Error(what, attrs...)
	}
}

// poke wakes whoever waits on a channel of size one; a wake-up that is already
// there is enough.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
