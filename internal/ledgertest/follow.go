package ledgertest

import (
	"slices"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

func followTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"a follower fires once, with the argument of the run": followOnce,
		"a follower fires by the state of the end":            followByState,
		"a retry sets nothing off":                            followNotOnRetry,
		"a batch sets off its followers once, at its end":     followBatch,
		"match all waits for every upstream job":              followAll,
		"a follower is subject to overlap, limit and pause":   followAdmission,
	}
}

// after returns a follower of jobs that succeeded.
func after(name string, upstream ...string) run.Follow {
	def := job(name)
	def.After.Success = upstream
	return run.Follow{Def: def, New: run.New{Priority: 4}}
}

func (s *suite) running(name string, n run.New) run.Run {
	s.Helper()
	return s.start(s.add(job(name), n), clock(1))
}

func followOnce(s *suite) {
	r := s.running("a", run.New{Arg: "x"})
	ended := s.end(r, succeeded(), clock(2), after("b", "a"), after("c", "other"))
	if len(ended.Ready) != 1 {
		s.Fatalf("got ready %v, want one", ids(ended.Ready))
	}
	got := s.get(ended.Ready[0].ID)
	if got.Job != "b" || got.Arg != "x" || got.Parent != r.ID || got.Trigger != run.TriggerAfter || got.Priority != 4 ||
		!got.EnqueuedAt.Equal(clock(2)) || ended.Ready[0].Def == nil {
		s.Errorf("got %+v", got)
	}
	_, err := s.finish(endOf(r, succeeded(), clock(3), after("b", "a")))
	s.fails(err, run.ErrStale)
	if got := s.window("p"); !slices.Equal(got, []int64{ended.Ready[0].ID}) {
		s.Errorf("got window %v", got)
	}
}

func followByState(s *suite) {
	rules := map[string]jobs.After{
		"success": {Success: []string{"a"}}, "failure": {Failure: []string{"a"}}, "any": {Any: []string{"a"}},
	}
	for _, c := range []struct {
		state run.State
		want  []string
	}{
		{run.Succeeded, []string{"any", "success"}},
		{run.Failed, []string{"any", "failure"}},
		{run.Canceled, []string{"any"}},
		{run.Skipped, nil},
	} {
		r := s.running("a", run.New{})
		var follow []run.Follow
		for name, rule := range rules {
			def := job(name)
			def.After = rule
			follow = append(follow, run.Follow{Def: def})
		}
		var got []string
		for _, f := range s.end(r, run.Next{State: c.state}, clock(2), follow...).Ready {
			got = append(got, f.Job)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			s.Errorf("%s sets off %v, want %v", c.state, got, c.want)
		}
	}
}

func followNotOnRetry(s *suite) {
	def := job("b")
	def.After.Any = []string{"a"}
	next := run.Next{State: run.Queued, Reason: run.ReasonRetry, DueAt: clock(2)}
	r := s.running("a", run.New{})
	ended := s.end(r, next, clock(2), run.Follow{Def: def})
	if !slices.Equal(ids(ended.Ready), []int64{r.ID}) {
		s.Errorf("got ready %v, want the run itself", ids(ended.Ready))
	}
}

func followBatch(s *suite) {
	def := job("b")
	def.After.Failure = []string{"a"}
	follow := run.Follow{Def: def}
	batch := s.enqueue(clock(0), run.Submission{Def: job("a"), Batch: true, Runs: lines("1", "2", "3")})
	var got []run.Run
	for i, next := range []run.Next{succeeded(), failed(), succeeded()} {
		ended := s.end(s.start(batch.Runs[i], clock(1)), next, clock(2), follow)
		got = append(got, ended.Ready...)
		if i < 2 && len(got) != 0 {
			s.Fatalf("set off %v before the batch's end", ids(got))
		}
	}
	if len(got) != 1 || got[0].Arg != "" || got[0].Job != "b" {
		s.Errorf("got %+v, want one run without an argument", got)
	}
}

func followAll(s *suite) {
	def := job("z")
	def.After = jobs.After{Success: []string{"a"}, Any: []string{"b"}, Match: jobs.MatchAll}
	follow := run.Follow{Def: def}
	step := func(name string, next run.Next, want int) {
		s.Helper()
		ended := s.end(s.running(name, run.New{}), next, clock(2), follow)
		if len(ended.Ready) != want {
			s.Errorf("%s %s: set off %d, want %d", name, next.State, len(ended.Ready), want)
		}
	}
	step("a", failed(), 0)
	step("b", failed(), 0)
	s.reopen()
	step("b", succeeded(), 0)
	step("a", succeeded(), 1)
	step("a", succeeded(), 0)
	step("a", succeeded(), 0)
	step("b", succeeded(), 1)
}

func followAdmission(s *suite) {
	follow := after("b", "a")
	follow.New.Overlap = jobs.OverlapSkip
	first := s.end(s.running("a", run.New{}), succeeded(), clock(2), follow).Ready
	second := s.end(s.running("a", run.New{}), succeeded(), clock(3), follow)
	if len(first) != 1 || len(second.Ready) != 0 {
		s.Errorf("overlap: got %v, then %v", ids(first), ids(second.Ready))
	}
	follow.New.Overlap = jobs.OverlapReplace
	third := s.end(s.running("a", run.New{}), succeeded(), clock(4), follow)
	if len(third.Ready) != 1 || !slices.Equal(third.Replace, ids(first)) {
		s.Errorf("replace: got %v, replacing %v", ids(third.Ready), third.Replace)
	}
	full := after("full", "a")
	full.QueueLimit = 1
	paused := after("paused", "a")
	paused.Skip = run.ReasonPaused
	later := after("later", "a")
	later.New.DueAt = clock(60)
	ended := s.end(s.running("a", run.New{}), succeeded(), clock(5), full, paused, later)
	if len(ended.Ready) != 0 || !ended.NextDue.Equal(clock(60)) {
		s.Errorf("got ready %v, next due %v", ids(ended.Ready), ended.NextDue)
	}
	for name, want := range map[string]run.Reason{"full": run.ReasonQueueFull, "paused": run.ReasonPaused, "later": ""} {
		got, err := s.Runs(s.Context(), run.Filter{Job: name})
		s.ok(err)
		if len(got) != 1 || got[0].Reason != want || got[0].Trigger != run.TriggerAfter {
			s.Errorf("%s: got %+v", name, got)
		}
	}
	if got, err := s.Runs(s.Context(), run.Filter{Job: "later"}); err != nil || got[0].DueAt.Sub(clock(0)) != time.Minute {
		s.Errorf("later: got %+v, %v", got, err)
	}
}
