package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/poold/poold/internal/run"
)

// source is what stands behind the columns of a query over one range of an
// index: " FROM … LIMIT ?". Its last three values are the lowest id, the id
// below which it reads, and how many it wants.
//
// Most listings are put together of several sources, each of which is in the
// order of the ids: the runs of one state in one pool. That keeps the number of
// indexes small, each of which costs at every change of a run, and still reads
// no more than it lists.
type source struct {
	sql   string
	args  []any
	sorts bool // it is not in order, and has to be sorted
}

// sorted marks a source that has to be sorted.
func (f source) sorted() source {
	f.sorts = true
	return f
}

// single returns the one range that the listing can be read from, if there is
// one. Each query names its own index: left to itself, SQLite walks a job's
// whole history for a day's worth of runs.
func (s *selection) single() (source, bool) {
	walk := len(s.States) == 0 && (s.Pool == "" || s.Limit == 0)
	switch {
	case s.Batch != "":
		return s.source("INDEXED BY runs_batch WHERE batch = ?", s.rest(), s.Batch), true
	case walk && s.Job != "":
		return s.source("INDEXED BY runs_job WHERE job = ?", s.rest(), s.Job), true
	case walk:
		return s.source("NOT INDEXED WHERE true", s.rest()), true
	}
	return source{}, false
}

// rest is what an index over other columns leaves of the filter.
func (s *selection) rest() run.Filter {
	f := run.Filter{States: s.States, Pool: s.Pool}
	if s.Batch != "" {
		f.Job = s.Job
	}
	return f
}

// source builds one query: the index with what it is searched by, then what
// else the runs must be.
func (s *selection) source(from string, also run.Filter, args ...any) source {
	var b strings.Builder
	b.WriteString(" FROM runs " + from)
	if len(also.States) > 0 {
		names := make([]string, len(also.States))
		for i, state := range also.States {
			names[i] = literal(state)
		}
		b.WriteString(" AND +state IN (" + strings.Join(names, ", ") + ")")
	}
	for _, term := range []struct {
		sql   string
		value any
	}{
		{" AND +job = ?", also.Job},
		{" AND +pool = ?", also.Pool},
		{" AND enqueued_at >= ?", s.Since},
		{" AND enqueued_at < ?", s.Until},
	} {
		if value(term.value) != nil {
			b.WriteString(term.sql)
			args = append(args, term.value)
		}
	}
	order := " DESC"
	if s.Oldest {
		order = ""
	}
	b.WriteString(" AND id >= ? AND id < ? ORDER BY id" + order + " LIMIT ?")
	return source{sql: b.String(), args: args}
}

// sources lists the ranges that together have every run once.
func (s *selection) sources(ctx context.Context, c *conn) ([]source, error) {
	var all []source
	for _, name := range run.State("").Values() {
		state := run.State(name)
		if len(s.States) > 0 && !slices.Contains(s.States, state) {
			continue
		}
		var some []source
		var err error
		switch state {
		case run.Running: // they are few
			all = append(all, s.source("INDEXED BY runs_running WHERE state = 'running'", run.Filter{Job: s.Job, Pool: s.Pool}).sorted())
		case run.Queued:
			some, err = s.queued(ctx, c)
		default:
			some, err = s.final(ctx, c, state)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// final lists the ranges of runs that ended in the state: one for each pool.
func (s *selection) final(ctx context.Context, c *conn, state run.State) ([]source, error) {
	from, args := "INDEXED BY runs_final WHERE finished_at IS NOT NULL AND state = ?", []any{string(state)}
	if s.Job != "" {
		from, args = "INDEXED BY runs_final_of WHERE finished_at IS NOT NULL AND job = ? AND state = ?", []any{s.Job, string(state)}
	}
	pools := []string{s.Pool}
	if s.Pool == "" {
		var err error
		if pools, err = values(ctx, c, text, "pool", from, args...); err != nil {
			return nil, err
		}
	}
	some := make([]source, len(pools))
	for i, pool := range pools {
		some[i] = s.source(from+" AND pool = ?", run.Filter{}, append(slices.Clone(args), pool)...)
	}
	return some, nil
}

// values lists the values that a column of an index has behind those it is
// searched by: one look-up for each.
func values[T any](ctx context.Context, c *conn, as func(driver.Value) T, column, from string, args ...any) ([]T, error) {
	var list []T
	order := " ORDER BY " + column + " LIMIT 1"
	query, bound := "SELECT "+column+" FROM runs "+from+order, args
	for more := true; more; {
		more = false
		err := c.query(ctx, query, bound, func(v []driver.Value) error {
			more, list = true, append(list, as(v[0]))
			return nil
		})
		if err != nil {
			return nil, err
		}
		if more {
			query = "SELECT " + column + " FROM runs " + from + " AND " + column + " > ?" + order
			bound = append(slices.Clone(args), list[len(list)-1])
		}
	}
	return list, nil
}

// queued lists the ranges of queued runs. Those of a job are looked for among
// its newest runs first, and sorted where they are not there.
func (s *selection) queued(ctx context.Context, c *conn) ([]source, error) {
	also := run.Filter{States: []run.State{run.Queued}, Pool: s.Pool}
	if s.Job == "" {
		return s.queuedOfAll(ctx, c)
	}
	if ok, err := s.near(ctx, c, also); err != nil || ok {
		return []source{s.source("INDEXED BY runs_job WHERE job = ?", also, s.Job)}, err
	}
	return []source{s.source("INDEXED BY runs_active WHERE finished_at IS NULL AND job = ?", also, s.Job).sorted()}, nil
}

// nearMost is how many of a job's runs are looked at to see whether enough
// queued ones are near the end that the listing begins at.
const nearMost = 500

func (s *selection) near(ctx context.Context, c *conn, also run.Filter) (bool, error) {
	if s.Limit == 0 || s.Limit > nearMost {
		return false, nil
	}
	all := s.source("INDEXED BY runs_job WHERE job = ?", run.Filter{}, s.Job)
	found := 0
	err := c.query(ctx, "SELECT state, pool"+all.sql, append(all.args, s.low, s.high, nearMost), func(v []driver.Value) error {
		if run.State(text(v[0])) == run.Queued && (also.Pool == "" || also.Pool == text(v[1])) {
			found++
		}
		return nil
	})
	return found >= s.Limit, err
}

// queuedOfAll lists the ranges of queued runs of all jobs: the ready ones are
// in order within each priority of a pool, the others within a pool.
func (s *selection) queuedOfAll(ctx context.Context, c *conn) ([]source, error) {
	const ready, held = "INDEXED BY runs_ready WHERE ready = 1", "INDEXED BY runs_held WHERE ready = 0"
	readyIn, heldIn := []string{s.Pool}, []string{s.Pool}
	if s.Pool == "" {
		var err error
		if readyIn, err = values(ctx, c, text, "pool", ready); err != nil {
			return nil, err
		}
		if heldIn, err = values(ctx, c, text, "pool", held); err != nil {
			return nil, err
		}
	}
	var all []source
	for _, pool := range heldIn {
		all = append(all, s.source(held+" AND pool = ?", run.Filter{}, pool))
	}
	for _, pool := range readyIn {
		levels, err := values(ctx, c, number, "priority", ready+" AND pool = ?", pool)
		if err != nil {
			return nil, err
		}
		for _, level := range levels {
			all = append(all, s.source(ready+" AND pool = ? AND priority = ?", run.Filter{}, pool, level))
		}
	}
	return all, nil
}

// noState is a literal that no run has as its state.
const noState = "'none'"

// literal quotes a state; one that does not exist selects nothing.
func literal(s run.State) string {
	if !slices.Contains(s.Values(), string(s)) {
		return noState
	}
	return "'" + string(s) + "'"
}

// mergeMost bounds the ids that are read ahead for a listing of everything, so
// that what must be sorted is not sorted for every page.
const mergeMost = 20_000

// cursor is a place in a source.
type cursor struct {
	source
	ids []int64
	end bool // the source has no more than ids
}

// merge returns the ids that come next in the listing. What is in order is
// read first: how far that reaches bounds what has to be sorted.
func (s *selection) merge(ctx context.Context, c *conn, want int) ([]int64, error) {
	if s.Limit == 0 {
		want = mergeMost
	}
	sources, err := s.sources(ctx, c)
	if err != nil {
		return nil, err
	}
	var ordered, sorted []cursor
	for _, from := range sources {
		if from.sorts {
			sorted = append(sorted, cursor{source: from})
		} else {
			ordered = append(ordered, cursor{source: from})
		}
	}
	found, err := s.take(ctx, c, ordered, want)
	if err != nil || len(sorted) == 0 {
		return found, err
	}
	near := *s
	if len(found) == want {
		near.upTo(found[want-1])
	}
	more, err := near.take(ctx, c, sorted, want)
	found = append(found, more...)
	slices.SortFunc(found, func(a, b int64) int {
		if s.Oldest {
			a, b = b, a
		}
		return cmp.Compare(b, a)
	})
	found = slices.Compact(found)
	return found[:min(want, len(found))], err
}

// take merges what comes next in the sources.
func (s *selection) take(ctx context.Context, c *conn, cursors []cursor, want int) ([]int64, error) {
	rest := *s
	var found []int64
	for len(found) < want {
		id, ok, err := rest.next(ctx, c, cursors, want)
		if err != nil || !ok {
			return found, err
		}
		found = append(found, id)
		rest.past(id)
	}
	return found, nil
}

// next takes the id that comes next in any of the sources.
func (s *selection) next(ctx context.Context, c *conn, cursors []cursor, want int) (id int64, ok bool, err error) {
	best := -1
	for i := range cursors {
		cur := &cursors[i]
		if len(cur.ids) == 0 && !cur.end {
			if err := s.refill(ctx, c, cur, want); err != nil {
				return 0, false, err
			}
		}
		if len(cur.ids) == 0 {
			continue
		}
		if best < 0 || (cur.ids[0] < cursors[best].ids[0]) == s.Oldest {
			best = i
		}
	}
	if best < 0 {
		return 0, false, nil
	}
	id, cursors[best].ids = cursors[best].ids[0], cursors[best].ids[1:]
	return id, true, nil
}

func (s *selection) refill(ctx context.Context, c *conn, cur *cursor, want int) error {
	err := c.query(ctx, "SELECT id"+cur.sql, append(slices.Clone(cur.args), s.low, s.high, want), func(v []driver.Value) error {
		cur.ids = append(cur.ids, number(v[0]))
		return nil
	})
	if err != nil {
		return fmt.Errorf("read a range of runs: %w", err)
	}
	cur.end = len(cur.ids) < want
	return nil
}
