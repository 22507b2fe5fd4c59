package pool

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
)

// round is a stock of tasks that are submitted again and again, so that the
// benchmarks measure the pool and not the making of tasks.
type round struct {
	tasks []Task
	left  sync.WaitGroup
}

func newRound(ctx context.Context, n int) *round {
	r := &round{tasks: make([]Task, n)}
	for i := range r.tasks {
		r.tasks[i] = Task{Ctx: ctx, Do: func(Start) { r.left.Done() }}
	}
	return r
}

// submit submits n tasks, going round the stock.
func (r *round) submit(p *Pool, n int) {
	for i := range n {
		for p.Submit(&r.tasks[i%len(r.tasks)]) != nil {
			runtime.Gosched() // still on its way through the pool
		}
	}
}

func benchPool(b *testing.B, size int) *Pool {
	b.Helper()
	p := New(Options{Size: size})
	b.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

func BenchmarkEmptyTask(b *testing.B) {
	live, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, ctx := range []context.Context{nil, live} {
		for _, producers := range []int{1, 8} {
			for _, size := range []int{2, 8, 64} {
				b.Run(fmt.Sprintf("ctx=%t/producers=%d/size=%d", ctx != nil, producers, size), func(b *testing.B) {
					benchEmpty(b, ctx, producers, size)
				})
			}
		}
	}
}

func benchEmpty(b *testing.B, ctx context.Context, producers, size int) {
	p := benchPool(b, size)
	rounds := make([]*round, producers)
	for i := range rounds {
		rounds[i] = newRound(ctx, 1<<14)
		rounds[i].left.Add(b.N/producers + 1)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, r := range rounds {
		go r.submit(p, b.N/producers+1)
	}
	for _, r := range rounds {
		r.left.Wait()
	}
}

// BenchmarkSubmit is the submit path alone: nothing starts.
func BenchmarkSubmit(b *testing.B) {
	p := benchPool(b, 0)
	var none context.Context
	tasks := newRound(none, 1<<10).tasks
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		t := &tasks[i%len(tasks)]
		t.Priority = i % 3
		if err := p.Submit(t); err != nil {
			b.Fatal(err)
		}
		if i%len(tasks) == len(tasks)-1 {
			for j := range tasks {
				p.Cancel(&tasks[j])
			}
		}
	}
}

// BenchmarkUrgent is from the submit of a task to its start, behind a backlog of
// lower priority that keeps the workers busy. The time is taken where the task
// starts: with every processor busy, the goroutine that submits waits longer
// for its turn than the task does.
func BenchmarkUrgent(b *testing.B) {
	for _, backlog := range []int{0, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("backlog=%d", backlog), func(b *testing.B) { benchUrgent(b, backlog) })
	}
}

func benchUrgent(b *testing.B, backlog int) {
	p := benchPool(b, 2)
	tasks := make([]Task, backlog)
	for i := range tasks {
		tasks[i].Do = func(Start) {
			for range 2000 { // about a microsecond
			}
		}
	}
	var took time.Duration
	var at time.Time
	started := make(chan struct{}, 1)
	urgent := &Task{Priority: 1, Do: func(Start) { took += time.Since(at); started <- struct{}{} }}
	for range b.N {
		if p.Stats().Queued < backlog/2 {
			for i := range tasks {
				_ = p.Submit(&tasks[i])
			}
		}
		for at = time.Now(); p.Submit(urgent) != nil; at = time.Now() {
			runtime.Gosched()
		}
		<-started
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/start")
	p.Resize(0, Finish)
}

// BenchmarkGrow is from a Resize to the start of the last task it lets run.
func BenchmarkGrow(b *testing.B) {
	for _, by := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("by=%d", by), func(b *testing.B) {
			p := benchPool(b, 0)
			var started, gate sync.WaitGroup
			tasks := make([]Task, by)
			for i := range tasks {
				tasks[i].Do = func(Start) { started.Done(); gate.Wait() }
			}
			for range b.N {
				b.StopTimer()
				started.Add(by)
				gate.Add(1)
				for i := range tasks {
					_ = p.Submit(&tasks[i])
				}
				b.StartTimer()
				p.Resize(by, Finish)
				started.Wait()
				b.StopTimer()
				gate.Done()
				_ = p.Drain(context.Background())
				p.Resize(0, Finish)
				p.Resume()
			}
		})
	}
}
