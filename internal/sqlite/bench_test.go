package sqlite

import (
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
