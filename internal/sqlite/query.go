package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/poold/poold/internal/run"
)

// Run returns a run with its definition.
func (l *Ledger) Run(ctx context.Context, id int64) (run.Run, error) {
	var runs []run.Run
	err := l.reader.do(ctx, fmt.Sprintf("read run %d", id), func(c *conn) error {
		var err error
		runs, err = l.runsOf(ctx, c, "SELECT "+runCols+" FROM runs WHERE id = ?", id)
		return err
	})
	if err == nil && len(runs) == 0 {
		err = fmt.Errorf("run %d: %w", id, run.ErrNotFound)
	}
	if err != nil {
		return run.Run{}, err
	}
	return runs[0], nil
}

// Runs returns the runs that the filter selects, without their definitions.
func (l *Ledger) Runs(ctx context.Context, f run.Filter) ([]run.Run, error) {
	var runs []run.Run
	err := l.EachRun(ctx, f, func(r run.Run) error {
		runs = append(runs, r)
		return nil
	})
	return runs, err
}

// pageMost is how many runs are read at a time. Between pages nothing is held,
// so that a slow taker does not keep the write-ahead log from being reset.
const pageMost = 1000

// EachRun calls each for every run that the filter selects, without its
// definition, until each returns an error. Runs that change meanwhile may be
// seen as they were or as they are.
func (l *Ledger) EachRun(ctx context.Context, f run.Filter, each func(run.Run) error) error {
	s := selection{Filter: f, high: math.MaxInt64}
	if f.Before > 0 {
		s.high = f.Before
	}
	for seen := 0; ; {
		want := pageMost
		if f.Limit > 0 {
			want = min(want, f.Limit-seen)
		}
		if s.sorts() && f.Limit == 0 {
			want = math.MaxInt32 // or every page would sort all of it again
		}
		page, err := l.page(ctx, &s, want)
		if err != nil {
			return err
		}
		for i := range page {
			if err := each(page[i]); err != nil {
				return err
			}
		}
		seen += len(page)
		if len(page) < want || seen == f.Limit {
			return nil
		}
		if last := page[len(page)-1].ID; f.Oldest {
			s.low = last + 1
		} else {
			s.high = last
		}
	}
}

func (l *Ledger) page(ctx context.Context, s *selection, want int) ([]run.Run, error) {
	var page []run.Run
	err := l.reader.do(ctx, "read runs", func(c *conn) error {
		if err := s.narrow(ctx, c); err != nil {
			return err
		}
		parts := s.parts()
		for _, p := range parts {
			runs, err := l.runsOf(ctx, c, p.sql, append(p.args, want)...)
			if err != nil {
				return err
			}
			page = append(page, listing(runs)...)
		}
		if len(parts) > 1 {
			page = s.merge(page, want)
		}
		return nil
	})
	return page, err
}

// selection is a Filter on its way to SQL, over the ids low ≤ id < high.
type selection struct {
	run.Filter
	low, high int64
	narrowed  bool
}

// narrow turns the window of time into a range of ids.
func (s *selection) narrow(ctx context.Context, c *conn) error {
	if s.narrowed || (s.Since.IsZero() && s.Until.IsZero()) {
		return nil
	}
	low, high, err := idRange(ctx, c, s.Since, s.Until)
	s.low, s.high, s.narrowed = max(s.low, low), min(s.high, high), true
	return err
}

// idRange returns ids low ≤ id < high between which all runs are that were
// enqueued in the window of time; others may be too.
func idRange(ctx context.Context, c *conn, since, until time.Time) (low, high int64, err error) {
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !since.IsZero() {
		from = number(nanos(since.Truncate(time.Minute)))
	}
	if !until.IsZero() {
		to = number(nanos(until))
	}
	var last int64
	err = c.query(ctx, "SELECT min(id), max(id) FROM clock INDEXED BY clock_at WHERE at >= ? AND at < ?", []any{from, to},
		func(v []driver.Value) error {
			low, last = number(v[0]), number(v[1])
			return nil
		})
	if err != nil || low == 0 {
		return 0, 0, err
	}
	high, err = one(ctx, c, number, "SELECT id FROM clock WHERE id > ? ORDER BY id LIMIT 1", last)
	if high == 0 {
		high = math.MaxInt64
	}
	return low, high, err
}

// part is one query over one index. Together the parts select everything once.
type part struct {
	sql  string
	args []any
}

// parts chooses the indexes. Each query names its own: left to itself, SQLite
// walks a job's whole history for a day's worth of runs.
func (s *selection) parts() []part {
	switch {
	case s.Batch != "":
		return []part{s.part("INDEXED BY runs_batch WHERE batch = ?", s.States, s.Job, s.Batch)}
	case !s.rare() && s.Job != "":
		return []part{s.part("INDEXED BY runs_job WHERE job = ?", s.States, "", s.Job)}
	case !s.rare():
		return []part{s.part("NOT INDEXED WHERE true", s.States, "")}
	}
	var parts []part
	for _, state := range s.States {
		if literal(state) != noState {
			parts = append(parts, s.partOf(state))
		}
	}
	return parts
}

// rare says whether the states are such as the latest runs need not have, so
// that walking all runs might take long to find one.
func (s *selection) rare() bool {
	return len(s.States) > 0 && !slices.Contains(s.States, run.Succeeded)
}

// sorts says whether the query must sort what it finds.
func (s *selection) sorts() bool {
	return s.rare() && s.Batch == "" && (s.Job != "" || slices.Contains(s.States, run.Queued))
}

func (s *selection) partOf(state run.State) part {
	is := []run.State{state}
	switch {
	case state == run.Running:
		return s.part("INDEXED BY runs_running WHERE state = 'running'", nil, s.Job)
	case state == run.Queued && s.Job != "":
		return s.part("INDEXED BY runs_active WHERE finished_at IS NULL AND job = ?", is, "", s.Job)
	case state == run.Queued:
		return s.part("INDEXED BY runs_active WHERE finished_at IS NULL", is, "")
	case s.Job != "":
		return s.part("INDEXED BY runs_ended WHERE finished_at IS NOT NULL AND job = ? AND state = ?", nil, "", s.Job, string(state))
	}
	return s.part("INDEXED BY runs_unlucky WHERE state = "+literal(state), nil, "")
}

// part builds one query: the index with what it is searched by, then what is
// left of the filter.
func (s *selection) part(from string, states []run.State, job string, args ...any) part {
	var b strings.Builder
	b.WriteString("SELECT " + runCols + " FROM runs " + from + " AND id >= ? AND id < ?")
	args = append(args, s.low, s.high)
	if len(states) > 0 {
		names := make([]string, len(states))
		for i, state := range states {
			names[i] = literal(state)
		}
		b.WriteString(" AND +state IN (" + strings.Join(names, ", ") + ")")
	}
	for _, term := range []struct {
		sql   string
		value any
	}{
		{" AND +job = ?", job},
		{" AND +pool = ?", s.Pool},
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
	b.WriteString(" ORDER BY id" + order + " LIMIT ?")
	return part{b.String(), args}
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

// merge puts the runs of several parts in order.
func (s *selection) merge(runs []run.Run, want int) []run.Run {
	slices.SortFunc(runs, func(a, b run.Run) int {
		if s.Oldest {
			return cmp.Compare(a.ID, b.ID)
		}
		return cmp.Compare(b.ID, a.ID)
	})
	runs = slices.CompactFunc(runs, func(a, b run.Run) bool { return a.ID == b.ID })
	return runs[:min(len(runs), want)]
}
