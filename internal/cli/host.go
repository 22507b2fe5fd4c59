package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

func (a *app) pauseCommand() *cobra.Command {
	var hold api.Hold
	var all bool
	cmd := &cobra.Command{
		Use: "pause --all", Short: "Let nothing more start on this host; runs queue", Args: cobra.NoArgs,
		Example: `  poold pause --all --for 30m --reason maintenance`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !all {
				return needsAll("pause")
			}
			s, err := a.daemon().PauseAll(cmd.Context(), hold)
			return a.printHost(&s, err)
		},
	}
	addHold(cmd, &hold)
	cmd.Flags().BoolVar(&all, "all", false, "really everything")
	return cmd
}

func (a *app) resumeCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "resume --all", Short: "End the pause or drain of this host", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !all {
				return needsAll("resume")
			}
			s, err := a.daemon().ResumeAll(cmd.Context())
			return a.printHost(&s, err)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "really everything")
	return cmd
}

func needsAll(verb string) error {
	return usage("poold "+verb+" --all; of one thing poold pool "+verb+" NAME or poold job "+verb+" NAME", "%s is for the whole host and wants --all", verb)
}

func (a *app) drainCommand() *cobra.Command {
	var hold api.Hold
	var wait bool
	cmd := &cobra.Command{
		Use: "drain", Short: "Let nothing more start on this host, and what runs end", Args: cobra.NoArgs,
		Example: `  poold drain --wait && systemctl stop poold`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.daemon().DrainAll(cmd.Context(), hold)
			if err == nil && wait {
				err = a.awaitDrained(cmd.Context(), "the host", func(ctx context.Context) (draining, paused bool, err error) {
					s, err = a.daemon().Status(ctx)
					return s.Draining, s.Paused, err
				})
			}
			return a.printHost(&s, err)
		},
	}
	addHold(cmd, &hold)
	cmd.Flags().BoolVar(&wait, "wait", false, "return when nothing runs any more")
	return cmd
}

func (a *app) printHost(s *api.Status, err error) error {
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(s)
	}
	text := "not paused"
	if s.Paused || s.Draining {
		text = a.held(s.Draining, s.PauseReason, s.PauseUntil)
	}
	a.print("host %s is %s; %s", clean(s.Host), clean(text), plural(len(s.Running), "run")+" going on")
	return nil
}
