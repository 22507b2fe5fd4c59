package spawn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/poold/poold/bench/suite"
	"github.com/poold/poold/internal/jobs"
	jobsexec "github.com/poold/poold/internal/jobs/exec"
	"github.com/poold/poold/internal/output"
	"github.com/poold/poold/internal/proc"
)

const command = "/bin/true"

// alone measures a layer in a process of its own.
func alone(layer string) func(context.Context, *suite.Round) error {
	return func(ctx context.Context, r *suite.Round) error {
		got, err := r.Alone(ctx, layer, strconv.Itoa(howMany(r)))
		if err != nil {
			return err
		}
		r.Note("", got["rate"])
		return nil
	}
}

func howMany(r *suite.Round) int { return r.Pick(3000, 2000, 100) }

// twoAtOnce calls f for 1 to n, two at a time, and notes the rate.
func twoAtOnce(args []string, note func(string, float64), f func(i int64) error) error {
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	failed := make(chan error, 2)
	began := time.Now()
	for range 2 {
		workers.Go(func() {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				if err := f(i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	workers.Wait()
	note("rate", float64(n)/time.Since(began).Seconds())
	close(failed)
	return <-failed
}

// adopt is what a daemon does before it starts commands.
func adopt(ctx context.Context) (o *proc.Orphans, stop func(), err error) {
	if o, err = proc.AdoptOrphans(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var reaper sync.WaitGroup
	reaper.Go(func() { _ = o.Run(ctx) }) // it ends with ctx, and without an error
	return o, func() { cancel(); reaper.Wait() }, nil
}

func procAlone(ctx context.Context, args []string, note func(string, float64)) error {
	o, stop, err := adopt(ctx)
	if err != nil {
		return err
	}
	defer stop()
	return twoAtOnce(args, note, func(i int64) error {
		marker := "RUN=" + strconv.FormatInt(i, 10)
		return live(ctx, proc.Spec{Argv: []string{command}, Env: []string{"PATH=/bin", marker}, Marker: []string{marker}, Umask: 0o022, Orphans: o})
	})
}

// live is one life of a process.
func live(ctx context.Context, spec proc.Spec) error {
	p, err := proc.Start(spec)
	if err != nil {
		return err
	}
	exit, err := p.Wait(ctx)
	if err == nil && exit.Code != 0 {
		err = fmt.Errorf("it ended with %+v", exit)
	}
	swept := p.Sweep(ctx, proc.Stop{Tree: true})
	return errors.Join(err, swept.Err, p.Close())
}

func execAlone(ctx context.Context, args []string, note func(string, float64)) error {
	o, stop, err := adopt(ctx)
	if err != nil {
		return err
	}
	defer stop()
	dir, err := os.MkdirTemp("", "output")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := output.Open(dir)
	if err != nil {
		return err
	}
	defer store.Close()
	with, err := json.Marshal(jobsexec.Settings{Command: []string{command}})
	if err != nil {
		return err
	}
	typ := jobsexec.New(jobsexec.Options{Orphans: o})
	return twoAtOnce(args, note, func(i int64) error {
		sink := store.Sink(i, 1, 10<<20)
		out := typ.Run(ctx, jobs.Task{Ledger: "bench", Job: "bench", Run: i, Attempt: 1, With: with, Output: sink})
		_, err := sink.Close()
		if !out.OK {
			err = errors.Join(err, errors.New(out.Error))
		}
		return err
	})
}

// bareAlone is the least that Go's own library does for a child.
func bareAlone(_ context.Context, args []string, note func(string, float64)) error {
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}}
	return twoAtOnce(args, note, func(int64) error {
		pid, err := syscall.ForkExec(command, []string{command}, attr)
		if err != nil {
			return err
		}
		for {
			if _, err = syscall.Wait4(pid, nil, 0, nil); err != syscall.EINTR {
				return err
			}
		}
	})
}
