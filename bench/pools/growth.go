package pools

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"

	"github.com/poold/poold/bench/suite"
	"github.com/poold/poold/internal/pool"
)

const (
	small, large = 4, 200
	waits        = 400 // tasks
)

// growth is the time from the call that makes a busy pool larger until as many
// run as now may.
func growth() suite.Group {
	return suite.Group{
		Name: "Growth from 4 to 200 workers with 400 tasks waiting", Rounds: rounds, Quick: 3,
		Figures: []suite.Figure{{Unit: "µs until 200 run, p50"}},
		Rows: []suite.Row{
			{Name: "poold", Measure: func(_ context.Context, r *suite.Round) error {
				return grow(r, func(do func()) (func(), func(), error) {
					p := pool.New(pool.Options{Size: small})
					tasks := make([]pool.Task, waits)
					for i := range tasks {
						tasks[i].Do = func(pool.Start) { do() }
						_ = p.Submit(&tasks[i])
					}
					return func() { p.Resize(large, pool.Finish) }, func() { _ = p.Close(context.Background()) }, nil
				})
			}},
			// Its memory cannot be given before: such a pool cannot be tuned. It
			// has no queue, so the backlog is callers that wait in Submit.
			{Name: "ants", Measure: func(_ context.Context, r *suite.Round) error {
				return grow(r, func(do func()) (func(), func(), error) {
					p, err := ants.NewPool(small, ants.WithDisablePurge(true))
					for range waits {
						go func() { _ = p.Submit(do) }()
					}
					for err == nil && p.Waiting() < waits-small {
						time.Sleep(time.Microsecond)
					}
					return func() { p.Tune(large) }, p.Release, err
				})
			}},
			{Name: "pond", Measure: func(_ context.Context, r *suite.Round) error {
				return grow(r, func(do func()) (func(), func(), error) {
					p := pond.NewPool(small, pond.WithQueueSize(queued))
					for range waits {
						_ = p.Go(do)
					}
					return func() { p.Resize(large) }, p.StopAndWait, nil
				})
			}},
		},
		Asks: []suite.Ask{{Over: "ants", Want: 0.8}, {Over: "pond", Want: 1.2, Bound: "196 bare goroutines that only count themselves take 64 µs to start by themselves."}},
	}
}

// grow notes the median of many tries, each with a pool of its own. open fills
// it with tasks that do, and returns how to resize and how to end it.
func grow(r *suite.Round, open func(do func()) (resize, end func(), err error)) error {
	var took []time.Duration
	for range r.Pick(60, 20, 3) {
		var running atomic.Int64
		var left sync.WaitGroup
		left.Add(waits)
		first, all, gate := make(chan struct{}), make(chan time.Time, 1), make(chan struct{})
		resize, end, err := open(func() {
			switch running.Add(1) {
			case small:
				close(first)
			case large:
				all <- time.Now()
			}
			<-gate
			left.Done()
		})
		if err != nil {
			return err
		}
		<-first
		began := time.Now()
		resize()
		took = append(took, (<-all).Sub(began))
		close(gate)
		left.Wait()
		end()
	}
	slices.Sort(took)
	r.Note("", float64(took[len(took)/2].Nanoseconds())/1000)
	return nil
}
