package sqlite

import (
	"fmt"
	"time"

	"github.com/poold/poold/internal/run"
)

// Start records the start of an attempt and calls done when it is durable. The
// run must be queued and ready, and not have been started since it was read;
// else done gets run.ErrStale.
func (l *Ledger) Start(s run.Start, done func(error)) {
	r := s.Run
	var woken []run.Run
	tell := func(err error) {
		done(err)
		if err == nil && len(woken) > 0 && s.Woken != nil {
			s.Woken(woken)
		}
	}
	l.writer.submit(&op{what: "start", done: tell, apply: func(t *tx) error {
		const query = `UPDATE runs SET state = 'running', ready = NULL, waits = NULL, reason = NULL,
			started_at = ?, attempts = attempts + 1, tries = tries + 1, host = ?, worker = ?,
			outcome = NULL, exit_code = NULL, signal = NULL, error = NULL, output_bytes = NULL
			WHERE id = ? AND state = 'queued' AND ready = 1 AND attempts = ?`
		pool, err := t.poolOf(r)
		if err != nil {
			return err
		}
		n, err := t.change(query, s.At, l.o.Host, s.Worker, r.ID, r.Attempts)
		if err != nil {
			return fmt.Errorf("run %d: %w", r.ID, err)
		}
		if n == 0 {
			return stale(r.ID, "start")
		}
		t.count(pool, -1, 1)
		if s.Next != "" {
			if woken, err = t.wakeIn(pool, s.Next); err != nil {
				return err
			}
		}
		return t.moveLine(r.Batch, run.Queued, run.Running, s.At, 0)
	}})
}

// poolOf returns the pool that the run is in now: a reload may have moved it
// after the caller read it.
func (t *tx) poolOf(r *run.Run) (string, error) {
	if !t.ledger.moved.Load() {
		return r.Pool, nil
	}
	pool, err := pick(t, text, "SELECT pool FROM runs WHERE id = ?", r.ID)
	if err != nil {
		return "", fmt.Errorf("read run %d: %w", r.ID, err)
	}
	return pool, nil
}

// moveLine counts the move of a line of a batch; an empty batch is none.
func (t *tx) moveLine(batch string, from, to run.State, at time.Time, busy time.Duration) error {
	if batch == "" {
		return nil
	}
	b, err := t.loadBatch(batch)
	if err != nil {
		return err
	}
	b.move(from, to)
	b.Busy += busy
	if to == run.Running && b.StartedAt.IsZero() {
		b.StartedAt = at
	}
	if b.Done() {
		b.FinishedAt = at
	}
	return nil
}
