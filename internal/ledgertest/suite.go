// Package ledgertest holds what every ledger must do, as tests. Each
// implementation runs the same suite against itself.
package ledgertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// Ledger is what the suite tests: all that the scheduler and dispatch need of
// a ledger, and the queries by which the result is seen.
type Ledger interface {
	Enqueue(ctx context.Context, subs []run.Submission, now time.Time) ([]run.Submitted, error)
	Watermarks(ctx context.Context) (map[string]run.Watermark, error)
	SetWatermarks(ctx context.Context, marks map[string]run.Watermark) error
	DeleteWatermarks(ctx context.Context, jobs []string) error

	Window(ctx context.Context, pool string, after *run.Position, n int) ([]run.Run, error)
	Ripen(ctx context.Context, now time.Time, limit int) (run.Ripe, error)
	Bump(ctx context.Context, id int64) (run.Run, error)
	Rehome(ctx context.Context, job, from, to string) (int, error)

	Start(s run.Start, done func(error))
	Finish(e run.End, done func(run.Ended, error))
	Hold(r *run.Run, on run.Resource, free []run.Resource, done func(woken []run.Run, err error))
	SetAsked(r *run.Run, at, dueAt time.Time, done func(error))
	Wake(ctx context.Context, on run.Resource, all bool) (woken []run.Run, more int, err error)
	WakeAll(ctx context.Context, after run.Resource, skip func(run.Resource) bool) (woken []run.Run, last run.Resource, err error)
	LimitPer(per run.PerKey)
	Unlimit(ctx context.Context, pool, kind string) (ready []run.Run, more bool, err error)

	Running(ctx context.Context) ([]run.Run, error)
	Run(ctx context.Context, id int64) (run.Run, error)
	Runs(ctx context.Context, f run.Filter) ([]run.Run, error)
	Attempts(ctx context.Context, id int64) ([]run.Attempt, error)
	Batch(ctx context.Context, id string) (run.Batch, error)
	Close() error
}

// Run tests a ledger. Open opens the one that is kept in the folder; the suite
// closes it, and opens some again.
func Run(t *testing.T, open func(t *testing.T, dir string) Ledger) {
	for _, group := range []map[string]func(*suite){
		enqueueTests(), queueTests(), lifeTests(), wakeTests(), crowdTests(), batchTests(), followTests(),
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				s := &suite{T: t, open: open, dir: t.TempDir()}
				s.Ledger = open(t, s.dir)
				t.Cleanup(func() {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
				test(s)
			})
		}
	}
}

// suite is one test with its ledger. Its helpers fail the test where the
// ledger gives an error that they do not return.
type suite struct {
	*testing.T
	Ledger
	open func(t *testing.T, dir string) Ledger
	dir  string
}

// reopen closes the ledger and opens it again.
func (s *suite) reopen() {
	s.Helper()
	s.ok(s.Close())
	s.Ledger = s.open(s.T, s.dir)
}

func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) fails(err, with error) {
	s.Helper()
	if !errors.Is(err, with) {
		s.Fatalf("got error %v, want %v", err, with)
	}
}

// clock is a moment of the tests' own time.
func clock(seconds int) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

// job returns a definition in the pool named p.
func job(name string, locks ...string) *jobs.Definition {
	return &jobs.Definition{
		Name: name, Type: "exec", Pool: "p", Slots: 1, Enabled: true, Locks: locks,
		Retry: jobs.Retry{Attempts: 3},
	}
}

// enqueue records one submission.
func (s *suite) enqueue(now time.Time, sub run.Submission) run.Submitted {
	s.Helper()
	got, err := s.Enqueue(s.Context(), []run.Submission{sub}, now)
	s.ok(err)
	return got[0]
}

// add records one run of the job.
func (s *suite) add(def *jobs.Definition, n run.New) run.Run {
	s.Helper()
	got := s.enqueue(clock(0), run.Submission{Def: def, Runs: []run.New{n}})
	return got.Runs[0]
}

func (s *suite) get(id int64) run.Run {
	s.Helper()
	r, err := s.Ledger.Run(s.Context(), id)
	s.ok(err)
	return r
}

// start starts a run and returns it as it is then.
func (s *suite) start(r run.Run, at time.Time) run.Run {
	s.Helper()
	s.ok(s.tryStart(r, at))
	return s.get(r.ID)
}

func (s *suite) tryStart(r run.Run, at time.Time) error {
	answer := make(chan error, 1)
	s.Start(run.Start{Run: &r, Worker: 3, At: at}, func(err error) { answer <- err })
	return <-answer
}

// finish hands an end to the ledger and waits.
func (s *suite) finish(e run.End) (run.Ended, error) {
	type result struct {
		ended run.Ended
		err   error
	}
	answer := make(chan result, 1)
	s.Finish(e, func(ended run.Ended, err error) { answer <- result{ended, err} })
	got := <-answer
	return got.ended, got.err
}

// end ends the attempt of a running run.
func (s *suite) end(r run.Run, next run.Next, at time.Time, follow ...run.Follow) run.Ended {
	s.Helper()
	ended, err := s.finish(endOf(r, next, at, follow...))
	s.ok(err)
	return ended
}

func endOf(r run.Run, next run.Next, at time.Time, follow ...run.Follow) run.End {
	e := run.End{Run: &r, From: r.State, Next: next, Finished: at, Release: r.Resources(), Follow: follow}
	if r.State == run.Running {
		e.Attempt = &run.Attempt{
			Run: r.ID, Number: r.Attempts, Worker: 3, StartedAt: r.StartedAt, FinishedAt: at,
			Outcome: next.Outcome, Error: next.Error,
		}
	}
	return e
}

func succeeded() run.Next { return run.Next{State: run.Succeeded, Outcome: "succeeded"} }

func failed() run.Next {
	return run.Next{State: run.Failed, Reason: run.ReasonExit, Outcome: "exit", Error: "exit status 1"}
}

// hold holds a run back and returns who was woken instead, of those who wait
// for the free resources.
func (s *suite) hold(r run.Run, on run.Resource, free ...run.Resource) []run.Run {
	s.Helper()
	woken, err := s.tryHold(r, on, free...)
	s.ok(err)
	return woken
}

func (s *suite) tryHold(r run.Run, on run.Resource, free ...run.Resource) ([]run.Run, error) {
	answer := make(chan error, 1)
	var got []run.Run
	s.Hold(&r, on, free, func(woken []run.Run, err error) { got = woken; answer <- err })
	err := <-answer
	return got, err
}

// wakeAll wakes one waiter of each resource, step by step.
func (s *suite) wakeAll(skip func(run.Resource) bool) (woken []run.Run) {
	s.Helper()
	for after := run.Resource(""); ; {
		got, last, err := s.WakeAll(s.Context(), after, skip)
		s.ok(err)
		woken = append(woken, got...)
		if last == "" {
			return woken
		}
		after = last
	}
}

// window returns the ids of the ready runs of the pool in order.
func (s *suite) window(pool string) []int64 {
	s.Helper()
	runs, err := s.Window(s.Context(), pool, nil, 1000)
	s.ok(err)
	return ids(runs)
}

func ids(runs []run.Run) []int64 {
	list := make([]int64, 0, len(runs))
	for _, r := range runs {
		list = append(list, r.ID)
	}
	return list
}
