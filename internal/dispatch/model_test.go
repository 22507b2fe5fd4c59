package dispatch_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// Whatever an operator and a crash may do, in whatever order, no bound is ever
// exceeded, and once everything is let go everything comes to its end.
func TestNoSequenceOfOperationsWedgesOrExceeds(t *testing.T) {
	fewer(t, 25)
	rapid.Check(t, func(rt *rapid.T) {
		begin := rapid.Custom(drawSetup).Draw(rt, "setup")
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 60).Draw(rt, "steps")
		var faults []string
		synctest.Test(t, func(t *testing.T) {
			m := newModel(t, begin)
			for _, s := range steps {
				m.do(s)
			}
			m.settle()
			faults = m.faults
		})
		for _, fault := range faults {
			rt.Error(fault)
		}
	})
}

// fewer lets rapid check so many sequences, unless it was told how many.
func fewer(t *testing.T, n int) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	if before != checks.DefValue {
		return
	}
	if err := checks.Value.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checks.Value.Set(before) })
}

// setup is what a reload may change: the pools, and which jobs are in which.
type setup struct {
	Pools map[string]dispatch.Pool
	In    map[string]string // pools by job
}

var (
	modelJobs  = []string{"x", "xy", "yx", "y", "free", "serial", "retry", "ask", "wide"}
	modelLocks = map[string][]string{"x": {"x"}, "xy": {"x", "y"}, "yx": {"y", "x"}, "y": {"y"}, "wide": {"y"}, "retry": {"x"}}
	modelPools = []string{"p", "q", "r"}
)

func drawSetup(rt *rapid.T) setup {
	s := setup{Pools: map[string]dispatch.Pool{}, In: map[string]string{}}
	rates := rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, 30 * time.Millisecond, 2 * time.Second})
	keys := rapid.SampledFrom([]dispatch.Key{"", dispatch.PerHost, dispatch.PerHost, dispatch.PerJob, dispatch.PerArg})
	names := modelPools[:rapid.IntRange(1, len(modelPools)).Draw(rt, "pools")]
	for _, name := range names {
		p := pool(name, rapid.IntRange(1, 4).Draw(rt, "workers"))
		p.Rate = rates.Draw(rt, "rate")
		if p.Per.Key = keys.Draw(rt, "key"); p.Per.Key != "" {
			p.Per.Workers = rapid.IntRange(0, 2).Draw(rt, "per workers")
			p.Per.Every = rates.Draw(rt, "per rate")
		}
		p.OnShrink = rapid.SampledFrom([]dispatch.OnShrink{dispatch.Finish, dispatch.Requeue, dispatch.StopNewest, dispatch.StopOldest}).Draw(rt, "on_shrink")
		s.Pools[name] = p
	}
	for _, name := range modelJobs {
		s.In[name] = rapid.SampledFrom(names).Draw(rt, name)
	}
	return s
}

// program is the configuration that the setup stands for.
func (s setup) program(registry jobs.Registry) dispatch.Program {
	prog := dispatch.Program{Registry: registry, Jobs: map[string]*jobs.Definition{}, Pools: maps.Clone(s.Pools)}
	for _, name := range modelJobs {
		prog.Jobs[name] = job(name, locked(modelLocks[name]...), func(d *jobs.Definition) {
			d.Pool = s.In[name]
			switch name {
			case "serial":
				d.Overlap = jobs.OverlapQueueAll
			case "retry":
				d.Retry.Attempts = 3
			case "ask":
				d.Condition = &jobs.Condition{Command: []string{"x"}, Wait: schedule.Duration(time.Hour), Every: schedule.Duration(time.Minute)}
			case "wide":
				d.Slots, d.Retry.Attempts = 2, 2
			}
		})
	}
	return prog
}

// step is one operation.
type step struct {
	What     string
	Job      string
	Pool     string
	Hosts    []int
	N        int
	Priority int
	Batch    bool
	After    time.Duration
	Setup    setup
	Mode     dispatch.OnShrink
}

func drawStep(rt *rapid.T) step {
	s := step{What: rapid.SampledFrom([]string{
		"submit", "submit", "submit", "submit", "submit", "submit", "wait", "wait", "cancel", "bump", "pause job", "resume job",
		"pause pool", "resume pool", "pause host", "resume host", "hand", "reset hand", "reload", "restart", "crash",
	}).Draw(rt, "what")}
	s.Job = rapid.SampledFrom(modelJobs).Draw(rt, "job")
	s.Pool = rapid.SampledFrom(modelPools).Draw(rt, "pool")
	switch s.What {
	case "submit":
		s.Hosts = rapid.SliceOfN(rapid.IntRange(0, 2), 1, 6).Draw(rt, "hosts")
		s.Priority = rapid.IntRange(0, 3).Draw(rt, "priority")
		s.Batch = rapid.Bool().Draw(rt, "batch")
		s.After = rapid.SampledFrom([]time.Duration{0, 0, 0, 50 * time.Millisecond, time.Minute}).Draw(rt, "after")
		s.N = rapid.IntRange(0, 5).Draw(rt, "expires")
	case "wait":
		s.After = rapid.SampledFrom([]time.Duration{0, time.Millisecond, 40 * time.Millisecond, 3 * time.Second, 2 * time.Minute}).Draw(rt, "for")
	case "cancel", "bump":
		s.N = rapid.IntRange(0, 1000).Draw(rt, "which")
	case "hand":
		s.N = rapid.IntRange(0, 4).Draw(rt, "workers")
		s.Mode = rapid.SampledFrom([]dispatch.OnShrink{"", dispatch.Finish, dispatch.Requeue, dispatch.StopNewest, dispatch.StopOldest}).Draw(rt, "mode")
	case "reload":
		s.Setup = rapid.Custom(drawSetup).Draw(rt, "setup")
	}
	return s
}

// model drives a host, and watches the bounds of all that runs.
type model struct {
	h     *host
	setup setup
	ids   []int64
	dead  *atomic.Bool // the ledger takes nothing more: it has crashed

	mu      sync.Mutex
	pools   map[int64]string // of runs that were started
	batches map[int64]string
	running map[int64]*attempt
	starts  map[string][]time.Time // by what a rate is for
	changed time.Time              // when limits were last changed
	sizes   map[string]int
	lives   map[string]int // rises when a limit begins anew
	faults  []string
}

// attempt is one that runs.
type attempt struct {
	job, arg, batch string
	weight          int
	pool, key       string // by which it counts; empty if it began just when the limits changed
}

func newModel(t *testing.T, begin setup) *model {
	m := &model{
		setup: begin, pools: map[int64]string{}, batches: map[int64]string{}, running: map[int64]*attempt{},
		starts: map[string][]time.Time{}, sizes: map[string]int{}, lives: map[string]int{},
	}
	typ := &scripted{running: map[string]int{}, most: map[string]int{}}
	asked := map[int64]int{}
	typ.ask = func(t jobs.Task) int {
		m.mu.Lock()
		defer m.mu.Unlock()
		if asked[t.Run]++; int64(asked[t.Run]) <= t.Run%3 {
			return 1
		}
		return 0
	}
	typ.do = m.attempt
	m.h = &host{t: t, dir: t.TempDir(), ends: make(chan string, 10_000), typ: typ, tell: m.note}
	m.h.prog = begin.program(jobs.NewRegistry(map[string]jobs.Type{"test": typ}))
	m.h.wrap = func(l dispatch.Ledger) dispatch.Ledger {
		m.dead = new(atomic.Bool)
		return &mortal{Ledger: l, dead: m.dead}
	}
	m.relimit()
	m.h.open()
	t.Cleanup(func() { m.h.close(0) })
	return m
}

// note learns where runs are started.
func (m *model) note(r run.Run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.State == run.Running {
		m.pools[r.ID], m.batches[r.ID] = r.Pool, r.Batch
	}
}

// relimit begins anew to count by what the setup limits.
func (m *model) relimit() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changed = time.Now()
	for _, name := range modelPools {
		m.lives[name]++
		m.sizes[name] = m.setup.Pools[name].Workers
	}
	m.starts = map[string][]time.Time{}
}

func (m *model) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

// attempt is what an attempt does: it runs for as long as its argument says.
func (m *model) attempt(ctx context.Context, t jobs.Task) jobs.Outcome {
	m.begin(t)
	defer func() {
		m.mu.Lock()
		delete(m.running, t.Run)
		m.mu.Unlock()
	}()
	if t.Job == "retry" && t.Attempt < 3 {
		return fail(ctx, t)
	}
	_, n, _ := strings.Cut(t.Arg, "/")
	return takes(map[string]time.Duration{"0": 0, "1": 20 * time.Millisecond, "2": 5 * time.Second}[n])(ctx, t)
}

// begin checks every bound at a start.
func (m *model) begin(t jobs.Task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	name := m.pools[t.Run]
	spec := m.setup.Pools[name]
	a := &attempt{job: t.Job, arg: t.Arg, batch: m.batches[t.Run], weight: 1}
	if t.Job == "wide" {
		a.weight = 2
	}
	a.weight = max(1, min(a.weight, m.sizes[name]))
	if m.running[t.Run] != nil {
		m.fault("run %d runs twice", t.Run)
	}
	for id, b := range m.running {
		for _, lock := range modelLocks[a.job] {
			for _, other := range modelLocks[b.job] {
				if lock == other {
					m.fault("runs %d and %d have lock %s", id, t.Run, lock)
				}
			}
		}
		if a.job == "serial" && b.job == "serial" && a.arg == b.arg && (a.batch == "" || a.batch != b.batch) {
			m.fault("runs %d and %d overlap", id, t.Run)
		}
	}
	m.running[t.Run] = a
	if now.Equal(m.changed) {
		return
	}
	a.pool = fmt.Sprint(name, m.lives[name])
	if key := keyOf(spec.Per.Key, t); key != "" {
		a.key = a.pool + " " + key
	}
	busy, same := 0, 0
	for _, b := range m.running {
		if b.pool == a.pool {
			busy += b.weight
		}
		if a.key != "" && b.key == a.key {
			same++
		}
	}
	if busy > m.sizes[name] {
		m.fault("run %d: %d workers of pool %s are taken, of %d", t.Run, busy, name, m.sizes[name])
	}
	if spec.Per.Workers > 0 && same > spec.Per.Workers {
		m.fault("run %d: %d runs of key %s at once, want %d", t.Run, same, a.key, spec.Per.Workers)
	}
	m.pace(a.pool, spec.Rate, now)
	if a.key != "" {
		m.pace(a.key, spec.Per.Every, now)
	}
}

// pace checks that no span of time saw more starts than it may.
func (m *model) pace(what string, every time.Duration, now time.Time) {
	if every == 0 {
		return
	}
	const slack = 10 * time.Millisecond
	at := append(m.starts[what], now)
	m.starts[what] = at
	for i, first := range at {
		if most := int((now.Sub(first)+slack)/every) + max(1, int(slack/every)); len(at)-i > most {
			m.fault("%s: %d starts in %v at one each %v", what, len(at)-i, now.Sub(first), every)
			return
		}
	}
}

// keyOf is the key of a run, empty for none.
func keyOf(kind dispatch.Key, t jobs.Task) string {
	switch kind {
	case dispatch.PerJob:
		return t.Job
	case dispatch.PerArg:
		return t.Arg
	case dispatch.PerHost:
		host, _, _ := strings.Cut(t.Arg, "/")
		return host
	}
	return ""
}

func (m *model) do(s step) {
	h := m.h
	since := dispatch.Pause{Since: time.Now()}
	switch s.What {
	case "submit":
		m.submit(s)
	case "wait":
		h.wait(s.After)
	case "cancel":
		if len(m.ids) > 0 {
			_ = h.d.Cancel(context.Background(), m.ids[s.N%len(m.ids)]) // it may have ended
		}
	case "bump":
		if len(m.ids) > 0 {
			_, _ = h.d.Bump(context.Background(), m.ids[s.N%len(m.ids)])
		}
	case "pause job":
		h.d.PauseJob(s.Job, since)
	case "resume job":
		h.d.ResumeJob(s.Job)
	case "pause pool":
		_ = h.d.PausePool(s.Pool, since) // it may not be there
	case "resume pool":
		_ = h.d.ResumePool(s.Pool)
	case "pause host":
		h.d.PauseHost(since)
	case "resume host":
		h.d.ResumeHost()
	case "hand":
		if h.d.SetHand(s.Pool, dispatch.Hand{Workers: s.N, OnShrink: s.Mode}) == nil {
			m.resized(s.Pool, s.N)
		}
	case "reset hand":
		if h.d.ResetHand(s.Pool) == nil {
			m.resized(s.Pool, m.setup.Pools[s.Pool].Workers)
		}
	case "reload":
		m.reload(s.Setup)
	case "restart":
		m.reopen(time.Minute)
	case "crash":
		m.dead.Store(true)
		m.reopen(0)
	}
}

// resized notes a size. What starts at that very moment may still go by the one
// before.
func (m *model) resized(name string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sizes[name], m.changed = n, time.Now()
}

func (m *model) submit(s step) {
	def := m.h.prog.Jobs[s.Job]
	n := run.New{State: run.Queued, Trigger: run.TriggerManual, Priority: s.Priority, Overlap: def.Overlap}
	if s.After > 0 {
		n.DueAt = time.Now().Add(s.After)
	}
	if s.N == 0 {
		n.ExpiresAt = time.Now().Add(s.After + time.Second)
	}
	sub := run.Submission{Def: def, Batch: s.Batch}
	for i, host := range s.Hosts {
		n.Arg = fmt.Sprintf("h%d/%d", host, (i+s.Priority)%3)
		sub.Runs = append(sub.Runs, n)
	}
	done, err := m.h.d.Enqueue(context.Background(), []run.Submission{sub}, time.Now())
	if err != nil {
		m.h.t.Fatal(err)
	}
	for _, r := range done[0].Runs {
		m.ids = append(m.ids, r.ID)
	}
}

// reload puts the setup in force as the daemon does.
func (m *model) reload(s setup) {
	m.mu.Lock()
	m.setup = s
	m.mu.Unlock()
	m.relimit()
	m.h.prog = s.program(m.h.prog.Registry)
	m.h.d.Apply(m.h.prog)
	m.rehome()
	m.relimit()
}

// rehome moves what is queued in pools that are gone.
func (m *model) rehome() {
	for _, name := range modelPools {
		if _, ok := m.setup.Pools[name]; ok {
			continue
		}
		for _, job := range modelJobs {
			to := m.setup.In[job]
			n, err := m.h.ledger.Rehome(context.Background(), job, name, to)
			if err != nil {
				m.h.t.Fatal(err)
			}
			if n > 0 {
				m.h.d.Rewind(to)
			}
		}
	}
}

// reopen goes on with a new dispatcher.
func (m *model) reopen(patience time.Duration) {
	m.h.close(patience)
	m.relimit()
	m.h.open()
	m.rehome()
}

// settle lets everything go, and waits for its end.
func (m *model) settle() {
	h := m.h
	h.d.ResumeHost()
	for _, name := range modelPools {
		m.do(step{What: "resume pool", Pool: name})
		m.do(step{What: "reset hand", Pool: name})
	}
	for _, name := range modelJobs {
		h.d.ResumeJob(name)
	}
	for range 10 {
		h.wait(time.Minute)
		if h.strays.Swap(0) > 0 {
			m.rehome()
		}
	}
	h.wait(3 * time.Hour)
	for _, id := range m.ids {
		if r := h.run(id); !r.State.Final() {
			m.fault("run %d of job %s in pool %s is still %s, reason %q, waiting for %q", id, r.Job, r.Pool, r.State, r.Reason, r.Waits)
		}
	}
	if n := h.d.KeysInMemory() + h.d.InMemory(); n != 0 {
		m.fault("%d keys and runs are left in memory", n)
	}
}

// mortal is a ledger that from some moment on records nothing more, as if its
// daemon were dead.
type mortal struct {
	dispatch.Ledger
	dead *atomic.Bool
}

func (l *mortal) Start(s run.Start, done func(error)) {
	if l.dead.Load() {
		go done(run.ErrClosed)
		return
	}
	l.Ledger.Start(s, done)
}

func (l *mortal) Finish(e run.End, done func(run.Ended, error)) {
	if l.dead.Load() {
		go done(run.Ended{}, run.ErrClosed)
		return
	}
	l.Ledger.Finish(e, done)
}

func (l *mortal) Hold(r *run.Run, on run.Resource, free []run.Resource, done func([]run.Run, error)) {
	if l.dead.Load() {
		go done(nil, run.ErrClosed)
		return
	}
	l.Ledger.Hold(r, on, free, done)
}

func (l *mortal) SetAsked(r *run.Run, at, dueAt time.Time, done func(error)) {
	if l.dead.Load() {
		go done(run.ErrClosed)
		return
	}
	l.Ledger.SetAsked(r, at, dueAt, done)
}

func (l *mortal) Wake(ctx context.Context, on run.Resource, all bool) ([]run.Run, int, error) {
	if l.dead.Load() {
		return nil, 0, run.ErrClosed
	}
	return l.Ledger.Wake(ctx, on, all)
}
