package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/poold/poold/internal/run"
)

// The keys of a job's occurrences are in the order of time, so that the index
// of keys finds what became of a moment, however long the history is.

// RunFor returns the run or the skipped row that stands for a due moment of a
// job; one of no id where there is none. Of a moment that a clock which was set
// back has named twice it is the later one. Lines of batches are left out: a
// batch that is due has the key of its moment as its name.
func (l *Ledger) RunFor(ctx context.Context, job string, at time.Time) (run.Run, error) {
	r, err := l.latestRun(ctx, job, run.OccurrenceKey(job, at, 0)+"/")
	if err != nil || r.ScheduledAt.Equal(at) || stands(&r, at) {
		return r, err
	}
	return run.Run{}, nil
}

// RunBefore returns the run or the skipped row of the job's last occurrence
// before an instant; one of no id where there is none.
func (l *Ledger) RunBefore(ctx context.Context, job string, before time.Time) (run.Run, error) {
	return l.latestRun(ctx, job, run.OccurrenceKey(job, before, 0))
}

// latestRun returns the run with the last key below one of the job's.
func (l *Ledger) latestRun(ctx context.Context, job, below string) (run.Run, error) {
	var runs []run.Run
	err := l.reader.do(ctx, "look for a moment of job "+job, func(c *conn) error {
		var err error
		runs, err = l.runsOf(ctx, c, "SELECT "+runCols+` FROM runs INDEXED BY runs_key
			WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT 1`, job+"@0", below)
		return err
	})
	if err != nil || len(runs) == 0 {
		return run.Run{}, err
	}
	return runs[0], nil
}

// besideMost is how many runs that were enqueued before another one are looked
// at for those that were in its way.
const besideMost = 5000

// RunsBeside returns runs, with their definitions, that were enqueued shortly
// before or after the given one and were under way between two instants: what
// it may have waited for.
func (l *Ledger) RunsBeside(ctx context.Context, id int64, from, until time.Time) ([]run.Run, error) {
	var runs []run.Run
	err := l.reader.do(ctx, fmt.Sprintf("look beside run %d", id), func(c *conn) error {
		var err error
		runs, err = l.runsOf(ctx, c, "SELECT "+runCols+` FROM runs NOT INDEXED
			WHERE id BETWEEN ? AND ? AND started_at <= ? AND (finished_at IS NULL OR finished_at > ?) AND id <> ?
			ORDER BY id DESC LIMIT 500`, id-besideMost, id+besideMost/10, until, from, id)
		if err != nil {
			return err
		}
		running, err := l.runsOf(ctx, c, "SELECT "+runCols+` FROM runs INDEXED BY runs_running
			WHERE state = 'running' AND id < ? AND started_at <= ? LIMIT 500`, id-besideMost, until)
		runs = append(runs, running...)
		return err
	})
	return runs, err
}

// PoolSize is how many workers a pool has from a moment on.
type PoolSize struct {
	At      time.Time
	Workers int
}

// PoolSizes returns the newest sizes of a pool up to an instant, oldest first.
func (l *Ledger) PoolSizes(ctx context.Context, pool string, until time.Time, limit int) ([]PoolSize, error) {
	var sizes []PoolSize
	err := l.reader.do(ctx, "read the sizes of pool "+pool, func(c *conn) error {
		const query = `SELECT at, workers FROM (SELECT at, workers FROM pool_sizes WHERE pool = ? AND at <= ?
			ORDER BY at DESC LIMIT ?) ORDER BY at`
		return c.query(ctx, query, []any{pool, until, limit}, func(v []driver.Value) error {
			sizes = append(sizes, PoolSize{At: instant(v[0]), Workers: int(number(v[1]))})
			return nil
		})
	})
	return sizes, err
}

// OldestRun returns when the oldest run of the ledger was enqueued; the zero
// time where there is none.
func (l *Ledger) OldestRun(ctx context.Context) (time.Time, error) {
	var at time.Time
	err := l.reader.do(ctx, "look for the oldest run", func(c *conn) error {
		var err error
		at, err = one(ctx, c, instant, "SELECT enqueued_at FROM runs WHERE id = (SELECT min(id) FROM runs)")
		return err
	})
	return at, err
}

// Watermark returns the watermark of a job; the zero one where it has none.
func (l *Ledger) Watermark(ctx context.Context, job string) (run.Watermark, error) {
	var mark run.Watermark
	err := l.reader.do(ctx, "read the watermark of job "+job, func(c *conn) error {
		const query = "SELECT at, epoch, schedule, boot, since FROM watermarks WHERE job = ?"
		return c.query(ctx, query, []any{job}, func(v []driver.Value) error {
			mark = run.Watermark{
				At: instant(v[0]), Epoch: int(number(v[1])), Schedule: text(v[2]), Boot: text(v[3]), Since: instant(v[4]),
			}
			return nil
		})
	})
	return mark, err
}
