// Package api is the wire form of poold's HTTP API, and a client for it. Its
// types are what scripts parse: keys are snake_case, times RFC 3339 in UTC with
// six digits of fraction, durations strings, and what is absent is null, never
// left out.
//
// The package imports nothing else of poold, so that other programs' views of
// the API stay apart from the daemon's own types.
package api

// Prefix is where the API lives on every listener.
const Prefix = "/api/v1"

// MaxPage is the most runs one answer lists. A longer listing is asked for
// page by page, each Before the last id of the one before.
const MaxPage = 1000

// The states of a run.
const (
	StateQueued    = "queued"
	StateRunning   = "running"
	StateSucceeded = "succeeded"
	StateFailed    = "failed"
	StateCanceled  = "canceled"
	StateSkipped   = "skipped"
)

// Final says whether a run in the state never leaves it.
func Final(state string) bool { return state != StateQueued && state != StateRunning }

// Run is one decision to execute a job.
type Run struct {
	ID          int64   `json:"id"`
	Job         string  `json:"job"`
	Pool        string  `json:"pool"`
	Type        string  `json:"type"`
	State       string  `json:"state" enum:"queued,running,succeeded,failed,canceled,skipped"`
	Reason      *string `json:"reason" doc:"Why the run is in its state, where the state does not say it all."`
	Trigger     string  `json:"trigger" enum:"schedule,catch_up,manual,batch,after,reboot,retry"`
	Arg         *string `json:"arg"`
	Batch       *string `json:"batch" doc:"The batch the run is a line of."`
	Priority    int     `json:"priority"`
	ScheduledAt *Time   `json:"scheduled_at" doc:"The due moment the run stands for."`
	DueAt       *Time   `json:"due_at" doc:"The run does not start before."`
	EnqueuedAt  *Time   `json:"enqueued_at"`
	StartedAt   *Time   `json:"started_at" doc:"Start of the last attempt."`
	FinishedAt  *Time   `json:"finished_at"`
	Attempts    int     `json:"attempts" doc:"Starts so far."`
	ExitCode    *int    `json:"exit_code" doc:"Of the last attempt."`
	Signal      *string `json:"signal" doc:"The signal that ended the last attempt, such as TERM."`
	Error       *string `json:"error"`
	Host        *string `json:"host"`
	Parent      *int64  `json:"parent" doc:"The run that this one repeats or follows."`
	OutputBytes int64   `json:"output_bytes"`
	Count       *int    `json:"count" doc:"How many due moments a skipped row stands for, if several."`
	Until       *Time   `json:"until" doc:"The last of these moments."`
}

// Final says whether nothing will change about the run's state.
func (r *Run) Final() bool { return Final(r.State) }

// Attempt is one try of a run.
type Attempt struct {
	Attempt     int     `json:"attempt" doc:"Counted from 1."`
	Worker      int     `json:"worker"`
	StartedAt   *Time   `json:"started_at"`
	FinishedAt  *Time   `json:"finished_at"`
	Outcome     *string `json:"outcome" doc:"succeeded, or why it ended otherwise."`
	ExitCode    *int    `json:"exit_code"`
	Signal      *string `json:"signal"`
	Error       *string `json:"error"`
	OutputBytes int64   `json:"output_bytes"`
}

// RunDetail is a run with its attempts, oldest first.
type RunDetail struct {
	Run
	History []Attempt `json:"history" nullable:"false"`
}

// Pool is a named limit with a queue.
type Pool struct {
	Name           string  `json:"name"`
	Workers        *int    `json:"workers" doc:"As many as are wanted now; null: unlimited."`
	Busy           int     `json:"busy"`
	Queued         int     `json:"queued"`
	Paused         bool    `json:"paused"`
	Draining       bool    `json:"draining"`
	ByHand         bool    `json:"by_hand" doc:"Its size was set by hand, against the configuration."`
	Succeeded      int64   `json:"succeeded"`
	Failed         int64   `json:"failed"`
	OldestQueuedAt *Time   `json:"oldest_queued_at"`
	Configured     *int    `json:"configured_workers" doc:"The size the configuration asks for now; null: unlimited."`
	ByHandUntil    *Time   `json:"by_hand_until"`
	PauseReason    *string `json:"pause_reason"`
	PauseUntil     *Time   `json:"pause_until"`
	DefinedAt      *string `json:"defined_at"`
	Rate           *string `json:"rate" doc:"Starts at most, such as 50/s; null: no limit."`
	Per            *Per    `json:"per" doc:"What it allows to the runs of each key; null: no limit."`
	Held           int     `json:"held" doc:"Of those queued, how many wait because of per."`
}

// Per is what a pool allows to the runs of each key.
type Per struct {
	Key     string  `json:"key" enum:"job,arg,host"`
	Workers *int    `json:"workers" doc:"Runs at a time; null: no limit."`
	Rate    *string `json:"rate" doc:"Starts at most, such as 1/s; null: no limit."`
}

// Job is a named definition of the configuration.
type Job struct {
	Name        string   `json:"name"`
	Description *string  `json:"description"`
	Type        string   `json:"type"`
	Pool        string   `json:"pool"`
	Schedule    []string `json:"schedule" nullable:"false"`
	InWords     string   `json:"in_words" doc:"The schedule as a sentence, with its zone; empty without a schedule."`
	TimeZone    *string  `json:"time_zone"`
	Enabled     bool     `json:"enabled"`
	Paused      bool     `json:"paused"`
	PauseReason *string  `json:"pause_reason"`
	PauseUntil  *Time    `json:"pause_until"`
	Stale       bool     `json:"stale"`
	NextAt      *Time    `json:"next_at"`
	LastRun     *Run     `json:"last_run"`
	DefinedAt   *string  `json:"defined_at" doc:"file:line"`
}

// Definition is the effective definition of a job: YAML, every line of which
// ends in a comment that says where the value came from.
type Definition struct {
	Job       string  `json:"job"`
	DefinedAt *string `json:"defined_at"`
	Text      string  `json:"text"`
}

// Occurrence is one instant that a job's schedule names.
type Occurrence struct {
	Job  string    `json:"job"`
	At   ZonedTime `json:"at" doc:"With the offset of the job's zone."`
	Mark string    `json:"mark" enum:",dst_gap,dst_fold"`
	// A moment that falls into a blackout of the job does not run, or runs later.
	NotDuring  *string    `json:"not_during" doc:"The calendar it falls into: it is skipped, unless it is deferred."`
	DeferredTo *ZonedTime `json:"deferred_to" doc:"When it runs, if the job defers and it is the last of the blackout."`
}

// Batch is runs that were submitted and are awaited together.
type Batch struct {
	Batch      string    `json:"batch"`
	Job        string    `json:"job"`
	Pool       string    `json:"pool"`
	Total      int       `json:"total"`
	Queued     int       `json:"queued"`
	Running    int       `json:"running"`
	Succeeded  int       `json:"succeeded"`
	Failed     int       `json:"failed"`
	Canceled   int       `json:"canceled"`
	Skipped    int       `json:"skipped"`
	CreatedAt  *Time     `json:"created_at"`
	StartedAt  *Time     `json:"started_at"`
	FinishedAt *Time     `json:"finished_at"`
	Wall       *Duration `json:"wall" doc:"From the first start to the last end, or to now."`
	Ideal      *Duration `json:"ideal" doc:"Measured attempt times over the pool's time-weighted size."`
}

// Done says whether all runs of the batch are final.
func (b *Batch) Done() bool { return b.Queued+b.Running == 0 }

// Finished is how many runs of the batch are final.
func (b *Batch) Finished() int { return b.Total - b.Queued - b.Running }
