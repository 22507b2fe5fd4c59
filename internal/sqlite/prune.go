package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"time"
)

// Retention says what is kept. A job's last success, its last failure and its
// newest KeepPerJob runs stay, whatever their age, and so does everything that
// is not final.
type Retention struct {
	Age        time.Duration // runs that ended longer ago go; 0: none do
	Runs       int64         // beyond so many, the oldest go; 0: no limit
	KeepPerJob int
}

// How many runs are looked at, and at most removed, in one step. A step is to
// hold the writer up for no longer than pruneStall; how many runs that is
// depends on how far apart they are in the indexes [in a ledger of 2,000 jobs
// and 3M runs, steps of 2,500 took 0.1 to 0.4 s], so that it is found by trying.
const (
	pruneLeast = 100
	pruneFirst = 400
	pruneMost  = 5000
	pruneStall = 30 * time.Millisecond
)

// Prune removes final runs that are to be kept no longer, with their attempts,
// and the batches and definitions that no run is left of. Before the runs of
// one step go, removed is told their ids, for what is kept elsewhere; its error
// ends the work. It returns how many runs went.
func (l *Ledger) Prune(ctx context.Context, keep Retention, now time.Time, removed func(ids []int64) error) (int, error) {
	p := pruning{ledger: l, keep: keep, removed: removed, chunk: pruneFirst}
	if keep.Age > 0 {
		p.cutoff = now.Add(-keep.Age)
	}
	if err := l.reader.do(ctx, "prune", func(c *conn) error { return p.plan(ctx, c) }); err != nil {
		return 0, err
	}
	for p.below > p.at+1 || p.excess > 0 {
		more, err := p.step(ctx)
		if err != nil {
			return p.gone, err
		}
		if !more {
			break
		}
	}
	if p.cutoff.IsZero() {
		p.cutoff = now
	}
	if err := p.leftovers(ctx); err != nil {
		return p.gone, err
	}
	if p.gone > 0 {
		l.truncate()
	}
	return p.gone, nil
}

// pruning is one Prune on its way through the ids.
type pruning struct {
	ledger  *Ledger
	keep    Retention
	removed func([]int64) error
	cutoff  time.Time // runs that ended before go
	below   int64     // no run from this id on was enqueued before the cutoff
	excess  int64     // so many must go whatever their age
	kept    *kept
	at      int64 // everything up to this id was looked at
	chunk   int   // how many to look at in the next step
	gone    int
}

// kept are the runs that stay whatever their age.
type kept struct {
	ids  map[int64]bool
	from map[string]int64 // the oldest of a job's newest runs
}

func (k *kept) has(id int64, job string) bool { return k.ids[id] || id >= k.from[job] }

func (p *pruning) plan(ctx context.Context, c *conn) error {
	var err error
	if p.kept, err = readKept(ctx, c, p.keep.KeepPerJob); err != nil {
		return err
	}
	if !p.cutoff.IsZero() {
		if _, p.below, err = p.ledger.idRange(ctx, c, time.Time{}, p.cutoff); err != nil {
			return err
		}
	}
	if p.keep.Runs > 0 {
		total, err := one(ctx, c, number, "SELECT count(*) FROM runs")
		if err != nil {
			return fmt.Errorf("count runs: %w", err)
		}
		p.excess = total - p.keep.Runs
	}
	return nil
}

// readKept finds what stays of each job, by look-ups in indexes.
func readKept(ctx context.Context, c *conn, newest int) (*kept, error) {
	k := &kept{ids: map[int64]bool{}, from: map[string]int64{}}
	query := jobNames + `SELECT job,
		(SELECT id FROM runs INDEXED BY runs_job WHERE job = names.job ORDER BY id DESC LIMIT 1 OFFSET ?),
		(SELECT success FROM latest WHERE job = names.job), (SELECT failure FROM latest WHERE job = names.job)
		FROM names WHERE job IS NOT NULL`
	err := c.query(ctx, query, []any{max(newest-1, 0)}, func(v []driver.Value) error {
		k.from[text(v[0])] = number(v[1]) // 0, all of them, where there are fewer
		if newest <= 0 {
			k.from[text(v[0])] = math.MaxInt64
		}
		k.ids[number(v[2])], k.ids[number(v[3])] = true, true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find what stays: %w", err)
	}
	return k, nil
}

// step looks at the next runs and removes those that go.
func (p *pruning) step(ctx context.Context) (more bool, err error) {
	var ids []int64
	var ranges []idSpan
	seen, whole, want := 0, false, p.chunk
	err = p.ledger.reader.do(ctx, "prune", func(c *conn) error {
		const query = "SELECT id, job, finished_at FROM runs NOT INDEXED WHERE id > ? ORDER BY id LIMIT ?"
		return c.query(ctx, query, []any{p.at, want}, func(v []driver.Value) error {
			seen++
			p.at = number(v[0])
			if !p.goes(p.at, text(v[1]), instant(v[2])) {
				whole = false
				return nil
			}
			ids = append(ids, p.at)
			p.excess--
			if whole {
				ranges[len(ranges)-1].last = p.at
				return nil
			}
			ranges, whole = append(ranges, idSpan{p.at, p.at}), true
			return nil
		})
	})
	if err != nil || len(ids) == 0 {
		return seen == want, err
	}
	if p.removed != nil {
		if err := p.removed(ids); err != nil {
			return false, fmt.Errorf("prune: %w", err)
		}
	}
	var took time.Duration
	err = p.ledger.writer.do(ctx, "prune", false, func(t *tx) error {
		begun := time.Now()
		defer func() { took = time.Since(begun) }()
		return t.deleteRuns(ranges)
	})
	if err == nil {
		p.gone += len(ids)
		p.pace(took)
	}
	return seen == want, err
}

// pace chooses the size of the next step by how long the last one took.
func (p *pruning) pace(took time.Duration) {
	switch {
	case took > pruneStall:
		p.chunk = max(p.chunk/2, pruneLeast)
	case took < pruneStall/3:
		p.chunk = min(p.chunk*2, pruneMost)
	}
}

func (p *pruning) goes(id int64, job string, finished time.Time) bool {
	if finished.IsZero() || p.kept.has(id, job) {
		return false
	}
	return p.excess > 0 || finished.Before(p.cutoff)
}

// idSpan is a range of ids in which every run goes.
type idSpan struct{ first, last int64 }

func (t *tx) deleteRuns(spans []idSpan) error {
	for _, s := range spans {
		if err := t.exec("DELETE FROM runs WHERE id BETWEEN ? AND ? AND +finished_at IS NOT NULL", s.first, s.last); err != nil {
			return fmt.Errorf("remove runs: %w", err)
		}
		if err := t.exec("DELETE FROM attempts WHERE run BETWEEN ? AND ?", s.first, s.last); err != nil {
			return fmt.Errorf("remove attempts: %w", err)
		}
	}
	return nil
}

// leftovers removes what belongs to no run any more.
func (p *pruning) leftovers(ctx context.Context) error {
	var batches, defs []int64
	err := p.ledger.reader.do(ctx, "prune", func(c *conn) error {
		var err error
		batches, err = idsOf(ctx, c, `SELECT n FROM batches WHERE finished_at < ? AND NOT EXISTS (
			SELECT 1 FROM runs INDEXED BY runs_batch WHERE batch = batches.id) LIMIT ?`, p.cutoff, pruneMost)
		if err != nil {
			return fmt.Errorf("find empty batches: %w", err)
		}
		// The newest definition of a job stays. An older one is found soon if
		// it is used, since the job's oldest runs have it.
		defs, err = idsOf(ctx, c, `SELECT id FROM definitions AS d WHERE
			EXISTS (SELECT 1 FROM definitions AS newer WHERE newer.job = d.job AND newer.id > d.id)
			AND NOT EXISTS (SELECT 1 FROM runs INDEXED BY runs_job WHERE job = d.job AND def = d.id) LIMIT ?`, pruneMost)
		if err != nil {
			return fmt.Errorf("find unused definitions: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.ledger.writer.do(ctx, "prune", false, func(t *tx) error { return t.deleteLeftovers(p.cutoff, batches, defs) })
}

func (t *tx) deleteLeftovers(cutoff time.Time, batches, defs []int64) error {
	for _, n := range batches {
		if err := t.exec("DELETE FROM batches WHERE n = ?", n); err != nil {
			return fmt.Errorf("remove a batch: %w", err)
		}
	}
	known := t.cache.knownDefinitions() // perhaps in use again since
	for _, id := range defs {
		if known[id] {
			continue
		}
		if err := t.exec("DELETE FROM definitions WHERE id = ?", id); err != nil {
			return fmt.Errorf("remove a definition: %w", err)
		}
	}
	err := t.exec(`DELETE FROM clock WHERE id < (SELECT max(id) FROM clock WHERE id <= (SELECT min(id) FROM runs))`)
	if err != nil {
		return fmt.Errorf("remove old minutes: %w", err)
	}
	err = t.exec(`DELETE FROM pool_sizes WHERE at < (SELECT max(at) FROM pool_sizes AS s
		WHERE s.pool = pool_sizes.pool AND s.at <= ?)`, cutoff)
	if err != nil {
		return fmt.Errorf("remove old sizes of pools: %w", err)
	}
	return t.pruneEvents(cutoff)
}

func idsOf(ctx context.Context, c *conn, sql string, args ...any) ([]int64, error) {
	var ids []int64
	err := c.query(ctx, sql, args, func(v []driver.Value) error {
		ids = append(ids, number(v[0]))
		return nil
	})
	return ids, err
}

// truncate gives the space of the write-ahead log back. While somebody reads,
// it is left for another time.
func (l *Ledger) truncate() {
	c, err := openConn(l.reader.path)
	if err == nil {
		err = c.checkpoint()
		_ = c.close()
	}
	if err != nil {
		l.o.Log.Debug("truncate the write-ahead log", "err", err)
	}
}

// MayLoseOutput returns those of some runs whose output may go before they do,
// in the order given: final ones, but for those that retention keeps whatever
// their age, and ones that are here no more. It lets output be bounded by its
// bytes, whoever printed them.
func (l *Ledger) MayLoseOutput(ctx context.Context, keepPerJob int, ids []int64) ([]int64, error) {
	var may []int64
	err := l.reader.do(ctx, "look for old output", func(c *conn) error {
		k, err := readKept(ctx, c, keepPerJob)
		if err != nil {
			return err
		}
		for _, id := range ids {
			goes := true
			err := c.query(ctx, "SELECT job, finished_at FROM runs WHERE id = ?", []any{id}, func(v []driver.Value) error {
				goes = !instant(v[1]).IsZero() && !k.has(id, text(v[0]))
				return nil
			})
			if err != nil {
				return fmt.Errorf("look at run %d: %w", id, err)
			}
			if goes {
				may = append(may, id)
			}
		}
		return nil
	})
	return may, err
}

// MarkOutputGone records that the output of runs was removed.
func (l *Ledger) MarkOutputGone(ctx context.Context, ids []int64) error {
	return l.writer.do(ctx, "mark output as gone", false, func(t *tx) error {
		for _, id := range ids {
			if err := t.exec("UPDATE runs SET output_bytes = NULL WHERE id = ?", id); err != nil {
				return fmt.Errorf("run %d: %w", id, err)
			}
			if err := t.exec("UPDATE attempts SET output_bytes = NULL WHERE run = ?", id); err != nil {
				return fmt.Errorf("attempts of run %d: %w", id, err)
			}
		}
		return nil
	})
}
