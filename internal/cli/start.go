package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

func (a *app) runCommand() *cobra.Command {
	var start api.Start
	var arg string
	var priority int
	var wait, follow bool
	cmd := &cobra.Command{
		Use: "run JOB", Short: "Run a job once", Args: cobra.ExactArgs(1),
		Long: `Run a job once and print the number of the run.

Where an earlier run of the job and argument is not done and its overlap rule
lets no other start, this fails and names that run, unless --queue or --force
is given. An interrupt during --wait or --follow leaves the run alone.`,
		Example: `  poold run nightly-backup --wait
  poold run crawl --arg https://example.org --priority 10
  poold run report --at "tomorrow 02:30"`,
		ValidArgsFunction: a.completeNames(a.jobNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("arg") {
				start.Arg = &arg
			}
			if cmd.Flags().Changed("priority") {
				start.Priority = &priority
			}
			if !utf8.ValidString(arg) {
				return notUTF8("--arg", arg)
			}
			if start.Queue && start.Force {
				return usage("--queue waits for an earlier run, --force runs beside it", "--queue and --force exclude each other")
			}
			r, err := a.daemon().StartRun(cmd.Context(), args[0], start)
			if err != nil {
				return err
			}
			if wait || follow {
				return a.seeThrough(cmd.Context(), r, follow)
			}
			return a.printStarted(&r)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&arg, "arg", "", "the run's argument")
	flags.IntVar(&priority, "priority", 0, "instead of the job's; higher first")
	flags.StringVar(&start.At, "at", "", "not before: 22:00, tomorrow 02:30, +2h, 2026-01-02T15:04:05Z")
	flags.BoolVar(&start.Queue, "queue", false, "where an earlier run is in the way, wait for it")
	flags.BoolVar(&start.Force, "force", false, "run beside an earlier run")
	flags.BoolVar(&wait, "wait", false, "wait for the end; exit status 1 unless it succeeds")
	flags.BoolVar(&follow, "follow", false, "print the output as it comes, and wait for the end")
	return cmd
}

func (a *app) printStarted(r *api.Run) error {
	if a.json {
		return a.emit(r)
	}
	a.print("%d", r.ID)
	return nil
}

// seeThrough waits for the end of a run just started. What it prints leaves
// room for the output on standard output, if that is followed.
func (a *app) seeThrough(ctx context.Context, r api.Run, follow bool) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	var output io.Writer = a.stdout
	switch {
	case a.json:
		output = a.stderr
	case follow:
		a.say("run %d", r.ID)
	default:
		a.print("%d", r.ID)
	}
	end, err := a.awaitEnd(ctx, r.ID, follow, output)
	if errors.Is(err, errDetached) {
		return a.detached("run %d goes on; poold logs %d --follow", r.ID, r.ID)
	}
	if err != nil {
		return err
	}
	if a.json {
		err = a.emit(end.Run)
	} else {
		a.say("%s", a.verdict(&end.Run))
	}
	if err == nil && end.State != api.StateSucceeded {
		return statusError(exitFailed)
	}
	return err
}

func (a *app) awaitEnd(ctx context.Context, id int64, follow bool, output io.Writer) (api.RunDetail, error) {
	if follow {
		if err := a.pourOutput(ctx, output, id, api.OutputQuery{Follow: true}); err != nil {
			return api.RunDetail{}, err
		}
	}
	return a.daemon().WaitRun(ctx, id)
}

// verdict is how a run ended, in a sentence.
func (a *app) verdict(r *api.Run) string {
	text := clean(r.Job) + ": run " + idText(r.ID) + " " + r.State
	if r.Attempts > 0 {
		text += " after " + a.runTook(r)
	}
	if reason := why(r); reason != "" {
		text += " (" + clean(reason) + ")"
	}
	if r.Error != nil {
		text += ": " + clean(*r.Error)
	}
	return text
}

// errDetached says that an interrupt ended the waiting, and nothing else.
var errDetached = errors.New("interrupted")

// interruptible is a context that an interrupt ends, instead of the program.
func interruptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-signals:
			cancel(errDetached)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
		<-done
	}
}

// detached says what goes on without us.
func (a *app) detached(format string, args ...any) error {
	a.say("poold: detached; "+format, args...)
	return statusError(exitFailed)
}
