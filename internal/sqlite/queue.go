package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"

	"github.com/poold/poold/internal/run"
)

// Bump gives a queued run a priority above all that are queued in its pool,
// and returns it as it is then.
func (l *Ledger) Bump(ctx context.Context, id int64) (run.Run, error) {
	var r run.Run
	err := l.writer.do(ctx, "bump", false, func(t *tx) error {
		found, err := pick(t, number, "SELECT count(*) FROM runs WHERE id = ?", id)
		if err != nil {
			return err
		}
		if found == 0 {
			return refuse(fmt.Errorf("run %d: %w", id, run.ErrNotFound))
		}
		if r, err = t.byID(id); err != nil {
			return err
		}
		if r.State != run.Queued {
			return stale(id, "bump")
		}
		top, others, err := t.topPriority(r.Pool, id)
		if err != nil || !others || int64(r.Priority) > top || top == math.MaxInt64 {
			return err
		}
		r.Priority = int(top) + 1
		return t.exec("UPDATE runs SET priority = ? WHERE id = ?", r.Priority, id)
	})
	if err != nil {
		return run.Run{}, err
	}
	return r, nil
}

// topPriority is the highest priority of the other queued runs of the pool.
// The ready ones are in order; of those held back each is looked at, in the
// index alone.
func (t *tx) topPriority(pool string, except int64) (top int64, others bool, err error) {
	for _, query := range []string{
		"SELECT priority FROM runs INDEXED BY runs_ready WHERE ready = 1 AND pool = ? AND id <> ? ORDER BY priority DESC LIMIT 1",
		"SELECT max(priority) FROM runs INDEXED BY runs_due WHERE ready = 0 AND waits IS NULL AND pool = ? AND id <> ?",
		"SELECT max(priority) FROM runs INDEXED BY runs_waits WHERE waits IS NOT NULL AND pool = ? AND id <> ?",
	} {
		err := t.query(query, []any{pool, except}, func(v []driver.Value) error {
			if n, ok := v[0].(int64); ok && (!others || n > top) {
				top, others = n, true
			}
			return nil
		})
		if err != nil {
			return 0, false, fmt.Errorf("look for the highest priority: %w", err)
		}
	}
	return top, others, nil
}

// rehomeChunk is how many runs move in one transaction.
const rehomeChunk = 2000

// Rehome moves the queued runs of a job from one pool to another, and returns
// how many. It does so in steps, between which others may write.
func (l *Ledger) Rehome(ctx context.Context, job, from, to string) (int, error) {
	if from == to {
		return 0, nil
	}
	moved, after := 0, int64(0)
	for {
		ids, err := l.queuedIn(ctx, job, from, after)
		if err != nil || len(ids) == 0 {
			return moved, err
		}
		after = ids[len(ids)-1]
		n, err := l.rehome(ctx, ids, from, to)
		moved += n
		if err != nil {
			return moved, err
		}
	}
}

// queuedIn lists queued runs of the job in the pool, with ids above after.
func (l *Ledger) queuedIn(ctx context.Context, job, pool string, after int64) ([]int64, error) {
	var ids []int64
	err := l.reader.do(ctx, "look for queued runs of job "+job, func(c *conn) error {
		const query = `SELECT id FROM runs INDEXED BY runs_active
			WHERE job = ? AND finished_at IS NULL AND state = 'queued' AND pool = ? AND id > ? ORDER BY id LIMIT ?`
		return c.query(ctx, query, []any{job, pool, after, rehomeChunk}, func(v []driver.Value) error {
			ids = append(ids, number(v[0]))
			return nil
		})
	})
	return ids, err
}

func (l *Ledger) rehome(ctx context.Context, ids []int64, from, to string) (moved int, err error) {
	err = l.writer.do(ctx, fmt.Sprintf("move runs from pool %q to %q", from, to), false, func(t *tx) error {
		l.moved.Store(true)
		moved = 0
		for _, id := range ids {
			n, err := t.change("UPDATE runs SET pool = ? WHERE id = ? AND pool = ? AND state = 'queued'", to, id, from)
			if err != nil {
				return fmt.Errorf("run %d: %w", id, err)
			}
			moved += int(n)
		}
		t.count(from, -moved, 0)
		t.count(to, moved, 0)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return moved, nil
}
