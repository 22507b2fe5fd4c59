package daemon

import (
	"context"
	"iter"
	"time"

	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/output"
	"github.com/poold/poold/internal/sqlite"
)

// Retention works soon after the start and after a reload that changed its
// rule, and then this often: while it finds something to remove, as soon as
// that takes no more than a twentieth of the time.
const (
	retainFirst = 10 * time.Second
	retainEvery = 5 * time.Minute
	retainShare = 20
)

// outputBatch is how many runs lose their output in one step.
const outputBatch = 500

// retain keeps ledger and outputs within their bounds, until ctx is done.
func (d *Daemon) retain(ctx context.Context) error {
	wait := time.NewTimer(retainFirst)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		case <-d.rule:
		}
		began := time.Now()
		next := retainEvery
		if d.retainOnce(ctx, d.current.Load().Retention) > 0 { // runs end all the time
			next = min(max(retainFirst, retainShare*time.Since(began)), retainEvery)
		}
		wait.Reset(next)
	}
}

// retainOnce removes what is to be kept no longer, and returns how many runs.
func (d *Daemon) retainOnce(ctx context.Context, r config.Retention) (removed int) {
	rule := sqlite.Retention{Age: time.Duration(r.Age), Runs: r.Runs, KeepPerJob: r.KeepPerJob}
	removed, err := d.ledger.Prune(ctx, rule, time.Now(), func(ids []int64) error {
		return d.outputs.Remove(ids...)
	})
	if err != nil && ctx.Err() == nil {
		d.log.Error("remove old runs", "err", err)
	}
	if removed > 0 {
		d.log.Info("old runs removed", "runs", removed)
	}
	if err := d.boundOutputs(ctx, int64(r.Output), r.KeepPerJob); err != nil && ctx.Err() == nil {
		d.log.Error("remove old output", "err", err)
	}
	return removed
}

// boundOutputs removes the oldest outputs until the rest is within the limit.
// What keep_per_job keeps, stays. It goes by the files and not by what the runs
// have recorded: a condition prints as well, and so does an attempt that is lost.
func (d *Daemon) boundOutputs(ctx context.Context, limit int64, keep int) error {
	if limit <= 0 {
		return nil
	}
	used, err := d.outputs.Usage()
	if err != nil || used <= limit {
		return err
	}
	excess := used - limit
	for step, err := range inSteps(d.outputs.Runs(), outputBatch) {
		if err != nil || ctx.Err() != nil {
			return err
		}
		freed, err := d.dropOutputs(ctx, step, excess, keep)
		if err != nil {
			return err
		}
		if excess -= freed; excess <= 0 {
			return nil
		}
	}
	return nil
}

// dropOutputs removes of the given outputs, the oldest first, as many as free
// the excess.
func (d *Daemon) dropOutputs(ctx context.Context, step []output.Stored, excess int64, keep int) (freed int64, err error) {
	ids, bytes := make([]int64, len(step)), make(map[int64]int64, len(step))
	for i, s := range step {
		ids[i], bytes[s.Run] = s.Run, s.Bytes
	}
	may, err := d.ledger.MayLoseOutput(ctx, keep, ids)
	if err != nil {
		return 0, err
	}
	n := 0
	for ; n < len(may) && freed < excess; n++ {
		freed += bytes[may[n]]
	}
	if n == 0 {
		return 0, nil
	}
	if err := d.outputs.Remove(may[:n]...); err != nil {
		return 0, err
	}
	if err := d.ledger.MarkOutputGone(ctx, may[:n]); err != nil {
		return 0, err
	}
	d.log.Info("old output removed", "runs", n, "bytes", freed)
	return freed, nil
}

// inSteps groups what a sequence yields, at most so many at a time.
func inSteps[T any](seq iter.Seq2[T, error], most int) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		var step []T
		for v, err := range seq {
			if err != nil {
				yield(nil, err)
				return
			}
			if step = append(step, v); len(step) < most {
				continue
			}
			if !yield(step, nil) {
				return
			}
			step = nil
		}
		if len(step) > 0 {
			yield(step, nil)
		}
	}
}
