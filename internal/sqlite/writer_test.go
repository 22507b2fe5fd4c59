package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/poold/poold/internal/run"
)

// block keeps the writer busy until the returned function is called, so that
// what is handed over meanwhile shares a transaction.
func block(l *Ledger) (release func()) {
	begun, gate := make(chan struct{}), make(chan struct{})
	l.writer.submit(&op{what: "block", done: func(error) {}, apply: func(*tx) error {
		close(begun)
		<-gate
		return nil
	}})
	<-begun
	return func() { close(gate) }
}

func TestGroupIsOneTransaction(t *testing.T) {
	l := open(t)
	release := block(l)
	var all sync.WaitGroup
	before := l.writer.commits.Load()
	for range 100 {
		all.Add(1)
		sub := run.Submission{Def: job("a"), Runs: make([]run.New, 1)}
		l.writer.submit(&op{what: "enqueue", done: func(err error) {
			if err != nil {
				t.Error(err)
			}
			all.Done()
		}, apply: func(x *tx) error {
			var got run.Submitted
			return x.submit(&sub, &got, at(0))
		}})
	}
	release()
	all.Wait()
	if got := l.writer.commits.Load() - before; got != 2 {
		t.Errorf("got %d commits, want that of the blocker and one more", got)
	}
}

func TestOperationThatFailsHarmsNoOther(t *testing.T) {
	l := open(t)
	release := block(l)
	answers := make(chan error, 3)
	add := func(what string, broken bool) {
		sub := run.Submission{Def: job(what), Runs: make([]run.New, 1)}
		l.writer.submit(&op{what: what, done: func(err error) { answers <- err }, apply: func(x *tx) error {
			var got run.Submitted
			if err := x.submit(&sub, &got, at(0)); err != nil || !broken {
				return err
			}
			return x.exec("INSERT INTO no_such_table VALUES (1)")
		}})
	}
	add("first", false)
	add("broken", true)
	add("last", false)
	release()
	if err := errors.Join(<-answers); err != nil {
		t.Errorf("first: %v", err)
	}
	if err := <-answers; err == nil || !strings.Contains(err.Error(), "broken: ") {
		t.Errorf("broken: got %v", err)
	}
	if err := <-answers; err != nil {
		t.Errorf("last: %v", err)
	}
	runs, err := l.Runs(t.Context(), run.Filter{})
	if err != nil || len(runs) != 2 || runs[0].Job != "last" || runs[1].Job != "first" {
		t.Errorf("got %+v, %v", runs, err)
	}
	if got := l.Counts()["default"]; got.Queued != 2 {
		t.Errorf("got counts %+v, want 2 queued", got)
	}
	for _, r := range runs {
		if r, err = l.Run(t.Context(), r.ID); err != nil || r.Def.Name != r.Job {
			t.Errorf("run of %q has the definition of %q, %v", r.Job, r.Def.Name, err)
		}
	}
}

func TestCallerThatGivesUpLeavesNothing(t *testing.T) {
	l := open(t)
	release := block(l)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.Enqueue(ctx, []run.Submission{{Def: job("a"), Runs: make([]run.New, 1)}}, at(0))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	enqueue(t, l, job("b"), run.New{}, at(0))
	runs, err := l.Runs(t.Context(), run.Filter{})
	if err != nil || len(runs) != 1 || runs[0].Job != "b" {
		t.Errorf("got %+v, %v", runs, err)
	}
}

func TestFullDiskFailsOperationsAndNotTheLedger(t *testing.T) {
	l := open(t)
	limit := func(sql string) int64 {
		var n int64
		err := l.writer.do(t.Context(), "limit", false, func(x *tx) error {
			var err error
			n, err = pick(x, number, sql)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := enqueue(t, l, job("a"), run.New{Arg: "first"}, at(0))
	pages := limit("PRAGMA page_count")
	limit("PRAGMA max_page_count = 1") // as few as there are
	big := strings.Repeat("x", 100_000)
	var full error
	for range 20 {
		_, err := l.Enqueue(t.Context(), []run.Submission{{Def: job("a"), Runs: []run.New{{Arg: big}, {Arg: big}}}}, at(1))
		full = errors.Join(full, err)
	}
	if full == nil {
		t.Fatalf("the disk with %d pages never became full", pages)
	}
	if !strings.Contains(full.Error(), "full") {
		t.Errorf("got %v", full)
	}
	if got := l.Counts()["default"].Queued; got != 1 {
		t.Errorf("got %d queued, want the first alone", got)
	}
	limit("PRAGMA max_page_count = 1000000")
	second := enqueue(t, l, job("a"), run.New{Arg: big}, at(2))
	if second.ID <= first.ID {
		t.Errorf("run %d after %d", second.ID, first.ID)
	}
	end(t, l, start(t, l, first, at(3)), run.Next{State: run.Succeeded}, at(4))
	if got, err := l.Runs(t.Context(), run.Filter{}); err != nil || len(got) != 2 {
		t.Errorf("got %d runs, %v", len(got), err)
	}
}

func TestReaderDoesNotHoldUpTheWriter(t *testing.T) {
	l := open(t)
	for i := range 50 {
		enqueue(t, l, job("a"), run.New{}, at(i))
	}
	seen := 0
	err := l.EachRun(t.Context(), run.Filter{}, func(r run.Run) error {
		seen++
		enqueue(t, l, job("a"), run.New{}, at(100))
		return nil
	})
	if err != nil || seen != 50 {
		t.Errorf("saw %d, %v", seen, err)
	}
	err = l.reader.do(t.Context(), "read", func(c *conn) error {
		return c.query(t.Context(), "SELECT id FROM runs", nil, func([]driver.Value) error {
			enqueue(t, l, job("a"), run.New{}, at(101))
			return errStop
		})
	})
	if !errors.Is(err, errStop) {
		t.Error(err)
	}
}

func TestLedgerLivesInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openIn(t, t.TempDir())
		begun := time.Now()
		for range 24 {
			time.Sleep(time.Hour)
			r := enqueue(t, l, job("a"), run.New{}, time.Now())
			end(t, l, start(t, l, r, time.Now()), run.Next{State: run.Succeeded}, time.Now())
		}
		synctest.Wait() // the writer is blocked, and the bubble knows
		if got := time.Since(begun); got != 24*time.Hour {
			t.Errorf("the day took %v", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		runs, err := l.Runs(ctx, run.Filter{Since: begun.Add(20*time.Hour + time.Minute)})
		if err != nil || len(runs) != 4 {
			t.Errorf("got %d runs, %v", len(runs), err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

var errStop = errors.New("stop")
