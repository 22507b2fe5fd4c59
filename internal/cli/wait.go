package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

func (a *app) waitCommand() *cobra.Command {
	var sel api.Selection
	var yes bool
	cmd := &cobra.Command{
		Use: "wait RUN… | --batch B | --job J | --pool P | --state S", Short: "Wait until runs are final",
		Long: `Wait until runs are final. A selection means those that are not final now. The
exit status is 1 unless all of them succeeded.`,
		Example: `  poold wait 17 18
  poold wait --batch b12`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := complete(&sel, args); err != nil {
				return err
			}
			if sel.Batch != "" && sel.Job == "" && sel.Pool == "" && sel.State == "" {
				return a.waitBatch(cmd.Context(), sel.Batch)
			}
			return a.waitRuns(cmd.Context(), sel)
		},
	}
	a.addSelection(cmd, &sel)
	cmd.Flags().BoolVar(&yes, "yes", false, "accepted as with cancel; waiting never asks")
	return cmd
}

// waitBatch prints how the batch ended: here the summary is the result.
func (a *app) waitBatch(ctx context.Context, id string) error {
	b, err := a.daemon().Batch(ctx, id, 0)
	if err != nil {
		return err
	}
	b, err = a.awaitBatch(ctx, b, isTerminal(a.stderr))
	if errors.Is(err, errDetached) {
		return a.detached("batch %s goes on", clean(b.Batch))
	}
	if err != nil {
		return err
	}
	if a.json {
		err = a.emit(b)
	} else {
		a.print("%s", summary(&b))
	}
	if err == nil && b.Succeeded < b.Total {
		return statusError(exitFailed)
	}
	return err
}

func (a *app) waitRuns(ctx context.Context, sel api.Selection) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	ids, err := a.waitedFor(ctx, sel)
	if err != nil {
		return err
	}
	failed, ended := false, []api.Run{}
	for i, id := range ids {
		r, err := a.daemon().WaitRun(ctx, id)
		if errors.Is(err, errDetached) {
			return a.detached("%s not final yet", plural(len(ids)-i, "run"))
		}
		if err != nil {
			return err
		}
		failed = failed || r.State != api.StateSucceeded
		ended = append(ended, r.Run)
		if !a.json {
			a.print("%s", a.verdict(&r.Run))
		}
	}
	if a.json {
		err = a.emit(api.RunList{Runs: ended})
	}
	if err == nil && failed {
		return statusError(exitFailed)
	}
	return err
}

// waitedFor lists the runs that are meant, oldest first.
func (a *app) waitedFor(ctx context.Context, sel api.Selection) ([]int64, error) {
	if len(sel.IDs) > 0 {
		return sel.IDs, nil
	}
	q := api.RunsQuery{Batch: sel.Batch, Job: sel.Job, Pool: sel.Pool, State: sel.State}
	if q.State == "" {
		q.State = api.StateQueued + "," + api.StateRunning
	}
	var ids []int64
	err := a.daemon().EachRun(ctx, q, 0, func(r api.Run) error {
		ids = append([]int64{r.ID}, ids...)
		return nil
	})
	if err == nil {
		a.say("waiting for %s", plural(len(ids), "run"))
	}
	return ids, err
}
