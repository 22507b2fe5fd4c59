package sqlite

import (
	"context"
	"time"

	"github.com/poold/poold/internal/run"
)

// jobNames names every job that has runs: one look-up in the index for each.
const jobNames = `WITH RECURSIVE names (job) AS (
	SELECT (SELECT job FROM runs INDEXED BY runs_job ORDER BY job LIMIT 1)
	UNION ALL
	SELECT (SELECT job FROM runs INDEXED BY runs_job WHERE job > names.job ORDER BY job LIMIT 1)
	FROM names WHERE names.job IS NOT NULL)
`

// LastRuns returns the newest runs of a job, the newest first.
func (l *Ledger) LastRuns(ctx context.Context, job string, n int) ([]run.Run, error) {
	if n <= 0 {
		return nil, nil
	}
	return l.Runs(ctx, run.Filter{Job: job, Limit: n})
}

// LastRunPerJob returns the newest run of every job that has one.
func (l *Ledger) LastRunPerJob(ctx context.Context) (map[string]run.Run, error) {
	const query = jobNames + "SELECT " + runCols + ` FROM runs WHERE id IN (
		SELECT (SELECT id FROM runs INDEXED BY runs_job WHERE job = names.job ORDER BY id DESC LIMIT 1)
		FROM names WHERE job IS NOT NULL)`
	last := map[string]run.Run{}
	err := l.reader.do(ctx, "read the last run of each job", func(c *conn) error {
		runs, err := l.runsOf(ctx, c, query)
		for _, r := range listing(runs) {
			last[r.Job] = r
		}
		return err
	})
	return last, err
}

// LastSuccess returns when the job last ended with a success; the zero time if
// it never has.
func (l *Ledger) LastSuccess(ctx context.Context, job string) (time.Time, error) {
	var at time.Time
	err := l.reader.do(ctx, "look for the last success of job "+job, func(c *conn) error {
		var err error
		at, err = one(ctx, c, instant, "SELECT success_at FROM latest WHERE job = ?", job)
		return err
	})
	return at, err
}

// FailedSince returns the last failed run of each job whose last failure is
// not before since and that has not succeeded after it, the newest first.
// After is by when the ends were recorded: the clock may have been set.
func (l *Ledger) FailedSince(ctx context.Context, since time.Time) ([]run.Run, error) {
	const query = "SELECT " + runCols + ` FROM runs WHERE id IN (
		SELECT failure FROM latest WHERE failing AND failure_at >= ?) ORDER BY id DESC`
	var failed []run.Run
	err := l.reader.do(ctx, "look for failed runs", func(c *conn) error {
		runs, err := l.runsOf(ctx, c, query, since)
		failed = listing(runs)
		return err
	})
	return failed, err
}
