package sqlite

import (
	"context"
	"database/sql/driver"
)

// ActiveJobs lists the jobs that have queued or running runs. It looks once
// into an index for each of them, however many runs they have.
func (l *Ledger) ActiveJobs(ctx context.Context) ([]string, error) {
	const query = `WITH RECURSIVE names(job) AS (
		SELECT min(job) FROM runs INDEXED BY runs_active WHERE finished_at IS NULL
		UNION ALL
		SELECT (SELECT min(job) FROM runs INDEXED BY runs_active WHERE finished_at IS NULL AND job > names.job)
		FROM names WHERE job IS NOT NULL)
		SELECT job FROM names WHERE job IS NOT NULL`
	var jobs []string
	err := l.reader.do(ctx, "list the jobs with unfinished runs", func(c *conn) error {
		return c.query(ctx, query, nil, func(v []driver.Value) error {
			jobs = append(jobs, text(v[0]))
			return nil
		})
	})
	return jobs, err
}
