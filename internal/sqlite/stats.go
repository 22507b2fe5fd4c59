package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/poold/poold/internal/run"
)

// statsStep is how many runs are read at a time. In between nothing is held,
// so that the write-ahead log can be reset.
const statsStep = 100_000

// Stats returns how the runs went that were enqueued in the span and have
// ended, by job; of the named jobs, or of all. It reads the span's runs once, in the order of
// their ids, and keeps none of them.
func (l *Ledger) Stats(ctx context.Context, jobs []string, since, until time.Time) ([]run.Stats, error) {
	g := gathering{since: nanosOr(since, math.MinInt64), until: nanosOr(until, math.MaxInt64), byDef: map[int64]*run.Stats{}}
	err := l.reader.do(ctx, "look for the span of the statistics", func(c *conn) error {
		var err error
		if g.low, g.high, err = l.idRange(ctx, c, since, until); err != nil {
			return err
		}
		return g.name(ctx, c, jobs)
	})
	if err != nil {
		return nil, err
	}
	sources := []source{{sql: " NOT INDEXED WHERE true"}}
	if len(jobs) > 0 {
		sources = nil
		for _, job := range jobs {
			sources = append(sources, source{sql: " INDEXED BY runs_job WHERE job = ?", args: []any{job}})
		}
	}
	for _, from := range sources {
		if err := g.read(ctx, l, from); err != nil {
			return nil, err
		}
	}
	return g.list(), nil
}

func nanosOr(t time.Time, none int64) int64 {
	if t.IsZero() {
		return none
	}
	return number(nanos(t))
}

// gathering is one Stats on its way.
type gathering struct {
	since, until int64
	low, high    int64
	byJob        map[string]*run.Stats
	byDef        map[int64]*run.Stats // shared by the definitions of a job
}

// name makes room for the jobs, by their definitions: a number is read faster
// than a name.
func (g *gathering) name(ctx context.Context, c *conn, jobs []string) error {
	g.byJob = map[string]*run.Stats{}
	err := c.query(ctx, "SELECT id, job FROM definitions", nil, func(v []driver.Value) error {
		job := text(v[1])
		if len(jobs) > 0 && !slices.Contains(jobs, job) {
			return nil
		}
		if g.byJob[job] == nil {
			g.byJob[job] = &run.Stats{Job: job}
		}
		g.byDef[number(v[0])] = g.byJob[job]
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the names of jobs: %w", err)
	}
	return nil
}

// read reads the runs of the span from one range of an index.
func (g *gathering) read(ctx context.Context, l *Ledger, from source) error {
	query := `SELECT id, def, CASE state WHEN 'succeeded' THEN 0 WHEN 'failed' THEN 1 WHEN 'canceled' THEN 2 ELSE 3 END,
		finished_at - started_at, started_at - max(enqueued_at, coalesce(due_at, 0))
		FROM runs` + from.sql + " AND id >= ? AND id < ? AND finished_at IS NOT NULL AND enqueued_at >= ? AND enqueued_at < ? ORDER BY id LIMIT ?"
	for low := g.low; ; {
		seen := 0
		err := l.reader.do(ctx, "gather statistics", func(c *conn) error {
			args := append(slices.Clone(from.args), low, g.high, g.since, g.until, statsStep)
			return c.query(ctx, query, args, func(v []driver.Value) error {
				seen, low = seen+1, number(v[0])+1
				if stats := g.byDef[number(v[1])]; stats != nil {
					count(stats, v[2:])
				}
				return nil
			})
		})
		if err != nil || seen < statsStep {
			return err
		}
	}
}

// count takes one run in: its state, how long it took and how long it waited.
func count(s *run.Stats, v []driver.Value) {
	s.Runs++
	state := number(v[0])
	*[...]*int{&s.Succeeded, &s.Failed, &s.Canceled, &s.Skipped}[state]++
	if d, ok := v[1].(int64); ok && state < 2 {
		s.Took.Add(time.Duration(d))
	}
	if d, ok := v[2].(int64); ok {
		s.Waited.Add(time.Duration(d))
	}
}

// list is what was gathered, by job; those without a run are left out.
func (g *gathering) list() []run.Stats {
	var list []run.Stats
	for _, stats := range g.byJob {
		if stats.Runs > 0 {
			list = append(list, *stats)
		}
	}
	slices.SortFunc(list, func(a, b run.Stats) int { return cmp.Compare(a.Job, b.Job) })
	return list
}

// usualOf is how many runs of a job tell how long it usually takes.
const usualOf = 100

// UsualTime returns how long the last successes of a job took.
func (l *Ledger) UsualTime(ctx context.Context, job string) (run.Spread, error) {
	var s run.Spread
	runs, err := l.Runs(ctx, run.Filter{Job: job, States: []run.State{run.Succeeded}, Limit: usualOf})
	for i := range runs {
		s.Add(runs[i].FinishedAt.Sub(runs[i].StartedAt))
	}
	return s, err
}
