package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	var path, stateDir, listen string
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the daemon in the foreground", Args: cobra.NoArgs,
		Long: `Run the daemon in the foreground, until TERM or an interrupt: the first lets what
runs end, the second stops it. HUP reloads the configuration, which is the one
given, else $POOLD_CONFIG, ./config.yaml or /etc/poold/config.yaml.`,
		Example: `  poold serve --config config.yaml --state-dir ./state --socket ./poold.sock`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if listen != "" {
				return usage("leave it out; the API is on the socket", "--listen is not built yet in this version")
			}
			path, err := a.configPath(path)
			if err != nil {
				return err
			}
			flags := map[string]string{}
			for key, value := range map[string]string{"daemon.state_dir": stateDir, "daemon.socket": a.socket} {
				if value != "" {
					flags[key] = value
				}
			}
			return a.hooks.Serve(cmd.Context(), ServeOptions{Config: path, Flags: flags, Log: a.stderr, Getenv: a.getenv})
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the configuration")
	cmd.Flags().StringVar(&stateDir, "state-dir", "", "where the ledger and the output are kept")
	cmd.Flags().StringVar(&listen, "listen", "", "not built yet")
	return cmd
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "The version of this program", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.emit(map[string]string{"version": a.hooks.Version})
			}
			a.print("poold %s", a.hooks.Version)
			return nil
		},
	}
}

func completionCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "completion SHELL", Short: "Print a script that completes commands and names in bash, zsh or fish", Args: cobra.ExactArgs(1),
		Example:   `  source <(poold completion bash)`,
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(cmd.OutOrStdout(), true)
			case "zsh":
				return root.GenZshCompletion(cmd.OutOrStdout())
			case "fish":
				return root.GenFishCompletion(cmd.OutOrStdout(), true)
			}
			return usage("", "there are scripts for bash, zsh and fish, not for %q", args[0])
		},
	}
}
