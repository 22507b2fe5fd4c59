package ledgertest

import (
	"fmt"
	"slices"
	"time"

	"github.com/poold/poold/internal/run"
)

func queueTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"the window is by priority, then by age":           windowOrder,
		"the window goes on strictly after a position":     windowCursor,
		"due runs ripen, those due first before others":    ripens,
		"runs that were not started in time are listed":    expires,
		"a bumped run is above all queued of its pool":     bumps,
		"queued runs move to another pool":                 rehomes,
		"a run whose condition says wait is put off":       putsOff,
		"listings select by every field, newest first":     lists,
		"a window of time survives a clock that was set":   listsByTime,
		"counters of the queue follow a run that is moved": limitAfterRehome,
	}
}

func windowOrder(s *suite) {
	var want []int64
	priorities := []int{0, 5, -1, 5, 0, 9, -1}
	byPriority := map[int][]int64{}
	for _, p := range priorities {
		r := s.add(job("a"), run.New{Priority: p})
		byPriority[p] = append(byPriority[p], r.ID)
	}
	for _, p := range []int{9, 5, 0, -1} {
		want = append(want, byPriority[p]...)
	}
	s.add(job("a"), run.New{DueAt: clock(10)})
	other := job("b")
	other.Pool = "q"
	s.add(other, run.New{Priority: 100})
	if got := s.window("p"); !slices.Equal(got, want) {
		s.Errorf("got %v, want %v", got, want)
	}
	runs, err := s.Window(s.Context(), "p", nil, 1)
	s.ok(err)
	if runs[0].Def == nil || runs[0].Def.Name != "a" || runs[0].Slots != 1 {
		s.Errorf("got %+v, want it with its definition", runs[0])
	}
}

func windowCursor(s *suite) {
	for i := range 30 {
		s.add(job("a"), run.New{Priority: i % 4})
	}
	all := s.window("p")
	for _, size := range []int{1, 2, 7, 29, 30, 31} {
		var got []int64
		var after *run.Position
		for {
			page, err := s.Window(s.Context(), "p", after, size)
			s.ok(err)
			if len(page) == 0 {
				break
			}
			got = append(got, ids(page)...)
			last := page[len(page)-1].Position()
			after = &last
		}
		if !slices.Equal(got, all) {
			s.Errorf("pages of %d: got %v, want %v", size, got, all)
		}
	}
}

func ripens(s *suite) {
	third := s.add(job("a"), run.New{DueAt: clock(30)})
	first := s.add(job("a"), run.New{DueAt: clock(10)})
	second := s.add(job("a"), run.New{DueAt: clock(20)})
	s.add(job("a"), run.New{DueAt: clock(40)})
	if got := s.window("p"); len(got) != 0 {
		s.Fatalf("ready before they are due: %v", got)
	}
	ripe, err := s.Ripen(s.Context(), clock(30), 2)
	s.ok(err)
	if !slices.Equal(ids(ripe.Ready), []int64{first.ID, second.ID}) || !ripe.Next.Equal(clock(30)) {
		s.Errorf("got %v, next %v", ids(ripe.Ready), ripe.Next)
	}
	ripe, err = s.Ripen(s.Context(), clock(30), 2)
	s.ok(err)
	if !slices.Equal(ids(ripe.Ready), []int64{third.ID}) || !ripe.Next.Equal(clock(40)) {
		s.Errorf("then got %v, next %v", ids(ripe.Ready), ripe.Next)
	}
	if got := s.window("p"); len(got) != 3 {
		s.Errorf("got window %v", got)
	}
}

func expires(s *suite) {
	ready := s.add(job("a"), run.New{ExpiresAt: clock(10)})
	later := s.add(job("a"), run.New{ExpiresAt: clock(20)})
	held := s.add(job("a", "l"), run.New{ExpiresAt: clock(5)})
	s.hold(held, run.LockResource("l"))
	s.start(s.add(job("a"), run.New{ExpiresAt: clock(3)}), clock(1))
	again := s.start(s.add(job("a"), run.New{ExpiresAt: clock(3)}), clock(1))
	s.end(again, run.Next{State: run.Queued, Reason: run.ReasonRetry, DueAt: clock(2)}, clock(2))
	ripe, err := s.Ripen(s.Context(), clock(10), 10)
	s.ok(err)
	if !slices.Equal(ids(ripe.Expired), []int64{held.ID, ready.ID}) || !ripe.Next.Equal(clock(20)) {
		s.Errorf("got expired %v, next %v", ids(ripe.Expired), ripe.Next)
	}
	for _, r := range ripe.Expired {
		s.end(r, run.Next{State: run.Skipped, Reason: run.ReasonExpired}, clock(10))
	}
	ripe, err = s.Ripen(s.Context(), clock(20), 10)
	s.ok(err)
	if !slices.Equal(ids(ripe.Expired), []int64{later.ID}) || !ripe.Next.IsZero() {
		s.Errorf("then got expired %v, next %v", ids(ripe.Expired), ripe.Next)
	}
}

func bumps(s *suite) {
	first := s.add(job("a"), run.New{})
	s.add(job("a"), run.New{Priority: 3})
	s.add(job("a"), run.New{Priority: 11, DueAt: clock(50)})
	s.hold(s.add(job("a", "l"), run.New{Priority: 9}), run.LockResource("l"))
	got, err := s.Bump(s.Context(), first.ID)
	s.ok(err)
	if got.Priority != 12 || got.Def == nil {
		s.Errorf("got priority %d", got.Priority)
	}
	again, err := s.Bump(s.Context(), first.ID)
	s.ok(err)
	if again.Priority != got.Priority || s.window("p")[0] != first.ID {
		s.Errorf("bumped again: got priority %d, window %v", again.Priority, s.window("p"))
	}
	s.start(first, clock(1))
	_, err = s.Bump(s.Context(), first.ID)
	s.fails(err, run.ErrStale)
	_, err = s.Bump(s.Context(), 1000)
	s.fails(err, run.ErrNotFound)
}

func rehomes(s *suite) {
	running := s.start(s.add(job("a"), run.New{}), clock(1))
	r := s.add(job("a"), run.New{})
	held := s.add(job("a", "l"), run.New{})
	s.hold(held, run.PausedResource("a"))
	s.add(job("b"), run.New{})
	n, err := s.Rehome(s.Context(), "a", "p", "q")
	s.ok(err)
	if n != 2 || !slices.Equal(s.window("q"), []int64{r.ID}) || len(s.window("p")) != 1 {
		s.Errorf("moved %d, p has %v, q has %v", n, s.window("p"), s.window("q"))
	}
	if got := s.get(running.ID); got.Pool != "p" {
		s.Errorf("the running one is in %q", got.Pool)
	}
	woken, _, err := s.Wake(s.Context(), run.PausedResource("a"), true)
	s.ok(err)
	if len(woken) != 1 || woken[0].Pool != "q" {
		s.Errorf("woken: got %+v", woken)
	}
}

func limitAfterRehome(s *suite) {
	r := s.add(job("a"), run.New{}) // as the caller remembers it: in p
	_, err := s.Rehome(s.Context(), "a", "p", "q")
	s.ok(err)
	s.ok(s.tryStart(r, clock(1)))
	for _, pool := range []string{"p", "q"} {
		def := job("b")
		def.Pool = pool
		sub := run.Submission{Def: def, Runs: make([]run.New, 1), QueueLimit: 1, Refuse: true}
		s.enqueue(clock(2), sub)
		_, err := s.Enqueue(s.Context(), []run.Submission{sub}, clock(3))
		s.fails(err, run.ErrQueueFull)
	}
}

func putsOff(s *suite) {
	r := s.add(job("a"), run.New{})
	ask := func(at, due time.Time) error {
		answer := make(chan error, 1)
		s.SetAsked(&r, at, due, func(err error) { answer <- err })
		return <-answer
	}
	s.ok(ask(clock(1), clock(10)))
	got := s.get(r.ID)
	if got.State != run.Queued || got.Reason != run.ReasonCondition || !got.DueAt.Equal(clock(10)) || len(s.window("p")) != 0 {
		s.Errorf("got %+v", got)
	}
	ripe, err := s.Ripen(s.Context(), clock(10), 10)
	s.ok(err)
	if len(ripe.Ready) != 1 || !ripe.Ready[0].AskedAt.Equal(clock(1)) {
		s.Errorf("ripe: got %+v", ripe.Ready)
	}
	s.ok(ask(clock(10), clock(20)))
	if got := s.get(r.ID); !got.AskedAt.Equal(clock(1)) {
		s.Errorf("asked again: first asked at %v", got.AskedAt)
	}
	s.fails(s.tryStart(r, clock(19)), run.ErrStale)
	_, err = s.Ripen(s.Context(), clock(20), 10)
	s.ok(err)
	s.start(r, clock(20))
	s.fails(ask(clock(20), clock(30)), run.ErrStale)
}

func lists(s *suite) {
	other := job("b")
	other.Pool = "q"
	first := s.end2(s.start(s.add(job("a"), run.New{}), clock(1)), succeeded())
	second := s.end2(s.start(s.add(job("a"), run.New{}), clock(1)), failed())
	third := s.add(job("a"), run.New{})
	fourth := s.start(s.add(other, run.New{}), clock(2))
	fifth := s.add(other, run.New{State: run.Skipped, Reason: run.ReasonPaused})
	batch := s.enqueue(clock(0), run.Submission{Def: other, Batch: true, Runs: make([]run.New, 2)})
	sixth, seventh := batch.Runs[0].ID, batch.Runs[1].ID
	all := []int64{seventh, sixth, fifth.ID, fourth.ID, third.ID, second, first}
	for name, c := range map[string]struct {
		f    run.Filter
		want []int64
	}{
		"all":                 {run.Filter{}, all},
		"the newest":          {run.Filter{Limit: 2}, all[:2]},
		"the next page":       {run.Filter{Limit: 2, Before: sixth}, all[2:4]},
		"the oldest":          {run.Filter{Limit: 2, Oldest: true}, []int64{first, second}},
		"a job":               {run.Filter{Job: "a"}, all[4:]},
		"a pool":              {run.Filter{Pool: "q"}, all[:4]},
		"a batch":             {run.Filter{Batch: batch.Batch}, all[:2]},
		"queued":              {run.Filter{States: []run.State{run.Queued}}, []int64{seventh, sixth, third.ID}},
		"queued of a job":     {run.Filter{Job: "a", States: []run.State{run.Queued}}, []int64{third.ID}},
		"running":             {run.Filter{States: []run.State{run.Running}}, []int64{fourth.ID}},
		"running in a pool":   {run.Filter{Pool: "p", States: []run.State{run.Running}}, nil},
		"failed or running":   {run.Filter{States: []run.State{run.Failed, run.Running}}, []int64{fourth.ID, second}},
		"failed of a job":     {run.Filter{Job: "a", States: []run.State{run.Failed}}, []int64{second}},
		"skipped":             {run.Filter{States: []run.State{run.Skipped}}, []int64{fifth.ID}},
		"succeeded or not":    {run.Filter{States: []run.State{run.Succeeded, run.Failed}}, []int64{second, first}},
		"queued in a batch":   {run.Filter{Batch: batch.Batch, States: []run.State{run.Queued}, Oldest: true}, []int64{sixth, seventh}},
		"a state twice":       {run.Filter{States: []run.State{run.Failed, run.Failed}}, []int64{second}},
		"no such state":       {run.Filter{States: []run.State{"x' OR 1=1 --"}}, nil},
		"two, oldest first":   {run.Filter{States: []run.State{run.Queued, run.Skipped}, Oldest: true, Limit: 2}, []int64{third.ID, fifth.ID}},
		"job of another pool": {run.Filter{Job: "a", Pool: "q"}, nil},
	} {
		got, err := s.Runs(s.Context(), c.f)
		s.ok(err)
		if !slices.Equal(ids(got), c.want) {
			s.Errorf("%s: got %v, want %v", name, ids(got), c.want)
		}
		for _, r := range got {
			if r.Def != nil || r.Type != "exec" {
				s.Errorf("%s: got definition %v, type %q", name, r.Def, r.Type)
			}
		}
	}
}

// end2 ends a run and returns its id.
func (s *suite) end2(r run.Run, next run.Next) int64 {
	s.Helper()
	s.end(r, next, clock(3))
	return r.ID
}

func listsByTime(s *suite) {
	// Forward, once wrong by years both ways, and back by an hour.
	times := []int{0, 30, 90, 3600, 1e9, 1e9 + 5, 3700, -1e9, 3800, 200, 260, 7000}
	var all []int64
	for _, second := range times {
		got := s.enqueue(clock(second), run.Submission{Def: job("a"), Runs: make([]run.New, 1)})
		all = append(all, got.Runs[0].ID)
	}
	for _, span := range [][2]int{{0, 100}, {30, 3700}, {150, 300}, {3700, 1e9}, {-2e9, 0}, {1e9 + 1, 2e9}, {-2e9, 2e9}, {500, 600}} {
		var want []int64
		for i, second := range times {
			if second >= span[0] && second < span[1] {
				want = append(want, all[i])
			}
		}
		for _, name := range []string{"", "a"} {
			got, err := s.Runs(s.Context(), run.Filter{Job: name, Since: clock(span[0]), Until: clock(span[1]), Oldest: true})
			s.ok(err)
			if fmt.Sprint(ids(got)) != fmt.Sprint(want) {
				s.Errorf("%v: got %v, want %v", span, ids(got), want)
			}
		}
	}
}
