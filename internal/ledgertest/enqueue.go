package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

func enqueueTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"a run is stored with all that was asked for":            storesAll,
		"the same key never makes a second run":                  keysAreIdempotent,
		"ids grow and are given in the order of the submissions": idsGrow,
		"a refusal leaves nothing of the whole call":             allOrNone,
		"the rule of overlap decides":                            overlapRules,
		"an overlap is by argument":                              overlapByArgument,
		"what must be replaced is named":                         replaces,
		"a full queue skips or refuses":                          queueLimit,
		"consecutive skips for one reason fold":                  folds,
		"a watermark moves with its runs or not at all":          watermarks,
		"reopening keeps everything":                             reopening,
	}
}

func storesAll(s *suite) {
	def := job("a", "l1")
	n := run.New{
		Key: "a@1", State: run.Queued, Trigger: run.TriggerCatchUp, Arg: "π\x00 'x'", Priority: -7,
		Overlap: jobs.OverlapSkip, Parent: 12, ScheduledAt: clock(-5), DueAt: clock(0), ExpiresAt: clock(60),
	}
	got := s.add(def, n)
	want := run.Run{
		ID: got.ID, Job: "a", Pool: "p", Type: "exec", Def: def, State: run.Queued, Trigger: run.TriggerCatchUp,
		Arg: n.Arg, Priority: -7, Slots: 1, Exclusive: true, Parent: 12, ScheduledAt: clock(-5), DueAt: clock(0),
		ExpiresAt: clock(60), EnqueuedAt: clock(0), Count: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("returned (-want +got):\n%s", diff)
	}
	s.reopen()
	if diff := cmp.Diff(want, s.get(got.ID)); diff != "" {
		s.Errorf("stored (-want +got):\n%s", diff)
	}
	_, err := s.Ledger.Run(s.Context(), got.ID+1)
	s.fails(err, run.ErrNotFound)
}

func keysAreIdempotent(s *suite) {
	sub := run.Submission{Def: job("a"), Runs: []run.New{{Key: "a@1"}, {Key: "a@2"}}}
	first := s.enqueue(clock(0), sub)
	if first.Existing {
		s.Error("new runs are said to exist")
	}
	s.reopen()
	second := s.enqueue(clock(1), sub)
	if !second.Existing || !slices.Equal(ids(first.Runs), ids(second.Runs)) {
		s.Errorf("got %v existing %v, want %v", ids(second.Runs), second.Existing, ids(first.Runs))
	}
	sub.Runs = append(sub.Runs, run.New{Key: "a@3"}, run.New{Key: "a@3"})
	third := s.enqueue(clock(2), sub)
	if third.Existing || third.Runs[0].ID != first.Runs[0].ID || third.Runs[2].ID != third.Runs[3].ID {
		s.Errorf("got %v existing %v", ids(third.Runs), third.Existing)
	}
	if got := s.window("p"); len(got) != 3 {
		s.Errorf("got runs %v, want three", got)
	}
}

func idsGrow(s *suite) {
	var last int64
	for i := range 3 {
		got, err := s.Enqueue(s.Context(), []run.Submission{
			{Def: job("a"), Runs: make([]run.New, 2)}, {Def: job("b"), Runs: make([]run.New, 1)},
		}, clock(-i))
		s.ok(err)
		for _, r := range append(got[0].Runs, got[1].Runs...) {
			if r.ID <= last {
				s.Fatalf("run %d after %d", r.ID, last)
			}
			last = r.ID
		}
	}
}

func allOrNone(s *suite) {
	busy := s.add(job("busy"), run.New{Arg: "3"})
	lines := []run.New{{Arg: "1", Overlap: jobs.OverlapSkip}, {Arg: "2", Overlap: jobs.OverlapSkip}, {Arg: "3", Overlap: jobs.OverlapSkip}}
	for name, sub := range map[string]run.Submission{
		"runs":  {Def: job("busy"), Runs: lines, Refuse: true},
		"batch": {Def: job("busy"), Runs: lines, Refuse: true, Batch: true, BatchKey: "key"},
	} {
		sub.Watermark = &run.Watermark{At: clock(1)}
		_, err := s.Enqueue(s.Context(), []run.Submission{{Def: job("other"), Runs: make([]run.New, 1)}, sub}, clock(0))
		var conflict *run.ConflictError
		if !errors.As(err, &conflict) || conflict.Run != busy.ID || conflict.Job != "busy" {
			s.Fatalf("%s: got error %v, want a conflict with run %d", name, err, busy.ID)
		}
	}
	runs, err := s.Runs(s.Context(), run.Filter{})
	s.ok(err)
	if len(runs) != 1 {
		s.Errorf("got runs %v, want the first alone", ids(runs))
	}
	_, err = s.Batch(s.Context(), "key")
	s.fails(err, run.ErrNotFound)
	marks, err := s.Watermarks(s.Context())
	s.ok(err)
	if len(marks) != 0 {
		s.Errorf("got watermarks %v, want none", marks)
	}
	third, other := s.add(job("third"), run.New{}), s.add(job("other"), run.New{})
	s.reopen()
	for _, r := range []run.Run{third, other} {
		if got := s.get(r.ID); got.Def.Name != r.Job {
			s.Errorf("the run of job %q has the definition of %q", r.Job, got.Def.Name)
		}
	}
}

func overlapRules(s *suite) {
	type situation struct{ queued, running int }
	for i, c := range []struct {
		rule jobs.Overlap
		at   situation
		want run.State
	}{
		{jobs.OverlapSkip, situation{0, 0}, run.Queued},
		{jobs.OverlapSkip, situation{1, 0}, run.Skipped},
		{jobs.OverlapSkip, situation{0, 1}, run.Skipped},
		{jobs.OverlapQueue, situation{0, 1}, run.Queued},
		{jobs.OverlapQueue, situation{1, 0}, run.Skipped},
		{jobs.OverlapQueue, situation{1, 1}, run.Skipped},
		{jobs.OverlapQueueAll, situation{2, 1}, run.Queued},
		{jobs.OverlapReplace, situation{1, 1}, run.Queued},
		{jobs.OverlapAllow, situation{1, 1}, run.Queued},
	} {
		def := job(fmt.Sprintf("j%d", i))
		for n := range c.at.queued + c.at.running {
			r := s.add(def, run.New{Overlap: jobs.OverlapAllow})
			if n < c.at.running {
				s.start(r, clock(1))
			}
		}
		got := s.add(def, run.New{Overlap: c.rule})
		if got.State != c.want || got.Exclusive != run.Exclusive(c.rule) {
			s.Errorf("%s with %+v: got %s, exclusive %v", c.rule, c.at, got.State, got.Exclusive)
		}
		if got.State == run.Skipped && (got.Reason != run.ReasonOverlap || !got.FinishedAt.Equal(clock(0))) {
			s.Errorf("%s with %+v: got reason %q, finished at %v", c.rule, c.at, got.Reason, got.FinishedAt)
		}
	}
}

func overlapByArgument(s *suite) {
	def := job("a")
	skip := func(arg string) run.New { return run.New{Arg: arg, Overlap: jobs.OverlapSkip} }
	first := s.add(def, skip("x"))
	if got := s.add(def, skip("")); got.State != run.Queued {
		s.Errorf("no argument: got %s", got.State)
	}
	if got := s.add(def, skip("y")); got.State != run.Queued {
		s.Errorf("another argument: got %s", got.State)
	}
	if got := s.add(def, skip("x")); got.State != run.Skipped {
		s.Errorf("the same argument: got %s", got.State)
	}
	if got := s.add(job("b"), skip("x")); got.State != run.Queued {
		s.Errorf("another job: got %s", got.State)
	}
	s.end(s.start(first, clock(1)), succeeded(), clock(2))
	if got := s.add(def, skip("x")); got.State != run.Queued {
		s.Errorf("after the end: got %s", got.State)
	}
}

func replaces(s *suite) {
	def := job("a")
	first := s.start(s.add(def, run.New{}), clock(1))
	second := s.add(def, run.New{})
	got := s.enqueue(clock(2), run.Submission{Def: def, Runs: []run.New{{Overlap: jobs.OverlapReplace}}})
	slices.Sort(got.Replace)
	if want := []int64{first.ID, second.ID}; !slices.Equal(got.Replace, want) {
		s.Errorf("got %v to replace, want %v", got.Replace, want)
	}
	if got.Runs[0].State != run.Queued {
		s.Errorf("got %s, want queued", got.Runs[0].State)
	}
}

func queueLimit(s *suite) {
	def := job("a")
	sub := run.Submission{Def: def, Runs: make([]run.New, 5), QueueLimit: 3}
	states := map[run.State]int{}
	for _, r := range s.enqueue(clock(0), sub).Runs {
		states[r.State]++
		if r.State == run.Skipped && r.Reason != run.ReasonQueueFull {
			s.Errorf("got reason %q", r.Reason)
		}
	}
	if states[run.Queued] != 3 {
		s.Errorf("got %v, want 3 queued", states)
	}
	sub.Refuse, sub.Runs = true, make([]run.New, 1)
	_, err := s.Enqueue(s.Context(), []run.Submission{sub}, clock(1))
	s.fails(err, run.ErrQueueFull)
	s.reopen()
	_, err = s.Enqueue(s.Context(), []run.Submission{sub}, clock(1))
	s.fails(err, run.ErrQueueFull)
	s.start(s.get(s.window("p")[0]), clock(2))
	s.enqueue(clock(3), sub)
}

func folds(s *suite) {
	def := job("a")
	missed := func(second int) run.New {
		return run.New{
			Key: fmt.Sprintf("a@%d", second), State: run.Skipped, Reason: run.ReasonMissed,
			Trigger: run.TriggerSchedule, ScheduledAt: clock(second),
		}
	}
	first := s.add(def, missed(1))
	if first.Count != 1 || !first.Until.IsZero() {
		s.Errorf("one skip: got count %d until %v", first.Count, first.Until)
	}
	s.add(def, missed(2))
	many := missed(3)
	many.Count, many.Until = 10, clock(12)
	got := s.add(def, many)
	if got.ID != first.ID || got.Count != 12 || !got.Until.Equal(clock(12)) || !got.ScheduledAt.Equal(clock(1)) {
		s.Errorf("folded: got run %d count %d until %v", got.ID, got.Count, got.Until)
	}
	if again := s.add(def, missed(2)); again.ID != first.ID || again.Count != 12 {
		s.Errorf("a moment told twice: got run %d count %d", again.ID, again.Count)
	}
	paused := missed(13)
	paused.Reason = run.ReasonPaused
	if got := s.add(def, paused); got.ID == first.ID || got.Count != 1 {
		s.Errorf("another reason: got run %d count %d", got.ID, got.Count)
	}
	if got := s.add(def, missed(14)); got.ID == first.ID {
		s.Error("a skip folded across another reason")
	}
	if got := s.add(job("b"), missed(15)); got.Count != 1 {
		s.Error("a skip folded into that of another job")
	}
}

func watermarks(s *suite) {
	mark := run.Watermark{At: clock(1), Epoch: 2, Schedule: "hash", Boot: "boot"}
	s.enqueue(clock(0), run.Submission{Def: job("a"), Watermark: &mark})
	s.ok(s.SetWatermarks(s.Context(), map[string]run.Watermark{"b": {At: clock(2)}, "c": {}}))
	s.ok(s.SetWatermarks(s.Context(), map[string]run.Watermark{"b": {At: clock(3), Epoch: 1}}))
	s.reopen()
	want := map[string]run.Watermark{"a": mark, "b": {At: clock(3), Epoch: 1}, "c": {}}
	got, err := s.Watermarks(s.Context())
	s.ok(err)
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("watermarks (-want +got):\n%s", diff)
	}
	s.ok(s.DeleteWatermarks(s.Context(), []string{"a", "c", "none"}))
	got, err = s.Watermarks(s.Context())
	s.ok(err)
	if len(got) != 1 {
		s.Errorf("after deletion: got %v", got)
	}
}

func reopening(s *suite) {
	def := job("a", "l")
	def.With = []byte(`{"command":["true"]}`)
	queued := s.add(def, run.New{Priority: 5})
	running := s.start(s.add(def, run.New{}), clock(1))
	held := s.add(def, run.New{})
	s.hold(held, run.LockResource("l"))
	later := s.add(def, run.New{DueAt: clock(100)})
	s.reopen()
	if got := s.window("p"); !slices.Equal(got, []int64{queued.ID}) {
		s.Errorf("ready: got %v", got)
	}
	got, err := s.Running(s.Context())
	s.ok(err)
	if len(got) != 1 || got[0].ID != running.ID || got[0].Def == nil || !strings.Contains(string(got[0].Def.With), "true") {
		s.Errorf("running: got %+v", got)
	}
	ripe, err := s.Ripen(s.Context(), clock(50), 10)
	s.ok(err)
	if len(ripe.Ready) != 0 || !ripe.Next.Equal(clock(100)) {
		s.Errorf("ripe: got %v, next %v", ids(ripe.Ready), ripe.Next)
	}
	if got := s.get(held.ID); got.Waits != "lock:l" || got.Reason != run.ReasonLock {
		s.Errorf("held: waits for %q, reason %q", got.Waits, got.Reason)
	}
	if got := s.get(later.ID); !got.DueAt.Equal(clock(100)) || got.DueAt.Location() != time.UTC {
		s.Errorf("later: due at %v", got.DueAt)
	}
}
