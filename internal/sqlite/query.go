package sqlite

import (
	"context"
	"fmt"
	"math"

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
		page, more, err := l.page(ctx, &s, want)
		if err != nil {
			return err
		}
		for i := range page {
			if err := each(page[i]); err != nil {
				return err
			}
		}
		if seen += len(page); !more || seen == f.Limit {
			return nil
		}
	}
}

// page reads the next runs, from one state of the ledger, and says whether
// there may be more.
func (l *Ledger) page(ctx context.Context, s *selection, want int) (page []run.Run, more bool, err error) {
	err = l.reader.do(ctx, "read runs", func(c *conn) error {
		return c.snapshot(ctx, func() error {
			if err := s.narrow(ctx, l, c); err != nil {
				return err
			}
			if from, ok := s.single(); ok {
				page, err = l.stretch(ctx, c, s, from, want)
				more = len(page) == want
				return err
			}
			page, more, err = l.merged(ctx, c, s, want)
			return err
		})
	})
	return page, more, err
}

// stretch reads runs from one range of an index, in which they are in order.
func (l *Ledger) stretch(ctx context.Context, c *conn, s *selection, from source, want int) ([]run.Run, error) {
	page, err := l.runsOf(ctx, c, "SELECT "+runCols+from.sql, append(from.args, s.low, s.high, want)...)
	if len(page) > 0 {
		s.past(page[len(page)-1].ID)
	}
	return listing(page), err
}

// merged reads runs from several ranges of indexes: their ids first.
func (l *Ledger) merged(ctx context.Context, c *conn, s *selection, want int) (page []run.Run, more bool, err error) {
	if len(s.found) == 0 {
		if s.found, err = s.merge(ctx, c, want); err != nil {
			return nil, false, err
		}
	}
	ids := s.found[:min(want, len(s.found))]
	s.found = s.found[len(ids):]
	for _, id := range ids {
		one, err := l.runsOf(ctx, c, "SELECT "+runCols+" FROM runs WHERE id = ?", id)
		if err != nil {
			return nil, false, err
		}
		page = append(page, listing(one)...)
	}
	if len(ids) > 0 {
		s.past(ids[len(ids)-1])
	}
	return page, len(s.found) > 0 || len(ids) == want, nil
}

// selection is a Filter on its way to SQL, over the ids low ≤ id < high.
type selection struct {
	run.Filter
	low, high int64
	narrowed  bool
	found     []int64 // ids that come next
}

// past goes on after the run.
func (s *selection) past(id int64) {
	if s.Oldest {
		s.low = id + 1
	} else {
		s.high = id
	}
}

// upTo goes no further than the run.
func (s *selection) upTo(id int64) {
	if s.Oldest {
		s.high = min(s.high, id+1)
	} else {
		s.low = max(s.low, id)
	}
}

// narrow turns the window of time into a range of ids.
func (s *selection) narrow(ctx context.Context, l *Ledger, c *conn) error {
	if s.narrowed || (s.Since.IsZero() && s.Until.IsZero()) {
		return nil
	}
	low, high, err := l.idRange(ctx, c, s.Since, s.Until)
	s.low, s.high, s.narrowed = max(s.low, low), min(s.high, high), true
	return err
}
