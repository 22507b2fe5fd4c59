// Package naps measures batches of commands of a tenth of a second beside
// xargs -P.
package naps

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
)

const about = "`sleep 0.1`, by `poold batch --wait` (durable, logged, output kept, every process\n" +
	"tree looked after) and by `xargs -P` (none of that): a thousand times, or fewer in\n" +
	"a quick run. \"Above ideal\" is the wall time over the measured times of the attempts\n" +
	"divided by the workers, as `poold batch --wait` prints it."

const config = `
pools:
  ten: {workers: 10}
  twenty: {workers: 20}
jobs:
  nap10: {pool: ten, with: {command: [sleep, "0.1"]}}
  nap20: {pool: twenty, with: {command: [sleep, "0.1"]}}
`

// naps is the daemon that both groups take turns with.
type naps struct{ daemon *rig.Daemon }

// Suite is the measurement.
func Suite() suite.Suite {
	s := suite.Suite{Name: "naps", Title: "Commands of a tenth of a second", About: about, Programs: []string{"xargs"}}
	for _, workers := range []int{10, 20} {
		var n naps
		s.Groups = append(s.Groups, suite.Group{
			Name:   fmt.Sprintf("%d workers", workers),
			Rounds: 3, Quick: 1,
			Open: n.open, Close: n.close,
			Figures: []suite.Figure{{Name: "wall", Unit: "s"}, {Name: "above ideal", Unit: "%"}},
			Rows: []suite.Row{
				{Name: "poold", Measure: n.batch(workers)},
				{Name: "xargs -P", Needs: []string{"xargs"}, Measure: xargs(workers)},
			},
			Asks: []suite.Ask{
				{Figure: "above ideal", Want: 1},
				{Over: "xargs -P", Bound: "xargs keeps no record, no log and no output."},
			},
		})
	}
	return s
}

func (n *naps) open(_ context.Context, r *rig.Rig) error {
	path, err := r.File("naps.yaml", config)
	if err != nil {
		return err
	}
	n.daemon, err = r.Start(path, filepath.Join(r.Work, "naps"))
	return err
}

func (n *naps) close() error {
	if n.daemon == nil {
		return nil
	}
	return n.daemon.Stop()
}

func howMany(r *suite.Round) int { return r.Pick(1000, 200, 40) }

// batch measures one batch.
func (n *naps) batch(workers int) func(context.Context, *suite.Round) error {
	return func(ctx context.Context, r *suite.Round) error {
		lines, err := r.File("naps.txt", rig.Numbers(howMany(r)))
		if err != nil {
			return err
		}
		out, err := n.daemon.Do(ctx, "batch", fmt.Sprintf("nap%d", workers), "--file", lines, "--wait", "--json")
		if err != nil {
			return err
		}
		wall, ideal, err := read(out, howMany(r))
		if err != nil {
			return fmt.Errorf("read the batch: %w", err)
		}
		r.Note("wall", wall.Seconds())
		r.Note("above ideal", 100*(wall.Seconds()/ideal.Seconds()-1))
		return nil
	}
}

func read(out []byte, want int) (wall, ideal time.Duration, err error) {
	var got struct {
		Succeeded   int
		Wall, Ideal string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return 0, 0, err
	}
	if got.Succeeded != want {
		return 0, 0, fmt.Errorf("of %d commands %d succeeded", want, got.Succeeded)
	}
	if wall, err = time.ParseDuration(got.Wall); err != nil {
		return 0, 0, err
	}
	ideal, err = time.ParseDuration(got.Ideal)
	return wall, ideal, err
}

// xargs measures the same commands without a daemon, a ledger or a log.
func xargs(workers int) func(context.Context, *suite.Round) error {
	return func(ctx context.Context, r *suite.Round) error {
		cmd := exec.CommandContext(ctx, "xargs", "-P", fmt.Sprint(workers), "-I{}", "sleep", "0.1")
		cmd.Stdin = strings.NewReader(rig.Numbers(howMany(r)))
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("xargs: %w: %s", err, out)
		}
		wall := time.Since(began).Seconds()
		r.Note("wall", wall)
		// That of perfect workers, which sleep a tenth of a second each time.
		r.Note("above ideal", 100*(wall/(float64(howMany(r))*0.1/float64(workers))-1))
		return nil
	}
}
