package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/config"
)

func (a *app) checkCommand() *cobra.Command {
	var flag string
	cmd := &cobra.Command{
		Use: "check [FILE]", Short: "Validate a configuration; no daemon is needed", Args: cobra.MaximumNArgs(1),
		Long: `Validate a configuration with the daemon's own loader, and print every error as
FILE:LINE:COL: key.path: message. What is allowed and yet hardly meant, such as a
schedule that names more days than it seems to, is noted on standard error. Without FILE, the one serve would take:
--config, $POOLD_CONFIG, ./config.yaml, /etc/poold/config.yaml.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				flag = args[0]
			}
			path, err := a.configPath(flag)
			if err != nil {
				return err
			}
			cfg, err := a.hooks.Load(path)
			return a.printCheck(path, cfg, err)
		},
	}
	cmd.Flags().StringVar(&flag, "config", "", "the configuration")
	return cmd
}

// configPath is the configuration to take, by the rule of serve.
func (a *app) configPath(flag string) (string, error) {
	for _, given := range []string{flag, a.getenv("POOLD_CONFIG")} {
		if given != "" {
			return given, nil
		}
	}
	path, err := config.Find("")
	if err != nil {
		return "", usage("", "%v", err)
	}
	return path, nil
}

func (a *app) printCheck(path string, cfg *config.Config, err error) error {
	var found config.Errors
	if err != nil && !errors.As(err, &found) {
		return err
	}
	list := notes(found)
	if a.json {
		warnings := []api.ConfigNote{}
		if cfg != nil {
			warnings = notes(cfg.Warnings())
		}
		if err := a.emit(map[string]any{"errors": list, "warnings": warnings}); err != nil {
			return err
		}
	} else {
		a.printNotes(a.stdout, list)
	}
	if len(list) > 0 {
		a.say("poold: %s in %s", plural(len(list), "error"), clean(path))
		return statusError(exitUsage)
	}
	a.printNotes(a.stderr, notes(cfg.Warnings()))
	if !a.json {
		a.print("%s is good: %s, %s", clean(path), plural(len(cfg.Jobs), "job"), plural(len(cfg.Pools), "pool"))
	}
	return nil
}

func notes(list []config.Error) []api.ConfigNote {
	wire := make([]api.ConfigNote, len(list))
	for i, e := range list {
		wire[i] = api.ConfigNote(e)
	}
	return wire
}

// printNotes prints errors of a configuration, one a line, each at its place.
func (a *app) printNotes(w io.Writer, list []api.ConfigNote) {
	for _, n := range list {
		fmt.Fprintln(w, clean(config.Error(n).Error()))
	}
}

func (a *app) reloadCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "reload", Short: "Load the configuration anew, and say what changed", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.daemon().Reload(cmd.Context(), dryRun)
			var p *api.Problem
			if a.json && errors.As(err, &p) && p.Code == api.CodeConfigInvalid {
				return errors.Join(a.emit(map[string]any{"errors": p.Errors}), err)
			}
			if err != nil {
				return err
			}
			a.printNotes(a.stderr, r.Warnings)
			if a.json {
				return a.emit(r)
			}
			a.printReload(&r)
			return nil
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would change")
	return cmd
}

// printReload prints the plan in words, one thing a line.
func (a *app) printReload(r *api.Reload) {
	switch {
	case r.Unchanged:
		a.print("nothing to do: this configuration was applied %s; that reload:", a.stamp(r.At))
	case r.DryRun:
		a.print("this would change:")
	default:
		a.print("reloaded; changed:")
	}
	for _, line := range planLines(&r.Plan) {
		a.print("  %s", clean(line))
	}
}

func planLines(p *api.Plan) []string {
	var lines []string
	list := func(what string, names []string) {
		if len(names) > 0 {
			lines = append(lines, what+": "+strings.Join(names, ", "))
		}
	}
	list("jobs added", p.JobsAdded)
	list("jobs changed", p.JobsChanged)
	list("jobs removed", p.JobsRemoved)
	list("pools added", p.PoolsAdded)
	for _, r := range p.PoolsResized {
		lines = append(lines, fmt.Sprintf("pool resized: %s, from %s to %s", r.Pool, workersText(r.From), workersText(r.To)))
	}
	list("pools changed", p.PoolsChanged)
	list("pools removed", p.PoolsRemoved)
	list("settings changed", p.Settings)
	if p.RunsTouched > 0 {
		lines = append(lines, "queued runs touched: "+fmt.Sprint(p.RunsTouched))
	}
	list("needs a restart", p.NeedsRestart)
	if len(lines) == 0 {
		lines = []string{"nothing"}
	}
	return lines
}
