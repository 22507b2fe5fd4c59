package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/poold/poold/internal/run"
)

// mostEvents bounds the table: a script that resizes a pool each second must
// not fill the disk.
const mostEvents = 100_000

// AddEvent records an event and returns its id.
func (l *Ledger) AddEvent(ctx context.Context, e run.Event) (int64, error) {
	var id int64
	err := l.writer.do(ctx, "record the event "+string(e.Kind), false, func(t *tx) error {
		var err error
		id, err = t.insert(`INSERT INTO events (at, kind, subject, by, reason, since, until, detail)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			e.At, plain(e.Kind), plain(e.Subject), e.By, e.Reason, e.Since, e.Until, string(e.Detail))
		return err
	})
	return id, err
}

// EndEvent records until when the span of an event lasted.
func (l *Ledger) EndEvent(ctx context.Context, id int64, until time.Time) error {
	return l.writer.do(ctx, "record the end of an event", false, func(t *tx) error {
		return t.exec("UPDATE events SET until = ? WHERE id = ?", until, id)
	})
}

// Events returns the newest events about a subject in since ≤ at < until, the
// newest first. Zero times are no bounds.
func (l *Ledger) Events(ctx context.Context, subject string, since, until time.Time, limit int) ([]run.Event, error) {
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !since.IsZero() {
		from = number(nanos(since))
	}
	if !until.IsZero() {
		to = number(nanos(until))
	}
	var events []run.Event
	err := l.reader.do(ctx, "read the events of "+subject, func(c *conn) error {
		const query = `SELECT id, at, kind, subject, by, reason, since, until, detail
			FROM events INDEXED BY events_subject WHERE subject = ? AND at >= ? AND at < ? ORDER BY at DESC, id DESC LIMIT ?`
		return c.query(ctx, query, []any{plain(subject), from, to, limit}, func(v []driver.Value) error {
			events = append(events, scanEvent(v))
			return nil
		})
	})
	return events, err
}

func scanEvent(v []driver.Value) run.Event {
	e := run.Event{
		ID: number(v[0]), At: instant(v[1]), Kind: run.EventKind(text(v[2])), Subject: text(v[3]),
		By: text(v[4]), Reason: text(v[5]), Since: instant(v[6]), Until: instant(v[7]),
	}
	if detail := text(v[8]); detail != "" {
		e.Detail = []byte(detail)
	}
	return e
}

// Beat records that the daemon is alive.
func (l *Ledger) Beat(ctx context.Context, now time.Time) error {
	return l.writer.do(ctx, "record that the daemon is alive", false, func(t *tx) error {
		return t.exec("INSERT OR REPLACE INTO meta (key, value) VALUES ('alive', ?)", strconv.FormatInt(now.UnixNano(), 10))
	})
}

// LastLife returns the start and the stop recorded last, either of which may
// have no id, and when the ledger last had a sign of life: the daemon's beat,
// or a run that was enqueued since.
func (l *Ledger) LastLife(ctx context.Context) (start, stop run.Event, alive time.Time, err error) {
	err = l.reader.do(ctx, "read when the daemon was alive", func(c *conn) error {
		beat, err := one(ctx, c, text, "SELECT value FROM meta WHERE key = 'alive'")
		if err != nil {
			return err
		}
		if n, err := strconv.ParseInt(beat, 10, 64); err == nil {
			alive = time.Unix(0, n).UTC()
		}
		last, err := one(ctx, c, instant, "SELECT enqueued_at FROM runs WHERE id = (SELECT max(id) FROM runs)")
		if err != nil {
			return err
		}
		if last.After(alive) {
			alive = last
		}
		for kind, into := range map[run.EventKind]*run.Event{run.EventStart: &start, run.EventStop: &stop} {
			const query = `SELECT id, at, kind, subject, by, reason, since, until, detail
				FROM events WHERE kind = ? ORDER BY id DESC LIMIT 1`
			err := c.query(ctx, query, []any{string(kind)}, func(v []driver.Value) error {
				*into = scanEvent(v)
				return nil
			})
			if err != nil {
				return fmt.Errorf("the last %s: %w", kind, err)
			}
		}
		return nil
	})
	return start, stop, alive, err
}

// pruneEvents removes events that are to be kept no longer, a chunk at a time.
// The last start and the last stop stay: the next daemon asks for them.
func (t *tx) pruneEvents(cutoff time.Time) error {
	err := t.exec(`DELETE FROM events WHERE id IN (SELECT id FROM events
		WHERE (at < ? OR id <= (SELECT max(id) FROM events) - ?)
		AND id NOT IN (SELECT max(id) FROM events WHERE kind IN ('start', 'stop') GROUP BY kind)
		ORDER BY id LIMIT ?)`, cutoff, mostEvents, pruneMost)
	if err != nil {
		return fmt.Errorf("remove old events: %w", err)
	}
	return nil
}
