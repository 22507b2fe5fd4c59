// Package run is the vocabulary of runs and the rules by which they move: what
// a run is, which states it may take, and, in Conclude, what becomes of it when
// an attempt ends. It is pure: it reads no clock, opens nothing and waits for
// nothing.
//
//	                   ┌──────────── retry, requeued, interrupted ───────────┐
//	                   ▼                                                     │
//	(due moment) ──▶ queued ──▶ running ──┬──▶ succeeded                     │
//	     │             │          │       ├──▶ failed  ── tries left? ───────┘
//	     │             │          │       └──▶ skipped (exit)
//	     │             │          └──────────▶ canceled
//	     │             ├──▶ canceled (operator, replaced, job_removed)
//	     │             ├──▶ skipped  (expired, condition)
//	     │             └──▶ failed   (condition: it could not be asked)
//	     ├───────────────▶ skipped  (overlap, missed, queue_full, paused, …)
//	     └───────────────▶ failed   (start: its arguments could not be listed)
//
// queued: waiting for its due time, for a lock, or for a worker. The scheduler,
// an operator, a batch or the end of another run brings a run in; the
// dispatcher moves it out. A run that waits for another attempt is queued too,
// with the reason that says so.
//
// running: a worker executes an attempt. Only the dispatcher moves a run in,
// by a start record, and out, by the attempt's end.
//
// succeeded, failed, canceled, skipped: final. Nothing leaves them; an
// operator's retry is a new run.
package run

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/poold/poold/internal/jobs"
)

// State is where a run stands.
type State string

// The states of a run.
const (
	Queued    State = "queued"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Canceled  State = "canceled"
	Skipped   State = "skipped"
)

// Values lists every state.
func (State) Values() []string {
	return []string{"queued", "running", "succeeded", "failed", "canceled", "skipped"}
}

// Final says whether nothing leaves the state.
func (s State) Final() bool { return s != Queued && s != Running }

// Reason says why a run is in its state. Empty where the state says it all.
type Reason string

// The reasons, by the state they belong to.
const (
	// Of failed runs.
	ReasonExit    Reason = "exit" // also of skipped
	ReasonSignal  Reason = "signal"
	ReasonTimeout Reason = "timeout"
	ReasonOOM     Reason = "oom"
	ReasonLost    Reason = "lost"
	ReasonStart   Reason = "start"
	ReasonHTTP    Reason = "http"
	// Of canceled runs.
	ReasonOperator   Reason = "operator"
	ReasonReplaced   Reason = "replaced"
	ReasonJobRemoved Reason = "job_removed"
	ReasonShrink     Reason = "shrink"
	// Of skipped runs.
	ReasonOverlap   Reason = "overlap"
	ReasonMissed    Reason = "missed"
	ReasonExpired   Reason = "expired"
	ReasonQueueFull Reason = "queue_full"
	ReasonCondition Reason = "condition" // also of failed and queued
	ReasonPaused    Reason = "paused"
	ReasonDisabled  Reason = "disabled"
	ReasonNotDuring Reason = "not_during"
	// Of queued runs.
	ReasonRetry       Reason = "retry"
	ReasonRequeued    Reason = "requeued"
	ReasonInterrupted Reason = "interrupted"
	ReasonLock        Reason = "lock"
)

// Trigger says why a run exists.
type Trigger string

// The triggers.
const (
	TriggerSchedule Trigger = "schedule"
	TriggerCatchUp  Trigger = "catch_up"
	TriggerManual   Trigger = "manual"
	TriggerBatch    Trigger = "batch"
	TriggerAfter    Trigger = "after"
	TriggerReboot   Trigger = "reboot"
	TriggerRetry    Trigger = "retry"
)

// Run is one decision to execute a job, or not to: one row of the ledger.
// Times are UTC; the zero time means there is none.
type Run struct {
	ID          int64
	Job         string
	Pool        string
	Type        string
	Def         *jobs.Definition // the definition it was created with; nil in listings
	State       State
	Reason      Reason
	Trigger     Trigger
	Arg         string
	Batch       string // the batch it is a line of, or empty
	Priority    int
	Slots       jobs.Slots
	Exclusive   bool      // never beside another run of the same job and argument
	Parent      int64     // the run it follows or repeats, or 0
	ScheduledAt time.Time // the occurrence
	DueAt       time.Time // not started before
	ExpiresAt   time.Time // skipped when not started by then
	EnqueuedAt  time.Time
	StartedAt   time.Time // of the last attempt
	FinishedAt  time.Time
	AskedAt     time.Time // when its condition was first asked
	Attempts    int       // starts so far
	Tries       int       // starts that count against retry.attempts
	ExitCode    *int
	Signal      string
	Error       string
	Host        string
	OutputBytes int64
	Count       int       // moments that a skipped row stands for; 1 for others
	Until       time.Time // the last of them
	Waits       string    // the Resource a held run waits for, or empty
}

// Position is a run's place in its pool's queue.
type Position struct {
	Priority int
	ID       int64
}

// Position returns the run's place in its pool's queue.
func (r *Run) Position() Position { return Position{Priority: r.Priority, ID: r.ID} }

// Before says whether p is dispatched before q: by priority, then by age.
func (p Position) Before(q Position) bool {
	if p.Priority != q.Priority {
		return p.Priority > q.Priority
	}
	return p.ID < q.ID
}

// Attempt is one try of a run.
type Attempt struct {
	Run         int64
	Number      int // from 1
	Worker      int
	StartedAt   time.Time
	FinishedAt  time.Time // zero while it runs
	Outcome     string    // succeeded, or the reason it failed or was stopped
	ExitCode    *int
	Signal      string
	Error       string
	OutputBytes int64
}

// New asks for one run. The ledger decides by the rules of overlap and of the
// pool's queue limit whether it becomes queued or skipped.
type New struct {
	Key         string // names it once and for all: the same key never makes a second run; empty: none
	State       State  // Queued, or what was decided already: Skipped, Failed
	Reason      Reason
	Error       string
	Trigger     Trigger
	Arg         string
	Priority    int
	Overlap     jobs.Overlap // the rule to apply; empty: allow
	Parent      int64
	ScheduledAt time.Time
	DueAt       time.Time // zero: at once
	ExpiresAt   time.Time
	Count       int       // of a skipped row that folds several moments; 0 means 1
	Until       time.Time // the last of them
}

// Submission is what is enqueued for one job, all of it or none.
type Submission struct {
	Def       *jobs.Definition
	Runs      []New
	Lines     []string   // where given, Runs is one New: a run is made of it for each of these arguments
	Batch     bool       // the runs are the lines of one batch
	BatchKey  string     // its name, if it was given one: the same name again returns the same batch
	Watermark *Watermark // where the job's watermark moves in the same transaction
	// QueueLimit is how many runs may wait in the pool; 0: no limit.
	QueueLimit int
	// Refuse makes an overlap or a full queue an error (ErrConflict,
	// ErrQueueFull) instead of a skipped row: somebody waits for the answer.
	Refuse bool
}

// Len is how many runs the submission asks for.
func (s *Submission) Len() int {
	if s.Lines != nil {
		return len(s.Lines)
	}
	return len(s.Runs)
}

// At is the run that is asked for at place i.
func (s *Submission) At(i int) New {
	if s.Lines == nil {
		return s.Runs[i]
	}
	n := s.Runs[0]
	n.Arg = s.Lines[i]
	if n.Key != "" {
		n.Key += "/" + strconv.Itoa(i+1)
	}
	return n
}

// MostSubmitted is how many runs of a batch a Submitted lists. A batch may be
// of a million lines, and nobody needs them all at once.
const MostSubmitted = 4096

// Submitted is what became of a Submission, in its order.
type Submitted struct {
	Runs     []Run // of a batch at most MostSubmitted
	More     bool  // there are more
	Batch    string
	Existing bool    // the batch, or all the runs, were there already
	Replace  []int64 // earlier runs that must be stopped first, by overlap: replace
}

// Watermark is the time up to which a job's occurrences have been decided.
type Watermark struct {
	At       time.Time
	Epoch    int       // rises when the clock was set back; part of occurrence keys
	Schedule string    // what it was decided for, in the scheduler's own words
	Boot     string    // the boot id that @reboot was decided for
	Since    time.Time // from when on the schedule counts: what it names before is no concern of the job
}

// End is the end of an attempt, or of a run that never started, and all that
// follows from it. The ledger records it in one transaction.
type End struct {
	Run      *Run     // as it was before
	From     State    // the state it must still be in: Queued or Running
	Attempt  *Attempt // nil when nothing was started
	Next     Next
	Follow   []Follow   // jobs that this end, or that of its batch, may set off
	Release  []Resource // what it held or might have taken: one waiter of each in every pool is woken
	Finished time.Time
}

// Ended is what the ledger made of an End.
type Ended struct {
	Ready    []Run // runs woken or created that are ready to be dispatched
	NextDue  time.Time
	BatchEnd string  // the batch that this end completed, or empty
	Replace  []int64 // runs that a follow-up replaces
}

// Follow is a job that may run after another.
type Follow struct {
	Def        *jobs.Definition
	QueueLimit int
	New        New // its Parent, Key and Arg are filled in when it fires
	// Paused records the follow-up as skipped, for this reason, if not empty.
	Skip Reason
}

// Batch is the state of a batch.
type Batch struct {
	ID         string
	Job        string
	Pool       string
	Total      int
	Queued     int
	Running    int
	Succeeded  int
	Failed     int
	Canceled   int
	Skipped    int
	CreatedAt  time.Time
	StartedAt  time.Time     // first start, zero before
	FinishedAt time.Time     // last end, zero before all are final
	Busy       time.Duration // sum of its attempts' times
}

// Resource is something that one run holds at a time.
type Resource string

// LockResource is a lock by name, shared across jobs and pools.
func LockResource(name string) Resource { return Resource(lockPrefix + name) }

const lockPrefix = "lock:"

// IsLock says whether the resource is a lock.
func (r Resource) IsLock() bool { return strings.HasPrefix(string(r), lockPrefix) }

// Lock is the name of the lock that the resource is.
func (r Resource) Lock() string { return strings.TrimPrefix(string(r), lockPrefix) }

// SerialResource keeps the runs of one job and argument one after another.
func SerialResource(job, arg string) Resource { return Resource("serial:" + job + ":" + arg) }

// PausedResource holds the runs of a job that is paused.
func PausedResource(job string) Resource { return Resource(pausedPrefix + job) }

const pausedPrefix = "paused:"

// PerResource is the limit that a pool sets by itself for the runs of one key,
// of the kind that its configuration names (job, arg, host).
func PerResource(pool, kind, key string) Resource {
	return Resource(perPrefix + pool + ":" + kind + ":" + shortKey(key))
}

const perPrefix = "per:"

// shortKey bounds a key, of which every waiter has a copy: what is left out of
// a long one is replaced by its hash.
func shortKey(key string) string {
	if len(key) <= keyMost {
		return key
	}
	cut := keyMost
	for cut > keyMost-utf8.UTFMax && !utf8.RuneStart(key[cut]) {
		cut--
	}
	sum := sha256.Sum256([]byte(key))
	return key[:cut] + "…" + hex.EncodeToString(sum[:16])
}

const keyMost = 100

// IsPer says whether the resource is the limit of a key of a pool. Unlike
// others it is never taken by one run for others to wait: the pool counts. Who
// waits for it is let go one by one, as those before start.
func (r Resource) IsPer() bool { return strings.HasPrefix(string(r), perPrefix) }

// Key is the key that the resource limits, where IsPer.
func (r Resource) Key() string {
	parts := strings.SplitN(string(r), ":", 4)
	return parts[len(parts)-1]
}

// PerKey says by which limit of its pool a run is bound, empty for none, and
// how many runs so bound are to be ready at a time.
type PerKey func(r *Run) (on Resource, ready int)

// Shared says whether all that wait for the resource go when it is free. Of
// those that wait for another, each lets the next one go.
func (r Resource) Shared() bool { return strings.HasPrefix(string(r), pausedPrefix) }

// Resources lists what the run must hold while it runs.
func (r *Run) Resources() []Resource {
	var need []Resource
	if r.Exclusive {
		need = append(need, SerialResource(r.Job, r.Arg))
	}
	if r.Def != nil {
		for _, name := range r.Def.Locks {
			need = append(need, LockResource(name))
		}
	}
	return need
}

// Owner is in whose name the run holds its resources: lines of one batch share
// what their job serializes, so that they never stand in each other's way.
func (r *Run) Owner(res Resource) string {
	if r.Batch != "" && res == SerialResource(r.Job, r.Arg) {
		return "batch " + r.Batch
	}
	return "" // its own
}

// Errors that callers branch on.
var (
	ErrNotFound  = errors.New("not found")
	ErrQueueFull = errors.New("the pool's queue is full")
	ErrStale     = errors.New("the run is no longer in that state")
	ErrClosed    = errors.New("the ledger is closed")
	ErrBatchKey  = errors.New("choose another id")
)

// StaleError is an ErrStale that says in which state the run is.
type StaleError struct{ State State }

func (e *StaleError) Error() string {
	if e.State.Final() {
		return "it has ended already: " + string(e.State)
	}
	return "it is " + string(e.State)
}

// Unwrap makes it an ErrStale.
func (e *StaleError) Unwrap() error { return ErrStale }

// ConflictError refuses a run because of an earlier one of the same job and
// argument that is not done.
type ConflictError struct {
	Job string
	Run int64 // the run in the way
}

func (e *ConflictError) Error() string {
	return "job " + e.Job + ": run " + formatID(e.Run) + " is in the way"
}
