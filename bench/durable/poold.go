package durable

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/poold/poold/bench/suite"
)

var perSecond = regexp.MustCompile(`(?m)^Benchmark\w+?(?:-\d+)?\s.*?([\d.]+) lifecycles/s`)

// poold measures dispatcher and ledger, by a benchmark of theirs.
func poold(benchmark string) func(context.Context, *suite.Round) error {
	return func(ctx context.Context, r *suite.Round) error {
		cmd := exec.CommandContext(ctx, r.Binary("dispatch.test"), "-test.run", "^$",
			"-test.bench", "^Benchmark"+benchmark+"$", "-test.benchtime", fmt.Sprintf("%dx", r.Pick(30_000, 20_000, 1000)))
		cmd.Env = append(os.Environ(), "TMPDIR="+r.Work)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("measure lifecycles: %w\n%s", err, out)
		}
		found := perSecond.FindSubmatch(out)
		if found == nil {
			return fmt.Errorf("measure lifecycles: no figures in %q", out)
		}
		n, err := strconv.ParseFloat(string(found[1]), 64)
		if err != nil {
			return fmt.Errorf("measure lifecycles: %w", err)
		}
		r.Note("", n)
		return nil
	}
}
