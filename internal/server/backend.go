package server

import (
	"context"
	"io"
	"time"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/run"
)

// Backend is what the handlers stand on. The daemon fills in every field; one
// value may stand in several.
//
// Errors are told apart by what they are: run.ErrNotFound, *run.ConflictError,
// run.ErrQueueFull, run.ErrStale, run.ErrClosed, and Error for what else has a
// code and a hint. Any other is an error of the daemon's own.
type Backend struct {
	Runs    Runs
	Stats   Stats
	Actions Actions
	Jobs    Jobs
	Why     Why
	Starter Starter
	JobHold JobHold
	Pools   Pools
	Control PoolControl
	Host    Host
	Hold    HostHold
}

// Runs reads the ledger.
type Runs interface {
	// Runs lists runs by the filter, whose Limit is at most api.MaxPage.
	Runs(ctx context.Context, f run.Filter) ([]api.Run, error)
	// Run returns a run with its attempts.
	Run(ctx context.Context, id int64) (api.RunDetail, error)
	// Failing lists the last failed run of each job that failed since then and
	// has not succeeded since.
	Failing(ctx context.Context, since time.Time) ([]api.Run, error)
	// Output opens what an attempt printed, the last so many lines of it, or all
	// for 0. Following goes on until the attempt ends or ctx is done. An attempt
	// that printed nothing gives an empty reader, not an error.
	Output(ctx context.Context, id int64, o OutputRequest) (io.ReadCloser, error)
}

// Stats gathers from the ledger.
type Stats interface {
	// Stats are how the runs went that were enqueued in the span and have ended,
	// by job: of the named ones, or of all. A zero time is no bound.
	Stats(ctx context.Context, jobs []string, since, until time.Time) ([]run.Stats, error)
	// UsualTime is how long the last successes of a job took.
	UsualTime(ctx context.Context, job string) (run.Spread, error)
}

// OutputRequest says which output is wanted.
type OutputRequest struct {
	Attempt int // from 1
	Lines   int // 0: all
	Follow  bool
}

// Actions does things to single runs; each is durable when it returns.
type Actions interface {
	// Cancel ends a queued run, or asks a running one to stop. A final run is
	// run.ErrStale.
	Cancel(ctx context.Context, id int64) (api.Run, error)
	// CancelAll does that to many runs and says what became of each.
	CancelAll(ctx context.Context, ids []int64) []error
	// Retry makes a new run of a final one.
	Retry(ctx context.Context, id int64) (api.Run, error)
	// Bump moves a queued run to the head of its pool's queue.
	Bump(ctx context.Context, id int64) (api.Run, error)
}

// Jobs reads the configuration in force.
type Jobs interface {
	// Jobs lists the jobs by name.
	Jobs(ctx context.Context) ([]api.Job, error)
	// Job returns one. An unknown one is an error of UnknownName.
	Job(ctx context.Context, name string) (api.Job, error)
	// Definition returns a job's effective definition and where it came from.
	Definition(ctx context.Context, name string) (api.Definition, error)
	// Occurrences lists coming occurrences in order of time.
	Occurrences(ctx context.Context, q OccurrenceQuery) ([]api.Occurrence, error)
}

// OccurrenceQuery selects occurrences: of the named jobs, or of all.
type OccurrenceQuery struct {
	Jobs  []string
	From  time.Time // inclusive
	Until time.Time // exclusive; zero: no end
	Count int       // per job; 0: no limit, only with Until
}

// Why tells what became of due moments.
type Why interface {
	// Why answers for one moment of a job, or for those of a span. A job that is
	// neither configured nor in the ledger is an error of UnknownName.
	Why(ctx context.Context, job string, q WhyQuery) (api.Why, error)
}

// WhyQuery selects moments: At alone, or the newest Limit of a span.
type WhyQuery struct {
	At    time.Time
	Since time.Time // inclusive; zero: as far back as the limit goes
	Until time.Time // exclusive; zero: now
	Limit int
}

// MaxOccurrences is the most that one answer lists of all jobs together. A
// Backend stops there.
const MaxOccurrences = 100_000

// Starter makes runs.
type Starter interface {
	// StartRun makes one run of a job. Where overlap forbids it, the error is a
	// *run.ConflictError.
	StartRun(ctx context.Context, job string, r StartRequest) (api.Run, error)
	// StartBatch makes a run for each line, all or none. It reports whether the
	// batch was there already.
	StartBatch(ctx context.Context, job string, r BatchRequest) (b api.Batch, existing bool, err error)
	// Batch returns a batch.
	Batch(ctx context.Context, id string) (api.Batch, error)
}

// StartRequest asks for one run.
type StartRequest struct {
	Arg      string
	Priority *int      // nil: the job's
	At       time.Time // zero: at once
	Queue    bool      // wait for an earlier run that is in the way
	Force    bool      // run beside it
}

// BatchRequest asks for a batch.
type BatchRequest struct {
	Lines    []string
	Priority *int
	ID       string // empty: the ledger names it
}

// JobHold pauses and resumes jobs.
type JobHold interface {
	PauseJob(ctx context.Context, name string, h Hold) (api.Job, error)
	ResumeJob(ctx context.Context, name string) (api.Job, error)
}

// Hold is a pause or a drain: for how long, zero being until resumed, and why.
type Hold struct {
	For    time.Duration
	Reason string
}

// Pools reads the pools.
type Pools interface {
	// Pools lists the pools by name.
	Pools(ctx context.Context) ([]api.Pool, error)
	// Pool returns one. An unknown one is an error of UnknownName.
	Pool(ctx context.Context, name string) (api.Pool, error)
}

// PoolControl changes pools by hand. Each returns the pool as it is then; a
// drain returns at once.
type PoolControl interface {
	ResizePool(ctx context.Context, name string, r ResizeRequest) (api.Pool, error)
	PausePool(ctx context.Context, name string, h Hold) (api.Pool, error)
	DrainPool(ctx context.Context, name string, h Hold) (api.Pool, error)
	ResumePool(ctx context.Context, name string) (api.Pool, error)
}

// ResizeRequest sets the size of a pool, or with Reset takes the one set by
// hand back.
type ResizeRequest struct {
	Workers  *int   // nil: unlimited
	OnShrink string // empty: the pool's own; else finish, requeue, stop_newest or stop_oldest
	For      time.Duration
	Reset    bool
}

// Host is the daemon as a whole.
type Host interface {
	Status(ctx context.Context) (api.Status, error)
	// HeldBack says in words what keeps the thing from running: of a kind job,
	// pool or run, by its name or id. Empty: nothing does.
	HeldBack(ctx context.Context, kind, name string) ([]string, error)
	// Reload loads the configuration anew and applies it, unless dryRun. A bad
	// configuration is an error of InvalidConfig.
	Reload(ctx context.Context, dryRun bool) (api.Reload, error)
	// Zone is the configured zone, in which times are read.
	Zone() *time.Location
}

// HostHold pauses, drains and resumes everything. A drain returns at once.
type HostHold interface {
	PauseAll(ctx context.Context, h Hold) error
	DrainAll(ctx context.Context, h Hold) error
	ResumeAll(ctx context.Context) error
}
