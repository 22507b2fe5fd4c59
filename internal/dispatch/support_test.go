package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/output"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
	"github.com/poold/poold/internal/sqlite"
)

// scripted is a job type whose attempts do what the test says.
type scripted struct {
	mu      sync.Mutex
	do      func(ctx context.Context, t jobs.Task) jobs.Outcome
	ask     func(t jobs.Task) int
	begun   []string // JOB or JOB/ARG, in order of start
	running map[string]int
	most    map[string]int // most at once, by job
}

func (s *scripted) Settings() any                                     { return &struct{}{} }
func (s *scripted) Check(json.RawMessage) []jobs.Problem              { return nil }
func (s *scripted) Held(context.Context, string) ([]jobs.Held, error) { return nil, nil }

func (s *scripted) Ask(_ context.Context, t jobs.Task, _ []string) jobs.Outcome {
	code := s.ask(t)
	return jobs.Outcome{OK: code == 0, ExitCode: &code, Reason: "exit"}
}

func (s *scripted) Run(ctx context.Context, t jobs.Task) jobs.Outcome {
	s.mu.Lock()
	s.begun = append(s.begun, name(t.Job, t.Arg))
	s.running[t.Job]++
	s.most[t.Job] = max(s.most[t.Job], s.running[t.Job])
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.running[t.Job]--
		s.mu.Unlock()
	}()
	return s.do(ctx, t)
}

func (s *scripted) started() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.begun)
}

func name(job, arg string) string { return strings.TrimSuffix(job+"/"+arg, "/") }

func succeed(context.Context, jobs.Task) jobs.Outcome { return jobs.Outcome{OK: true} }

func fail(context.Context, jobs.Task) jobs.Outcome {
	code := 1
	return jobs.Outcome{Reason: "exit", ExitCode: &code, Error: "exit status 1"}
}

// takes succeeds after a while, unless it is stopped.
func takes(d time.Duration) func(context.Context, jobs.Task) jobs.Outcome {
	return func(ctx context.Context, _ jobs.Task) jobs.Outcome {
		select {
		case <-time.After(d):
			return jobs.Outcome{OK: true}
		case <-ctx.Done():
			return jobs.Outcome{Reason: "signal", Signal: "TERM", Error: "killed by signal TERM"}
		}
	}
}

// host is a dispatcher on a real ledger, with the scripted type.
type host struct {
	t      *testing.T
	dir    string
	typ    *scripted
	ledger *sqlite.Ledger
	wrap   func(dispatch.Ledger) dispatch.Ledger // what stands before the ledger, if set
	tell   func(run.Run)                         // told of each recorded change, if set
	d      *dispatch.Dispatcher
	prog   dispatch.Program
	ends   chan string // batches that have ended
	strays atomic.Int32
	stop   context.CancelFunc
	ended  chan struct{}
}

type sinks struct{ *output.Store }

func (s sinks) Sink(id int64, attempt int, limit int64) dispatch.Output {
	return s.Store.Sink(id, attempt, limit)
}

// job fills in what the configuration would.
func job(name string, change ...func(*jobs.Definition)) *jobs.Definition {
	def := &jobs.Definition{
		Name: name, Type: "test", Pool: "p", Enabled: true, Overlap: jobs.OverlapAllow,
		Retry: jobs.Retry{Attempts: 1, Backoff: schedule.Duration(10 * time.Second), MaxBackoff: schedule.Duration(time.Minute)},
	}
	for _, f := range change {
		f(def)
	}
	return def
}

func pool(name string, workers int) dispatch.Pool {
	return dispatch.Pool{Name: name, Workers: workers, OnShrink: dispatch.Finish, Entry: name}
}

// newHost starts a dispatcher with the pools and jobs. It is called in a
// bubble, and stops with the test.
func newHost(t *testing.T, pools []dispatch.Pool, defs ...*jobs.Definition) *host {
	t.Helper()
	h := &host{
		t: t, dir: t.TempDir(), ends: make(chan string, 100),
		typ:  &scripted{do: succeed, ask: func(jobs.Task) int { return 0 }, running: map[string]int{}, most: map[string]int{}},
		prog: dispatch.Program{Jobs: map[string]*jobs.Definition{}, Pools: map[string]dispatch.Pool{}},
	}
	h.prog.Registry = jobs.NewRegistry(map[string]jobs.Type{"test": h.typ})
	for _, p := range pools {
		h.prog.Pools[p.Name] = p
	}
	for _, def := range defs {
		h.prog.Jobs[def.Name] = def
	}
	h.open()
	t.Cleanup(func() { h.close(0) })
	return h
}

func (h *host) open() {
	h.t.Helper()
	h.prepare()
	h.launch()
}

// prepare is what comes before Run.
func (h *host) prepare() {
	h.t.Helper()
	ctx := context.Background()
	var err error
	if h.ledger, err = sqlite.Open(ctx, sqlite.Options{Dir: h.dir, Host: "h"}); err != nil {
		h.t.Fatal(err)
	}
	outputs, err := output.Open(h.dir + "/output")
	if err != nil {
		h.t.Fatal(err)
	}
	var ledger dispatch.Ledger = h.ledger
	if h.wrap != nil {
		ledger = h.wrap(ledger)
	}
	h.d = dispatch.New(dispatch.Options{
		Ledger: ledger, Outputs: sinks{outputs}, Log: slog.New(slog.DiscardHandler), LedgerID: h.ledger.ID(), Host: "h",
		BatchEnd: func(id string) { h.ends <- id }, Stray: func() { h.strays.Add(1) }, Changed: h.tell,
	})
	h.d.Apply(h.prog)
}

func (h *host) launch() {
	h.t.Helper()
	ctx := context.Background()
	if err := h.d.Settle(ctx, h.prog.Registry); err != nil {
		h.t.Fatal(err)
	}
	ctx, h.stop = context.WithCancel(context.Background())
	h.ended = make(chan struct{})
	go func() {
		defer close(h.ended)
		if err := h.d.Run(ctx); err != nil {
			h.t.Error(err)
		}
	}()
}

// close stops the dispatcher as the daemon does, waiting so long for what runs.
func (h *host) close(patience time.Duration) {
	if h.ledger == nil {
		return
	}
	h.stop()
	<-h.ended
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h.d.Close(ctx)
	if err := h.ledger.Close(); err != nil {
		h.t.Error(err)
	}
	h.ledger = nil
}

// enqueue submits runs of a job, one for each argument.
func (h *host) enqueue(jobName string, change func(*run.New), args ...string) []int64 {
	h.t.Helper()
	def := h.prog.Jobs[jobName]
	sub := run.Submission{Def: def}
	for _, arg := range args {
		n := run.New{State: run.Queued, Trigger: run.TriggerManual, Arg: arg, Priority: def.Priority, Overlap: def.Overlap}
		if change != nil {
			change(&n)
		}
		sub.Runs = append(sub.Runs, n)
	}
	done, err := h.d.Enqueue(context.Background(), []run.Submission{sub}, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	var ids []int64
	for _, r := range done[0].Runs {
		ids = append(ids, r.ID)
	}
	return ids
}

// wait lets virtual time pass, then everything come to rest.
func (h *host) wait(d time.Duration) {
	time.Sleep(d) // virtual: in a bubble
	synctest.Wait()
}

func (h *host) run(id int64) run.Run {
	h.t.Helper()
	r, err := h.ledger.Run(context.Background(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// states tells the state and reason of runs.
func (h *host) states(ids ...int64) []string {
	h.t.Helper()
	var list []string
	for _, id := range ids {
		r := h.run(id)
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s", r.State, r.Reason)))
	}
	return list
}

func times(n int, s string) []string { return slices.Repeat([]string{s}, n) }

func numbers(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i + 1)
	}
	return list
}
