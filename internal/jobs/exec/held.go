package exec

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/proc"
)

// attemptKey names an attempt.
type attemptKey struct {
	run     int64
	attempt int
}

// Held lists the attempts of which processes are alive, recognised by the
// variables they were started with. That includes what attempts that ended
// long ago have left behind under stop mode process: whether a run is still
// meant to be running is for the ledger to say.
func (e *Type) Held(ctx context.Context, ledger string) ([]jobs.Held, error) {
	if ledger == "" {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	found, err := proc.FindMarked([]string{varLedger + "=" + ledger}, varRunID, varAttempt)
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	trees := make(map[attemptKey][]proc.Found)
	var order []attemptKey
	for _, f := range found {
		key, ok := keyOf(f)
		if !ok {
			continue
		}
		if trees[key] == nil {
			order = append(order, key)
		}
		trees[key] = append(trees[key], f)
	}
	held := make([]jobs.Held, 0, len(order))
	for _, key := range order {
		held = append(held, jobs.Held{Run: key.run, Attempt: key.attempt, Stop: e.stopper(key, trees[key])})
	}
	return held, nil
}

// keyOf reads which attempt a process says it belongs to. A job may have
// changed its environment: what makes no sense is left alone.
func keyOf(f proc.Found) (attemptKey, bool) {
	run, err := strconv.ParseInt(f.Env[varRunID], 10, 64)
	if err != nil || run <= 0 {
		return attemptKey{}, false
	}
	attempt, err := strconv.Atoi(f.Env[varAttempt])
	return attemptKey{run, attempt}, err == nil && attempt > 0
}

// stopper returns what ends the processes of an attempt.
func (e *Type) stopper(key attemptKey, found []proc.Found) func(context.Context, jobs.Stop) error {
	return func(ctx context.Context, s jobs.Stop) error {
		stop := ladder(s)
		reach := found
		if !stop.Tree {
			reach = mainOf(found)
		}
		stopped := proc.StopFound(ctx, reach, stop)
		e.tell(jobs.Task{Run: key.run, Attempt: key.attempt}, stopped)
		if stopped.Err != nil {
			return fmt.Errorf("stop attempt %d of run %d: %w", key.attempt, key.run, stopped.Err)
		}
		if len(stopped.Left) > 0 {
			return errors.New("these processes outlived KILL: " + fmt.Sprint(names(stopped.Left)))
		}
		return nil
	}
}

// mainOf picks the main process: the oldest, which leads a session since it
// was started. Without it, all that lives has been left behind on purpose.
func mainOf(found []proc.Found) []proc.Found {
	if session, err := unix.Getsid(found[0].PID); err == nil && session == found[0].PID {
		return found[:1]
	}
	return nil
}
