package sqlite

import (
	"context"
	"time"

	"github.com/poold/poold/internal/run"
)

// Window returns the next ready runs of the pool in dispatch order, best
// first: those after the given position, or from the start. It reads no more
// rows than it returns.
func (l *Ledger) Window(ctx context.Context, pool string, after *run.Position, n int) ([]run.Run, error) {
	var window []run.Run
	err := l.reader.do(ctx, "read the queue", func(c *conn) error {
		const from = "SELECT " + runCols + " FROM runs INDEXED BY runs_ready WHERE ready = 1 AND pool = ?"
		const order = " ORDER BY priority DESC, id LIMIT ?"
		var err error
		if after == nil {
			window, err = l.runsOf(ctx, c, from+order, pool, n)
			return err
		}
		// Two ranges of the index: the same priority, then the lower ones.
		window, err = l.runsOf(ctx, c, from+" AND priority = ? AND id > ?"+order, pool, after.Priority, after.ID, n)
		if err != nil || len(window) == n {
			return err
		}
		lower, err := l.runsOf(ctx, c, from+" AND priority < ?"+order, pool, after.Priority, n-len(window))
		window = append(window, lower...)
		return err
	})
	return window, err
}

// Ripen makes runs ready whose time has come, at most limit of them, those due
// first before others; one that would wait behind others of its kind waits with
// them instead. It lists runs that were not started in time, which it
// leaves as they are.
func (l *Ledger) Ripen(ctx context.Context, now time.Time, limit int) (run.Ripe, error) {
	var ripe run.Ripe
	err := l.writer.do(ctx, "look for due runs", false, func(t *tx) error {
		ripe = run.Ripe{}
		var err error
		if ripe.Ready, err = t.ripen(now, limit); err != nil {
			return err
		}
		ripe.Expired, err = l.runsOf(context.Background(), t.conn, "SELECT "+runCols+` FROM runs INDEXED BY runs_expires
			WHERE expires_at <= ? AND state = 'queued' AND attempts = 0 ORDER BY expires_at LIMIT ?`, now, limit)
		if err != nil {
			return err
		}
		ripe.Next, err = t.nextRipe(now, len(ripe.Expired) == limit)
		return err
	})
	if err != nil {
		return run.Ripe{}, err
	}
	return ripe, nil
}

func (t *tx) ripen(now time.Time, limit int) ([]run.Run, error) {
	ids, err := t.ids(`SELECT id FROM runs INDEXED BY runs_due
		WHERE ready = 0 AND waits IS NULL AND due_at <= ? ORDER BY due_at LIMIT ?`, now, limit)
	if err != nil {
		return nil, err
	}
	return t.placeHeld(ids)
}

// nextRipe is when there is more to do: the next due time, or the next expiry
// after now, or before where not all that expired was listed.
func (t *tx) nextRipe(now time.Time, moreExpired bool) (time.Time, error) {
	due, err := pick(t, instant, `SELECT due_at FROM runs INDEXED BY runs_due
		WHERE ready = 0 AND waits IS NULL ORDER BY due_at LIMIT 1`)
	if err != nil {
		return due, err
	}
	if moreExpired {
		return earlier(due, now), nil
	}
	expiry, err := pick(t, instant, `SELECT expires_at FROM runs INDEXED BY runs_expires
		WHERE expires_at > ? AND state = 'queued' AND attempts = 0 ORDER BY expires_at LIMIT 1`, now)
	return earlier(due, expiry), err
}

// earlier returns the earlier of two times, of which one may be none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// Running returns the runs that are running.
func (l *Ledger) Running(ctx context.Context) ([]run.Run, error) {
	var runs []run.Run
	err := l.reader.do(ctx, "read what runs", func(c *conn) error {
		var err error
		runs, err = l.runsOf(ctx, c, "SELECT "+runCols+" FROM runs INDEXED BY runs_running WHERE state = 'running' ORDER BY id")
		return err
	})
	return runs, err
}
