package pools

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/alitto/pond/v2"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
	"github.com/poold/poold/internal/pool"
)

const backlog = 500

// urgent is the time from the submission of one task to its start, behind a
// backlog. The time is taken where the task starts: with every processor busy,
// whoever submitted it waits longer for a turn than the task does.
func urgent() suite.Group {
	var s spinner
	work := func() { s.spin(10) }
	return suite.Group{
		Name: "An urgent task behind 500 of 10 µs", Rounds: rounds, Quick: 3,
		Figures: []suite.Figure{{Unit: "µs to its start, p50"}},
		Open:    func(context.Context, *rig.Rig) error { s = calibrate(); return nil },
		Rows: []suite.Row{
			{Name: "poold", Measure: func(_ context.Context, r *suite.Round) error {
				p := pool.New(pool.Options{Size: workers})
				defer p.Close(context.Background())
				median(r, func(_, ended func()) {
					_ = p.Submit(&pool.Task{Do: func(pool.Start) { work(); ended() }})
				}, func(begun, ended func()) {
					_ = p.Submit(&pool.Task{Priority: 1, Do: func(pool.Start) { begun(); ended() }})
				})
				return nil
			}},
			{Name: "channel and goroutines", Measure: func(_ context.Context, r *suite.Round) error {
				c := make(chan func(), queued)
				defer close(c)
				for range workers {
					go func() {
						for f := range c {
							f()
						}
					}()
				}
				median(r, func(_, ended func()) { c <- func() { work(); ended() } },
					func(begun, ended func()) { c <- func() { begun(); ended() } })
				return nil
			}},
			{Name: "pond", Measure: func(_ context.Context, r *suite.Round) error {
				p := pond.NewPool(workers, pond.WithQueueSize(queued))
				defer p.StopAndWait()
				median(r, func(_, ended func()) { _ = p.Go(func() { work(); ended() }) },
					func(begun, ended func()) { _ = p.Go(func() { begun(); ended() }) })
				return nil
			}},
		},
		Asks: []suite.Ask{{Over: "channel and goroutines", Want: 0.01, Plot: "an urgent task behind 500, beside any queue"}, {Over: "pond", Want: 0.01}},
	}
}

// median notes the median of many tries, each with a backlog of its own.
func median(r *suite.Round, ordinary, urgent func(begun, ended func())) {
	var took []time.Duration
	for range r.Pick(100, 40, 3) {
		var left sync.WaitGroup
		left.Add(backlog + 1)
		for range backlog {
			ordinary(nil, left.Done)
		}
		at := time.Now()
		urgent(func() { took = append(took, time.Since(at)) }, left.Done)
		left.Wait()
		runtime.Gosched()
	}
	slices.Sort(took)
	r.Note("", float64(took[len(took)/2].Nanoseconds())/1000)
}
