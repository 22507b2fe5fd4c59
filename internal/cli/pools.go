package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

// drainEvery is how often a drain is looked at while it is awaited.
const drainEvery = 200 * time.Millisecond

func (a *app) poolsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "pools", Short: "List pools", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			pools, err := a.daemon().Pools(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(api.PoolList{Pools: pools})
			}
			a.show(a.poolsTable(pools), "there are no pools")
			return nil
		},
	}
}

func (a *app) poolsTable(pools []api.Pool) *table {
	limited := slices.ContainsFunc(pools, func(p api.Pool) bool { return limitsText(&p) != "" })
	head := []string{"POOL", "WORKERS", "BUSY", "QUEUED", "OLDEST", "SUCCEEDED", "FAILED", "NOTE"}
	if limited {
		head = slices.Insert(head, 7, "LIMITS")
	}
	t := newTable(head...)
	for i := range pools {
		p := &pools[i]
		failed := cell{text: strconv.FormatInt(p.Failed, 10)}
		if p.Failed > 0 {
			failed.colour = red
		}
		row := []any{p.Name, workersText(p.Workers), p.Busy, p.Queued, a.age(p.OldestQueuedAt), p.Succeeded, failed}
		if limited {
			row = append(row, limitsText(p))
		}
		t.add(append(row, cell{a.poolNote(p), yellow})...)
	}
	return t
}

// limitsText says the limits of a pool beside its size, and how many runs they
// hold back.
func limitsText(p *api.Pool) string {
	var words []string
	if p.Rate != nil {
		words = append(words, *p.Rate)
	}
	if p.Per != nil {
		var per []string
		if p.Per.Workers != nil {
			per = append(per, fmt.Sprintf("%d at a time", *p.Per.Workers))
		}
		if p.Per.Rate != nil {
			per = append(per, *p.Per.Rate)
		}
		words = append(words, "per "+p.Per.Key+" "+strings.Join(per, ", "))
	}
	if p.Held > 0 {
		words = append(words, fmt.Sprintf("%d held", p.Held))
	}
	return strings.Join(words, "; ")
}

// poolNote is what is out of the ordinary about a pool.
func (a *app) poolNote(p *api.Pool) string {
	note := ""
	if p.Paused || p.Draining {
		note = a.held(p.Draining, p.PauseReason, p.PauseUntil)
	}
	if p.ByHand {
		if note != "" {
			note += "; "
		}
		note += "by hand, configured " + workersText(p.Configured)
		if p.ByHandUntil != nil {
			note += ", until " + a.stamp(p.ByHandUntil)
		}
	}
	return note
}

func (a *app) poolCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "pool", Short: "Resize, pause, resume and drain a pool", Args: noSuchCommand, RunE: needsVerb}
	client := func() *api.Client { return a.daemon() }
	cmd.AddCommand(a.resizeCommand(),
		a.holdPoolCommand("pause", "Let no more runs start in a pool; they queue", func(ctx context.Context, name string, hold api.Hold) (api.Pool, error) {
			return client().PausePool(ctx, name, hold)
		}),
		a.holdPoolCommand("drain", "Pause a pool and let what runs end", func(ctx context.Context, name string, hold api.Hold) (api.Pool, error) {
			return client().DrainPool(ctx, name, hold)
		}),
		&cobra.Command{
			Use: "resume NAME", Short: "End the pause or drain of a pool", Args: cobra.ExactArgs(1),
			ValidArgsFunction: a.completeNames(a.poolNames),
			RunE: func(cmd *cobra.Command, args []string) error {
				p, err := client().ResumePool(cmd.Context(), args[0])
				return a.printPool(&p, err)
			},
		})
	return cmd
}

func (a *app) resizeCommand() *cobra.Command {
	var resize api.Resize
	cmd := &cobra.Command{
		Use: "resize NAME N|unlimited", Short: "Set the size of a pool by hand, or take that back with --reset",
		Long: `Set the size of a pool by hand. It holds across reloads, windows and restarts,
until --reset, until --for has passed, or until the pool's own entry in the
configuration changes. 0 holds everything back.`,
		Example: `  poold pool resize crawl 40 --for 2h
  poold pool resize crawl 5 --on-shrink requeue
  poold pool resize crawl --reset`,
		ValidArgsFunction: a.completeNames(a.poolNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := parseResize(&resize, args); err != nil {
				return err
			}
			p, err := a.daemon().ResizePool(cmd.Context(), args[0], resize)
			return a.printPool(&p, err)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&resize.OnShrink, "on-shrink", "", "what becomes of runs above the new size: finish, requeue, stop_newest or stop_oldest")
	flags.StringVar(&resize.For, "for", "", "it ends by itself after this duration, such as 2h")
	flags.BoolVar(&resize.Reset, "reset", false, "back to the configured size")
	completeFlag(cmd, "on-shrink", completeWords("finish", "requeue", "stop_newest", "stop_oldest"))
	return cmd
}

func parseResize(resize *api.Resize, args []string) error {
	want := 2
	if resize.Reset {
		want = 1
	}
	if len(args) != want {
		return usage("poold pool resize NAME N, or poold pool resize NAME --reset", "resize takes a pool and a size, or with --reset a pool alone")
	}
	if resize.Reset {
		if resize.For != "" || resize.OnShrink != "" {
			return usage("", "--reset goes neither with --for nor with --on-shrink")
		}
		return nil
	}
	if args[1] == "unlimited" {
		resize.Unlimited = true
		return nil
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 0 {
		return usage("write 0, 1, 2, … or unlimited", "%q is no size of a pool", args[1])
	}
	resize.Workers = &n
	return nil
}

func (a *app) holdPoolCommand(verb, short string, do func(context.Context, string, api.Hold) (api.Pool, error)) *cobra.Command {
	var hold api.Hold
	var wait bool
	cmd := &cobra.Command{
		Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1),
		ValidArgsFunction: a.completeNames(a.poolNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := do(cmd.Context(), args[0], hold)
			if err == nil && wait {
				p, err = a.awaitDrain(cmd.Context(), p)
			}
			return a.printPool(&p, err)
		},
	}
	addHold(cmd, &hold)
	if verb == "drain" {
		cmd.Flags().BoolVar(&wait, "wait", false, "return when nothing runs any more")
	}
	return cmd
}

func (a *app) awaitDrain(ctx context.Context, p api.Pool) (api.Pool, error) {
	err := a.awaitDrained(ctx, "pool "+p.Name, func(ctx context.Context) (draining, paused bool, err error) {
		p, err = a.daemon().Pool(ctx, p.Name)
		return p.Draining, p.Paused, err
	})
	return p, err
}

// awaitDrained looks again and again until the drain is over. One that
// somebody resumed has failed.
func (a *app) awaitDrained(ctx context.Context, what string, look func(context.Context) (draining, paused bool, err error)) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for {
		draining, paused, err := look(ctx)
		switch {
		case ctx.Err() != nil:
			return a.detached("%s goes on draining", clean(what))
		case err != nil:
			return err
		case !draining && !paused:
			return fmt.Errorf("%s was resumed before it was drained", what)
		case !draining:
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

func (a *app) printPool(p *api.Pool, err error) error {
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(p)
	}
	text := fmt.Sprintf("pool %s: %s workers, %d busy, %d queued", p.Name, workersText(p.Workers), p.Busy, p.Queued)
	if note := a.poolNote(p); note != "" {
		text += "; " + note
	}
	a.print("%s", clean(text))
	return nil
}
