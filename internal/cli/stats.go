package cli

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

func (a *app) statsCommand() *cobra.Command {
	var q api.StatsQuery
	cmd := &cobra.Command{
		Use: "stats [JOB…]", Short: "How often jobs ran, how long they took and how long they waited",
		Long: `Of each job, the runs that were enqueued in a span of time and have ended: how
many, how long their last attempts took, and how long they waited from when they
were due until they started. Half of them took no longer than P50, 95 of 100 no
longer than P95: exact for up to 1024 runs of a job, and beyond that at most 1/128
too large.`,
		Example: `  poold stats
  poold stats nightly-backup --since 30d
  poold stats --since yesterday --until 22:00 --json`,
		ValidArgsFunction: a.completeNames(a.jobNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Jobs = args
			list, err := a.daemon().Stats(cmd.Context(), q)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(list)
			}
			t := newTable("JOB", "RUNS", "SUCCEEDED", "FAILED", "P50", "P95", "MAX", "WAIT P50", "WAIT P95")
			for i := range list.Stats {
				s := &list.Stats[i]
				t.add(s.Job, s.Runs, s.Succeeded, failures(s.Failed), tookText(s.Took.P50), tookText(s.Took.P95), tookText(s.Took.Max),
					tookText(s.Waited.P50), tookText(s.Waited.P95))
			}
			a.show(t, "nothing ended that was enqueued since "+a.stamp(list.Since))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Since, "since", "", "enqueued at or after (default a day ago): 22:00, yesterday, -24h, 7d")
	flags.StringVar(&q.Until, "until", "", "enqueued before (default now)")
	return cmd
}

// failures is a number of failed runs, red where there are any.
func failures(n int) any {
	if n == 0 {
		return n
	}
	return cell{strconv.Itoa(n), red}
}

// tookText is a measured duration, or nothing.
func tookText(d *api.Duration) string {
	if d == nil {
		return ""
	}
	return took(time.Duration(*d))
}

// usualText says how long a job usually takes.
func usualText(s *api.Spread) string {
	if s == nil || s.P50 == nil {
		return ""
	}
	return tookText(s.P50) + "; 95 of 100 within " + tookText(s.P95)
}
