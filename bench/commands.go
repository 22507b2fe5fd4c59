package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const napsConfig = `
pools:
  ten: {workers: 10}
  twenty: {workers: 20}
jobs:
  nap10: {pool: ten, with: {command: [sleep, "0.1"]}}
  nap20: {pool: twenty, with: {command: [sleep, "0.1"]}}
`

// commands measures batches of commands of a tenth of a second, by poold and
// by xargs -P in turn.
func (b *bench) commands() error {
	config, err := b.file("naps.yaml", napsConfig)
	if err != nil {
		return err
	}
	lines, err := b.file("naps.txt", numbers(b.size.naps))
	if err != nil {
		return err
	}
	d, err := b.start(config, filepath.Join(b.work, "naps"))
	if err != nil {
		return err
	}
	for _, workers := range []int{10, 20} {
		if err = b.naps(d, workers, lines); err != nil {
			break
		}
		if err = b.xargs(workers, numbers(b.size.naps)); err != nil {
			break
		}
	}
	return errors.Join(err, d.stop())
}

// naps measures one batch.
func (b *bench) naps(d *daemon, workers int, lines string) error {
	out, err := d.poold("batch", fmt.Sprintf("nap%d", workers), "--file", lines, "--wait", "--json")
	if err != nil {
		return err
	}
	var got struct {
		Total, Succeeded int
		Wall, Ideal      string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return fmt.Errorf("read the batch: %w", err)
	}
	if got.Succeeded != b.size.naps {
		return fmt.Errorf("of %d commands %d succeeded", b.size.naps, got.Succeeded)
	}
	wall, err := time.ParseDuration(got.Wall)
	if err != nil {
		return fmt.Errorf("read the batch: %w", err)
	}
	ideal, err := time.ParseDuration(got.Ideal)
	if err != nil {
		return fmt.Errorf("read the batch: %w", err)
	}
	b.results.add(fmt.Sprintf("batch %d", workers), wall.Seconds())
	b.results.add(fmt.Sprintf("above ideal %d", workers), 100*(wall.Seconds()/ideal.Seconds()-1))
	return nil
}

// xargs measures the same commands without a daemon, a ledger or a log.
func (b *bench) xargs(workers int, lines string) error {
	path, _ := exec.LookPath("xargs")
	if path == "" {
		return nil // nothing to compare with; the report says so
	}
	cmd := exec.CommandContext(b.ctx, path, "-P", fmt.Sprint(workers), "-I{}", "sleep", "0.1")
	cmd.Stdin = strings.NewReader(lines)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("xargs: %w: %s", err, out)
	}
	b.results.add(fmt.Sprintf("xargs %d", workers), time.Since(began).Seconds())
	return nil
}
