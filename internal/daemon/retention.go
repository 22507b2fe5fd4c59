package daemon

import (
	"context"
	"time"

	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/sqlite"
)

// Retention works soon after the start, and then this often.
const (
	retainFirst = 10 * time.Second
	retainEvery = 5 * time.Minute
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
		}
		d.retainOnce(ctx, d.current.Load().Retention)
		wait.Reset(retainEvery)
	}
}

func (d *Daemon) retainOnce(ctx context.Context, r config.Retention) {
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
}

// boundOutputs removes the oldest outputs until the rest is within the limit.
// What keep_per_job keeps, stays.
func (d *Daemon) boundOutputs(ctx context.Context, limit int64, keep int) error {
	if limit <= 0 {
		return nil
	}
	for after := int64(0); ctx.Err() == nil; {
		used, err := d.outputs.Usage()
		if err != nil || used <= limit {
			return err
		}
		oldest, err := d.ledger.OldestWithOutput(ctx, keep, after, outputBatch)
		if err != nil || len(oldest) == 0 {
			return err
		}
		ids := make([]int64, len(oldest))
		for i, r := range oldest {
			ids[i] = r.ID
		}
		after = ids[len(ids)-1]
		if err := d.outputs.Remove(ids...); err != nil {
			return err
		}
		if err := d.ledger.MarkOutputGone(ctx, ids); err != nil {
			return err
		}
		d.log.Info("old output removed", "runs", len(ids), "limit", limit)
	}
	return nil
}
