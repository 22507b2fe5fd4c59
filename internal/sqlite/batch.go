package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/poold/poold/internal/run"
)

const batchCols = `id, job, pool, total, queued, running, succeeded, failed, canceled, skipped, busy,
	created_at, started_at, finished_at`

func scanBatch(v []driver.Value) run.Batch {
	n := func(i int) int { return int(number(v[i])) }
	return run.Batch{
		ID: text(v[0]), Job: text(v[1]), Pool: text(v[2]), Total: n(3),
		Queued: n(4), Running: n(5), Succeeded: n(6), Failed: n(7), Canceled: n(8), Skipped: n(9),
		Busy: time.Duration(number(v[10])), CreatedAt: instant(v[11]), StartedAt: instant(v[12]), FinishedAt: instant(v[13]),
	}
}

// Batch returns a batch, from counters that are kept with it.
func (l *Ledger) Batch(ctx context.Context, id string) (run.Batch, error) {
	var b run.Batch
	err := l.reader.do(ctx, "read batch "+strconv.Quote(id), func(c *conn) error {
		return c.query(ctx, "SELECT "+batchCols+" FROM batches WHERE id = ?", []any{id}, func(v []driver.Value) error {
			b = scanBatch(v)
			return nil
		})
	})
	if err == nil && b.ID == "" {
		return b, fmt.Errorf("batch %q: %w", id, run.ErrNotFound)
	}
	return b, err
}

// batch records a batch with its lines, or finds the one of that name.
func (s *submission) batch() error {
	t, name := s.tx, s.sub.Def.Name
	if key := s.sub.BatchKey; key != "" {
		job, err := pick(t, text, "SELECT job FROM batches WHERE id = ?", key)
		switch {
		case err != nil:
			return fmt.Errorf("look for batch %q: %w", key, err)
		case job == name:
			s.got.Batch, s.got.Existing = key, true
			return nil
		case job != "":
			return refuse(fmt.Errorf("batch %q is one of job %q, not of %q; %w", key, job, name, run.ErrBatchKey))
		}
		if err := checkBatchKey(key); err != nil {
			return refuse(err)
		}
	}
	n, err := t.insert("INSERT INTO batches (job, pool, created_at) VALUES (?, ?, ?)", name, s.sub.Def.Pool, s.now)
	if err != nil {
		return fmt.Errorf("add a batch of job %q: %w", name, err)
	}
	if s.batchID = s.sub.BatchKey; s.batchID == "" {
		s.batchID = "b" + strconv.FormatInt(n, 10)
	}
	s.got.Batch = s.batchID
	if err := s.runs(); err != nil {
		return err
	}
	return s.storeNewBatch(n)
}

// storeNewBatch counts the lines.
func (s *submission) storeNewBatch(n int64) error {
	b := &s.counted
	b.n, b.ID = n, s.batchID
	if b.Done() {
		b.FinishedAt = s.now
	}
	err := s.tx.exec("UPDATE batches SET id = ?, total = ? WHERE n = ?", b.ID, b.Total, n)
	if err != nil {
		return fmt.Errorf("name batch %q: %w", b.ID, err)
	}
	return s.tx.storeBatch(b)
}

// batchKeyMost bounds a name that each line of the batch repeats.
const batchKeyMost = 200

// checkBatchKey refuses names that are, or might be taken for, the ledger's
// own, and those that no terminal can show.
func checkBatchKey(key string) error {
	digits, found := strings.CutPrefix(key, "b")
	if found && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return fmt.Errorf("there is no batch %q, and names of that form are given by poold itself; %w", key, run.ErrBatchKey)
	}
	if len(key) > batchKeyMost {
		return fmt.Errorf("the batch's id has %d bytes, and at most %d are kept; %w", len(key), batchKeyMost, run.ErrBatchKey)
	}
	if !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl) {
		return fmt.Errorf("the batch's id holds control characters or is not UTF-8; %w", run.ErrBatchKey)
	}
	return nil
}

// batchRow is a batch that a transaction changes.
type batchRow struct {
	n int64
	run.Batch
}

// loadBatch returns the batch for changes; the transaction writes it at its
// end, once, however many of its lines it moves.
func (t *tx) loadBatch(id string) (*batchRow, error) {
	if b, ok := t.batches[id]; ok {
		return b, nil
	}
	var b *batchRow
	err := t.query("SELECT "+batchCols+", n FROM batches WHERE id = ?", []any{id}, func(v []driver.Value) error {
		b = &batchRow{Batch: scanBatch(v), n: number(v[14])}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read batch %q: %w", id, err)
	}
	if b == nil {
		return nil, fmt.Errorf("batch %q: %w", id, run.ErrNotFound)
	}
	if t.batches == nil {
		t.batches = map[string]*batchRow{}
	}
	t.batches[id] = b
	return b, nil
}

func (t *tx) storeBatch(b *batchRow) error {
	err := t.exec(`UPDATE batches SET queued = ?, running = ?, succeeded = ?, failed = ?, canceled = ?, skipped = ?,
		busy = ?, started_at = ?, finished_at = ? WHERE n = ?`,
		b.Queued, b.Running, b.Succeeded, b.Failed, b.Canceled, b.Skipped,
		b.Busy, b.StartedAt, b.FinishedAt, b.n)
	if err != nil {
		return fmt.Errorf("write batch %q: %w", b.ID, err)
	}
	return nil
}

// move counts one line from one state to another.
func (b *batchRow) move(from, to run.State) {
	add := func(s run.State, n int) {
		switch s {
		case run.Queued:
			b.Queued += n
		case run.Running:
			b.Running += n
		case run.Succeeded:
			b.Succeeded += n
		case run.Failed:
			b.Failed += n
		case run.Canceled:
			b.Canceled += n
		case run.Skipped:
			b.Skipped += n
		}
	}
	add(from, -1)
	add(to, 1)
}
