package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// Host makes the scripted type tell hosts: what stands before the first slash
// of the argument.
func (s *scripted) Host(json.RawMessage) func(string) string {
	return func(arg string) string {
		host, _, _ := strings.Cut(arg, "/")
		return host
	}
}

// limited is a pool with limits beside its size.
func limited(p dispatch.Pool, rate time.Duration, per dispatch.Per) dispatch.Pool {
	p.Rate, p.Per = rate, per
	return p
}

// pages are n arguments for each of the hosts, one host after another.
func pages(n int, hosts ...string) []string {
	var args []string
	for _, host := range hosts {
		for i := range n {
			args = append(args, fmt.Sprintf("%s/%d", host, i))
		}
	}
	return args
}

// moments records when what was started, and the most at once for each host.
type moments struct {
	mu      *sync.Mutex
	at      []time.Time
	byHost  map[string][]time.Time
	running map[string]int
	most    map[string]int
}

// watch makes the host's attempts take so long, and notes them.
func (h *host) watch(d time.Duration) *moments {
	m := &moments{mu: &h.typ.mu, byHost: map[string][]time.Time{}, running: map[string]int{}, most: map[string]int{}}
	h.typ.do = func(ctx context.Context, t jobs.Task) jobs.Outcome {
		host, _, _ := strings.Cut(t.Arg, "/")
		h.typ.mu.Lock()
		m.at = append(m.at, time.Now())
		m.byHost[host] = append(m.byHost[host], time.Now())
		m.running[host]++
		m.most[host] = max(m.most[host], m.running[host])
		h.typ.mu.Unlock()
		defer func() {
			h.typ.mu.Lock()
			m.running[host]--
			h.typ.mu.Unlock()
		}()
		return takes(d)(ctx, t)
	}
	return m
}

// all are the moments of all starts.
func (m *moments) all() []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.at)
}

// hosts are the moments by host.
func (m *moments) hosts() map[string][]time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.byHost)
}

func (m *moments) of(host string) []time.Time { return m.hosts()[host] }

func (m *moments) mostOf(host string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.most[host]
}

// spaced says whether no start came sooner after the one before than it may.
func spaced(t *testing.T, what string, at []time.Time, every time.Duration) {
	t.Helper()
	for i := range at {
		if i > 0 && at[i].Sub(at[0]) < time.Duration(i)*every {
			t.Errorf("%s: start %d came %v after the first, want %v or more", what, i+1, at[i].Sub(at[0]), time.Duration(i)*every)
		}
	}
}

func TestAPoolStartsNoFasterThanItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{limited(pool("p", 8), 20*time.Millisecond, dispatch.Per{})}, job("j"))
		m := h.watch(time.Millisecond)
		ids := h.enqueue("j", nil, numbers(100)...)
		h.wait(99 * 20 * time.Millisecond)
		if n := len(m.all()); n < 99 {
			t.Errorf("%d of 100 have started in time: the rate is not made use of", n)
		}
		h.wait(time.Second)
		spaced(t, "the pool", m.all(), 20*time.Millisecond)
		if diff := cmp.Diff(times(100, "succeeded"), h.states(ids...)); diff != "" {
			t.Errorf("in the end (-want +got):\n%s", diff)
		}
	})
}

func TestAHighRateIsKeptInTheMean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{limited(pool("p", 100), time.Millisecond, dispatch.Per{})}, job("j"))
		m := h.watch(0)
		h.enqueue("j", nil, numbers(2000)...)
		h.wait(time.Second)
		if n := len(m.all()); n < 990 || n > 1011 {
			t.Errorf("%d starts in a second at 1000/s", n)
		}
	})
}

func TestARateThatIsNoLimitStartsAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{limited(pool("p", 100), time.Microsecond, dispatch.Per{})}, job("j"))
		m := h.watch(0)
		h.enqueue("j", nil, numbers(2000)...)
		h.wait(10 * time.Millisecond)
		if n := len(m.all()); n != 2000 {
			t.Errorf("%d of 2000 have started at 1000000/s", n)
		}
	})
}

// One host is slow, and the others' runs go past it.
func TestRunsOfOtherHostsGoPastThoseHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		per := dispatch.Per{Key: dispatch.PerHost, Workers: 2, Every: time.Second}
		h := newHost(t, []dispatch.Pool{limited(pool("p", 20), 0, per)}, job("j"))
		m := h.watch(3 * time.Second)
		hosts := []string{"big"}
		for i := range 10 {
			hosts = append(hosts, fmt.Sprint("small", i))
		}
		args := append(pages(2000, hosts[0]), pages(1, hosts[1:]...)...)
		h.enqueue("j", nil, args...)
		h.wait(100 * time.Millisecond)
		for _, host := range hosts {
			if n := len(m.of(host)); n != 1 {
				t.Errorf("at once: %d runs of %s have started, want 1", n, host)
			}
		}
		h.wait(30 * time.Second)
		if n := len(m.of("big")); n < 18 || m.mostOf("big") != 2 {
			t.Errorf("in 30s %d runs of one host have started, %d at once; want about 20, 2", n, m.mostOf("big"))
		}
		spaced(t, "a host", m.of("big"), time.Second)
		if held := h.d.InMemory(); held > 10 {
			t.Errorf("%d runs are in memory: those that are held should wait on the disk", held)
		}
	})
}

func TestALongWaitForAHostIsSpentOnTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		per := dispatch.Per{Key: dispatch.PerHost, Every: time.Hour}
		h := newHost(t, []dispatch.Pool{limited(pool("p", 20), 0, per)}, job("j"))
		m := h.watch(time.Millisecond)
		var hosts []string
		for i := range 300 {
			hosts = append(hosts, fmt.Sprint("h", i))
		}
		ids := h.enqueue("j", nil, pages(3, hosts...)...)
		h.wait(time.Minute)
		if n := len(m.all()); n != 300 {
			t.Fatalf("%d runs have started, want one of each host", n)
		}
		if n := h.d.InMemory(); n != 0 {
			t.Errorf("%d runs wait in memory for an hour", n)
		}
		h.wait(2 * time.Hour)
		if diff := cmp.Diff(times(900, "succeeded"), h.states(ids...)); diff != "" {
			t.Errorf("after two hours (-want +got):\n%s", diff)
		}
		for host, at := range m.hosts() {
			spaced(t, host, at, time.Hour)
		}
		h.wait(2 * time.Hour)
		if n := h.d.KeysInMemory(); n != 0 {
			t.Errorf("%d keys are remembered of which there are no runs", n)
		}
	})
}

func TestARunWithoutAKeyIsNotLimitedByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		per := dispatch.Per{Key: dispatch.PerHost, Workers: 1}
		h := newHost(t, []dispatch.Pool{limited(pool("p", 20), 0, per)}, job("j"))
		m := h.watch(time.Second)
		h.enqueue("j", nil, "", "", "", "a/1", "a/2")
		h.wait(500 * time.Millisecond)
		if len(m.of("")) != 3 || len(m.of("a")) != 1 {
			t.Errorf("%d without a host and %d of one have started, want 3 and 1", len(m.of("")), len(m.of("a")))
		}
	})
}

// A lock is not kept from others by a run whose host may start nothing.
func TestAHeldHostKeepsNobodyFromALock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		per := dispatch.Per{Key: dispatch.PerHost, Every: time.Hour}
		h := newHost(t, []dispatch.Pool{limited(pool("p", 4), 0, per)}, job("j", locked("db")))
		m := h.watch(time.Second)
		h.enqueue("j", nil, "a/1", "a/2", "a/3", "b/1", "c/1")
		h.wait(10 * time.Second)
		for _, host := range []string{"a", "b", "c"} {
			if n := len(m.of(host)); n != 1 {
				t.Errorf("%d runs of %s have started, want 1", n, host)
			}
		}
	})
}

func TestAClaimForNothingGivesItsPermitBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cond := &jobs.Condition{Command: []string{"x"}}
		h := newHost(
			t, []dispatch.Pool{limited(pool("p", 4), time.Hour, dispatch.Per{Key: dispatch.PerJob, Every: time.Hour})},
			job("no", func(d *jobs.Definition) { d.Condition = cond }), job("yes"),
		)
		h.typ.ask = func(jobs.Task) int { return 1 }
		ids := h.enqueue("no", nil, "1")
		h.wait(time.Second)
		ids = append(ids, h.enqueue("yes", nil, "2")...)
		h.wait(time.Second)
		if diff := cmp.Diff([]string{"skipped condition", "succeeded"}, h.states(ids...)); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

func TestPausedJobsAndPoolsUseNoPermits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{limited(pool("p", 4), time.Hour, dispatch.Per{})}, job("j"), job("other"))
		h.d.PauseJob("j", dispatch.Pause{Since: time.Now()})
		ids := h.enqueue("j", nil, numbers(5)...)
		if err := h.d.PausePool("p", dispatch.Pause{Since: time.Now()}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, h.enqueue("other", nil, "x")...)
		h.wait(3 * time.Hour)
		if err := h.d.ResumePool("p"); err != nil {
			t.Fatal(err)
		}
		h.wait(time.Second)
		want := append(times(5, "queued"), "succeeded")
		if diff := cmp.Diff(want, h.states(ids...)); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

// A reload may change every limit at any time; nothing is held for ever by one
// that is gone.
func TestAReloadLetsGoWhatOldLimitsHeld(t *testing.T) {
	for name, after := range map[string]dispatch.Per{
		"none":        {},
		"another key": {Key: dispatch.PerArg, Workers: 1},
		"another job": {Key: dispatch.PerJob, Workers: 50},
		"more":        {Key: dispatch.PerHost, Workers: 50},
		"faster":      {Key: dispatch.PerHost, Workers: 50, Every: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before := dispatch.Per{Key: dispatch.PerHost, Workers: 1, Every: time.Hour}
				h := newHost(t, []dispatch.Pool{limited(pool("p", 50), 0, before)}, job("j"))
				h.watch(time.Second)
				ids := h.enqueue("j", nil, pages(300, "a", "b")...)
				h.wait(time.Minute)
				h.prog.Pools = map[string]dispatch.Pool{"p": limited(pool("p", 50), 0, after)}
				h.d.Apply(h.prog)
				h.wait(time.Minute)
				if diff := cmp.Diff(times(600, "succeeded"), h.states(ids...)); diff != "" {
					t.Errorf("a minute later (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAFloodOfReloadsGainsNoStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		per := func(every time.Duration) dispatch.Per { return dispatch.Per{Key: dispatch.PerHost, Every: every} }
		h := newHost(t, []dispatch.Pool{limited(pool("p", 50), 0, per(time.Second)), limited(pool("q", 50), time.Second, dispatch.Per{})},
			job("j"), job("k", func(d *jobs.Definition) { d.Pool = "q" }))
		m := h.watch(time.Millisecond)
		h.enqueue("j", nil, pages(200, "a")...)
		h.enqueue("k", nil, pages(200, "b")...)
		for i := range 400 {
			every := time.Second / time.Duration(1+i%2)
			h.prog.Pools = map[string]dispatch.Pool{
				"p": limited(pool("p", 50), 0, per(every)), "q": limited(pool("q", 50), every, dispatch.Per{}),
			}
			h.d.Apply(h.prog)
			h.wait(50 * time.Millisecond)
		}
		for _, host := range []string{"a", "b"} { // in 20s, at 1/s and 2/s
			if n := len(m.of(host)); n < 19 || n > 41 {
				t.Errorf("%s: %d starts", host, n)
			}
		}
	})
}

func TestLimitsHoldAcrossARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		per := dispatch.Per{Key: dispatch.PerHost, Workers: 1, Every: time.Minute}
		h := newHost(t, []dispatch.Pool{limited(pool("p", 50), 0, per)}, job("j"))
		m := h.watch(time.Second)
		ids := h.enqueue("j", nil, pages(5, "a", "b", "c")...)
		h.wait(90 * time.Second)
		if n := len(m.all()); n != 6 {
			t.Fatalf("%d have started in 90s, want 6", n)
		}
		h.close(time.Hour)
		h.open()
		h.wait(10 * time.Second)
		if n := len(m.all()); n != 9 {
			t.Errorf("%d have started after the restart, want one more of each host", n)
		}
		// And when the pool has no such limit any more with the next daemon.
		h.close(time.Hour)
		h.prog.Pools = map[string]dispatch.Pool{"p": pool("p", 50)}
		h.open()
		h.wait(10 * time.Second)
		if diff := cmp.Diff(times(15, "succeeded"), h.states(ids...)); diff != "" {
			t.Errorf("in the end (-want +got):\n%s", diff)
		}
	})
}

// Of many runs behind one lock or one host, enqueued together or one by one,
// hardly any is ready: the others cost nothing.
func TestTheCrowdBehindALockOrAHostIsNotReady(t *testing.T) {
	for name, one := range map[string]bool{"together": false, "one by one": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				per := dispatch.Per{Key: dispatch.PerHost, Workers: 2}
				h := newHost(t, []dispatch.Pool{pool("p", 4), limited(pool("q", 4), 0, per)},
					job("locked", locked("db")), job("free"), job("fetch", func(d *jobs.Definition) { d.Pool = "q" }))
				h.typ.do = takes(time.Hour)
				for jobName, args := range map[string][]string{"locked": numbers(500), "fetch": pages(500, "big")} {
					if !one {
						h.enqueue(jobName, nil, args...)
						continue
					}
					for _, arg := range args {
						h.enqueue(jobName, nil, arg)
					}
				}
				h.wait(time.Second)
				for _, name := range []string{"p", "q"} {
					ready, err := h.ledger.Window(t.Context(), name, nil, 100)
					if err != nil {
						t.Fatal(err)
					}
					if len(ready) > 10 {
						t.Errorf("%d runs of pool %s are ready", len(ready), name)
					}
				}
				if n := h.d.InMemory(); n > 20 {
					t.Errorf("%d runs are in memory", n)
				}
				begin := time.Now()
				ids := h.enqueue("free", nil, "x")
				h.wait(time.Second)
				if got := h.run(ids[0]); got.State != run.Running || got.StartedAt.Sub(begin) > time.Millisecond {
					t.Errorf("a run that needs no lock is %s, started after %v", got.State, got.StartedAt.Sub(begin))
				}
			})
		})
	}
}

// Canceling those who wait wakes nobody: they were on no way.
func TestCancelingTheCrowdWakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, []dispatch.Pool{pool("p", 4)}, job("j", locked("db")))
		h.typ.do = takes(time.Minute)
		ids := h.enqueue("j", nil, numbers(500)...)
		h.wait(time.Second)
		for _, id := range ids[100:] {
			if err := h.d.Cancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		h.wait(time.Second)
		ready, err := h.ledger.Window(t.Context(), "p", nil, 100)
		if err != nil || len(ready) > 2 {
			t.Errorf("%d are ready, %v", len(ready), err)
		}
		h.wait(100 * time.Minute)
		if diff := cmp.Diff(times(100, "succeeded"), h.states(ids[:100]...)); diff != "" {
			t.Errorf("in the end (-want +got):\n%s", diff)
		}
	})
}

// Whatever is limited by keys, rates and locks, canceled, paused, bumped,
// reloaded and restarted on the way, everything comes to its end, and no bound is
// ever exceeded.
func TestLimitsCannotWedge(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { wedgeLimits(t, rand.New(rand.NewPCG(seed, 2))) })
		})
	}
}

func wedgeLimits(t *testing.T, rnd *rand.Rand) {
	pers := []dispatch.Per{
		{},
		{Key: dispatch.PerHost, Workers: 1},
		{Key: dispatch.PerHost, Workers: 2, Every: 20 * time.Millisecond},
		{Key: dispatch.PerHost, Every: 3 * time.Second},
		{Key: dispatch.PerJob, Workers: 1},
		{Key: dispatch.PerArg, Every: time.Second},
	}
	rates := []time.Duration{0, 0, 10 * time.Millisecond, time.Millisecond, 2 * time.Second}
	draw := func() []dispatch.Pool {
		return []dispatch.Pool{
			limited(pool("p", 3), rates[rnd.IntN(len(rates))], pers[rnd.IntN(len(pers))]),
			limited(pool("q", 2), rates[rnd.IntN(len(rates))], pers[rnd.IntN(len(pers))]),
		}
	}
	h := newHost(
		t, draw(), job("a", locked("x")), job("b", locked("x", "y")), job("c", locked("y")), job("free"),
		job("s", func(d *jobs.Definition) { d.Overlap, d.Pool = jobs.OverlapQueueAll, "q" }),
		job("r", func(d *jobs.Definition) { d.Retry.Attempts, d.Pool = 3, "q" }),
	)
	h.typ.do = func(ctx context.Context, t jobs.Task) jobs.Outcome {
		if t.Job == "r" && t.Attempt == 1 {
			return fail(ctx, t)
		}
		return takes(30*time.Millisecond)(ctx, t)
	}
	var ids []int64
	for range 80 {
		name := []string{"a", "b", "c", "s", "r", "free"}[rnd.IntN(6)]
		args := pages(1+rnd.IntN(6), fmt.Sprint("h", rnd.IntN(3)))
		ids = append(ids, h.enqueue(name, func(n *run.New) { n.Priority = rnd.IntN(3) }, args...)...)
		switch rnd.IntN(12) {
		case 0:
			_ = h.d.Cancel(t.Context(), ids[rnd.IntN(len(ids))]) // it may have ended already
		case 1:
			_, _ = h.d.Bump(t.Context(), ids[rnd.IntN(len(ids))])
		case 2:
			h.d.PauseJob("b", dispatch.Pause{Since: time.Now()})
		case 3:
			h.d.ResumeJob("b")
		case 4:
			h.wait(time.Duration(rnd.IntN(100)) * time.Millisecond)
		case 5:
			pools := map[string]dispatch.Pool{}
			for _, p := range draw() {
				pools[p.Name] = p
			}
			h.prog.Pools = pools
			h.d.Apply(h.prog)
		case 6:
			h.close(time.Hour)
			h.open()
		}
	}
	h.d.ResumeJob("b")
	h.wait(3 * time.Hour)
	for _, id := range ids {
		if r := h.run(id); !r.State.Final() {
			t.Errorf("run %d of job %s is still %s, waiting for %q", id, r.Job, r.State, r.Waits)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		if n := h.typ.most[name]; n > 1 {
			t.Errorf("%d runs of job %s held its locks at once", n, name)
		}
	}
	h.wait(time.Hour)
	if n := h.d.KeysInMemory() + h.d.InMemory(); n != 0 {
		t.Errorf("%d keys and runs are left in memory", n)
	}
}

// A run with a lock that its host holds back keeps its place: a worse one of that
// host that may start too may be far from its turn.
func TestAHeldHostsRunKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		per := dispatch.Per{Key: dispatch.PerHost, Workers: 1}
		h := newHost(t, []dispatch.Pool{limited(pool("p", 2), 0, per)}, job("free"), job("one", locked("x")))
		h.watch(time.Second)
		with := func(priority int) func(*run.New) { return func(n *run.New) { n.Priority = priority } }
		h.enqueue("free", nil, "a/first")
		h.wait(0)
		h.enqueue("free", with(0), "a/last")
		held := h.enqueue("one", with(3), "a/held")
		h.enqueue("free", with(2), times(100, "")...)
		h.wait(10 * time.Second)
		if got := h.states(held...); got[0] != "succeeded" {
			t.Errorf("it is %s, and worse ones go before it: %v", got, h.typ.started())
		}
	})
}
