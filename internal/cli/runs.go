package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

const defaultLimit = 50

func (a *app) psCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ps", Short: "What runs now", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			runs := []api.Run{}
			collect := func(r api.Run) error { runs = append(runs, r); return nil }
			if err := a.daemon().EachRun(cmd.Context(), api.RunsQuery{State: api.StateRunning}, 0, collect); err != nil {
				return err
			}
			if a.json {
				return a.emit(api.RunList{Runs: runs})
			}
			t := newTable("RUN", "JOB", "ARG", "POOL", "ATTEMPT", "STARTED", "TOOK")
			for i := range runs {
				r := &runs[i]
				t.add(r.ID, r.Job, api.Or(r.Arg, ""), r.Pool, r.Attempts, a.age(r.StartedAt), a.runTook(r))
			}
			a.show(t, "nothing runs")
			return nil
		},
	}
}

func (a *app) failedCommand() *cobra.Command {
	return &cobra.Command{
		Use: "failed", Short: "What failed since yesterday and has not succeeded since", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			runs, err := a.daemon().Failing(cmd.Context(), "yesterday")
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(api.RunList{Runs: runs})
			}
			t := newTable("RUN", "JOB", "ARG", "REASON", "ENDED", "ERROR")
			for i := range runs {
				r := &runs[i]
				t.add(r.ID, r.Job, api.Or(r.Arg, ""), cell{why(r), red}, a.age(r.FinishedAt), api.Or(r.Error, ""))
			}
			a.show(t, "nothing failed since yesterday that has not succeeded since")
			return nil
		},
	}
}

// show prints a table, or says that it would be empty.
func (a *app) show(t *table, empty string) {
	if len(t.rows) == 0 {
		a.say("%s", empty)
		return
	}
	t.print(a.stdout, a.screen)
}

func (a *app) runsCommand() *cobra.Command {
	var q api.RunsQuery
	limit := defaultLimit
	cmd := &cobra.Command{
		Use: "runs", Short: "List runs, newest first", Args: cobra.NoArgs,
		Example: `  poold runs --job nightly-backup
  poold runs --state failed,canceled --since -24h
  poold runs --batch b12 --limit 0 --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usage("0 lists all", "--limit %d is below 0", limit)
			}
			if a.json {
				return a.streamRuns(cmd.Context(), q, limit)
			}
			return a.tableRuns(cmd.Context(), q, limit)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Job, "job", "", "of a job")
	flags.StringVar(&q.Pool, "pool", "", "of a pool")
	flags.StringVar(&q.State, "state", "", "in a state, or in several, separated by commas")
	flags.StringVar(&q.Batch, "batch", "", "of a batch")
	flags.StringVar(&q.Since, "since", "", "enqueued at or after: 22:00, yesterday, -24h, 7d, 2026-01-02T15:04:05Z")
	flags.StringVar(&q.Until, "until", "", "enqueued before")
	flags.IntVar(&limit, "limit", defaultLimit, "at most so many; 0: all")
	a.completeSelection(cmd)
	return cmd
}

// completeSelection completes the flags by which runs are selected.
func (a *app) completeSelection(cmd *cobra.Command) {
	completeFlag(cmd, "job", a.completeNames(a.jobNames))
	completeFlag(cmd, "pool", a.completeNames(a.poolNames))
	completeFlag(cmd, "state", completeWords(api.StateQueued, api.StateRunning, api.StateSucceeded, api.StateFailed, api.StateCanceled, api.StateSkipped))
}

// streamRuns writes the document piece by piece: all runs may be millions.
func (a *app) streamRuns(ctx context.Context, q api.RunsQuery, limit int) error {
	separator := `{"runs": [`
	err := a.daemon().EachRun(ctx, q, limit, func(r api.Run) error {
		raw, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("write run %d: %w", r.ID, err)
		}
		_, err = fmt.Fprintf(a.stdout, "%s\n  %s", separator, raw)
		separator = ","
		return err
	})
	if err != nil {
		return err
	}
	if separator != "," {
		a.print(`{"runs": []}`)
		return nil
	}
	a.print("\n]}")
	return nil
}

// tableRuns prints tables of a page each, so that --limit 0 begins at once. The
// columns of a page fit that page.
func (a *app) tableRuns(ctx context.Context, q api.RunsQuery, limit int) error {
	t := runsTable()
	some := false
	err := a.daemon().EachRun(ctx, q, limit, func(r api.Run) error {
		a.addRun(t, &r)
		if len(t.rows) == api.MaxPage {
			t.print(a.stdout, a.screen)
			t, some = runsTable(), true
		}
		return nil
	})
	if err == nil && (len(t.rows) > 0 || !some) {
		a.show(t, "no runs")
	}
	return err
}

func runsTable() *table {
	return newTable("RUN", "JOB", "ARG", "STATE", "WHY", "TRIGGER", "ENQUEUED", "TOOK")
}

func (a *app) addRun(t *table, r *api.Run) {
	t.add(r.ID, r.Job, api.Or(r.Arg, ""), state(r.State), why(r), r.Trigger, a.age(r.EnqueuedAt), a.runTook(r))
}

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "One run and its attempts", Args: cobra.ExactArgs(1),
		ValidArgsFunction: a.completeNames(a.runIDs),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := runID(args[0])
			if err != nil {
				return err
			}
			r, err := a.daemon().Run(cmd.Context(), id)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(r)
			}
			a.printRun(&r)
			return nil
		},
	}
}

// printRun prints a run as a list of its properties, and its attempts.
func (a *app) printRun(r *api.RunDetail) {
	a.print("%s run %d, %s", a.dot(r.State), r.ID, clean(r.Job))
	title := r.State
	if reason := why(&r.Run); reason != "" {
		title += " (" + reason + ")"
	}
	a.field("State", paint(a.screen, state(r.State).colour, clean(title)))
	a.fieldOf("Error", r.Error)
	a.fieldOf("Arg", r.Arg)
	a.field("Pool", fmt.Sprintf("%s, priority %d", clean(r.Pool), r.Priority))
	a.field("Trigger", r.Trigger+a.parentText(r))
	a.fieldOf("Batch", r.Batch)
	a.fieldAt("Scheduled", r.ScheduledAt)
	a.fieldAt("Enqueued", r.EnqueuedAt)
	if r.State == api.StateQueued {
		a.fieldAt("Due", r.DueAt)
	}
	a.fieldAt("Started", r.StartedAt)
	a.fieldAt("Finished", r.FinishedAt)
	if r.Count != nil {
		a.field("Stands for", fmt.Sprintf("%d moments, until %s", *r.Count, a.stamp(r.Until)))
	}
	if r.OutputBytes > 0 {
		a.field("Output", fmt.Sprintf("%s; poold logs %d", size(r.OutputBytes), r.ID))
	}
	if len(r.History) == 0 {
		return
	}
	a.print("")
	t := newTable("ATTEMPT", "WORKER", "STARTED", "TOOK", "OUTCOME", "EXIT", "OUTPUT", "ERROR")
	for i := range r.History {
		a.addAttempt(t, &r.History[i])
	}
	t.print(a.stdout, a.screen)
}

func (a *app) addAttempt(t *table, at *api.Attempt) {
	exit := api.Or(at.Signal, "")
	if at.ExitCode != nil {
		exit = fmt.Sprint(*at.ExitCode)
	}
	outcome := cell{text: api.Or(at.Outcome, "running")}
	if at.Outcome != nil {
		outcome.colour = red
		if *at.Outcome == api.StateSucceeded {
			outcome.colour = green
		}
	}
	r := api.Run{StartedAt: at.StartedAt, FinishedAt: at.FinishedAt}
	t.add(at.Attempt, at.Worker, a.stamp(at.StartedAt), a.runTook(&r), outcome, exit, size(at.OutputBytes), api.Or(at.Error, ""))
}

func (a *app) parentText(r *api.RunDetail) string {
	if r.Parent == nil {
		return ""
	}
	return fmt.Sprintf(", of run %d", *r.Parent)
}

// dot is the sign before a thing's name, in the colour of its state.
func (a *app) dot(stateName string) string { return paint(a.screen, state(stateName).colour, "●") }

// field prints one property.
func (a *app) field(name, value string) {
	if value != "" {
		a.print("%11s: %s", name, value)
	}
}

func (a *app) fieldOf(name string, value *string) { a.field(name, clean(api.Or(value, ""))) }

func (a *app) fieldAt(name string, at *api.Time) {
	if at != nil {
		a.field(name, a.stamp(at)+" ("+a.age(at)+")")
	}
}
