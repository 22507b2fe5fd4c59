package exec

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/proc"
)

// notStarted is the outcome of an attempt that never became a process.
func notStarted(err error) jobs.Outcome {
	return jobs.Outcome{Reason: "start", Error: err.Error()}
}

// execute starts the command and sees it to its end.
func (e *Type) execute(ctx context.Context, t jobs.Task, spec proc.Spec) jobs.Outcome {
	if ctx.Err() != nil {
		return notStarted(fmt.Errorf("stopped before it was started: %w", context.Cause(ctx)))
	}
	if spec.User != nil && int(spec.User.UID) != os.Geteuid() {
		// So that the job may open /dev/stdout, which is this file.
		if err := t.Output.Chown(int(spec.User.UID), int(spec.User.GID)); err != nil {
			return notStarted(fmt.Errorf("give the output file to user %s: %w", spec.User.Name, err))
		}
	}
	file, err := t.Output.File()
	if err != nil {
		return notStarted(fmt.Errorf("create the output file: %w", err))
	}
	spec.Output, spec.Orphans = file, e.orphans
	p, err := proc.Start(spec)
	if err != nil {
		return notStarted(err)
	}
	return e.supervise(ctx, t, p)
}

// supervise waits for the end of the main process, by itself or by the
// ladder, and clears away what it leaves behind.
func (e *Type) supervise(ctx context.Context, t jobs.Task, p *proc.Process) jobs.Outcome {
	// Reaping comes last: until then the pid is taken and the tree is known.
	defer func() {
		if err := p.Close(); err != nil {
			e.log.Warn("let go of a process", "job", t.Job, "run", t.Run, "pid", p.Pid, "err", err)
		}
	}()
	stop := ladder(t.Stop)
	// The ladder has a bound of its own, so it outlives the context.
	unhurried := context.WithoutCancel(ctx)
	_, err := p.Wait(ctx)
	stopped := err != nil && !p.Ended()
	if stopped {
		e.tell(t, p.Stop(unhurried, stop))
		if !p.Ended() {
			return lost(p, "it outlived KILL: it hangs in the kernel, or may not be signalled by the daemon")
		}
	}
	exit, err := p.Wait(unhurried)
	if !stopped {
		e.tell(t, p.Sweep(unhurried, stop))
	}
	if err != nil {
		return lost(p, err.Error())
	}
	return outcome(exit, stopped)
}

func lost(p *proc.Process, why string) jobs.Outcome {
	return jobs.Outcome{Reason: "lost", Error: fmt.Sprintf("process %d: %s", p.Pid, why)}
}

// outcome says how the main process ended. One that was told to stop has not
// succeeded, whatever its exit status: its work was cut short.
func outcome(exit proc.Exit, stopped bool) jobs.Outcome {
	if exit.Signal != "" {
		text := "killed by signal " + exit.Signal
		if exit.CoreDumped {
			text += " (core dumped)"
		}
		return jobs.Outcome{Reason: "signal", Signal: exit.Signal, Error: text, Stopped: stopped}
	}
	code := exit.Code
	if code == 0 && !stopped {
		return jobs.Outcome{OK: true, ExitCode: &code}
	}
	text := fmt.Sprintf("exit status %d", code)
	if stopped {
		text += " after it was told to stop"
	}
	return jobs.Outcome{Reason: "exit", ExitCode: &code, Error: text, Stopped: stopped}
}

// The ladder of a task that says nothing about it.
const (
	defaultSignal = unix.SIGTERM
	defaultAfter  = 30 * time.Second
)

func ladder(s jobs.Stop) proc.Stop {
	if s == (jobs.Stop{}) {
		return proc.Stop{Signal: defaultSignal, After: defaultAfter, Tree: true}
	}
	signal := s.Signal.Number()
	if signal == 0 {
		signal = defaultSignal
	}
	return proc.Stop{Signal: signal, After: time.Duration(s.After), Tree: s.Mode != jobs.StopProcess}
}

// tell logs what a ladder had to do beyond asking.
func (e *Type) tell(t jobs.Task, s proc.Stopped) {
	if s.Err != nil {
		e.log.Error("stop a process tree", "job", t.Job, "run", t.Run, "attempt", t.Attempt, "err", s.Err)
	}
	if len(s.Left) > 0 {
		e.log.Error("processes of an attempt outlived KILL", "job", t.Job, "run", t.Run, "attempt", t.Attempt, "left", names(s.Left))
	}
	if len(s.Killed) > 0 {
		e.log.Info("processes of an attempt did not heed the stop signal and were killed",
			"job", t.Job, "run", t.Run, "attempt", t.Attempt, "killed", names(s.Killed))
	}
}

// mostNames bounds a log line; a fork bomb leaves thousands.
const mostNames = 10

func names(found []proc.Found) []string {
	var list []string
	for i, f := range found {
		if i == mostNames {
			return append(list, fmt.Sprintf("and %d more", len(found)-i))
		}
		list = append(list, fmt.Sprintf("%s[%d]", f.Command, f.PID))
	}
	return list
}
