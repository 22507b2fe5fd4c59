package ledgertest

import (
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

func lifeTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"a start and an end are recorded once":                        startsAndEndsOnce,
		"a run that ends before it starts has no attempts":            endsUnstarted,
		"a queued run starts and ends only as it was read":            onlyAsRead,
		"every attempt is kept, also when the run is queued again":    attempts,
		"an attempt that differs from the run's row is kept as it is": oddAttempt,
		"an attempt cut short from outside does not use up a try":     refunds,
		"done functions are called in the order of the calls":         doneInOrder,
		"many callers at once neither lose nor double a run":          manyCallers,
		"operations after the close fail, each of them":               afterClose,
	}
}

// Somebody may have read it before an attempt of which they know nothing.
func onlyAsRead(s *suite) {
	old := s.add(job("a"), run.New{})
	again := run.Next{State: run.Queued, Reason: run.ReasonRetry, DueAt: clock(1), Outcome: "exit"}
	s.end(s.start(old, clock(1)), again, clock(1))
	if !slices.Equal(s.window("p"), []int64{old.ID}) {
		s.Fatalf("ready: got %v", s.window("p"))
	}
	s.fails(s.tryStart(old, clock(2)), run.ErrStale)
	skip := run.End{Run: &old, From: run.Queued, Next: run.Next{State: run.Skipped, Reason: run.ReasonExpired}, Finished: clock(2)}
	_, err := s.finish(skip)
	s.fails(err, run.ErrStale)
	s.end(s.start(s.get(old.ID), clock(2)), succeeded(), clock(3))
}

func startsAndEndsOnce(s *suite) {
	r := s.add(job("a"), run.New{})
	started := s.start(r, clock(1))
	if started.State != run.Running || !started.StartedAt.Equal(clock(1)) || started.Attempts != 1 || started.Tries != 1 {
		s.Errorf("started: got %+v", started)
	}
	s.fails(s.tryStart(r, clock(2)), run.ErrStale)
	_, err := s.finish(run.End{Run: &r, From: run.Queued, Next: run.Next{State: run.Canceled}, Finished: clock(2)})
	s.fails(err, run.ErrStale)
	s.end(started, failed(), clock(3))
	_, err = s.finish(endOf(started, succeeded(), clock(4)))
	s.fails(err, run.ErrStale)
	got := s.get(r.ID)
	if got.State != run.Failed || got.Reason != run.ReasonExit || got.Error != "exit status 1" || !got.FinishedAt.Equal(clock(3)) {
		s.Errorf("ended: got %+v", got)
	}
	s.fails(s.tryStart(r, clock(5)), run.ErrStale)
	ghost := run.Run{ID: 9999, State: run.Queued}
	s.fails(s.tryStart(ghost, clock(5)), run.ErrStale)
	if got := s.window("p"); len(got) != 0 {
		s.Errorf("still in the queue: %v", got)
	}
}

func endsUnstarted(s *suite) {
	r := s.add(job("a"), run.New{})
	s.end(r, run.Next{State: run.Canceled, Reason: run.ReasonOperator, Error: "why"}, clock(1))
	got := s.get(r.ID)
	if got.State != run.Canceled || got.Reason != run.ReasonOperator || got.Error != "why" || got.Attempts != 0 || !got.StartedAt.IsZero() {
		s.Errorf("got %+v", got)
	}
	list, err := s.Attempts(s.Context(), r.ID)
	s.ok(err)
	if len(list) != 0 {
		s.Errorf("got attempts %+v", list)
	}
	_, err = s.Attempts(s.Context(), 9999)
	s.fails(err, run.ErrNotFound)
}

func attempts(s *suite) {
	r := s.start(s.add(job("a"), run.New{}), clock(1))
	one := 1
	again := run.Next{State: run.Queued, Reason: run.ReasonRetry, Outcome: "exit", Error: "exit status 1", DueAt: clock(9)}
	e := endOf(r, again, clock(2))
	e.Attempt.ExitCode, e.Attempt.OutputBytes = &one, 77
	ended, err := s.finish(e)
	s.ok(err)
	if len(ended.Ready) != 0 || !ended.NextDue.Equal(clock(9)) {
		s.Errorf("queued again: got ready %v, next due %v", ids(ended.Ready), ended.NextDue)
	}
	got := s.get(r.ID)
	if got.State != run.Queued || got.Reason != run.ReasonRetry || *got.ExitCode != 1 || got.Tries != 1 || !got.FinishedAt.IsZero() {
		s.Errorf("queued again: got %+v", got)
	}
	_, err = s.Ripen(s.Context(), clock(9), 10)
	s.ok(err)
	second := s.start(s.get(r.ID), clock(10))
	want := []run.Attempt{
		{Run: r.ID, Number: 1, Worker: 3, StartedAt: clock(1), FinishedAt: clock(2), Outcome: "exit", ExitCode: &one, Error: "exit status 1", OutputBytes: 77},
		{Run: r.ID, Number: 2, Worker: 3, StartedAt: clock(10)},
	}
	s.hasAttempts(r.ID, want)
	e = endOf(second, run.Next{State: run.Failed, Reason: run.ReasonSignal, Outcome: "signal", Error: "killed"}, clock(11))
	e.Attempt.Signal, e.Attempt.OutputBytes = "KILL", 5
	_, err = s.finish(e)
	s.ok(err)
	s.reopen()
	want[1].FinishedAt, want[1].Outcome, want[1].Signal, want[1].Error, want[1].OutputBytes = clock(11), "signal", "KILL", "killed", 5
	s.hasAttempts(r.ID, want)
	if got := s.get(r.ID); got.Attempts != 2 || got.ExitCode != nil || got.Signal != "KILL" || got.OutputBytes != 5 {
		s.Errorf("ended: got %+v", got)
	}
}

func (s *suite) hasAttempts(id int64, want []run.Attempt) {
	s.Helper()
	got, err := s.Attempts(s.Context(), id)
	s.ok(err)
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("attempts (-want +got):\n%s", diff)
	}
}

func oddAttempt(s *suite) {
	for _, differ := range []func(*run.Attempt){
		func(a *run.Attempt) { a.StartedAt = clock(2) },
		func(a *run.Attempt) { a.FinishedAt = clock(4) },
		func(a *run.Attempt) { a.Error = "in other words" },
		func(a *run.Attempt) { a.Number = 7 },
	} {
		r := s.start(s.add(job("a"), run.New{}), clock(1))
		e := endOf(r, failed(), clock(5))
		differ(e.Attempt)
		_, err := s.finish(e)
		s.ok(err)
		s.hasAttempts(r.ID, []run.Attempt{*e.Attempt})
	}
}

func refunds(s *suite) {
	r := s.start(s.add(job("a"), run.New{}), clock(1))
	ended := s.end(r, run.Next{State: run.Queued, Reason: run.ReasonInterrupted, DueAt: clock(2), Refund: true}, clock(2))
	if !slices.Equal(ids(ended.Ready), []int64{r.ID}) || ended.Ready[0].Def == nil {
		s.Errorf("got ready %v, want the run itself", ids(ended.Ready))
	}
	got := s.get(r.ID)
	if got.Attempts != 1 || got.Tries != 0 || got.Reason != run.ReasonInterrupted {
		s.Errorf("got %+v", got)
	}
	if got := s.start(got, clock(3)); got.Attempts != 2 || got.Tries != 1 || got.Reason != "" {
		s.Errorf("started again: got %+v", got)
	}
}

func doneInOrder(s *suite) {
	const n = 2000
	runs := s.enqueue(clock(0), run.Submission{Def: job("a"), Runs: make([]run.New, n)}).Runs
	var order []int64
	var done sync.WaitGroup
	done.Add(2 * n)
	for i := range runs {
		s.Start(run.Start{Run: &runs[i], At: clock(1)}, func(err error) {
			if err != nil {
				s.Error(err)
			}
			order = append(order, runs[i].ID)
			done.Done()
		})
		ending := runs[i]
		ending.State, ending.Attempts, ending.StartedAt = run.Running, 1, clock(1)
		s.Finish(endOf(ending, succeeded(), clock(2)), func(_ run.Ended, err error) {
			if err != nil {
				s.Error(err)
			}
			order = append(order, -runs[i].ID)
			done.Done()
		})
	}
	done.Wait()
	for i := range runs {
		if order[2*i] != runs[i].ID || order[2*i+1] != -runs[i].ID {
			s.Fatalf("call %d was answered out of order", i)
		}
	}
}

func manyCallers(s *suite) {
	const callers, each = 16, 25
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := range each {
				got, err := s.Enqueue(s.Context(), []run.Submission{{Def: job("a"), Runs: []run.New{{Key: time.Duration(i).String()}, {}}}}, clock(0))
				if err != nil {
					s.Error(err)
					return
				}
				if i%2 == 0 {
					if err := s.tryStart(got[0].Runs[1], clock(1)); err != nil {
						s.Error(err)
					}
				}
				_, err = s.Window(s.Context(), "p", nil, 10)
				if err != nil {
					s.Error(err)
				}
			}
		})
	}
	all.Wait()
	queued, running := len(s.window("p")), 0
	list, err := s.Running(s.Context())
	s.ok(err)
	running = len(list)
	if want := callers * (each + 1) / 2; running != want || queued != callers*each+each-running {
		s.Errorf("got %d queued and %d running", queued, running)
	}
}

func afterClose(s *suite) {
	r := s.add(job("a"), run.New{})
	s.ok(s.Close())
	s.ok(s.Close())
	_, err := s.Enqueue(s.Context(), []run.Submission{{Def: job("a")}}, clock(0))
	s.fails(err, run.ErrClosed)
	s.fails(s.tryStart(r, clock(1)), run.ErrClosed)
	_, err = s.finish(endOf(r, run.Next{State: run.Canceled}, clock(1)))
	s.fails(err, run.ErrClosed)
	_, err = s.tryHold(r, "lock:x")
	s.fails(err, run.ErrClosed)
	_, err = s.Window(s.Context(), "p", nil, 1)
	s.fails(err, run.ErrClosed)
	_, err = s.Runs(s.Context(), run.Filter{Job: string(jobs.OverlapSkip)})
	s.fails(err, run.ErrClosed)
}
