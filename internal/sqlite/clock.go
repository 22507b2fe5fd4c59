package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// stepped says whether the clock was ever set back while the runs that are here
// were enqueued. If it never was, ids and minutes rise together.
type stepped struct{ atomic.Int32 }

const (
	neverStepped int32 = iota + 1 // 0: not known yet
	onceStepped
)

// straight says whether ids and minutes rise together. It reads the clock table
// once.
func (s *stepped) straight(ctx context.Context, c *conn) (bool, error) {
	if s.Load() != 0 {
		return s.Load() == neverStepped, nil
	}
	back, last := false, int64(math.MinInt64)
	err := c.query(ctx, "SELECT at FROM clock ORDER BY id", nil, func(v []driver.Value) error {
		back = back || number(v[0]) <= last
		last = number(v[0])
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("read the minutes: %w", err)
	}
	if back {
		s.Store(onceStepped)
	}
	s.CompareAndSwap(0, neverStepped) // unless the clock was set in the meantime
	return s.Load() == neverStepped, nil
}

// idRange returns ids low ≤ id < high between which all runs are that were
// enqueued in the window of time; others may be too.
func (l *Ledger) idRange(ctx context.Context, c *conn, since, until time.Time) (low, high int64, err error) {
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !since.IsZero() {
		from = number(nanos(since.Truncate(time.Minute)))
	}
	if !until.IsZero() {
		to = number(nanos(until))
	}
	straight, err := l.stepped.straight(ctx, c)
	if err != nil {
		return 0, 0, err
	}
	last := int64(0)
	if straight {
		const first = "SELECT id FROM clock INDEXED BY clock_at WHERE at >= ? AND at < ? ORDER BY at LIMIT 1"
		if low, err = one(ctx, c, number, first, from, to); err != nil || low == 0 {
			return 0, 0, err
		}
		last, err = one(ctx, c, number, "SELECT id FROM clock INDEXED BY clock_at WHERE at < ? ORDER BY at DESC LIMIT 1", to)
	} else {
		err = c.query(ctx, "SELECT min(id), max(id) FROM clock INDEXED BY clock_at WHERE at >= ? AND at < ?", []any{from, to},
			func(v []driver.Value) error {
				low, last = number(v[0]), number(v[1])
				return nil
			})
	}
	if err != nil || low == 0 {
		return 0, 0, err
	}
	high, err = one(ctx, c, number, "SELECT id FROM clock WHERE id > ? ORDER BY id LIMIT 1", last)
	if high == 0 {
		high = math.MaxInt64
	}
	return low, high, err
}
