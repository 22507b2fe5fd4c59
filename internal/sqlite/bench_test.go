package sqlite

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poold/poold/internal/run"
)

// BenchmarkLifecycle measures whole lives of runs: enqueued, started and
// finished, each durably, by 64 callers at once.
func BenchmarkLifecycle(b *testing.B) {
	l := open(b)
	def := job("bench")
	var left atomic.Int64
	left.Store(int64(b.N))
	var callers sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 64 {
		callers.Go(func() {
			for left.Add(-1) >= 0 {
				lifecycle(b, l, run.Submission{Def: def, Runs: []run.New{{Trigger: run.TriggerManual}}})
			}
		})
	}
	callers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lifecycles/s")
	b.ReportMetric(float64(l.writer.commits.Load())/float64(b.N), "commits/run")
}

// lifecycle takes one run through its life, as a worker does: it waits for the
// start to be durable, and not for the end.
func lifecycle(b *testing.B, l *Ledger, sub run.Submission) {
	got, err := l.Enqueue(b.Context(), []run.Submission{sub}, time.Now())
	if err != nil {
		b.Error(err)
		return
	}
	r := got[0].Runs[0]
	now := time.Now()
	answer := make(chan error, 1)
	l.Start(run.Start{Run: &r, At: now}, func(err error) { answer <- err })
	if err := <-answer; err != nil {
		b.Error(err)
		return
	}
	r.Attempts, r.StartedAt = 1, now
	zero := 0
	ended := time.Now()
	l.Finish(run.End{
		Run: &r, From: run.Running, Next: run.Next{State: run.Succeeded, Outcome: "succeeded"}, Finished: ended,
		Attempt: &run.Attempt{Number: 1, StartedAt: now, FinishedAt: ended, Outcome: "succeeded", ExitCode: &zero},
	}, func(_ run.Ended, err error) { answer <- err })
	if err := <-answer; err != nil {
		b.Error(err)
	}
}

// filled is a state folder with a million queued runs.
func filled(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	l, err := Open(b.Context(), Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	def := job("bench")
	began := time.Now()
	const chunk = 100_000
	for i := range 10 {
		sub := run.Submission{Def: def, Batch: true, Runs: make([]run.New, chunk)}
		for j := range sub.Runs {
			sub.Runs[j] = run.New{Trigger: run.TriggerBatch, Arg: "https://example.org/" + strconv.Itoa(i*chunk+j)}
		}
		if _, err := l.Enqueue(b.Context(), []run.Submission{sub}, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("a million runs enqueued in %v, ten batches", time.Since(began))
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkReopen measures how long a ledger with a million queued runs takes
// to open and to give the first window.
func BenchmarkReopen(b *testing.B) {
	dir := filled(b)
	debug.FreeOSMemory()
	before := resident(b)
	b.ResetTimer()
	for range b.N {
		l, err := Open(b.Context(), Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		window, err := l.Window(b.Context(), "default", nil, 256)
		if err != nil || len(window) != 256 {
			b.Fatalf("got %d runs, %v", len(window), err)
		}
		b.StopTimer()
		b.ReportMetric(float64(resident(b)-before)/1e6, "MB-more")
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// resident is the process's resident memory in bytes.
func resident(b *testing.B) int64 {
	b.Helper()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(raw), &size, &pages); err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// BenchmarkWindow measures a read of the next stretch of a pool's queue.
func BenchmarkWindow(b *testing.B) {
	l := open(b)
	sub := run.Submission{Def: job("bench"), Runs: make([]run.New, 20_000)}
	if _, err := l.Enqueue(b.Context(), []run.Submission{sub}, time.Now()); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := range b.N {
		after := &run.Position{ID: int64(i % 19_000)}
		if _, err := l.Window(b.Context(), "default", after, 256); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/256, "µs/run")
}
