package dispatch_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// heldRuns is how large the crowd is: go test -args -held-runs 100000.
var heldRuns = flag.Int("held-runs", 1_000_000, "runs that wait in BenchmarkHeld")

// noting is a job type that tells when its attempts begin. The argument hold
// keeps one going until the benchmark is over.
type noting struct {
	empty
	begun chan time.Time
	ended atomic.Int64
	over  chan struct{}
	last  chan struct{}
	want  int64
}

// Host is what stands before the first slash of the argument.
func (*noting) Host(json.RawMessage) func(string) string {
	return func(arg string) string {
		host, _, _ := strings.Cut(arg, "/")
		return host
	}
}

func (n *noting) Run(_ context.Context, t jobs.Task) jobs.Outcome {
	switch {
	case strings.HasSuffix(t.Arg, "hold"):
		<-n.over
	case n.begun != nil:
		n.begun <- time.Now()
	case n.ended.Add(1) == n.want:
		close(n.last)
	}
	return jobs.Outcome{OK: true}
}

// heldBench is a dispatcher with a crowd's pool and lock.
func heldBench(b *testing.B, typ *noting, p dispatch.Pool, defs ...*jobs.Definition) *bench {
	b.Helper()
	m := newBench(b, -1)
	prog := dispatch.Program{
		Registry: jobs.NewRegistry(map[string]jobs.Type{"test": typ}),
		Jobs:     map[string]*jobs.Definition{}, Pools: map[string]dispatch.Pool{p.Name: p},
	}
	for _, def := range defs {
		prog.Jobs[def.Name] = def
	}
	m.Apply(prog)
	return m
}

// crowd enqueues runs of a job, one for each argument.
func (m *bench) crowd(b *testing.B, def *jobs.Definition, args []string) {
	b.Helper()
	sub := run.Submission{Def: def, Batch: true, Runs: []run.New{{State: run.Queued, Trigger: run.TriggerBatch}}, Lines: args}
	if _, err := m.Enqueue(b.Context(), []run.Submission{sub}, time.Now()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkHeld measures how long a run takes from the call that enqueues it
// until its attempt begins, both records on the disk, while a crowd waits: for
// one lock, or for one host.
func BenchmarkHeld(b *testing.B) {
	per := dispatch.Per{Key: dispatch.PerHost, Workers: 2}
	for _, c := range []struct {
		name  string
		crowd int
		pool  dispatch.Pool
		locks []string
	}{
		{"alone", 0, pool("p", 64), nil},
		{"lock", *heldRuns, pool("p", 64), []string{"db"}},
		{"host", *heldRuns, limited(pool("p", 64), 0, per), nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			typ := &noting{begun: make(chan time.Time, 1), over: make(chan struct{})}
			held, free := job("held", locked(c.locks...)), job("free")
			m := heldBench(b, typ, c.pool, held, free)
			before, begin := memory(), time.Now()
			if c.crowd > 0 {
				m.crowd(b, held, slices.Repeat([]string{"one.example/hold"}, c.crowd))
			}
			enqueued, grown := time.Since(begin), int64(memory())-int64(before)
			var took []time.Duration
			b.ResetTimer()
			for range b.N {
				begin := time.Now()
				m.submitOne(b, free)
				took = append(took, (<-typ.begun).Sub(begin))
			}
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1e6, "p50-µs")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1e6, "p99-µs")
			b.ReportMetric(enqueued.Seconds(), "s-enqueue")
			b.ReportMetric(float64(grown)/(1<<20), "MB-crowd")
			b.ReportMetric(0, "ns/op")
			close(typ.over)
		})
	}
}

func (m *bench) submitOne(b *testing.B, def *jobs.Definition) {
	sub := run.Submission{Def: def, Runs: []run.New{{State: run.Queued, Trigger: run.TriggerManual}}}
	if _, err := m.Enqueue(b.Context(), []run.Submission{sub}, time.Now()); err != nil {
		b.Error(err)
	}
}

func memory() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkCrawl measures a crawl of 100,000 pages on 1,000 hosts, in the order
// of the hosts, with 64 workers: without a limit for each host, and with two
// workers for each.
func BenchmarkCrawl(b *testing.B) {
	const hosts, pagesEach = 1000, 100
	for name, per := range map[string]dispatch.Per{"free": {}, "polite": {Key: dispatch.PerHost, Workers: 2}} {
		b.Run(name, func(b *testing.B) {
			var args []string
			for host := range hosts {
				for page := range pagesEach {
					args = append(args, fmt.Sprintf("host%d.example/%d", host, page))
				}
			}
			for range b.N {
				typ := &noting{last: make(chan struct{}), want: hosts * pagesEach}
				fetch := job("fetch")
				m := heldBench(b, typ, limited(pool("p", benchWorkers), 0, per), fetch)
				m.crowd(b, fetch, args)
				begin := time.Now()
				<-typ.last
				b.ReportMetric(hosts*pagesEach/time.Since(begin).Seconds(), "runs/s")
			}
		})
	}
}
