// Command poold is a worker-pool daemon and the program that operates it.
package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"

	_ "time/tzdata" // time zones work on hosts that have no zone files

	"github.com/poold/poold/internal/cli"
	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/daemon"
)

// version is set by the linker.
var version = ""

func main() { os.Exit(run()) }

func run() int {
	return cli.Main(context.Background(), cli.Process{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
		Hooks: cli.Hooks{Version: versionText(), Serve: serve, Load: load},
	})
}

func serve(ctx context.Context, o cli.ServeOptions) error {
	return daemon.Serve(ctx, daemon.Options{
		Config:  config.Options{Path: o.Config, Flags: o.Flags},
		Version: versionText(), Log: o.Log, Getenv: o.Getenv,
	})
}

func load(path string) (*config.Config, error) {
	return config.Load(config.Options{Path: path, Types: daemon.Types(slog.New(slog.DiscardHandler), "", nil)})
}

// versionText is what the linker set, else the module's version.
func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
