// Package exec is the job type that runs commands.
//
// One attempt goes this way:
//
//  1. Resolve turns the task into a proc.Spec: whom to run as, the words, the
//     environment, secrets read. It starts nothing, so that a separate
//     process which starts commands can share it.
//  2. The attempt's output file goes down to the child, which writes to it
//     directly: nothing is copied and nobody waits on a pipe.
//  3. The main process ends by itself, or the context is done and the stop
//     ladder ends it.
//  4. With mode tree, what is left of its tree is stopped by the ladder too.
//     The outcome is that of the main process, whatever it left behind.
//
// A child inherits nothing of the daemon's environment, descriptors or
// signals.
package exec

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/secret"
	"github.com/poold/poold/internal/proc"
)

// Options is what a Type needs.
type Options struct {
	Log     *slog.Logger  // nil: silent
	Secrets secret.Source // zero: those of this process
	Orphans *proc.Orphans // makes attempts that leave nothing behind cheap; may be nil
}

// Type runs commands. It implements jobs.Type, jobs.Asker and jobs.ArgChecker.
type Type struct {
	log     *slog.Logger
	resolve *Resolver
	orphans *proc.Orphans
}

var (
	_ jobs.Type       = (*Type)(nil)
	_ jobs.Asker      = (*Type)(nil)
	_ jobs.ArgChecker = (*Type)(nil)
)

// New returns the type.
func New(o Options) *Type {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Secrets.Getenv == nil {
		o.Secrets = secret.System()
	}
	return &Type{log: o.Log, resolve: NewResolver(o.Secrets), orphans: o.Orphans}
}

// Settings returns an empty *Settings.
func (*Type) Settings() any { return &Settings{} }

// Check lists what is wrong with the settings. It looks at nothing else:
// whether the user and the program exist is seen at the start, which may be
// long after.
func (*Type) Check(with json.RawMessage) []jobs.Problem {
	s, err := decode(with)
	if err != nil {
		return []jobs.Problem{{Message: err.Error()}}
	}
	return s.check()
}

// CheckArg refuses an argument with a zero byte; and, where it goes into the
// command, one that begins with - or holds a control character.
func (*Type) CheckArg(with json.RawMessage, arg string) error {
	s, err := decode(with)
	if err != nil {
		return err
	}
	return s.checkArg(arg)
}

// Run executes one attempt.
func (e *Type) Run(ctx context.Context, t jobs.Task) jobs.Outcome {
	spec, err := e.resolve.Resolve(t)
	if err != nil {
		return notStarted(err)
	}
	return e.execute(ctx, t, spec)
}

// Ask runs the command in the surroundings of the task's job.
func (e *Type) Ask(ctx context.Context, t jobs.Task, command []string) jobs.Outcome {
	spec, err := e.resolve.ResolveAsk(t, command)
	if err != nil {
		return notStarted(err)
	}
	return e.execute(ctx, t, spec)
}
