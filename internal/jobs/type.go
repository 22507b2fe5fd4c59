package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// Type executes the attempts of one kind of job: exec runs commands, http
// sends requests. It is the plug point; this is its life:
//
//  1. A configuration is loaded. For each of its jobs, Settings gives a fresh
//     value that the job's `with:` is decoded into, strictly: an unknown key
//     or a wrong type is reported before the Type hears of it.
//  2. Check sees the decoded settings, as canonical JSON. It touches nothing
//     outside itself and may be called at any time, any number of times, by
//     several callers at once. A configuration with a problem is never used.
//  3. The configuration is applied: a new Registry with the Type in it takes
//     the place of the old one. Runs of the old one go on undisturbed.
//  4. Held is asked once when a daemon starts, before anything else runs:
//     it lists the attempts of an earlier daemon that are still alive.
//  5. Run executes one attempt; it is called from a pool's worker, many at
//     once, and blocks until the attempt has ended. When ctx is done, Run
//     ends the attempt by the task's stop ladder and returns soon after the
//     ladder has; context.Cause(ctx) says why.
type Type interface {
	Settings() any
	Check(with json.RawMessage) []Problem
	Run(ctx context.Context, t Task) Outcome
	Held(ctx context.Context, ledger string) ([]Held, error)
}

// Asker is a Type that can run a job's condition, or the command that lists
// its arguments, in the surroundings of the job: as its user, in its folder,
// with its environment. What the command prints goes to the task's output.
// For a Type that is no Asker, exec asks, as the user the daemon runs as.
type Asker interface {
	Ask(ctx context.Context, t Task, command []string) Outcome
}

// ArgChecker is a Type with rules of its own for arguments, for jobs whose
// args have no match.
type ArgChecker interface {
	CheckArg(with json.RawMessage, arg string) error
}

// Problem is something wrong in a job's settings.
type Problem struct {
	Path    []any  // keys (string) and indices (int) below `with`
	Message string // lower case, without a full stop
	Hint    string // the way out, or empty
}

// Task is what a Type needs to execute one attempt: values and an output.
type Task struct {
	Ledger      string // id of the ledger; marks what is started for it
	Job         string
	Run         int64
	Attempt     int // from 1
	Arg         string
	ScheduledAt time.Time // in the job's zone; zero for a run without an occurrence
	TimeZone    string    // the job's own zone, or empty
	With        json.RawMessage
	Stop        Stop
	Output      Sink
}

// Sink takes an attempt's output. It is a file that comes into being with the
// first byte, or when File is called for a child to write to.
type Sink interface {
	io.Writer
	File() (*os.File, error)
	Chown(uid, gid int) error
}

// Outcome is how an attempt ended, as its Type saw it.
type Outcome struct {
	OK         bool
	Reason     string        // of a failure: exit, signal, timeout, oom, lost, start, http
	ExitCode   *int          // of a process that exited
	Signal     string        // that ended a process: TERM
	Error      string        // in words, for an operator
	RetryAfter time.Duration // the least time before another attempt, or zero
	NoRetry    bool          // another attempt would end the same way
	Stopped    bool          // it was told to stop: its exit status says nothing of its work
}

// Held is an attempt of an earlier daemon that is still alive. Stop ends its
// whole tree by the ladder and returns when it is gone.
type Held struct {
	Run     int64
	Attempt int
	Stop    func(ctx context.Context, s Stop) error
}

// Why an attempt's context is cancelled before the attempt has ended: the
// context's cause is one of these.
var (
	ErrTimeout  = errors.New("timeout")
	ErrCanceled = errors.New("canceled by an operator")
	ErrReplaced = errors.New("replaced by a newer run")
	ErrShrunk   = errors.New("stopped by a shrink of the pool")
	ErrRequeued = errors.New("queued again by a shrink of the pool")
	ErrShutdown = errors.New("interrupted by the daemon's stop")
	ErrLost     = errors.New("lost with the daemon that ran it")
)

// Registry is the set of job types of one configuration, by name. A value is
// never changed: each configuration makes its own.
type Registry struct {
	types map[string]Type
}

// NewRegistry returns a registry of the given types. The map is copied.
func NewRegistry(types map[string]Type) Registry {
	own := make(map[string]Type, len(types))
	for name, t := range types {
		own[name] = t
	}
	return Registry{types: own}
}

// Lookup returns the type of that name.
func (r Registry) Lookup(name string) (Type, bool) {
	t, ok := r.types[name]
	return t, ok
}

// Names lists the names of all types, sorted.
func (r Registry) Names() []string {
	names := make([]string, 0, len(r.types))
	for name := range r.types {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Ask runs command in the surroundings of the task's job: through the job's
// own type where that is an Asker, else through exec.
func (r Registry) Ask(ctx context.Context, typeName string, t Task, command []string) Outcome {
	if asker, ok := r.types[typeName].(Asker); ok {
		return asker.Ask(ctx, t, command)
	}
	if asker, ok := r.types["exec"].(Asker); ok {
		t.With = nil
		return asker.Ask(ctx, t, command)
	}
	return Outcome{Reason: "start", Error: fmt.Sprintf("ask %v: no type can run commands", command)}
}
