package spawn

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/poold/poold/bench/suite"
	"github.com/poold/poold/internal/proc"
)

func crowd(who string) func(context.Context, *suite.Round) error {
	return func(ctx context.Context, r *suite.Round) error {
		got, err := r.Alone(ctx, who, strconv.Itoa(r.Pick(500, 500, 20)))
		if err != nil {
			return err
		}
		r.Note("threads", got["threads"])
		r.Note("an end", got["end"])
		return nil
	}
}

var sleeps = []string{"/bin/sleep", "600"}

// shortLives are how many commands come and go beside the crowd.
const shortLives = 100

// crowdAlone has commands live in internal/proc, and others end beside them.
func crowdAlone(ctx context.Context, args []string, note func(string, float64)) error {
	o, stop, err := adopt(ctx)
	if err != nil {
		return err
	}
	defer stop()
	var waits sync.WaitGroup
	start := func() (end func(), err error) {
		p, err := proc.Start(proc.Spec{Argv: sleeps, Umask: 0o022, Orphans: o})
		if err != nil {
			return nil, err
		}
		waits.Go(func() { _, _ = p.Wait(ctx) }) // it is killed
		return func() {
			p.Stop(ctx, proc.Stop{Signal: unix.SIGKILL})
			_ = p.Close()
		}, nil
	}
	short := func() error {
		return live(ctx, proc.Spec{Argv: []string{command}, Umask: 0o022, Orphans: o})
	}
	err = measureCrowd(args, note, start, short)
	waits.Wait()
	return err
}

// osExecAlone does the same with os/exec.
func osExecAlone(ctx context.Context, args []string, note func(string, float64)) error {
	var waits sync.WaitGroup
	start := func() (end func(), err error) {
		cmd := exec.CommandContext(ctx, sleeps[0], sleeps[1:]...)
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		waits.Go(func() { _ = cmd.Wait() }) // it is killed
		return func() { _ = cmd.Process.Kill() }, nil
	}
	err := measureCrowd(args, note, start, func() error { return exec.CommandContext(ctx, command).Run() })
	waits.Wait()
	return err
}

func measureCrowd(args []string, note func(string, float64), start func() (func(), error), short func() error) (err error) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for range n {
		end, startErr := start()
		if startErr != nil {
			return startErr
		}
		defer end()
	}
	before, err := used()
	for range shortLives {
		err = errors.Join(err, short())
	}
	after, usedErr := used()
	threads, readErr := os.ReadDir("/proc/self/task")
	note("threads", float64(len(threads)))
	note("end", (after-before)/shortLives/1000)
	return errors.Join(err, usedErr, readErr)
}

// used is this process's CPU time so far, without its children's, in ns.
func used() (float64, error) {
	var u unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano() + u.Stime.Nano()), err
}
