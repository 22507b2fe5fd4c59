package sqlite

import (
	"strings"
	"testing"
	"time"

	"github.com/poold/poold/internal/run"
)

func TestTroubleLastsUntilSomethingCanBeWritten(t *testing.T) {
	l := open(t)
	enqueue(t, l, job("a"), run.New{}, at(0))
	if got := l.Trouble(); got.Err != nil {
		t.Errorf("at first: got %v", got.Err)
	}
	if err := l.writer.conn.script(t.Context(), "PRAGMA max_page_count = 1"); err != nil { // as many as there are
		t.Fatal(err)
	}
	fill := func() error {
		sub := run.Submission{Def: job("a"), Runs: make([]run.New, 3000)}
		_, err := l.Enqueue(t.Context(), []run.Submission{sub}, at(1))
		return err
	}
	began := time.Now()
	if err := fill(); err == nil {
		t.Fatal("3000 runs have a place in a full database")
	}
	first := l.Trouble()
	if first.Err == nil || !strings.Contains(first.Err.Error(), "full") || first.Since.Before(began) {
		t.Errorf("got %v since %v", first.Err, first.Since)
	}
	if err := fill(); err == nil || !l.Trouble().Since.Equal(first.Since) {
		t.Errorf("the second time: got %v, since %v", err, l.Trouble().Since)
	}
	if err := l.writer.conn.script(t.Context(), "PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	if err := fill(); err != nil || l.Trouble().Err != nil {
		t.Errorf("with room again: got %v, trouble %v", err, l.Trouble().Err)
	}
}
