package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/poold/poold/internal/run"
)

// Attempts returns the attempts of a run, the first one first. One that is
// still running has no end.
func (l *Ledger) Attempts(ctx context.Context, id int64) ([]run.Attempt, error) {
	var all []run.Attempt
	found := false
	err := l.reader.do(ctx, "read the attempts of a run", func(c *conn) error {
		const earlier = `SELECT number, worker, started_at, finished_at, outcome, exit_code, signal, error, output_bytes
			FROM attempts WHERE run = ? ORDER BY number`
		err := c.query(ctx, earlier, []any{id}, func(v []driver.Value) error {
			all = append(all, scanAttempt(id, v))
			return nil
		})
		if err != nil {
			return err
		}
		const last = `SELECT attempts, worker, started_at, finished_at, outcome, exit_code, signal, error, output_bytes,
			state FROM runs WHERE id = ?`
		return c.query(ctx, last, []any{id}, func(v []driver.Value) error {
			found = true
			if v[4] != nil || run.State(text(v[9])) == run.Running {
				all = append(all, scanAttempt(id, v))
			}
			return nil
		})
	})
	if err == nil && !found {
		err = fmt.Errorf("read the attempts of run %d: %w", id, run.ErrNotFound)
	}
	return all, err
}

func scanAttempt(id int64, v []driver.Value) run.Attempt {
	return run.Attempt{
		Run: id, Number: int(number(v[0])), Worker: int(number(v[1])),
		StartedAt: instant(v[2]), FinishedAt: instant(v[3]), Outcome: text(v[4]),
		ExitCode: optional(v[5]), Signal: text(v[6]), Error: text(v[7]), OutputBytes: number(v[8]),
	}
}
