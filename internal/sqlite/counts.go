package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"sync"
	"time"
)

// PoolCount is how many runs of a pool are under way.
type PoolCount struct {
	Queued  int // also those that are held back
	Running int
}

func (c PoolCount) plus(d PoolCount) PoolCount {
	return PoolCount{Queued: c.Queued + d.Queued, Running: c.Running + d.Running}
}

// counts are the runs under way by pool, kept in memory.
type counts struct {
	mu     sync.Mutex
	byPool map[string]PoolCount
}

func newCounts() *counts { return &counts{byPool: map[string]PoolCount{}} }

// load counts afresh, from indexes that hold no more than what is under way.
func (c *counts) load(ctx context.Context, db *conn) error {
	for _, q := range []struct {
		sql string
		add func(n int) PoolCount
	}{
		{"SELECT pool, count(*) FROM runs INDEXED BY runs_ready WHERE ready = 1 GROUP BY pool", queuedCount},
		{"SELECT pool, count(*) FROM runs INDEXED BY runs_due WHERE ready = 0 AND waits IS NULL GROUP BY pool", queuedCount},
		{"SELECT pool, count(*) FROM runs INDEXED BY runs_waits WHERE waits IS NOT NULL GROUP BY pool", queuedCount},
		{"SELECT pool, count(*) FROM runs INDEXED BY runs_running WHERE state = 'running' GROUP BY pool", runningCount},
	} {
		err := db.query(ctx, q.sql, nil, func(v []driver.Value) error {
			pool := text(v[0])
			c.byPool[pool] = c.byPool[pool].plus(q.add(int(number(v[1]))))
			return nil
		})
		if err != nil {
			return fmt.Errorf("count what waits: %w", err)
		}
	}
	return nil
}

func queuedCount(n int) PoolCount  { return PoolCount{Queued: n} }
func runningCount(n int) PoolCount { return PoolCount{Running: n} }

func (c *counts) add(changes map[string]PoolCount) {
	if len(changes) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for pool, d := range changes {
		if sum := c.byPool[pool].plus(d); sum != (PoolCount{}) {
			c.byPool[pool] = sum
			continue
		}
		delete(c.byPool, pool)
	}
}

func (c *counts) of(pool string) PoolCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byPool[pool]
}

// Counts returns how many runs each pool has queued and running, as of the
// last commit. A pool without any is left out.
func (l *Ledger) Counts() map[string]PoolCount {
	l.counts.mu.Lock()
	defer l.counts.mu.Unlock()
	return maps.Clone(l.counts.byPool)
}

// OldestQueued returns when the oldest run was enqueued that is ready and
// waits for a worker of the pool; false if none is. Runs held back by a due
// time or a resource are not waiting for a worker.
func (l *Ledger) OldestQueued(ctx context.Context, pool string) (time.Time, bool, error) {
	var oldest time.Time
	var id int64
	err := l.reader.do(ctx, "look for the oldest queued run", func(c *conn) error {
		const first = `SELECT priority, id, enqueued_at FROM runs INDEXED BY runs_ready
			WHERE ready = 1 AND pool = ? ORDER BY priority DESC, id LIMIT 1`
		const lower = `SELECT priority, id, enqueued_at FROM runs INDEXED BY runs_ready
			WHERE ready = 1 AND pool = ? AND priority < ? ORDER BY priority DESC, id LIMIT 1`
		// The first of each priority is the oldest of it.
		query, args := first, []any{pool}
		for more := true; more; query = lower {
			more = false
			err := c.query(ctx, query, args, func(v []driver.Value) error {
				more, args = true, []any{pool, number(v[0])}
				if id == 0 || number(v[1]) < id {
					id, oldest = number(v[1]), instant(v[2])
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return oldest, id != 0, err
}
