package bigledger

import (
	"context"
	"fmt"
	"time"

	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/sqlite"
)

// Query is one question that a command, the API or the daemon itself asks of
// the ledger.
type Query struct {
	Name string
	Ask  func(ctx context.Context, l *sqlite.Ledger) error
}

// Queries are the questions of the contract, each as its first page.
func (s Spec) Queries() []Query {
	day := s.Now.Add(-24 * time.Hour)
	old := s.Now.AddDate(0, 0, -20)
	busy, quiet, rare := JobName(3), JobName(s.Jobs/2), JobName(s.Jobs-1)
	batch := fmt.Sprintf("b%d", s.Finished/1000*4/5)
	full, empty := PoolName(1), PoolName(s.Pools-1)
	list := []Query{
		runs("runs", run.Filter{}),
		runs("runs --job (many runs)", run.Filter{Job: busy}),
		runs("runs --job (a hundred, long ago)", run.Filter{Job: rare}),
		runs("runs --pool", run.Filter{Pool: full}),
		runs("runs --pool (a hundred, long ago)", run.Filter{Pool: empty}),
		runs("runs --pool (none)", run.Filter{Pool: "none"}),
		runs("runs --pool --job (none)", run.Filter{Pool: full, Job: busy}),
		runs("runs --pool (another's job)", run.Filter{Pool: empty, Job: busy}),
		runs("runs --batch", run.Filter{Batch: batch}),
		runs("runs --since 24h", run.Filter{Since: day}),
		runs("runs --since 24h --job", run.Filter{Since: day, Job: quiet}),
		runs("runs --since 24h --pool (none there)", run.Filter{Since: day, Pool: empty}),
		runs("runs --since --until, 20 days ago", run.Filter{Since: old, Until: old.Add(time.Hour)}),
		runs("runs --until, 20 days ago, --job", run.Filter{Until: old, Job: busy}),
		runs("runs --until, 20 days ago, --pool", run.Filter{Until: old, Pool: full}),
	}
	for _, state := range run.State("").Values() {
		is := []run.State{run.State(state)}
		list = append(list,
			runs("runs --state "+state, run.Filter{States: is}),
			runs("runs --state "+state+" --job", run.Filter{States: is, Job: busy}),
			runs("runs --state "+state+" --job (few)", run.Filter{States: is, Job: rare}),
			runs("runs --state "+state+" --pool", run.Filter{States: is, Pool: full}),
			runs("runs --state "+state+" --pool (few)", run.Filter{States: is, Pool: empty}),
			runs("runs --state "+state+" --batch", run.Filter{States: is, Batch: batch}),
			runs("runs --state "+state+" --since 24h", run.Filter{States: is, Since: day}),
			runs("runs --state "+state+" --until, 20 days ago", run.Filter{States: is, Until: old}),
		)
	}
	return append(list, s.lookups(busy, batch, day)...)
}

func runs(name string, f run.Filter) Query {
	f.Limit = 50
	return Query{name, func(ctx context.Context, l *sqlite.Ledger) error {
		_, err := l.Runs(ctx, f)
		return err
	}}
}

func (s Spec) lookups(busy, batch string, day time.Time) []Query {
	id := int64(s.Finished) / 2
	return []Query{
		{"show", func(ctx context.Context, l *sqlite.Ledger) error {
			if _, err := l.Run(ctx, id); err != nil {
				return err
			}
			_, err := l.Attempts(ctx, id)
			return err
		}},
		{"status JOB: last runs", func(ctx context.Context, l *sqlite.Ledger) error {
			_, err := l.LastRuns(ctx, busy, 5)
			return err
		}},
		{"jobs: last run of each", func(ctx context.Context, l *sqlite.Ledger) error {
			_, err := l.LastRunPerJob(ctx)
			return err
		}},
		{"last success", func(ctx context.Context, l *sqlite.Ledger) error {
			_, err := l.LastSuccess(ctx, busy)
			return err
		}},
		{"failed", func(ctx context.Context, l *sqlite.Ledger) error {
			_, err := l.FailedSince(ctx, day)
			return err
		}},
		{"ps: what runs", func(ctx context.Context, l *sqlite.Ledger) error {
			_, err := l.Running(ctx)
			return err
		}},
		{"pools: oldest queued", func(ctx context.Context, l *sqlite.Ledger) error {
			_, _, err := l.OldestQueued(ctx, PoolName(1))
			return err
		}},
		{"batch", func(ctx context.Context, l *sqlite.Ledger) error {
			_, err := l.Batch(ctx, batch)
			return err
		}},
		{"reload: jobs with unfinished runs", func(ctx context.Context, l *sqlite.Ledger) error {
			_, err := l.ActiveJobs(ctx)
			return err
		}},
		{"retention: may output go", func(ctx context.Context, l *sqlite.Ledger) error {
			_, err := l.MayLoseOutput(ctx, 20, []int64{id, id + 1, id + 2})
			return err
		}},
		{"window of a pool", func(ctx context.Context, l *sqlite.Ledger) error {
			_, err := l.Window(ctx, PoolName(1), nil, 256)
			return err
		}},
	}
}
