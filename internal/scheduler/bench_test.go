package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// nowhere is a ledger and a queue that keep nothing, so that what is measured is
// the scheduler alone.
type nowhere struct{}

func (nowhere) Watermarks(context.Context) (map[string]run.Watermark, error) { return nil, nil }

func (nowhere) SetWatermarks(context.Context, map[string]run.Watermark) error { return nil }

func (nowhere) DeleteWatermarks(context.Context, []string) error { return nil }

func (nowhere) Enqueue(context.Context, []run.Submission, time.Time) ([]run.Submitted, error) {
	return nil, nil
}

// programOf has n jobs, of which ten are due each second and the others once a
// day, at a minute of their own.
func programOf(n int) Program {
	p := Program{Jobs: map[string]*jobs.Definition{}}
	tables, byText := map[string]schedule.Schedule{}, map[string]schedule.Schedule{}
	for i := range n {
		expr := "* * * * * *"
		if i >= 10 {
			expr = fmt.Sprintf("%d %d * * *", i%60, i/60%24)
		}
		def := every(fmt.Sprintf("job-%06d", i), expr)
		if _, known := byText[expr]; !known { // as the configuration shares them
			byText[expr] = timetable(def, time.UTC)
		}
		p.Jobs[def.Name], tables[def.Name] = def, byText[expr]
	}
	p.Timetable = func(job string) schedule.Schedule { return tables[job] }
	return p
}

func benchScheduler(b *testing.B) *Scheduler {
	b.Helper()
	s, err := New(context.Background(), Options{Ledger: nowhere{}, Queue: nowhere{}, Log: slog.New(slog.DiscardHandler), Host: "h", BootID: "b"})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkFire measures what one occurrence costs when ten jobs are due each
// second and the others are not. It must not grow with their number.
func BenchmarkFire(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprintf("of_%d_jobs", n), func(b *testing.B) {
			s := benchScheduler(b)
			s.Apply(context.Background(), programOf(n))
			// Midnight decides everything that is due until then; the others are
			// due at full minutes, the first seconds of which are not measured.
			now := wallClock().Truncate(24 * time.Hour).Add(24 * time.Hour)
			catchUp := func() {
				for s.tick(context.Background(), now); !s.order[0].next.After(now); {
					s.tick(context.Background(), now)
				}
			}
			catchUp()
			for second := 0; b.Loop(); second++ {
				if second%50 == 0 {
					b.StopTimer()
					now = now.Truncate(time.Minute).Add(time.Minute)
					catchUp()
					b.StartTimer()
				}
				now = now.Add(time.Second)
				s.tick(context.Background(), now)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10, "ns/fire")
		})
	}
}

// BenchmarkApply measures how long a reload of many jobs holds up the
// scheduler, and what each takes of memory.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("of_%d_jobs", n), func(b *testing.B) {
			s := benchScheduler(b)
			p := programOf(n)
			before := heapInUse()
			held := watchLock(s)
			for b.Loop() {
				s.Apply(context.Background(), p)
			}
			b.ReportMetric(float64(held().Microseconds())/1000, "ms-held")
			b.ReportMetric(float64(int64(heapInUse())-int64(before))/float64(n), "B/job")
			runtime.KeepAlive(s)
			runtime.KeepAlive(p)
		})
	}
}

// watchLock asks for the scheduler's lock again and again, until the function
// that it returns is called. That says how long it had to wait at most.
func watchLock(s *Scheduler) (longest func() time.Duration) {
	done, result := make(chan struct{}), make(chan time.Duration)
	go func() {
		var most time.Duration
		for {
			began := time.Now()
			s.mu.Lock()
			most = max(most, time.Since(began))
			s.mu.Unlock()
			select {
			case <-done:
				result <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() time.Duration { close(done); return <-result }
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
