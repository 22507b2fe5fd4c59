package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/poold/poold/internal/run"
)

// Watermarks returns the watermark of every job that has one.
func (l *Ledger) Watermarks(ctx context.Context) (map[string]run.Watermark, error) {
	marks := map[string]run.Watermark{}
	err := l.reader.do(ctx, "read watermarks", func(c *conn) error {
		const query = "SELECT job, at, epoch, schedule, boot, since FROM watermarks"
		return c.query(ctx, query, nil, func(v []driver.Value) error {
			marks[text(v[0])] = run.Watermark{
				At: instant(v[1]), Epoch: int(number(v[2])), Schedule: text(v[3]), Boot: text(v[4]), Since: instant(v[5]),
			}
			return nil
		})
	})
	return marks, err
}

// SetWatermarks stores watermarks, all of them or none; those of other jobs
// stay as they are.
func (l *Ledger) SetWatermarks(ctx context.Context, marks map[string]run.Watermark) error {
	return l.writer.do(ctx, "set watermarks", false, func(t *tx) error {
		for job, mark := range marks {
			if err := t.setWatermark(job, mark); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) setWatermark(job string, m run.Watermark) error {
	const query = `INSERT INTO watermarks (job, at, epoch, schedule, boot, since) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (job) DO UPDATE SET at = excluded.at, epoch = excluded.epoch,
			schedule = excluded.schedule, boot = excluded.boot, since = excluded.since`
	if err := t.exec(query, plain(job), m.At, m.Epoch, plain(m.Schedule), plain(m.Boot), m.Since); err != nil {
		return fmt.Errorf("watermark of job %q: %w", job, err)
	}
	return nil
}

// DeleteWatermarks drops the watermarks of jobs, and what they have seen of
// the jobs they followed: as if they had never been.
func (l *Ledger) DeleteWatermarks(ctx context.Context, jobs []string) error {
	return l.writer.do(ctx, "delete watermarks", false, func(t *tx) error {
		for _, job := range jobs {
			if err := t.exec("DELETE FROM watermarks WHERE job = ?", job); err != nil {
				return fmt.Errorf("watermark of job %q: %w", job, err)
			}
			if err := t.exec("DELETE FROM after_seen WHERE job = ?", job); err != nil {
				return fmt.Errorf("what job %q has seen: %w", job, err)
			}
		}
		return nil
	})
}
