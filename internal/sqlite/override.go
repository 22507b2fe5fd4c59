package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"
)

// Override is a state that an operator set by hand, which holds until it is
// taken back, its time is over, or the entry in the file changes.
type Override struct {
	Kind     string // pool_size, pool_pause, job_pause, host_pause
	Name     string // of the pool or job; empty for the host
	Workers  int    // of pool_size
	OnShrink string
	Until    time.Time // zero: until taken back
	Reason   string
	By       string
	At       time.Time // when it was set
	Entry    string    // hash of the pool's entry in the file when it was set
}

// Overrides returns every override, by kind and name.
func (l *Ledger) Overrides(ctx context.Context) ([]Override, error) {
	var all []Override
	err := l.reader.do(ctx, "read overrides", func(c *conn) error {
		const query = `SELECT kind, name, workers, on_shrink, until, reason, by, at, entry
			FROM overrides ORDER BY kind, name`
		return c.query(ctx, query, nil, func(v []driver.Value) error {
			all = append(all, Override{
				Kind: text(v[0]), Name: text(v[1]), Workers: int(number(v[2])), OnShrink: text(v[3]),
				Until: instant(v[4]), Reason: text(v[5]), By: text(v[6]), At: instant(v[7]), Entry: text(v[8]),
			})
			return nil
		})
	})
	return all, err
}

// SetOverride stores an override in place of the one of that kind and name.
func (l *Ledger) SetOverride(ctx context.Context, o Override) error {
	return l.writer.do(ctx, "set override", false, func(t *tx) error {
		const query = `INSERT OR REPLACE INTO overrides (kind, name, workers, on_shrink, until, reason, by, at, entry)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
		err := t.exec(query, plain(o.Kind), plain(o.Name), o.Workers, plain(o.OnShrink), o.Until,
			plain(o.Reason), plain(o.By), o.At, plain(o.Entry))
		if err != nil {
			return fmt.Errorf("%s %q: %w", o.Kind, o.Name, err)
		}
		return nil
	})
}

// DeleteOverride takes an override back. One that is not there is no error.
func (l *Ledger) DeleteOverride(ctx context.Context, kind, name string) error {
	return l.writer.do(ctx, "delete override", false, func(t *tx) error {
		err := t.exec("DELETE FROM overrides WHERE kind = ? AND name = ?", plain(kind), plain(name))
		if err != nil {
			return fmt.Errorf("%s %q: %w", kind, name, err)
		}
		return nil
	})
}

// RecordPoolSize notes how many workers a pool has from a moment on.
func (l *Ledger) RecordPoolSize(ctx context.Context, pool string, workers int, at time.Time) error {
	return l.writer.do(ctx, "record the size of pool "+pool, false, func(t *tx) error {
		last, err := pick(t, optional,
			"SELECT workers FROM pool_sizes WHERE pool = ? AND at <= ? ORDER BY at DESC LIMIT 1", pool, at)
		if err != nil || (last != nil && *last == workers) {
			return err
		}
		return t.exec("INSERT OR REPLACE INTO pool_sizes (pool, at, workers) VALUES (?, ?, ?)", pool, at, workers)
	})
}

// MeanPoolSize returns how many workers a pool had between two moments, each
// size weighted by its time. Before the first record counts as the first; a
// pool without records gives 0.
func (l *Ledger) MeanPoolSize(ctx context.Context, pool string, from, to time.Time) (float64, error) {
	type size struct {
		at      time.Time
		workers float64
	}
	var sizes []size
	err := l.reader.do(ctx, "read the sizes of pool "+pool, func(c *conn) error {
		add := func(v []driver.Value) error {
			sizes = append(sizes, size{instant(v[0]), float64(number(v[1]))})
			return nil
		}
		err := c.query(ctx, "SELECT at, workers FROM pool_sizes WHERE pool = ? AND at <= ? ORDER BY at DESC LIMIT 1",
			[]any{pool, from}, add)
		if err != nil {
			return err
		}
		return c.query(ctx, "SELECT at, workers FROM pool_sizes WHERE pool = ? AND at > ? AND at < ? ORDER BY at",
			[]any{pool, from, to}, add)
	})
	if err != nil || len(sizes) == 0 {
		return 0, err
	}
	span := to.Sub(from)
	if span <= 0 {
		return sizes[0].workers, nil
	}
	sizes[0].at = from
	var sum float64
	for i, s := range sizes {
		end := to
		if i+1 < len(sizes) {
			end = sizes[i+1].at
		}
		sum += s.workers * float64(end.Sub(s.at))
	}
	return sum / float64(span), nil
}
