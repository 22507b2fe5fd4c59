package spawn

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
)

//go:embed loop/loop.c
var loopSource string

const config = `
pools:
  two: {workers: 2}
  eight: {workers: 8}
jobs:
  two: {pool: two, overlap: allow, with: {command: [/bin/true]}}
  eight: {pool: eight, overlap: allow, with: {command: [/bin/true]}}
`

// shared is what the rows need from before the first round.
type shared struct{ daemon *rig.Daemon }

func (s *shared) open(ctx context.Context, r *rig.Rig) error {
	if gcc := rig.Find("gcc"); gcc != "" {
		source, err := r.File("loop.c", loopSource)
		if err != nil {
			return err
		}
		if out, err := exec.CommandContext(ctx, gcc, "-O2", "-o", r.Binary("loop"), source).CombinedOutput(); err != nil {
			return fmt.Errorf("compile loop.c: %w\n%s", err, out)
		}
	}
	path, err := r.File("spawn.yaml", config)
	if err != nil {
		return err
	}
	s.daemon, err = r.Start(path, filepath.Join(r.Work, "spawn"))
	return err
}

func (s *shared) close() error {
	if s.daemon == nil {
		return nil
	}
	return s.daemon.Stop()
}

// batch measures a batch of a job through the whole daemon.
func (s *shared) batch(job string) func(context.Context, *suite.Round) error {
	return func(ctx context.Context, r *suite.Round) error { return s.runBatch(ctx, r, job) }
}

func (s *shared) runBatch(ctx context.Context, r *suite.Round, job string) error {
	lines, err := r.File("spawn.txt", rig.Numbers(howMany(r)))
	if err != nil {
		return err
	}
	out, err := s.daemon.Do(ctx, "batch", job, "--file", lines, "--wait", "--json")
	if err != nil {
		return err
	}
	var got struct {
		Succeeded int
		Wall      string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return fmt.Errorf("read the batch: %w", err)
	}
	wall, err := time.ParseDuration(got.Wall)
	if err != nil || got.Succeeded != howMany(r) {
		return fmt.Errorf("of %d commands %d succeeded: %w", howMany(r), got.Succeeded, err)
	}
	r.Note("", float64(howMany(r))/wall.Seconds())
	return nil
}

func (s *shared) loop(ctx context.Context, r *suite.Round) error {
	return rate(ctx, r, "", r.Binary("loop"), strconv.Itoa(howMany(r)), "2", command)
}

func xargs(ctx context.Context, r *suite.Round) error {
	return rate(ctx, r, rig.Numbers(howMany(r)), "xargs", "-P2", "-n1", command)
}

// parallel gets a tenth of the lines: it is that slow.
func parallel(ctx context.Context, r *suite.Round) error {
	n := howMany(r) / 10
	began := time.Now()
	if err := run(ctx, rig.Numbers(n), "parallel", "-j2", command); err != nil {
		return err
	}
	r.Note("", float64(n)/time.Since(began).Seconds())
	return nil
}

func rate(ctx context.Context, r *suite.Round, in, name string, args ...string) error {
	began := time.Now()
	if err := run(ctx, in, name, args...); err != nil {
		return err
	}
	r.Note("", float64(howMany(r))/time.Since(began).Seconds())
	return nil
}

func run(ctx context.Context, in, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}
