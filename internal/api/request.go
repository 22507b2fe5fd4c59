package api

// Start asks for one run of a job.
type Start struct {
	Arg      *string `json:"arg,omitempty"`
	Priority *int    `json:"priority,omitempty" doc:"Instead of the job's."`
	At       string  `json:"at,omitempty" doc:"Not before: RFC 3339, 22:00, tomorrow 02:30, +2h, …"`
	Queue    bool    `json:"queue,omitempty" doc:"Where an earlier run is in the way, wait for it."`
	Force    bool    `json:"force,omitempty" doc:"Run beside an earlier run, whatever the job's overlap says."`
}

// StartBatch asks for one run of a job for each line, all or none.
type StartBatch struct {
	Lines    []string `json:"lines"`
	Priority *int     `json:"priority,omitempty"`
	ID       string   `json:"id,omitempty" doc:"The batch's name: the same name again returns the same batch."`
}

// Hold asks for a pause or a drain.
type Hold struct {
	For    string `json:"for,omitempty" doc:"It ends by itself after this duration."`
	Reason string `json:"reason,omitempty" maxLength:"500"`
}

// Resize sets the size of a pool by hand, or takes that back. Exactly one of
// Workers, Unlimited and Reset is given.
type Resize struct {
	Workers   *int
	Unlimited bool
	Reset     bool
	OnShrink  string
	For       string
}

// body is the wire form: workers is a number, or null for unlimited.
func (r Resize) body() map[string]any {
	body := map[string]any{}
	switch {
	case r.Reset:
		body["reset"] = true
	case r.Unlimited:
		body["workers"] = nil
	case r.Workers != nil:
		body["workers"] = *r.Workers
	}
	if r.OnShrink != "" {
		body["on_shrink"] = r.OnShrink
	}
	if r.For != "" {
		body["for"] = r.For
	}
	return body
}

// Action is what an operator does to runs.
type Action string

// The actions.
const (
	Cancel Action = "cancel"
	Retry  Action = "retry"
	Bump   Action = "bump"
)

// Selection names the runs that an action is for: by id, or all that match
// every given field.
type Selection struct {
	IDs    []int64 `json:"ids,omitempty" maxItems:"10000"`
	Batch  string  `json:"batch,omitempty"`
	Job    string  `json:"job,omitempty"`
	Pool   string  `json:"pool,omitempty"`
	State  string  `json:"state,omitempty" enum:"queued,running,succeeded,failed,canceled,skipped"`
	DryRun bool    `json:"dry_run,omitempty" doc:"Only count them."`
	Before int64   `json:"before,omitempty" minimum:"0" doc:"Only ids below."`
	Limit  int     `json:"limit,omitempty" minimum:"0" doc:"At most so many, the newest; next then says where to go on. 0: all."`
}

// Acted is what an action did. Runs holds at most MaxPage of them.
type Acted struct {
	Count   int       `json:"count"`
	Runs    []Run     `json:"runs" nullable:"false"`
	Refused []Refused `json:"refused" nullable:"false"`
	Next    int64     `json:"next,omitempty" doc:"There may be more: give it as before."`
}

// Refused is a run that an action could not be done to.
type Refused struct {
	ID     int64  `json:"id"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// RunList is an answer that lists runs.
type RunList struct {
	Runs []Run `json:"runs" nullable:"false"`
}

// PoolList is an answer that lists pools.
type PoolList struct {
	Pools []Pool `json:"pools" nullable:"false"`
}

// JobList is an answer that lists jobs.
type JobList struct {
	Jobs []Job `json:"jobs" nullable:"false"`
}

// OccurrenceList is an answer that lists occurrences.
type OccurrenceList struct {
	Occurrences []Occurrence `json:"occurrences" nullable:"false"`
}
