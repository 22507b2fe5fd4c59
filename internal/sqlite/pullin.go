package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"
)

// pullInStep is how many runs are pulled in in one transaction.
const pullInStep = 1000

// PullIn brings those runs nearer that wait for a time which a clock gave them
// that was ahead of now: retries after an attempt that ended in the future, and
// conditions that were asked there. They wait for as long as they were to wait,
// from now on. It is for a clock that was set back, and returns how many they
// were. A time that somebody asked for stays as it is.
func (l *Ledger) PullIn(ctx context.Context, now time.Time) (int, error) {
	type ahead struct{ id, by int64 }
	var all []ahead
	err := l.reader.do(ctx, "look for runs that a wrong clock put off", func(c *conn) error {
		const query = `SELECT id, due_at, coalesce(
				(SELECT finished_at FROM attempts WHERE run = runs.id AND number = runs.attempts), asked_at)
			FROM runs INDEXED BY runs_due
			WHERE ready = 0 AND waits IS NULL AND due_at > ? AND (attempts > 0 OR asked_at IS NOT NULL)`
		at := number(nanos(now))
		return c.query(ctx, query, []any{now}, func(v []driver.Value) error {
			// What was pulled in is due before the attempt seems to have ended.
			if since := number(v[2]); since > at && number(v[1]) >= since {
				all = append(all, ahead{number(v[0]), since - at})
			}
			return nil
		})
	})
	for rest := all; err == nil && len(rest) > 0; {
		step := rest[:min(pullInStep, len(rest))]
		rest = rest[len(step):]
		err = l.writer.do(ctx, "pull runs in that a wrong clock put off", false, func(t *tx) error {
			for _, a := range step {
				err := t.exec(`UPDATE runs SET due_at = due_at - ?, asked_at = asked_at - ?
					WHERE id = ? AND ready = 0 AND waits IS NULL`, a.by, a.by, a.id)
				if err != nil {
					return fmt.Errorf("run %d: %w", a.id, err)
				}
			}
			return nil
		})
	}
	return len(all), err
}
