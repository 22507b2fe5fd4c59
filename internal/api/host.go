package api

// Status is the daemon and the host at a glance.
type Status struct {
	Version      string    `json:"version"`
	Host         string    `json:"host"`
	PID          int       `json:"pid"`
	StartedAt    *Time     `json:"started_at"`
	Uptime       Duration  `json:"uptime"`
	TimeZone     string    `json:"time_zone"`
	Config       string    `json:"config" doc:"The configuration file that is in force."`
	StateDir     string    `json:"state_dir"`
	Paused       bool      `json:"paused" doc:"The whole host is paused."`
	Draining     bool      `json:"draining"`
	PauseReason  *string   `json:"pause_reason"`
	PauseUntil   *Time     `json:"pause_until"`
	Pools        []Pool    `json:"pools" nullable:"false"`
	PausedJobs   []Job     `json:"paused_jobs" nullable:"false"`
	Running      []Run     `json:"running" nullable:"false" doc:"What runs now, oldest first."`
	LastReload   *Reload   `json:"last_reload"`
	WriteError   *string   `json:"write_error" doc:"Why the ledger cannot be written, as on a full disk; null when it can."`
	WriteErrorAt *Time     `json:"write_error_since" doc:"Nothing has been written since."`
	Lateness     *Lateness `json:"lateness" doc:"How late scheduled runs started; null before the first."`
	NeedsRestart []string  `json:"needs_restart" nullable:"false" doc:"Settings that differ from those in force until a restart."`
}

// Lateness is how long after their due time, splay and jitter included, the last
// thousand scheduled runs started.
type Lateness struct {
	Starts int      `json:"starts"`
	P50    Duration `json:"p50"`
	P99    Duration `json:"p99"`
	Max    Duration `json:"max"`
}

// Subject is one thing looked at closely: a job, a pool or a run.
type Subject struct {
	Kind      string       `json:"kind" enum:"job,pool,run"`
	Job       *Job         `json:"job"`
	Pool      *Pool        `json:"pool"`
	Run       *RunDetail   `json:"run"`
	DefinedAt *string      `json:"defined_at"`
	Usual     *Spread      `json:"usual" doc:"Of a job: how long its last hundred successes took."`
	Next      []Occurrence `json:"next" nullable:"false"`
	Runs      []Run        `json:"runs" nullable:"false" doc:"The last five."`
	HeldBack  []string     `json:"held_back" nullable:"false" doc:"What keeps it from running, in words."`
	Output    *string      `json:"output" doc:"The last ten lines of output."`
}

// Plan is what a reload would change, or has changed.
type Plan struct {
	JobsAdded    []string     `json:"jobs_added" nullable:"false"`
	JobsChanged  []string     `json:"jobs_changed" nullable:"false"`
	JobsRemoved  []string     `json:"jobs_removed" nullable:"false"`
	PoolsAdded   []string     `json:"pools_added" nullable:"false"`
	PoolsResized []PoolResize `json:"pools_resized" nullable:"false"`
	PoolsChanged []string     `json:"pools_changed" nullable:"false"`
	PoolsRemoved []string     `json:"pools_removed" nullable:"false"`
	Settings     []string     `json:"settings_changed" nullable:"false" doc:"Other settings, such as time_zone."`
	RunsTouched  int          `json:"runs_touched" doc:"Queued runs that are canceled or move to another pool."`
	NeedsRestart []string     `json:"needs_restart" nullable:"false"`
}

// PoolResize is a pool whose configured size changes; null is unlimited.
type PoolResize struct {
	Pool string `json:"pool"`
	From *int   `json:"from"`
	To   *int   `json:"to"`
}

// Empty says whether the plan changes nothing.
func (p *Plan) Empty() bool {
	names := len(p.JobsAdded) + len(p.JobsChanged) + len(p.JobsRemoved) +
		len(p.PoolsAdded) + len(p.PoolsChanged) + len(p.PoolsRemoved) + len(p.Settings)
	return names+len(p.PoolsResized)+len(p.NeedsRestart)+p.RunsTouched == 0
}

// Reload is one reload of the configuration and what came of it.
type Reload struct {
	At        *Time        `json:"at" doc:"When it was applied, or refused."`
	Trigger   string       `json:"trigger" doc:"What asked for it: start, signal, watch, api, zones."`
	DryRun    bool         `json:"dry_run"`
	Unchanged bool         `json:"unchanged" doc:"The bytes were applied already: at and plan are those of that reload."`
	Plan      Plan         `json:"plan"`
	Warnings  []ConfigNote `json:"warnings" nullable:"false"`
	Errors    []ConfigNote `json:"errors" nullable:"false" doc:"Why it was refused. Nothing was applied then."`
}

// ConfigNote is an error of a configuration, or a warning, at its place.
type ConfigNote struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Key     string `json:"key"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}
