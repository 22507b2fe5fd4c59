// Package held measures how long a run takes to start while a crowd waits for
// something that it does not need.
package held

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/poold/poold/bench/suite"
)

const about = "One run after the other is enqueued and started, each record on the disk, by dispatcher and\n" +
	"ledger with 64 workers: with nothing else in the ledger, and while a million runs of the same pool\n" +
	"wait for one lock, or for the two places of one host\n" +
	"(`go test -run '^$' -bench Held -benchtime 2000x ./internal/dispatch`)."

// Suite is the measurement.
func Suite() suite.Suite {
	return suite.Suite{
		Name: "held", Title: "Beside a crowd that is held back", About: about,
		Groups: []suite.Group{{
			Name: "From the call that enqueues until the start", Rounds: 1, Quick: 1,
			Figures: []suite.Figure{{Name: "p50", Unit: "µs"}, {Name: "p99", Unit: "µs"}, {Name: "memory", Unit: "MB for the crowd"}},
			Rows: []suite.Row{
				{Name: "beside a million behind one lock", Measure: bench("lock")},
				{Name: "beside a million for one host", Measure: bench("host")},
				{Name: "alone", Measure: bench("alone")},
			},
			Asks: []suite.Ask{
				{Want: 1000},
				{Over: "alone"},
				{Row: "beside a million for one host", Want: 1000},
				{Row: "beside a million for one host", Over: "alone"},
				{Figure: "memory", Want: 64},
				{Row: "beside a million for one host", Figure: "memory", Want: 64},
			},
		}},
	}
}

// figures finds what the benchmark of a row reports: MB, p50 and p99.
var figures = regexp.MustCompile(`(?m)^BenchmarkHeld/\w+(?:-\d+)?\s.*?(-?[\d.]+) MB-crowd\s+(-?[\d.]+) p50-µs\s+(-?[\d.]+) p99-µs`)

// bench runs the benchmark of one row.
func bench(row string) func(context.Context, *suite.Round) error {
	return func(ctx context.Context, r *suite.Round) error {
		cmd := exec.CommandContext(ctx, r.Binary("dispatch.test"), "-test.run", "^$", "-test.bench", "^BenchmarkHeld$/^"+row+"$",
			"-test.benchtime", fmt.Sprintf("%dx", r.Pick(2000, 500, 20)), "-held-runs", strconv.Itoa(r.Pick(1_000_000, 50_000, 1000)))
		cmd.Env = append(os.Environ(), "TMPDIR="+r.Work)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("measure runs beside a crowd: %w\n%s", err, out)
		}
		found := figures.FindSubmatch(out)
		if found == nil {
			return fmt.Errorf("measure runs beside a crowd: no figures in %q", out)
		}
		for i, name := range []string{"memory", "p50", "p99"} {
			n, err := strconv.ParseFloat(string(found[i+1]), 64)
			if err != nil {
				return fmt.Errorf("measure runs beside a crowd: %w", err)
			}
			r.Note(name, max(n, 0))
		}
		return nil
	}
}
