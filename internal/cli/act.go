package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

func (a *app) cancelCommand() *cobra.Command {
	return a.actCommand(api.Cancel, "End runs", "canceled", `  poold cancel 17 18
  poold cancel --batch b12
  poold cancel --job crawl --state queued --yes`)
}

func (a *app) retryCommand() *cobra.Command {
	return a.actCommand(api.Retry, "Make new runs of final ones, by default of what failed or was canceled", "to be run again", `  poold retry 17
  poold retry --batch b12 --state failed`)
}

func (a *app) bumpCommand() *cobra.Command {
	return a.actCommand(api.Bump, "Move queued runs to the head of their pool's queue", "moved to the head of the queue", `  poold bump 17
  poold bump --job urgent-report`)
}

// addSelection adds the flags that select runs.
func (a *app) addSelection(cmd *cobra.Command, sel *api.Selection) {
	flags := cmd.Flags()
	flags.StringVar(&sel.Batch, "batch", "", "all of a batch")
	flags.StringVar(&sel.Job, "job", "", "all of a job")
	flags.StringVar(&sel.Pool, "pool", "", "all of a pool")
	flags.StringVar(&sel.State, "state", "", "all in a state")
	a.completeSelection(cmd)
	cmd.ValidArgsFunction = a.completeNames(a.runIDs)
}

// complete checks that runs are named in one of the two ways, and takes up
// those named by number.
func complete(sel *api.Selection, args []string) error {
	selects := sel.Batch != "" || sel.Job != "" || sel.Pool != "" || sel.State != ""
	switch {
	case selects && len(args) > 0:
		return usage("", "runs are named by number or selected by --batch, --job, --pool and --state, not both")
	case !selects && len(args) == 0:
		return usage("give numbers of runs, or --batch, --job, --pool or --state", "no runs are named")
	}
	ids, err := runIDList(args)
	sel.IDs = ids
	return err
}

func (a *app) actCommand(do api.Action, short, done, example string) *cobra.Command {
	var sel api.Selection
	var yes bool
	cmd := &cobra.Command{
		Use: string(do) + " RUN… | --batch B | --job J | --pool P | --state S", Short: short, Example: example,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := complete(&sel, args); err != nil {
				return err
			}
			if len(args) == 0 && !yes {
				if sure, err := a.confirm(cmd.Context(), do, sel); err != nil || !sure {
					return err
				}
			}
			acted, err := a.actAll(cmd.Context(), do, done, sel)
			if err != nil {
				return err
			}
			if len(args) == 0 && len(acted.Runs)+len(acted.Refused) == 0 {
				a.say("no runs are selected")
			}
			return a.printActed(do, done, &acted)
		},
	}
	a.addSelection(cmd, &sel)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// actMost is how many of the selected runs are canceled in one step.
const actMost = 20_000

// actAll acts on what is selected. Cancelling a million runs takes its time: it
// goes step by step, and says how far it is.
func (a *app) actAll(ctx context.Context, do api.Action, done string, sel api.Selection) (api.Acted, error) {
	if do != api.Cancel || len(sel.IDs) > 0 {
		return a.daemon().ActAll(ctx, do, sel)
	}
	sel.Limit = actMost
	all, err := a.daemon().ActAll(ctx, do, sel)
	for err == nil && all.Next > 0 {
		a.say("%s %s so far", plural(all.Count, "run"), done)
		sel.Before = all.Next
		var more api.Acted
		more, err = a.daemon().ActAll(ctx, do, sel)
		all.Count, all.Next = all.Count+more.Count, more.Next
		all.Runs = append(all.Runs, more.Runs[:min(len(more.Runs), api.MaxPage-len(all.Runs))]...)
		all.Refused = append(all.Refused, more.Refused...)
	}
	return all, err
}

// confirm shows how many runs are selected and asks whether that is meant. It
// never acts where nobody can be asked. It says no where there is nothing to
// act on, too.
func (a *app) confirm(ctx context.Context, do api.Action, sel api.Selection) (bool, error) {
	sel.DryRun = true
	counted, err := a.daemon().ActAll(ctx, do, sel)
	if err != nil {
		return false, err
	}
	if counted.Count == 0 {
		a.say("no runs are selected")
		if a.json {
			err = a.emit(api.RunList{Runs: []api.Run{}})
		}
		return false, err
	}
	what := string(do) + " " + plural(counted.Count, "run")
	if !isTerminal(a.stdin) || !isTerminal(a.stderr) {
		return false, usage("--yes does it without asking", "this would %s, and there is no terminal to ask at", what)
	}
	fmt.Fprintf(a.stderr, "%s? [y/N] ", what)
	answer, _ := bufio.NewReader(a.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	a.say("nothing was done")
	return false, statusError(exitFailed)
}

func (a *app) printActed(do api.Action, done string, acted *api.Acted) error {
	switch {
	case a.json:
		if err := a.emit(api.RunList{Runs: acted.Runs}); err != nil {
			return err
		}
	case do == api.Retry: // like run: the numbers of the new ones
		for _, r := range acted.Runs {
			a.print("%d", r.ID)
		}
	case acted.Count > len(acted.Runs) || acted.Count > 10:
		a.print("%s %s", plural(acted.Count, "run"), done)
	default:
		for i := range acted.Runs {
			a.print("%s", actedText(do, done, &acted.Runs[i]))
		}
	}
	for _, r := range acted.Refused {
		which := "run " + idText(r.ID) + ": "
		a.complain(which+strings.TrimPrefix(r.Detail, which), "")
	}
	if len(acted.Refused) > 0 {
		return statusError(exitFailed)
	}
	return nil
}

// actedText says what was done to a run. One that is being canceled still runs.
func actedText(do api.Action, done string, r *api.Run) string {
	text := clean(r.Job) + ": run " + idText(r.ID) + " "
	if do == api.Cancel && r.State == api.StateRunning {
		return text + "is told to stop"
	}
	return text + done
}
