package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/poold/poold/internal/run"
)

const insertRun = `INSERT INTO runs (job, pool, def, state, ready, priority, enqueued_at, due_at, trigger,
	arg, batch, exclusive, parent, key, scheduled_at, expires_at, reason, error, finished_at, count, until, waits)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// The runs of most submissions have nothing in the later columns, and each
// bound value costs.
const insertPlainRun = `INSERT INTO runs (job, pool, def, state, ready, priority, enqueued_at, due_at, trigger,
	arg, batch, exclusive) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

const insertHeldRun = `INSERT INTO runs (job, pool, def, state, ready, priority, enqueued_at, due_at, trigger,
	arg, batch, exclusive, reason, waits) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// insertRun adds the run and sets its id.
func (t *tx) insertRun(r *run.Run, def int64, key string) error {
	var ready, exclusive, count any
	if r.State == run.Queued {
		ready = 0
		if due(r) && r.Waits == "" {
			ready = 1
		}
		t.count(r.Pool, 1, 0)
	}
	if r.Exclusive {
		exclusive = 1
	}
	if r.Count > 1 {
		count = r.Count
	}
	args := []any{
		r.Job, r.Pool, def, string(r.State), ready, r.Priority, r.EnqueuedAt, r.DueAt, plain(r.Trigger),
		r.Arg, r.Batch, exclusive,
	}
	query := insertPlainRun
	switch {
	case r.State != run.Queued || key != "" || r.Parent != 0 || !r.ScheduledAt.IsZero() ||
		!r.ExpiresAt.IsZero() || count != nil || !r.Until.IsZero() || r.Error != "" || (r.Reason != "" && r.Waits == ""):
		query = insertRun
		args = append(args, optionalID(r.Parent), key, r.ScheduledAt, r.ExpiresAt, string(r.Reason), r.Error,
			r.FinishedAt, count, r.Until, r.Waits)
	case r.Waits != "":
		query = insertHeldRun
		args = append(args, string(r.Reason), r.Waits)
	}
	id, err := t.insert(query, args...)
	if err != nil {
		return fmt.Errorf("add a run of job %q: %w", r.Job, err)
	}
	r.ID = id
	return t.noteTime(id, r.EnqueuedAt)
}

// due says whether a run that is being enqueued waits for no time.
func due(r *run.Run) bool { return !r.DueAt.After(r.EnqueuedAt) }

func optionalID(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

// byKey finds the run that has the key.
func (t *tx) byKey(key string) (run.Run, bool, error) {
	id, err := pick(t, number, "SELECT id FROM runs WHERE key = ?", key)
	if err != nil || id == 0 {
		return run.Run{}, false, err
	}
	r, err := t.byID(id)
	return r, err == nil, err
}

// byID returns the run, which must be there.
func (t *tx) byID(id int64) (run.Run, error) {
	runs, err := t.ledger.runsOf(context.Background(), t.conn, "SELECT "+runCols+" FROM runs WHERE id = ?", id)
	if err != nil {
		return run.Run{}, fmt.Errorf("read run %d: %w", id, err)
	}
	if len(runs) == 0 {
		return run.Run{}, fmt.Errorf("run %d: %w", id, run.ErrNotFound)
	}
	return runs[0], nil
}

// fold adds a skip to the job's latest row, where that is a skip for the same
// reason: a job that is held back for days leaves one row. A moment that the
// row stands for already changes nothing; known says so.
func (t *tx) fold(n *run.New, r *run.Run) (got run.Run, folded, known bool, err error) {
	var last run.Run
	err = t.query(`SELECT id, state, reason, arg, batch, scheduled_at, until FROM runs INDEXED BY runs_job
		WHERE job = ? ORDER BY id DESC LIMIT 1`, []any{r.Job}, func(v []driver.Value) error {
		last = run.Run{
			ID: number(v[0]), State: run.State(text(v[1])), Reason: run.Reason(text(v[2])),
			Arg: text(v[3]), Batch: text(v[4]), ScheduledAt: instant(v[5]), Until: instant(v[6]),
		}
		return nil
	})
	if err != nil {
		return got, false, false, fmt.Errorf("read the last run of job %q: %w", r.Job, err)
	}
	if last.State != run.Skipped || last.Reason != r.Reason || last.Arg != r.Arg || last.Batch != "" {
		return got, false, false, nil
	}
	if n.Key == "" || !stands(&last, n.ScheduledAt) {
		if err = t.foldInto(last.ID, r); err != nil {
			return got, false, false, err
		}
	} else {
		known = true
	}
	got, err = t.byID(last.ID)
	return got, err == nil, known, err
}

// stands says whether the skipped row stands for the occurrence.
func stands(r *run.Run, at time.Time) bool {
	return !at.IsZero() && !r.ScheduledAt.IsZero() && !at.Before(r.ScheduledAt) && !at.After(r.Until)
}

func (t *tx) foldInto(id int64, r *run.Run) error {
	until := r.Until
	if until.IsZero() {
		until = r.ScheduledAt
	}
	if until.IsZero() {
		until = r.EnqueuedAt
	}
	err := t.exec("UPDATE runs SET count = coalesce(count, 1) + ?, until = ?, finished_at = ? WHERE id = ?",
		r.Count, until, r.FinishedAt, id)
	if err != nil {
		return fmt.Errorf("fold into run %d: %w", id, err)
	}
	return nil
}
