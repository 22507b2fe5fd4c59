package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

// The groups of commands, as the help lists them.
const (
	groupLook   = "look"
	groupAct    = "act"
	groupHost   = "host"
	groupConfig = "config"
	groupOther  = "other"
)

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "poold",
		Short: "Run jobs in pools of workers: scheduled, on demand and in batches",
		Long: `poold runs jobs in pools of workers: scheduled, on demand and in batches.

Exit status: 0 done; 1 it failed, or with --wait a run did not succeed;
2 bad usage or bad configuration; 3 no daemon answers.`,
		Example: `  poold serve --config config.yaml
  poold status
  poold run nightly-backup --wait
  poold runs --state failed --since yesterday`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              noSuchCommand,
		PersistentPreRun:  func(*cobra.Command, []string) { a.began = true },
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.PersistentFlags().StringVar(&a.socket, "socket", "", "the daemon's socket (default $POOLD_SOCKET, else "+systemSocket+")")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print one JSON document")
	for _, group := range []cobra.Group{
		{ID: groupLook, Title: "Look:"},
		{ID: groupAct, Title: "Act on runs:"},
		{ID: groupHost, Title: "Jobs, pools and the host:"},
		{ID: groupConfig, Title: "Configuration:"},
		{ID: groupOther, Title: "The program:"},
	} {
		root.AddGroup(&group)
	}
	root.SetHelpCommandGroupID(groupOther)
	addGroup(root, groupLook, a.statusCommand(), a.psCommand(), a.failedCommand(), a.runsCommand(), a.showCommand(), a.logsCommand(), a.whyCommand(), a.statsCommand(), a.nextCommand())
	addGroup(root, groupAct, a.runCommand(), a.batchCommand(), a.cancelCommand(), a.retryCommand(), a.bumpCommand(), a.waitCommand())
	addGroup(root, groupHost, a.jobsCommand(), a.catCommand(), a.jobCommand(), a.poolsCommand(), a.poolCommand(), a.pauseCommand(), a.resumeCommand(), a.drainCommand())
	addGroup(root, groupConfig, a.checkCommand(), a.reloadCommand())
	addGroup(root, groupOther, a.serveCommand(), a.versionCommand(), completionCommand(root))
	root.AddCommand(unbuiltCommands()...)
	return root
}

func addGroup(root *cobra.Command, id string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = id
		root.AddCommand(c)
	}
}

// noSuchCommand takes no arguments where a command is expected: one is mistyped,
// and the nearest is named.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	hint := cmd.CommandPath() + " --help lists the commands"
	if near := api.Nearest(args[0], names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return usage(hint, "there is no command %q", args[0])
}

// unbuiltCommands are reserved: they say so, and do not pass for mistyped.
func unbuiltCommands() []*cobra.Command {
	var list []*cobra.Command
	for _, name := range []string{"import", "top", "backup"} {
		list = append(list, &cobra.Command{
			Use: name, Hidden: true, DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return usage("poold --help lists what there is", "%s is not built yet in this version", name)
			},
		})
	}
	return list
}

// completionDeadline is how long a shell waits for names at most.
const completionDeadline = 500 * time.Millisecond

// completeNames completes arguments with the names that list gives.
func (a *app) completeNames(list func(context.Context) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, completionDeadline)
		defer cancel()
		names, err := list(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) jobNames(ctx context.Context) ([]string, error) {
	jobs, err := a.daemon().Jobs(ctx)
	var names []string
	for _, j := range jobs {
		names = append(names, j.Name)
	}
	return names, err
}

func (a *app) poolNames(ctx context.Context) ([]string, error) {
	pools, err := a.daemon().Pools(ctx)
	var names []string
	for _, p := range pools {
		names = append(names, p.Name)
	}
	return names, err
}

// runIDs offers the newest runs, with what they are.
func (a *app) runIDs(ctx context.Context) ([]string, error) {
	runs, err := a.daemon().Runs(ctx, api.RunsQuery{Limit: 30})
	var names []string
	for _, r := range runs {
		names = append(names, fmt.Sprintf("%d\t%s %s", r.ID, r.Job, r.State))
	}
	return names, err
}

// anyNames offers whatever can be looked at.
func (a *app) anyNames(lists ...func(context.Context) ([]string, error)) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		var all []string
		for _, list := range lists {
			names, err := list(ctx)
			if err != nil {
				return nil, err
			}
			all = append(all, names...)
		}
		return all, nil
	}
}

// completeFlag completes a flag's value; a flag that is not there is a slip of
// ours, and shows in the first test of completion.
func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // impossible: the flag is defined a line above
	}
}

func completeWords(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// isRun says whether an argument means a run: names are never all digits.
func isRun(arg string) bool {
	_, err := strconv.ParseInt(arg, 10, 64)
	return err == nil
}

func runID(arg string) (int64, error) {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || id < 1 {
		return 0, usage("a run is named by its number; poold runs lists them", "%q is no run", arg)
	}
	return id, nil
}

func runIDList(args []string) ([]int64, error) {
	ids := make([]int64, len(args))
	for i, arg := range args {
		id, err := runID(arg)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}
