// Package bigledger makes ledgers of the size that years of work leave behind:
// the real schema, filled by plain SQL, since enqueuing and ending five million
// runs through the daemon would take most of an hour.
package bigledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/sqlite"
	_ "modernc.org/sqlite" // the driver
)

// Spec says what the ledger holds. The finished runs are spread evenly over the
// days that end with Now; the queued ones were enqueued after them.
type Spec struct {
	Finished, Queued int
	Jobs, Pools      int
	Days             int
	Now              time.Time
}

// Usual is the ledger that the goals speak of.
func Usual(now time.Time) Spec {
	return Spec{Finished: 5_000_000, Queued: 1_000_000, Jobs: 200, Pools: 10, Days: 30, Now: now}
}

// JobName is the name of the i-th job, from 0 on. The first tenth of them have
// half of the runs, in batches; the last one has run a hundred times, long ago.
func JobName(i int) string { return fmt.Sprintf("job-%03d", i) }

// PoolName is the name of the i-th pool, from 0 on. Nothing finished in the
// last one but the hundred runs of the last job.
func PoolName(i int) string { return fmt.Sprintf("pool-%d", i) }

// Definition is the definition of the i-th job.
func (s Spec) Definition(i int) *jobs.Definition {
	pool := PoolName(i % (s.Pools - 1))
	if i == s.Jobs-1 {
		pool = PoolName(s.Pools - 1)
	}
	return &jobs.Definition{
		Name: JobName(i), Type: "exec", Pool: pool, Enabled: true, Overlap: jobs.OverlapAllow,
		With: []byte(`{"command":["/bin/true"]}`), DefinedAt: "config.yaml:1",
	}
}

// Make makes the ledger in the folder, which has none.
func Make(ctx context.Context, dir string, s Spec) error {
	if err := s.define(ctx, dir); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "ledger.db"))
	if err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	db.SetMaxOpenConns(1)
	if err := errors.Join(s.fill(ctx, db), db.Close()); err != nil {
		return fmt.Errorf("fill the ledger: %w", err)
	}
	return nil
}

// define lets poold itself make the schema and store the definitions.
func (s Spec) define(ctx context.Context, dir string) error {
	l, err := sqlite.Open(ctx, sqlite.Options{Dir: dir})
	if err != nil {
		return err
	}
	var subs []run.Submission
	for i := range s.Jobs {
		subs = append(subs, run.Submission{Def: s.Definition(i), Runs: []run.New{{Trigger: run.TriggerManual}}})
	}
	_, err = l.Enqueue(ctx, subs, s.begin())
	return errors.Join(err, l.Close())
}

func (s Spec) begin() time.Time { return s.Now.AddDate(0, 0, -s.Days) }

// fill puts in the rows first and makes the indexes afterwards, which is
// several times as fast.
func (s Spec) fill(ctx context.Context, db *sql.DB) error {
	indexes, err := s.dropIndexes(ctx, db)
	if err != nil {
		return err
	}
	step := s.Now.Sub(s.begin()).Nanoseconds() / int64(s.Finished)
	args := []any{
		sql.Named("finished", s.Finished), sql.Named("queued", s.Queued), sql.Named("jobs", s.Jobs),
		sql.Named("pools", s.Pools), sql.Named("begin", s.begin().UnixNano()), sql.Named("step", step),
	}
	for _, q := range []string{
		"DELETE FROM runs", "DELETE FROM sqlite_sequence WHERE name = 'runs'", "DELETE FROM clock",
		finishedRuns, queuedRuns, attempts, batches, clock, latest,
	} {
		if _, err := db.ExecContext(ctx, q, args...); err != nil {
			return fmt.Errorf("%w\n%s", err, q)
		}
	}
	for _, q := range indexes {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%w\n%s", err, q)
		}
	}
	return nil
}

func (s Spec) dropIndexes(ctx context.Context, db *sql.DB) ([]string, error) {
	for _, pragma := range []string{"journal_mode = OFF", "synchronous = OFF", "cache_size = -262144", "temp_store = MEMORY"} {
		if _, err := db.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return nil, err
		}
	}
	rows, err := db.QueryContext(ctx, "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'runs' AND sql IS NOT NULL")
	if err != nil {
		return nil, err
	}
	var names, made []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		names, made = append(names, name), append(made, text)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := db.ExecContext(ctx, "DROP INDEX "+name); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// config is a configuration in which everything that is queued may run.
func (s Spec) config() string {
	var b strings.Builder
	b.WriteString("retention: {age: 3650d, runs: 100000000}\npools:\n")
	for i := range s.Pools {
		fmt.Fprintf(&b, "  %s: {workers: 1}\n", PoolName(i))
	}
	b.WriteString("jobs:\n")
	for i := range s.Jobs {
		d := s.Definition(i)
		fmt.Fprintf(&b, "  %s: {pool: %s, with: {command: [/bin/true]}}\n", d.Name, d.Pool)
	}
	return b.String()
}
