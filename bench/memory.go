package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// idle measures the memory of a daemon on the shipped configuration, which has
// a job every five seconds.
func (b *bench) idle() error {
	d, err := b.start("config.yaml", filepath.Join(b.work, "idle"))
	if err != nil {
		return err
	}
	b.results.add("start", d.ready.Seconds()*1000)
	err = wait(b.ctx, b.size.idle)
	if err == nil {
		err = b.note(d, "idle memory", "VmRSS")
	}
	return errors.Join(err, d.stop())
}

func (b *bench) note(d *daemon, name, field string) error {
	mb, err := d.memory(field)
	if err == nil {
		b.results.add(name, mb)
	}
	return err
}

const heldConfig = `
pools:
  held: {workers: %d}
jobs:
  held: {pool: held, with: {command: [sleep, "0.1"]}}
`

// settled is how long a daemon works before its memory is read.
const settled = time.Second

// batchLines is how many runs are enqueued at once to fill the ledger.
const batchLines = 50_000

// reopen measures the start of a daemon whose ledger is full of queued runs,
// until it is ready and has begun to execute them.
func (b *bench) reopen() error {
	state := filepath.Join(b.work, "reopen")
	if err := b.fill(state); err != nil {
		return err
	}
	config, err := b.file("open.yaml", fmt.Sprintf(heldConfig, 4))
	if err != nil {
		return err
	}
	for range b.size.rounds {
		d, err := b.start(config, state)
		if err != nil {
			return err
		}
		b.results.add("reopen", d.ready.Seconds()*1000)
		err = wait(b.ctx, settled)
		if err == nil {
			err = b.note(d, "reopen memory", "VmHWM")
		}
		if err := errors.Join(err, d.stop()); err != nil {
			return err
		}
	}
	info, err := os.Stat(filepath.Join(state, "ledger.db"))
	if err != nil {
		return fmt.Errorf("look at the ledger: %w", err)
	}
	b.results.add("ledger size", float64(info.Size())/1e6)
	return os.RemoveAll(state)
}

// fill makes a ledger with queued runs, through a daemon without workers.
func (b *bench) fill(state string) error {
	config, err := b.file("fill.yaml", fmt.Sprintf(heldConfig, 0))
	if err != nil {
		return err
	}
	lines, err := b.file("lines.txt", numbers(min(batchLines, b.size.queued)))
	if err != nil {
		return err
	}
	d, err := b.start(config, state)
	if err != nil {
		return err
	}
	for n := 0; n < b.size.queued && err == nil; n += batchLines {
		_, err = d.poold("batch", "held", "--file", lines)
	}
	return errors.Join(err, d.stop())
}
