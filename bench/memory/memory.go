// Package memory measures what a daemon takes: memory when idle, and time and
// memory to start with a full ledger.
package memory

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
)

const about = "Resident memory of the whole daemon, and the time from exec to READY=1."

// Suite is the measurement.
func Suite() suite.Suite {
	var f full
	return suite.Suite{Name: "memory", Title: "Memory and start", About: about, Groups: []suite.Group{
		{
			Name: "An idle daemon", About: "12 s after a start on the shipped config.yaml, which has a job every five seconds.",
			Rounds: 1, Quick: 1,
			Figures: []suite.Figure{{Name: "resident", Unit: "MB"}, {Name: "start", Unit: "ms"}},
			Rows:    []suite.Row{{Name: "poold", Measure: idle}},
			Asks:    []suite.Ask{{Want: 30}},
		},
		{
			Name: "A million queued runs", About: "In a quick run 50,000. The peak is that of the start and a second of work with four workers.",
			Rounds: 5, Quick: 2,
			Open: f.open, Close: f.close,
			Figures: []suite.Figure{{Name: "start", Unit: "ms"}, {Name: "peak resident", Unit: "MB"}, {Name: "ledger", Unit: "MB"}},
			Rows:    []suite.Row{{Name: "poold", Measure: f.reopen}},
			Asks:    []suite.Ask{{Want: 1000}, {Figure: "peak resident", Want: 64}},
		},
	}}
}

// idle measures the memory of a daemon that has little to do.
func idle(ctx context.Context, r *suite.Round) error {
	d, err := r.Start("config.yaml", filepath.Join(r.Work, "idle"))
	if err != nil {
		return err
	}
	r.Note("start", d.Ready.Seconds()*1000)
	err = rig.Wait(ctx, time.Duration(r.Pick(12, 3, 1))*time.Second)
	if err == nil {
		err = note(r, d, "resident", "VmRSS")
	}
	return errors.Join(err, d.Stop())
}

func note(r *suite.Round, d *rig.Daemon, name, field string) error {
	mb, err := rig.Memory(d.Pid, field)
	if err == nil {
		r.Note(name, mb)
	}
	return err
}

const heldConfig = `
pools:
  held: {workers: %d}
jobs:
  held: {pool: held, with: {command: [sleep, "0.1"]}}
`

const (
	settled    = time.Second // how long a daemon works before its memory is read
	batchLines = 50_000      // how many runs are enqueued at once to fill the ledger
)

// full is a ledger full of queued runs.
type full struct{ state string }

// open fills it, through a daemon without workers.
func (f *full) open(ctx context.Context, r *rig.Rig) error {
	f.state = filepath.Join(r.Work, "reopen")
	config, err := r.File("fill.yaml", fmt.Sprintf(heldConfig, 0))
	if err != nil {
		return err
	}
	queued := r.Pick(1_000_000, 50_000, 2000)
	lines, err := r.File("lines.txt", rig.Numbers(min(batchLines, queued)))
	if err != nil {
		return err
	}
	d, err := r.Start(config, f.state)
	if err != nil {
		return err
	}
	for n := 0; n < queued && err == nil; n += batchLines {
		_, err = d.Do(ctx, "batch", "held", "--file", lines)
	}
	return errors.Join(err, d.Stop())
}

func (f *full) close() error { return os.RemoveAll(f.state) }

// reopen measures the start of a daemon on that ledger, until it is ready and
// has begun to execute the runs.
func (f *full) reopen(ctx context.Context, r *suite.Round) error {
	config, err := r.File("open.yaml", fmt.Sprintf(heldConfig, 4))
	if err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(f.state, "ledger.db"))
	if err != nil {
		return fmt.Errorf("look at the ledger: %w", err)
	}
	r.Note("ledger", float64(info.Size())/1e6)
	d, err := r.Start(config, f.state)
	if err != nil {
		return err
	}
	r.Note("start", d.Ready.Seconds()*1000)
	err = rig.Wait(ctx, settled)
	if err == nil {
		err = note(r, d, "peak resident", "VmHWM")
	}
	return errors.Join(err, d.Stop())
}
