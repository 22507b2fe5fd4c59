// Package cli is the command line of poold: the tree of commands, what they
// print for people and for scripts, and the exit status that says how they
// ended.
//
// Every client command asks the daemon through its API and prints what it
// said. Standard output holds results, standard error everything that is said
// about them.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/config"
)

// The exit statuses.
const (
	exitDone     = 0
	exitFailed   = 1 // with --wait also: a run did not succeed
	exitUsage    = 2 // bad usage or bad configuration
	exitNoDaemon = 3
)

// Process is what a command has of the process it runs in.
type Process struct {
	Args   []string // without the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	Hooks  Hooks
}

// Hooks are what the command line takes from the daemon's side.
type Hooks struct {
	Version string
	// Serve runs the daemon until it is told to stop.
	Serve func(ctx context.Context, o ServeOptions) error
	// Load reads a configuration with the daemon's own loader.
	Load func(path string) (*config.Config, error)
}

// ServeOptions are the flags of serve.
type ServeOptions struct {
	Config string            // the path of the configuration
	Flags  map[string]string // settings of the daemon by their key, such as daemon.socket
	Log    io.Writer
	Getenv func(string) string
}

// Main runs one command and returns the exit status. What waits for a run stops
// waiting when ctx is done, as it does for an interrupt.
func Main(ctx context.Context, p Process) int {
	a := newApp(p)
	defer a.close()
	root := newRoot(a)
	root.SetArgs(p.Args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.began {
		err = asUsage(err) // cobra's own: of flags, arguments or the command's name
	}
	if lost := a.stdout.err; lost != nil && !errors.Is(err, lost) {
		err = fmt.Errorf("the result could not be written: %w", lost)
	}
	return a.report(err)
}

// statusError is an exit status about which everything has been said.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is bad usage, with a way out.
type usageError struct{ message, hint string }

func (e *usageError) Error() string { return e.message }

func usage(hint, format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...), hint: hint}
}

func asUsage(err error) error {
	var already *usageError
	if errors.As(err, &already) {
		return err
	}
	if _, digits, ok := strings.Cut(err.Error(), "unknown shorthand flag: '"); ok && digits[0] >= '0' && digits[0] <= '9' {
		return &usageError{message: err.Error(), hint: "no number here is below 0"}
	}
	return &usageError{message: err.Error(), hint: "poold --help lists the commands, poold COMMAND --help its flags"}
}

// report tells an error, with a hint where there is one, and gives the exit
// status for it.
func (a *app) report(err error) int {
	var status statusError
	var badUsage *usageError
	var badConfig config.Errors
	var problem *api.Problem
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &badUsage):
		a.complain(badUsage.message, badUsage.hint)
		return exitUsage
	case errors.As(err, &badConfig):
		a.printNotes(a.stderr, notes(badConfig))
		return exitUsage
	case errors.Is(err, api.ErrNoDaemon):
		a.complain(err.Error(), "is poold running? systemctl status poold; or give --socket PATH")
		return exitNoDaemon
	case errors.As(err, &problem):
		return a.reportProblem(problem)
	}
	a.complain(err.Error(), "")
	return exitFailed
}

func (a *app) reportProblem(p *api.Problem) int {
	a.printNotes(a.stderr, p.Errors)
	hint := p.Hint
	if p.Code == api.CodeInternal && hint == "" {
		hint = "the daemon's log says more: journalctl -u poold"
	}
	a.complain(p.Detail, hint)
	switch p.Code {
	case api.CodeInvalid, api.CodeConfigInvalid, api.CodeUnsupported:
		return exitUsage
	}
	return exitFailed
}

// complain prints an error and its hint.
func (a *app) complain(message, hint string) {
	a.say("poold: %s", clean(message))
	if hint != "" {
		a.say("  hint: %s", clean(hint))
	}
}

// say prints one line about the result to standard error.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }
