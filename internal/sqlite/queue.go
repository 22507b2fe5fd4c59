package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"

	"github.com/poold/poold/internal/run"
)

// Bump gives a queued run a priority above all that are queued in its pool,
// and returns it as it is then. One that is held back asks again.
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
		if err := t.exec("UPDATE runs SET priority = ? WHERE id = ?", r.Priority, id); err != nil {
			return err
		}
		if r.Waits == "" || run.Resource(r.Waits).Shared() {
			return nil
		}
		r, err = t.makeReady(id) // those who are on their way are behind it now
		return err
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
		here := make([]int64, 0, len(ids))
		for _, id := range ids {
			n, err := t.change("UPDATE runs SET pool = ? WHERE id = ? AND pool = ? AND state = 'queued'", to, id, from)
			if err != nil {
				return fmt.Errorf("run %d: %w", id, err)
			}
			if n == 1 {
				here = append(here, id)
			}
		}
		moved = len(here)
		t.count(from, -moved, 0)
		t.count(to, moved, 0)
		return t.settleIn(here)
	})
	if err != nil {
		return 0, err
	}
	return moved, nil
}

// settleIn places runs in the pool that they have come to: those that were
// ready, and those that waited. Whoever was to let these go may have gone to yet
// another pool.
func (t *tx) settleIn(moved []int64) error {
	asks := make([]int64, 0, len(moved))
	for _, id := range moved {
		held, err := pick(t, text, "SELECT CASE WHEN ready = 1 THEN 'ready' ELSE waits END FROM runs WHERE id = ?", id)
		if err != nil {
			return fmt.Errorf("read run %d: %w", id, err)
		}
		if held != "" && !run.Resource(held).Shared() {
			asks = append(asks, id)
		}
	}
	_, err := t.placeHeld(asks)
	return err
}

// HeldPer is how many queued runs of the pool wait because of a limit for their
// key.
func (l *Ledger) HeldPer(ctx context.Context, pool string) (int, error) {
	from, to := perRange(pool, "")
	held := 0
	err := l.reader.do(ctx, "count what is held", func(c *conn) error {
		n, err := one(ctx, c, number, "SELECT count(*) FROM runs INDEXED BY runs_waits WHERE waits >= ? AND waits < ?", from, to)
		held = int(n)
		return err
	})
	return held, err
}

// perRange is the range of the limits for keys of that kind in the pool, or of
// all its kinds.
func perRange(pool, kind string) (from, to string) {
	from = string(run.PerResource(pool, kind, ""))
	if kind == "" {
		from = from[:len(from)-1]
	}
	return from, from[:len(from)-1] + ";" // the byte after the colon
}

// unlimitChunk is how many runs one Unlimit judges.
const unlimitChunk = 250

// Unlimit judges those queued runs of the pool anew that wait by keys of that
// kind, and returns those that are ready now. It does so in steps: as long as
// more is true, another call has more to do.
func (l *Ledger) Unlimit(ctx context.Context, pool, kind string) (ready []run.Run, more bool, err error) {
	const query = "SELECT id FROM runs INDEXED BY runs_waits WHERE waits >= ? AND waits < ? LIMIT ?"
	from, to := perRange(pool, kind)
	err = l.writer.do(ctx, "judge who waits", false, func(t *tx) error {
		ids, err := t.ids(query, from, to, unlimitChunk)
		if err != nil {
			return err
		}
		more = len(ids) == unlimitChunk
		ready, err = t.placeHeld(ids)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return ready, more, nil
}
