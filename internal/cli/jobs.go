package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

func (a *app) jobsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "jobs", Short: "List jobs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			jobs, err := a.daemon().Jobs(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(api.JobList{Jobs: jobs})
			}
			t := newTable("JOB", "POOL", "SCHEDULE", "NEXT", "LAST", "ENDED", "DESCRIPTION")
			for i := range jobs {
				a.addJob(t, &jobs[i])
			}
			a.show(t, "the configuration defines no jobs")
			return nil
		},
	}
}

func (a *app) addJob(t *table, j *api.Job) {
	next := cell{text: a.age(j.NextAt)}
	switch {
	case j.Paused:
		next = cell{"paused", yellow}
	case !j.Enabled:
		next = cell{"disabled", dim}
	}
	last, ended := cell{}, ""
	if r := j.LastRun; r != nil {
		last, ended = state(r.State), a.age(r.FinishedAt)
	}
	t.add(j.Name, j.Pool, api.Or(&j.InWords, ""), next, last, ended, api.Or(j.Description, ""))
}

func (a *app) catCommand() *cobra.Command {
	return &cobra.Command{
		Use: "cat JOB", Short: "The effective definition of a job, and where each value came from", Args: cobra.ExactArgs(1),
		ValidArgsFunction: a.completeNames(a.jobNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.daemon().Definition(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(d)
			}
			a.print("%s", strings.TrimSuffix(d.Text, "\n"))
			return nil
		},
	}
}

func (a *app) jobCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "job", Short: "Pause and resume a job", Args: noSuchCommand, RunE: needsVerb}
	var hold api.Hold
	pause := &cobra.Command{
		Use: "pause NAME", Short: "Hold back a job's queued runs and skip its due moments", Args: cobra.ExactArgs(1),
		Example:           `  poold job pause nightly-backup --for 2h --reason "disk swap"`,
		ValidArgsFunction: a.completeNames(a.jobNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := a.daemon().PauseJob(cmd.Context(), args[0], hold)
			return a.printJob(&j, err)
		},
	}
	addHold(pause, &hold)
	resume := &cobra.Command{
		Use: "resume NAME", Short: "End the pause of a job", Args: cobra.ExactArgs(1),
		ValidArgsFunction: a.completeNames(a.jobNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := a.daemon().ResumeJob(cmd.Context(), args[0])
			return a.printJob(&j, err)
		},
	}
	cmd.AddCommand(pause, resume)
	return cmd
}

// needsVerb is what a command does that only has commands below it.
func needsVerb(cmd *cobra.Command, _ []string) error {
	return usage("see poold "+cmd.Name()+" --help", "poold %s does nothing by itself", cmd.Name())
}

// addHold adds the flags that every pause takes.
func addHold(cmd *cobra.Command, hold *api.Hold) {
	cmd.Flags().StringVar(&hold.For, "for", "", "it ends by itself after this duration, such as 2h or 1d")
	cmd.Flags().StringVar(&hold.Reason, "reason", "", "why; status shows it")
}

func (a *app) printJob(j *api.Job, err error) error {
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(j)
	}
	text := "not paused"
	if j.Paused {
		text = a.held(false, j.PauseReason, j.PauseUntil)
	}
	a.print("job %s is %s", clean(j.Name), clean(text))
	return nil
}
