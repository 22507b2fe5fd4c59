package ledgertest

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/poold/poold/internal/run"
)

func wakeTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"a held run is not ready until it is woken":               holds,
		"an end wakes the best waiter of each pool":               wakesBest,
		"a run that leaves the ready ones wakes one in its place": holdPassesOn,
		"a canceled waiter and a canceled candidate pass it on":   cancelPassesOn,
		"waking all wakes a thousand at a time":                   wakesAllOfOne,
		"a new daemon wakes one waiter of each resource":          wakesAll,
		"no waiter is forgotten, whatever happens":                noWaiterForgotten,
	}
}

const lock = run.Resource("lock:l")

func holds(s *suite) {
	r := s.add(job("a", "l"), run.New{})
	s.hold(r, lock)
	got := s.get(r.ID)
	if got.State != run.Queued || got.Waits != string(lock) || got.Reason != run.ReasonLock || len(s.window("p")) != 0 {
		s.Errorf("held: got %+v", got)
	}
	_, err := s.tryHold(r, lock)
	s.fails(err, run.ErrStale)
	ripe, err := s.Ripen(s.Context(), clock(1e6), 10)
	s.ok(err)
	if len(ripe.Ready) != 0 {
		s.Errorf("a held run ripened")
	}
	woken, more, err := s.Wake(s.Context(), lock, false)
	s.ok(err)
	if !slices.Equal(ids(woken), []int64{r.ID}) || more != 0 || woken[0].Def == nil || woken[0].Waits != "" || woken[0].Reason != "" {
		s.Errorf("woken: got %+v, more %d", woken, more)
	}
	paused := run.PausedResource("a")
	s.hold(woken[0], paused)
	if got := s.get(r.ID); got.Reason != "" || got.Waits != string(paused) {
		s.Errorf("held by a pause: reason %q, waits for %q", got.Reason, got.Waits)
	}
	if again, _, err := s.Wake(s.Context(), lock, true); err != nil || len(again) != 0 {
		s.Errorf("woken by another resource: %v, %v", ids(again), err)
	}
}

func wakesBest(s *suite) {
	holder := s.start(s.add(job("a", "l"), run.New{}), clock(1))
	byPool := map[string][]int64{}
	for _, pool := range []string{"p", "q"} {
		def := job("b", "l")
		def.Pool = pool
		for _, priority := range []int{1, 7, 7} {
			r := s.add(def, run.New{Priority: priority})
			if r.Waits == "" { // it does not stand behind another
				s.hold(r, lock)
			}
			byPool[pool] = append(byPool[pool], r.ID)
		}
	}
	ended := s.end(holder, succeeded(), clock(2))
	want := []int64{byPool["p"][1], byPool["q"][1]}
	if !slices.Equal(ids(ended.Ready), want) {
		s.Errorf("got %v, want %v", ids(ended.Ready), want)
	}
}

func holdPassesOn(s *suite) {
	two := job("two", "l", "m")
	r, waiter := s.add(two, run.New{}), s.add(job("a", "m"), run.New{})
	s.hold(waiter, "lock:m")
	woken := s.hold(r, lock, "lock:m")
	if !slices.Equal(ids(woken), []int64{waiter.ID}) {
		s.Errorf("woken: got %v, want the waiter of the other lock", ids(woken))
	}
}

func cancelPassesOn(s *suite) {
	first, second := s.add(job("a", "l"), run.New{}), s.add(job("a", "l"), run.New{})
	s.hold(first, lock)
	s.hold(second, lock)
	woken, _, err := s.Wake(s.Context(), lock, false)
	s.ok(err)
	ended := s.end(woken[0], run.Next{State: run.Canceled, Reason: run.ReasonOperator}, clock(1))
	if !slices.Equal(ids(ended.Ready), []int64{second.ID}) {
		s.Errorf("woken: got %v, want the other waiter", ids(ended.Ready))
	}
}

func wakesAllOfOne(s *suite) {
	const n = 1500
	runs := s.enqueue(clock(0), run.Submission{Def: job("a"), Runs: make([]run.New, n)}).Runs
	on := run.PausedResource("a")
	held := make(chan error, n)
	for i := range runs {
		s.Hold(&runs[i], on, nil, func(_ []run.Run, err error) { held <- err })
	}
	for range runs {
		s.ok(<-held)
	}
	woken, more, err := s.Wake(s.Context(), on, true)
	s.ok(err)
	if len(woken) != 1000 || more != n-1000 {
		s.Errorf("got %d woken, %d more", len(woken), more)
	}
	woken, more, err = s.Wake(s.Context(), on, true)
	s.ok(err)
	if len(woken) != n-1000 || more != 0 || len(s.window("p")) != 1000 {
		s.Errorf("then got %d woken, %d more", len(woken), more)
	}
}

func wakesAll(s *suite) {
	var want []int64
	for _, res := range []run.Resource{"lock:a", "lock:b", "serial:j:", "paused:x"} {
		for _, pool := range []string{"p", "q"} {
			def := job("j")
			def.Pool = pool
			for i := range 2 {
				r := s.add(def, run.New{})
				s.hold(r, res)
				if i == 0 && pool == "p" && res != "paused:x" {
					want = append(want, r.ID)
				}
			}
		}
	}
	s.reopen()
	woken := s.wakeAll(func(res run.Resource) bool { return res == "paused:x" })
	got := s.window("p")
	if !slices.Equal(got, want) || len(woken) != 6 || len(s.window("q")) != 3 {
		s.Errorf("p has %v, want %v; q has %v", got, want, s.window("q"))
	}
}

// noWaiterForgotten plays a dispatcher that takes ready runs in any order,
// holds back those whose locks are taken, ends, retries and cancels, and now
// and then dies. Whatever it did, when it goes on in order every run ends: a
// waiter that nobody wakes would stay for ever.
func noWaiterForgotten(s *suite) {
	s.LimitPer(byArg)
	rapid.Check(s.T, func(t *rapid.T) {
		d := &dispatcher{suite: s, T: t, held: map[run.Resource]int64{}, pool: fmt.Sprintf("%d-", s.round())}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			d.step()
		}
		d.runDry()
	})
}

// round numbers the rounds of one test by what the ledger has.
func (s *suite) round() int64 {
	last, err := s.Runs(s.Context(), run.Filter{Limit: 1})
	s.ok(err)
	if len(last) == 0 {
		return 0
	}
	return last[0].ID
}

// byArg limits the runs that have an argument.
func byArg(r *run.Run) (run.Resource, int) {
	if r.Arg == "" {
		return "", 0
	}
	return run.PerResource(r.Pool, "arg", r.Arg), 2
}

type dispatcher struct {
	suite   *suite
	T       *rapid.T
	pool    string // what the pools and locks of this round begin with
	held    map[run.Resource]int64
	running []run.Run
	now     int
}

func (d *dispatcher) step() {
	d.now++
	switch rapid.SampledFrom([]string{"add", "add", "take", "take", "take", "end", "cancel", "die"}).Draw(d.T, "what") {
	case "add":
		var locks []string
		for _, name := range []string{"l", "m"} {
			if rapid.Bool().Draw(d.T, name) {
				locks = append(locks, d.pool+name)
			}
		}
		def := job(d.pool+"j", locks...)
		def.Pool = d.pool + rapid.SampledFrom([]string{"p", "q"}).Draw(d.T, "pool")
		n := run.New{Priority: rapid.IntRange(0, 2).Draw(d.T, "priority"), Arg: rapid.SampledFrom([]string{"", "x"}).Draw(d.T, "arg")}
		if rapid.Bool().Draw(d.T, "exclusive") {
			n.Overlap = "queue_all"
		}
		d.suite.enqueue(clock(0), run.Submission{Def: def, Runs: slices.Repeat([]run.New{n}, rapid.IntRange(1, 4).Draw(d.T, "many"))})
	case "take":
		d.take(rapid.SampledFrom([]string{"p", "q"}).Draw(d.T, "of"))
	case "end":
		d.end(rapid.Bool().Draw(d.T, "again"))
	case "cancel":
		queued, err := d.suite.Runs(d.suite.Context(), run.Filter{Job: d.pool + "j", States: []run.State{run.Queued}})
		d.suite.ok(err)
		if len(queued) > 0 {
			r := d.suite.get(queued[rapid.IntRange(0, len(queued)-1).Draw(d.T, "which")].ID)
			end := endOf(r, run.Next{State: run.Canceled}, clock(d.now))
			if per, _ := byArg(&r); per != "" {
				end.Release = append(end.Release, per)
			}
			_, err := d.suite.finish(end)
			d.suite.ok(err)
		}
	case "die":
		d.die()
	}
}

// take starts the best ready run of the pool, or holds it back.
func (d *dispatcher) take(pool string) bool {
	got, err := d.suite.Window(d.suite.Context(), d.pool+pool, nil, 1)
	d.suite.ok(err)
	if len(got) == 0 {
		return false
	}
	r := got[0]
	var taken, free []run.Resource
	for _, res := range r.Resources() {
		if _, held := d.held[res]; held {
			taken = append(taken, res)
		} else {
			free = append(free, res)
		}
	}
	per, _ := byArg(&r)
	if len(taken) > 0 {
		if per != "" {
			free = append(free, per)
		}
		d.suite.hold(r, taken[0], free...)
		return true
	}
	for _, res := range r.Resources() {
		d.held[res] = r.ID
	}
	started := make(chan error, 1)
	d.suite.Start(run.Start{Run: &r, At: clock(d.now), Next: per}, func(err error) { started <- err })
	d.suite.ok(<-started)
	d.running = append(d.running, d.suite.get(r.ID))
	return true
}

// end ends the oldest running run, or queues it again.
func (d *dispatcher) end(again bool) bool {
	if len(d.running) == 0 {
		return false
	}
	r := d.running[0]
	d.running = d.running[1:]
	for _, res := range r.Resources() {
		delete(d.held, res)
	}
	next := succeeded()
	if again {
		next = run.Next{State: run.Queued, Reason: run.ReasonRetry, DueAt: clock(d.now)}
	}
	d.suite.end(r, next, clock(d.now))
	return true
}

// die forgets everything, as a daemon that was killed; the next one finds what
// ran lost, and wakes one waiter of each resource.
func (d *dispatcher) die() {
	d.suite.wakeAll(nil)
	for len(d.running) > 0 {
		d.end(true)
	}
}

// runDry goes on in order until nothing moves; then nothing may be left.
func (d *dispatcher) runDry() {
	for moved := true; moved; {
		moved = false
		for _, pool := range []string{"p", "q"} {
			for d.take(pool) {
				moved = true
			}
		}
		for d.end(false) {
			moved = true
		}
	}
	left, err := d.suite.Runs(d.suite.Context(), run.Filter{Job: d.pool + "j", States: []run.State{run.Queued, run.Running}})
	d.suite.ok(err)
	if len(left) > 0 {
		d.T.Fatalf("forgotten: %+v", left)
	}
}
