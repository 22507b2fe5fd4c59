package sqlite

import (
	"context"
	"testing"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// open opens a ledger in a folder of its own.
func open(t testing.TB) *Ledger {
	t.Helper()
	return openIn(t, t.TempDir())
}

func openIn(t testing.TB, dir string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), Options{Dir: dir, Host: "here"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// job returns a definition in the pool named default.
func job(name string) *jobs.Definition {
	return &jobs.Definition{Name: name, Type: "exec", Pool: "default", Slots: 1, Enabled: true}
}

// enqueue records one run and returns it.
func enqueue(t testing.TB, l *Ledger, def *jobs.Definition, n run.New, now time.Time) run.Run {
	t.Helper()
	got, err := l.Enqueue(t.Context(), []run.Submission{{Def: def, Runs: []run.New{n}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	return got[0].Runs[0]
}

// start starts a run, whose time has come, and returns it as it is then.
func start(t testing.TB, l *Ledger, r run.Run, at time.Time) run.Run {
	t.Helper()
	if r.DueAt.After(r.EnqueuedAt) {
		if err := l.writer.do(t.Context(), "let go", false, func(tx *tx) error { return tx.letGo(r.ID) }); err != nil {
			t.Fatal(err)
		}
	}
	answer := make(chan error, 1)
	l.Start(run.Start{Run: &r, At: at}, func(err error) { answer <- err })
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	r, err := l.Run(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// end ends a running run in the given way.
func end(t testing.TB, l *Ledger, r run.Run, next run.Next, at time.Time) run.Ended {
	t.Helper()
	e := run.End{Run: &r, From: run.Running, Next: next, Finished: at, Release: r.Resources(), Attempt: &run.Attempt{
		Run: r.ID, Number: r.Attempts, StartedAt: r.StartedAt, FinishedAt: at, Outcome: string(next.State), Error: next.Error,
	}}
	ended, err := finishRun(l, e)
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

func finishRun(l *Ledger, e run.End) (run.Ended, error) {
	type answer struct {
		ended run.Ended
		err   error
	}
	got := make(chan answer, 1)
	l.Finish(e, func(ended run.Ended, err error) { got <- answer{ended, err} })
	a := <-got
	return a.ended, a.err
}

// at is a moment of the tests' time.
func at(seconds int) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

func TestRunKeepsAllThatIsKnownOfIt(t *testing.T) {
	l := open(t)
	def := job("a")
	r := enqueue(t, l, def, run.New{Trigger: run.TriggerManual, Arg: "x\x00y", Priority: -3}, at(0))
	r = start(t, l, r, at(1))
	if r.State != run.Running || r.Attempts != 1 || r.Tries != 1 || r.Host != "here" || r.Arg != "x\x00y" || r.Priority != -3 {
		t.Errorf("got %+v", r)
	}
	end(t, l, r, run.Next{State: run.Succeeded}, at(2))
	r, err := l.Run(context.Background(), r.ID)
	if err != nil || r.State != run.Succeeded || !r.FinishedAt.Equal(at(2)) {
		t.Errorf("got %+v, %v", r, err)
	}
}
