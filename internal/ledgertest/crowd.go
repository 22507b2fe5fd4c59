package ledgertest

import (
	"fmt"
	"slices"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

func crowdTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"of a crowd behind a lock one is ready":                crowdBehindLock,
		"of a crowd with one key a few are ready":              crowdBehindKey,
		"one by one the crowd behind a lock is held, too":      crowdOneByOne,
		"a run of higher priority asks for itself":             crowdOvertaken,
		"lines of a batch do not stand behind each other":      crowdOfOneBatch,
		"due and retried runs stand behind those who wait":     crowdComesBack,
		"a start wakes the next of its key":                    startWakesNext,
		"a run that is canceled while it is held wakes nobody": heldCancelWakesNobody,
		"a bumped run that is held asks again":                 bumpedAsks,
		"runs settle in by the limits of a new pool":           rehomedCrowd,
		"those who wait for a lock ask in a new pool, too":     rehomedWaiters,
		"a resumed crowd stands behind its lock":               resumedCrowd,
		"runs held by another kind of key are judged anew":     unlimits,
		"a long key is a short resource":                       longKey,
	}
}

// perArg limits the runs of pool p by their arguments, of which so many are to
// be ready.
func perArg(ready int) run.PerKey {
	return func(r *run.Run) (run.Resource, int) {
		if r.Pool != "p" || r.Arg == "" {
			return "", 0
		}
		return perOf(r.Arg), ready
	}
}

func perOf(arg string) run.Resource { return run.PerResource("p", "arg", arg) }

// batch enqueues lines of one job at once.
func (s *suite) batch(def *jobs.Definition, args ...string) run.Submitted {
	s.Helper()
	return s.enqueue(clock(0), run.Submission{Def: def, Batch: true, Runs: []run.New{{}}, Lines: args})
}

func times(n int, arg string) []string { return slices.Repeat([]string{arg}, n) }

func crowdBehindLock(s *suite) {
	got := s.batch(job("a", "l"), times(1000, "x")...)
	first, second, last := got.Runs[0], got.Runs[1], got.Runs[999]
	if first.Waits != "" || second.Waits != string(lock) || second.Reason != run.ReasonLock || s.get(last.ID).Waits != string(lock) {
		s.Errorf("got %q, %q (%s), %q", first.Waits, second.Waits, second.Reason, s.get(last.ID).Waits)
	}
	if ready := s.window("p"); !slices.Equal(ready, []int64{first.ID}) {
		s.Errorf("ready: %v", ready)
	}
	ended := s.end(s.start(first, clock(1)), succeeded(), clock(2))
	if !slices.Equal(ids(ended.Ready), []int64{second.ID}) {
		s.Errorf("woken: %v, want the next", ids(ended.Ready))
	}
}

func crowdBehindKey(s *suite) {
	s.LimitPer(perArg(3))
	got := s.batch(job("a"), append(append(times(10, "x"), times(10, "y")...), "z", "")...)
	var want []int64
	for _, i := range []int{0, 1, 2, 10, 11, 12, 20, 21} {
		want = append(want, got.Runs[i].ID)
	}
	if ready := s.window("p"); !slices.Equal(ready, want) {
		s.Errorf("ready: %v, want %v", ready, want)
	}
	if on := got.Runs[19].Waits; on != string(perOf("y")) || got.Runs[19].Reason != "" {
		s.Errorf("the last waits for %q, reason %q", on, got.Runs[19].Reason)
	}
}

func crowdOneByOne(s *suite) {
	s.hold(s.add(job("a", "l"), run.New{}), lock)
	for range 5 {
		if r := s.add(job("a", "l"), run.New{}); r.Waits != string(lock) {
			s.Errorf("behind a waiter: got %q", r.Waits)
		}
	}
	other := job("b", "l")
	other.Pool = "q"
	if r := s.add(other, run.New{}); r.Waits != "" {
		s.Errorf("in another pool: waits for %q; nobody there is on the way", r.Waits)
	}
	if r := s.add(job("c", "m"), run.New{}); r.Waits != "" {
		s.Errorf("with another lock: waits for %q", r.Waits)
	}
}

func crowdOvertaken(s *suite) {
	s.batch(job("a", "l"), times(3, "x")...)
	if r := s.add(job("a", "l"), run.New{Priority: 1}); r.Waits != "" {
		s.Errorf("of higher priority: waits for %q", r.Waits)
	}
	if r := s.add(job("a", "l"), run.New{Priority: -1}); r.Waits == "" {
		s.Errorf("of lower priority: ready")
	}
}

func crowdOfOneBatch(s *suite) {
	sub := run.Submission{Def: job("a"), Batch: true, Runs: []run.New{{Overlap: jobs.OverlapQueueAll}}, Lines: times(5, "x")}
	s.enqueue(clock(0), sub)
	if ready := s.window("p"); len(ready) != 5 {
		s.Errorf("%d of 5 are ready, though they share what their job serializes", len(ready))
	}
}

func crowdComesBack(s *suite) {
	s.LimitPer(perArg(1))
	running := s.start(s.add(job("a"), run.New{Arg: "x"}), clock(1))
	later := s.add(job("a"), run.New{Arg: "x", DueAt: clock(10)})
	s.batch(job("a"), times(3, "x")...)
	ended := s.end(running, run.Next{State: run.Queued, Reason: run.ReasonRetry, DueAt: clock(2)}, clock(2))
	if got := s.get(running.ID); len(ended.Ready) != 0 || got.Waits != string(perOf("x")) || got.Reason != run.ReasonRetry {
		s.Errorf("retried: ready %v, waits for %q, reason %q", ids(ended.Ready), got.Waits, got.Reason)
	}
	ripe, err := s.Ripen(s.Context(), clock(10), 10)
	s.ok(err)
	if len(ripe.Ready) != 0 || s.get(later.ID).Waits != string(perOf("x")) {
		s.Errorf("due: ready %v, waits for %q", ids(ripe.Ready), s.get(later.ID).Waits)
	}
	if ready := s.window("p"); len(ready) != 1 {
		s.Errorf("%d are ready, want one", len(ready))
	}
}

func startWakesNext(s *suite) {
	s.LimitPer(perArg(1))
	runs := s.batch(job("a"), times(3, "x")...).Runs
	var woken []run.Run
	answer := make(chan error, 1)
	s.Start(run.Start{Run: &runs[0], At: clock(1), Next: perOf("x"), Woken: func(got []run.Run) {
		woken = got
		answer <- nil
	}}, func(err error) {
		if err != nil {
			answer <- err
		}
	})
	s.ok(<-answer)
	if !slices.Equal(ids(woken), []int64{runs[1].ID}) || woken[0].Def == nil || !slices.Equal(s.window("p"), ids(woken)) {
		s.Errorf("woken %v, ready %v; want the next", ids(woken), s.window("p"))
	}
	ended := s.end(s.get(runs[0].ID), succeeded(), clock(2))
	if len(ended.Ready) != 0 {
		s.Errorf("the end woke %v as well", ids(ended.Ready))
	}
}

func heldCancelWakesNobody(s *suite) {
	runs := s.batch(job("a", "l"), times(4, "x")...).Runs
	canceled := run.Next{State: run.Canceled, Reason: run.ReasonOperator}
	if ended := s.end(s.get(runs[2].ID), canceled, clock(1)); len(ended.Ready) != 0 {
		s.Errorf("a held one woke %v", ids(ended.Ready))
	}
	if ended := s.end(s.get(runs[0].ID), canceled, clock(1)); !slices.Equal(ids(ended.Ready), []int64{runs[1].ID}) {
		s.Errorf("the one on its way woke %v, want the next", ids(ended.Ready))
	}
}

func bumpedAsks(s *suite) {
	runs := s.batch(job("a", "l"), times(4, "x")...).Runs
	r, err := s.Bump(s.Context(), runs[3].ID)
	s.ok(err)
	if got := s.get(r.ID); r.Waits != "" || got.Waits != "" || got.Reason != "" || s.window("p")[0] != r.ID {
		s.Errorf("bumped: waits for %q, ready %v", got.Waits, s.window("p"))
	}
	s.hold(r, run.PausedResource("a"))
	r, err = s.Bump(s.Context(), r.ID)
	s.ok(err)
	if s.get(r.ID).Waits == "" {
		s.Errorf("a pause is over for a bumped run")
	}
}

func rehomedCrowd(s *suite) {
	s.LimitPer(perArg(2))
	def := job("a")
	s.batch(def, times(10, "x")...)
	n, err := s.Rehome(s.Context(), "a", "p", "q")
	s.ok(err)
	if n != 10 || len(s.window("q")) != 10 {
		s.Errorf("moved %d, of which %d are ready where nothing limits them", n, len(s.window("q")))
	}
	n, err = s.Rehome(s.Context(), "a", "q", "p")
	s.ok(err)
	if n != 10 || len(s.window("p")) != 2 {
		s.Errorf("moved back %d, of which %d are ready, want 2", n, len(s.window("p")))
	}
}

// The runs of one pool may go to several, and who asks for all to another.
func rehomedWaiters(s *suite) {
	first, others := job("a", "l"), job("b", "l")
	s.add(first, run.New{})
	waits := s.batch(others, times(3, "x")...).Runs
	for name, to := range map[string]string{"a": "q", "b": "r"} {
		_, err := s.Rehome(s.Context(), name, "p", to)
		s.ok(err)
	}
	if got := s.window("r"); !slices.Equal(got, []int64{waits[0].ID}) {
		s.Errorf("%v are ready in the new pool, want the first of those who waited, %d", got, waits[0].ID)
	}
}

func resumedCrowd(s *suite) {
	paused := run.PausedResource("a")
	for range 20 { // each before another waits for the lock
		s.hold(s.add(job("a", "l"), run.New{}), paused)
	}
	woken, _, err := s.Wake(s.Context(), paused, true)
	s.ok(err)
	if len(woken) != 1 || len(s.window("p")) != 1 {
		s.Errorf("%d are woken, %d ready; want the first to ask for the lock", len(woken), len(s.window("p")))
	}
}

func unlimits(s *suite) {
	s.LimitPer(perArg(1))
	const n = 600
	s.batch(job("a"), append(times(n, "x"), times(n, "y")...)...)
	byJob := func(r *run.Run) (run.Resource, int) { return run.PerResource(r.Pool, "job", r.Job), 5 }
	s.LimitPer(byJob)
	for more := true; more; {
		var err error
		_, more, err = s.Unlimit(s.Context(), "p", "arg")
		s.ok(err)
	}
	for _, arg := range []string{"x", "y"} {
		if woken, _, err := s.Wake(s.Context(), perOf(arg), false); err != nil || len(woken) != 0 {
			s.Errorf("still held by %s: %v, %v", arg, ids(woken), err)
		}
	}
	if ready := s.window("p"); len(ready) > 10 {
		s.Errorf("%d are ready, though the new limit holds them", len(ready))
	}
	s.LimitPer(func(*run.Run) (run.Resource, int) { return "", 0 })
	for more := true; more; {
		var err error
		_, more, err = s.Unlimit(s.Context(), "p", "job")
		s.ok(err)
	}
	runs, err := s.Window(s.Context(), "p", nil, 3*n)
	s.ok(err)
	if len(runs) != 2*n {
		s.Errorf("%d of %d are ready without a limit", len(runs), 2*n)
	}
}

func longKey(s *suite) {
	s.LimitPer(perArg(1))
	var args []string
	for i := range 3 {
		args = append(args, times(2, fmt.Sprintf("%063000d", i))...)
	}
	runs := s.batch(job("a"), args...).Runs
	if len(s.window("p")) != 3 {
		s.Errorf("%d are ready, want one of each key", len(s.window("p")))
	}
	for _, r := range runs {
		if len(r.Waits) > 200 {
			s.Errorf("it waits for %d bytes", len(r.Waits))
		}
	}
}
