// Package jobs says what a job is and what a job type is. A Definition is one
// job as the configuration names it, every default filled in; a Type executes
// the attempts of such jobs; a Registry is the set of types of one
// configuration.
package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/poold/poold/internal/schedule"
)

// Definition is one job, complete: nothing in it needs the configuration it
// came from. The configuration builds it and fills in every default; a run
// carries the one it was created with, so that a reload never changes queued
// work. Its JSON form is what the ledger stores and what Hash is taken of;
// the JSON keys are those of the configuration.
type Definition struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Type        string          `json:"type"`
	With        json.RawMessage `json:"with,omitempty"` // settings of the type, in canonical JSON
	Args        *Args           `json:"args,omitempty"`

	Schedule []string     `json:"schedule,omitempty"`
	TimeZone string       `json:"time_zone,omitempty"` // the job's own zone; empty: the top-level one
	DST      schedule.DST `json:"dst,omitzero"`

	Jitter      schedule.Duration `json:"jitter,omitempty"`
	Splay       schedule.Duration `json:"splay,omitempty"`
	Overlap     Overlap           `json:"overlap"`
	CatchUp     CatchUp           `json:"catch_up,omitzero"`
	Grace       schedule.Duration `json:"grace,omitempty"`
	StartWithin schedule.Duration `json:"start_within,omitempty"` // zero: no limit
	NotDuring   *NotDuring        `json:"not_during,omitempty"`
	Condition   *Condition        `json:"condition,omitempty"`

	Pool     string   `json:"pool"`
	Slots    Slots    `json:"slots,omitempty"`
	Locks    []string `json:"locks,omitempty"`
	Priority int      `json:"priority,omitempty"`

	Timeout schedule.Duration `json:"timeout,omitempty"` // per attempt; zero: none
	Stop    Stop              `json:"stop,omitzero"`
	Retry   Retry             `json:"retry,omitzero"`
	Exit    Exit              `json:"exit,omitzero"`
	After   After             `json:"after,omitzero"`
	Output  Output            `json:"output,omitzero"`
	Enabled bool              `json:"enabled"`

	// DefinedAt is where the configuration defines the job, as FILE:LINE. It
	// is no part of the content: moving a job within its file changes nothing.
	DefinedAt string `json:"-"`
}

// Args is where the arguments of a scheduled job come from: exactly one of
// List, File and Command is set, or none when only Match is. Each occurrence
// of such a job is a batch with one run for each argument.
type Args struct {
	List    []string `json:"list,omitempty"`
	File    string   `json:"file,omitempty"`    // one argument a line
	Command []string `json:"command,omitempty"` // prints one argument a line
	Match   string   `json:"match,omitempty"`   // what every argument must match, as a whole
}

// Sourced says whether the arguments come from a list, a file or a command.
func (a *Args) Sourced() bool {
	return a != nil && (a.List != nil || a.File != "" || a.Command != nil)
}

// Condition is a command asked before a run starts: exit status 0 lets it go,
// 1 to 254 skip it, anything else fails it. With Wait above zero it is asked
// again, Every so often, until it says go or Wait has passed.
type Condition struct {
	Command []string          `json:"command"`
	Wait    schedule.Duration `json:"wait,omitempty"`
	Every   schedule.Duration `json:"every,omitempty"`
}

// CatchUp says what becomes of missed occurrences.
type CatchUp struct {
	Policy  CatchUpPolicy     `json:"policy,omitempty"`
	MaxAge  schedule.Duration `json:"max_age,omitempty"`
	MaxRuns int               `json:"max_runs,omitempty"`
}

// Stop is the ladder by which a running attempt is ended early: the signal,
// then, After later, KILL.
type Stop struct {
	Signal Signal            `json:"signal,omitempty"`
	After  schedule.Duration `json:"after,omitempty"`
	Mode   StopMode          `json:"mode,omitempty"`
}

// Retry says how often a run is started in all, and how long it waits between.
type Retry struct {
	Attempts   int               `json:"attempts,omitempty"`
	Backoff    schedule.Duration `json:"backoff,omitempty"`
	MaxBackoff schedule.Duration `json:"max_backoff,omitempty"`
}

// Restartable says whether a run of the job may be started more than once.
func (r Retry) Restartable() bool { return r.Attempts > 1 }

// Exit gives exit statuses a meaning of their own. Status 0 is always a
// success.
type Exit struct {
	Success []int `json:"success,omitempty"`
	Skip    []int `json:"skip,omitempty"`
	NoRetry []int `json:"no_retry,omitempty"`
}

// After names the jobs whose end sets this job off.
type After struct {
	Success []string `json:"success,omitempty"`
	Failure []string `json:"failure,omitempty"`
	Any     []string `json:"any,omitempty"`
	Match   Match    `json:"match,omitempty"`
}

// Upstream lists every job that After names, each once, in order.
func (a After) Upstream() []string {
	seen := map[string]bool{}
	var names []string
	for _, list := range [][]string{a.Success, a.Failure, a.Any} {
		for _, name := range list {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// Output bounds what is kept of an attempt's output.
type Output struct {
	Max Size `json:"max,omitempty"`
}

// hashVersion is part of every hash: raise it when the meaning of a
// definition's JSON form changes.
const hashVersion = 1

// Canonical returns the definition's JSON form: the same bytes for the same
// content, whatever the order of the keys it was read from.
func (d *Definition) Canonical() ([]byte, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode definition of job %q: %w", d.Name, err)
	}
	return raw, nil
}

// Hash identifies the content of the definition: SHA-256 over its canonical
// form and a format version, in hexadecimal.
func (d *Definition) Hash() (string, error) {
	raw, err := d.Canonical()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append([]byte(fmt.Sprintf("poold-definition-%d\n", hashVersion)), raw...))
	return hex.EncodeToString(sum[:]), nil
}
