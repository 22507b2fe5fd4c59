package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/poold/poold/internal/run"
)

// explain returns the steps by which SQLite would answer the query.
func explain(t *testing.T, l *Ledger, sql string) []string {
	t.Helper()
	args := make([]any, strings.Count(sql, "?"))
	for i := range args {
		args[i] = 1
	}
	var steps []string
	err := l.reader.do(t.Context(), "explain", func(c *conn) error {
		return c.query(context.Background(), "EXPLAIN QUERY PLAN "+sql, args, func(v []driver.Value) error {
			steps = append(steps, text(v[3]))
			return nil
		})
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return steps
}

// scansRuns says whether a step walks the whole history: the table or an index
// over all of it, without a range.
func scansRuns(step string) bool {
	if !strings.HasPrefix(step, "SCAN runs") && !strings.HasPrefix(step, "SCAN r ") {
		return false
	}
	return !underWay(step)
}

// underWay says whether the index that is named holds only what is under way.
func underWay(text string) bool {
	for _, small := range []string{"runs_active", "runs_running", "runs_ready", "runs_due", "runs_waits", "runs_held", "runs_expires"} {
		if strings.Contains(text, small) {
			return true
		}
	}
	return false
}

// analyzed returns a ledger whose statistics tempt SQLite into other plans.
func analyzed(t *testing.T) *Ledger {
	t.Helper()
	l := open(t)
	for i := range 60 {
		r := enqueue(t, l, job(fmt.Sprintf("j%d", i%3)), run.New{Arg: fmt.Sprint(i % 2), Key: fmt.Sprint(i)}, at(i*60))
		if i%10 == 0 {
			continue
		}
		end(t, l, start(t, l, r, at(i*60)), run.Next{State: run.Succeeded}, at(i*60+1))
	}
	if err := l.writer.conn.script(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEveryListingUsesARangeOfAnIndex(t *testing.T) {
	l := analyzed(t)
	states := [][]run.State{
		nil, {run.Queued}, {run.Running}, {run.Failed}, {run.Canceled, run.Skipped}, {run.Succeeded}, {run.Failed, run.Succeeded},
	}
	for _, names := range states {
		for bits := range 16 {
			s := selection{Filter: run.Filter{States: names, Oldest: bits&8 != 0}, high: 100}
			if bits&1 != 0 {
				s.Job = "j1"
			}
			if bits&2 != 0 {
				s.Batch = "b1"
			}
			if bits&4 != 0 {
				s.Pool, s.Since, s.Until = "default", at(0), at(1)
			}
			for _, from := range s.everySource(t, l) {
				steps := explain(t, l, "SELECT id"+from.sql)
				if slices.ContainsFunc(steps, scansRuns) {
					t.Errorf("%v job %q batch %q: %q\n%s", names, s.Job, s.Batch, steps, from.sql)
				}
				sorted := slices.ContainsFunc(steps, func(step string) bool { return strings.Contains(step, "TEMP B-TREE") })
				if sorted && (!from.sorts || !underWay(from.sql)) {
					t.Errorf("%v job %q batch %q sorts: %q\n%s", names, s.Job, s.Batch, steps, from.sql)
				}
			}
		}
	}
}

// everySource lists what the listing would be read from.
func (s *selection) everySource(t *testing.T, l *Ledger) []source {
	t.Helper()
	if from, ok := s.single(); ok {
		return []source{from}
	}
	var all []source
	err := l.reader.do(t.Context(), "plan", func(c *conn) (err error) {
		all, err = s.sources(t.Context(), c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNoQueryInTheSourceScansTheHistory(t *testing.T) {
	l := analyzed(t)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	literals := regexp.MustCompile("(?s)\"((?:SELECT|UPDATE|DELETE) [^\"\n]*)\"|`((?:SELECT|UPDATE|DELETE) [^`]*)`")
	checked := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range literals.FindAllStringSubmatch(string(source), -1) {
			sql := found[1] + found[2]
			if !complete(sql) || sql == "SELECT count(*) FROM runs" { // counted by prune, off the writer's way
				continue
			}
			checked++
			if steps := explain(t, l, sql); slices.ContainsFunc(steps, scansRuns) {
				t.Errorf("%s: %q\n%s", name, steps, sql)
			}
		}
	}
	if checked < 40 {
		t.Errorf("found only %d queries in the source", checked)
	}
}

// complete says whether the literal is a whole statement, rather than the
// beginning of one that is put together.
func complete(sql string) bool {
	sql = strings.TrimSpace(sql)
	return sql != "SELECT" && !strings.Contains(sql, "names") && !strings.HasSuffix(sql, "SELECT job,") &&
		!strings.Contains(sql, "%s") && (strings.Contains(sql, " FROM ") || strings.Contains(sql, " SET "))
}

func TestQueriesOverAllJobsSeekOnceForEach(t *testing.T) {
	l := analyzed(t)
	query := jobNames + "SELECT " + runCols + ` FROM runs WHERE id IN (
		SELECT (SELECT id FROM runs INDEXED BY runs_job WHERE job = names.job ORDER BY id DESC LIMIT 1)
		FROM names WHERE job IS NOT NULL)`
	for _, step := range explain(t, l, query) {
		if scansRuns(step) && step != "SCAN runs USING COVERING INDEX runs_job" {
			t.Errorf("%s", step)
		}
	}
}

func TestWindowReadsNoMoreThanItReturns(t *testing.T) {
	l := analyzed(t)
	for _, sql := range []string{
		"SELECT " + runCols + " FROM runs INDEXED BY runs_ready WHERE ready = 1 AND pool = ? ORDER BY priority DESC, id LIMIT ?",
		"SELECT " + runCols + " FROM runs INDEXED BY runs_ready WHERE ready = 1 AND pool = ? AND priority = ? AND id > ? ORDER BY priority DESC, id LIMIT ?",
		"SELECT " + runCols + " FROM runs INDEXED BY runs_ready WHERE ready = 1 AND pool = ? AND priority < ? ORDER BY priority DESC, id LIMIT ?",
	} {
		steps := explain(t, l, sql)
		if len(steps) != 1 || !strings.HasPrefix(steps[0], "SEARCH runs USING INDEX runs_ready") {
			t.Errorf("%q", steps)
		}
	}
}

func TestListingHasADeadline(t *testing.T) {
	l := analyzed(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := l.Runs(ctx, run.Filter{}); err == nil {
		t.Error("a listing went on after its deadline")
	}
	if _, err := l.Runs(t.Context(), run.Filter{}); err != nil {
		t.Errorf("the next listing: %v", err)
	}
}

func TestOverlapIsLookedUpByJobAndArgument(t *testing.T) {
	l := analyzed(t)
	const query = "SELECT id, state FROM runs INDEXED BY runs_active WHERE job = ? AND arg IS ? AND finished_at IS NULL LIMIT 1"
	want := []string{"SEARCH runs USING INDEX runs_active (job=? AND arg=?)"}
	if steps := explain(t, l, query); !slices.Equal(steps, want) {
		t.Errorf("got %q, want %q", steps, want)
	}
}
