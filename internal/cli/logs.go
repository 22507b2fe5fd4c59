package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

// output is what logs --json prints.
type output struct {
	Run     int64  `json:"run"`
	Job     string `json:"job"`
	Attempt int    `json:"attempt"`
	Output  string `json:"output"`
}

func (a *app) logsCommand() *cobra.Command {
	var q api.OutputQuery
	var since string
	cmd := &cobra.Command{
		Use: "logs RUN|JOB", Short: "The output of a run, or of a job's last run", Args: cobra.ExactArgs(1),
		Long: `Print the output of a run, of its last attempt unless --attempt is given. Of a
job: the output of its last run, or with --since of all its runs since then.`,
		Example: `  poold logs 17 --follow
  poold logs nightly-backup --lines 20
  poold logs nightly-backup --since yesterday`,
		ValidArgsFunction: a.completeNames(a.anyNames(a.jobNames, a.runIDs)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case q.Lines < 0 || q.Attempt < 0:
				return usage("", "--lines and --attempt count from 1")
			case a.json && q.Follow:
				return usage("", "--follow never ends a document; leave --json or --follow out")
			case since != "" && isRun(args[0]):
				return usage("it selects runs of a job; --lines shortens the output of one", "--since is not for a single run")
			case since != "" && (q.Follow || q.Attempt > 0):
				return usage("", "--since goes neither with --follow nor with --attempt")
			case since != "":
				return a.logsSince(cmd.Context(), args[0], since, q)
			}
			r, err := a.runToRead(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.logsOf(cmd.Context(), &r, q)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&q.Follow, "follow", "f", false, "go on until the run is final")
	flags.IntVarP(&q.Lines, "lines", "n", 0, "only the last so many lines")
	flags.StringVar(&since, "since", "", "of a job: all runs enqueued since then")
	flags.IntVar(&q.Attempt, "attempt", 0, "of this attempt, counted from 1")
	return cmd
}

// runToRead is the run that an argument means: itself, or of a job the last
// one that was started, or where there is none the last one that will be.
func (a *app) runToRead(ctx context.Context, arg string) (api.Run, error) {
	if isRun(arg) {
		id, err := runID(arg)
		if err != nil {
			return api.Run{}, err
		}
		r, err := a.daemon().Run(ctx, id)
		return r.Run, err
	}
	runs, err := a.daemon().Runs(ctx, api.RunsQuery{Job: arg})
	if err != nil {
		return api.Run{}, err
	}
	for _, has := range []func(*api.Run) bool{
		func(r *api.Run) bool { return r.Attempts > 0 },
		func(r *api.Run) bool { return !r.Final() },
	} {
		for i := range runs {
			if has(&runs[i]) {
				return runs[i], nil
			}
		}
	}
	return api.Run{}, &api.Problem{
		Code: api.CodeNotFound, Detail: fmt.Sprintf("job %s has no run that was started", arg),
		Hint: "poold runs --job " + arg + " says why; poold run " + arg + " starts one",
	}
}

func (a *app) logsOf(ctx context.Context, r *api.Run, q api.OutputQuery) error {
	if !a.json {
		return a.pourOutput(ctx, a.stdout, r.ID, q)
	}
	doc, err := a.readOutput(ctx, r, q)
	if err != nil {
		return err
	}
	return a.emit(doc)
}

func (a *app) readOutput(ctx context.Context, r *api.Run, q api.OutputQuery) (output, error) {
	var text bytes.Buffer
	err := a.pourOutput(ctx, &text, r.ID, q)
	if q.Attempt == 0 {
		q.Attempt = r.Attempts
	}
	return output{Run: r.ID, Job: r.Job, Attempt: q.Attempt, Output: text.String()}, err
}

// logsSince prints the output of several runs, oldest first, each under a line
// that names it.
func (a *app) logsSince(ctx context.Context, job, since string, q api.OutputQuery) error {
	var runs []api.Run
	err := a.daemon().EachRun(ctx, api.RunsQuery{Job: job, Since: since}, 0, func(r api.Run) error {
		if r.Attempts > 0 {
			runs = append(runs, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Reverse(runs)
	docs := []output{}
	for i := range runs {
		if a.json {
			doc, err := a.readOutput(ctx, &runs[i], q)
			if err != nil {
				return err
			}
			docs = append(docs, doc)
			continue
		}
		a.print("%s", paint(a.screen, bold, fmt.Sprintf("==> run %d, %s, %s", runs[i].ID, a.stamp(runs[i].StartedAt), runs[i].State)))
		if err := a.pourOutput(ctx, a.stdout, runs[i].ID, q); err != nil {
			return err
		}
	}
	if a.json {
		return a.emit(map[string]any{"output": docs})
	}
	return nil
}

// pourOutput copies output as it comes: byte by byte, but for a terminal.
func (a *app) pourOutput(ctx context.Context, to io.Writer, id int64, q api.OutputQuery) error {
	out, err := a.daemon().Output(ctx, id, q)
	if err != nil {
		return err
	}
	defer out.Close()
	if to == a.stdout && a.screen.width > 0 {
		safe := &tame{to: to}
		defer safe.Close()
		to = safe
	}
	if _, err := io.Copy(to, out); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("the output of run %d was cut off: %w", id, err)
	}
	return nil
}
