package dispatch_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/output"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/sqlite"
)

// empty is a job type whose attempts do nothing: what is measured is poold.
type empty struct{}

func (empty) Settings() any                                     { return &struct{}{} }
func (empty) Check(json.RawMessage) []jobs.Problem              { return nil }
func (empty) Held(context.Context, string) ([]jobs.Held, error) { return nil, nil }
func (empty) Run(context.Context, jobs.Task) jobs.Outcome       { return jobs.Outcome{OK: true} }

// bench is a dispatcher with 64 workers on a ledger on the disk, logging to a
// file as the daemon does.
type bench struct {
	*dispatch.Dispatcher
	def   *jobs.Definition
	ended atomic.Int64
	last  chan struct{} // closed when the wanted number of runs has ended
}

const benchWorkers = 64

func newBench(b *testing.B, want int64) *bench {
	b.Helper()
	dir := b.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	ledger, err := sqlite.Open(b.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	outputs, err := output.Open(filepath.Join(dir, "output"))
	if err != nil {
		b.Fatal(err)
	}
	m := &bench{def: job("empty"), last: make(chan struct{})}
	m.Dispatcher = dispatch.New(dispatch.Options{
		Ledger: ledger, Outputs: sinks{outputs}, Log: slog.New(slog.NewTextHandler(log, nil)),
		Changed: func(r run.Run) {
			if r.State.Final() && m.ended.Add(1) == want {
				close(m.last)
			}
		},
	})
	m.Apply(dispatch.Program{
		Registry: jobs.NewRegistry(map[string]jobs.Type{"test": empty{}}),
		Jobs:     map[string]*jobs.Definition{"empty": m.def},
		Pools:    map[string]dispatch.Pool{"p": pool("p", benchWorkers)},
	})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	b.Cleanup(func() {
		stop()
		running.Wait()
		m.Close(context.Background())
		if err := ledger.Close(); err != nil {
			b.Error(err)
		}
		_ = log.Close()
	})
	return m
}

// submit enqueues runs of the job, durably.
func (m *bench) submit(b *testing.B, runs int) {
	sub := run.Submission{Def: m.def, Batch: runs > 1, Runs: make([]run.New, runs)}
	for i := range sub.Runs {
		sub.Runs[i] = run.New{State: run.Queued, Trigger: run.TriggerManual}
	}
	if _, err := m.Enqueue(b.Context(), []run.Submission{sub}, time.Now()); err != nil {
		b.Error(err)
	}
}

// BenchmarkLifecycle measures whole lives of runs through dispatcher and
// ledger: 64 callers enqueue them one by one, each waiting until its run is
// durable; 64 workers start and finish them, durably too.
func BenchmarkLifecycle(b *testing.B) {
	m := newBench(b, int64(b.N))
	var left atomic.Int64
	left.Store(int64(b.N))
	var callers sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 64 {
		callers.Go(func() {
			for left.Add(-1) >= 0 {
				m.submit(b, 1)
			}
		})
	}
	callers.Wait()
	<-m.last
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lifecycles/s")
}

// BenchmarkBatch measures the same of one batch, enqueued at once.
func BenchmarkBatch(b *testing.B) {
	m := newBench(b, int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	m.submit(b, b.N)
	<-m.last
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lifecycles/s")
}
