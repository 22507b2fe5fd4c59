package pools

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"

	"github.com/poold/poold/bench/suite"
	"github.com/poold/poold/internal/pool"
)

var perTask = []suite.Figure{{Name: "time", Unit: "ns a task"}, {Name: "allocations", Unit: "a task"}}

// empty is tasks that do nothing but count themselves.
func empty(producers int) suite.Group {
	g := suite.Group{
		Name: "Empty tasks, one producer", Rounds: rounds, Quick: 3, Figures: perTask,
		About: "The caller owns what a task needs, as far as a pool lets it: one function for all tasks.",
		Asks: []suite.Ask{
			{Over: "ants", Want: 0.15, Plot: "empty task, beside ants"},
			{Over: "pond", Want: 0.65, Bound: oneCore, Plot: "empty task, beside pond"},
			{Over: "gammazero/workerpool", Want: 0.17, Plot: "empty task, beside gammazero/workerpool"},
			{Over: "channel and goroutines", Want: 1.4, Bound: oneCore, Plot: "empty task, beside a bare channel"},
			{Over: "tunny"},
			{Over: "conc"},
			{Over: "errgroup"},
			{Over: "semaphore and a goroutine a task"},
			{Figure: "allocations", Want: noAllocation},
		},
	}
	ways := []way{ours, theAnts, thePond, gammazero, theTunny, conc, group, weighted, channel}
	if producers > 1 {
		g.Name = fmt.Sprintf("Empty tasks, %d producers", producers)
		g.Asks = []suite.Ask{
			{Over: "ants", Want: 0.12, Bound: bareFloor, Plot: "empty task, 8 producers, beside ants"},
			{Over: "pond", Want: 0.35, Bound: bareFloor},
			{Over: "channel and goroutines"},
			{Figure: "allocations", Want: noAllocation},
		}
		ways = []way{ours, theAnts, thePond, channel}
	}
	for _, w := range ways {
		g.Rows = append(g.Rows, suite.Row{Name: w.name, Measure: func(_ context.Context, r *suite.Round) error {
			measure(r, w, workers, producers, r.Pick(400_000, 100_000, 2000), func() {})
			return nil
		}})
	}
	return g
}

// What bounds the misses, as measured on the machine of docs/benchmarks.md.
const (
	oneCore = "On one processor (`GOMAXPROCS=1`) a task takes 50 ns in poold, 48 in pond and 32 in a bare channel; its two lock\n" +
		"sections are spread over what a pool does: no function alone takes a tenth of a profile."
	bareFloor = "The bare channel, which keeps no order and no count, is the floor of this row: compare its time with the goal."
	making    = "To make the record and the closure, and to have them collected, takes 70 ns by itself; the rest is what a task\n" +
		"that is used again takes."
)

// noAllocation is what rounding leaves of none: what the runtime allocates for
// itself while a round runs.
const noAllocation = 0.001

// measure has a way do n tasks that work, after some to warm up.
func measure(r *suite.Round, w way, workers, producers, n int, work func()) {
	var left sync.WaitGroup
	submits, end := w.open(workers, producers, func() { work(); left.Done() })
	defer end()
	produce(&left, submits, n/20)
	timed(r, n, func() { produce(&left, submits, n) })
}

func produce(left *sync.WaitGroup, submits []func(), n int) {
	each := n / len(submits)
	left.Add(each * len(submits))
	for _, submit := range submits[1:] {
		go func() {
			for range each {
				submit()
			}
		}()
	}
	for range each {
		submits[0]()
	}
	left.Wait()
}

// timed notes what n tasks cost.
func timed(r *suite.Round, n int, do func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	do()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	r.Note("time", float64(took.Nanoseconds())/float64(n))
	r.Note("allocations", float64(after.Mallocs-before.Mallocs)/float64(n))
}

// fresh is the same with a record and a closure made for each task.
func fresh() suite.Group {
	return suite.Group{
		Name: "A new closure for each empty task, one producer", Rounds: rounds, Quick: 3, Figures: perTask,
		About: "poold also makes a new record.",
		Rows: []suite.Row{
			{Name: "poold", Measure: func(_ context.Context, r *suite.Round) error {
				p := pool.New(pool.Options{Size: workers, QueueLimit: queued})
				defer p.Close(context.Background())
				closures(r, func(left *sync.WaitGroup) {
					_ = p.SubmitWait(context.Background(), &pool.Task{Do: func(pool.Start) { left.Done() }})
				})
				return nil
			}},
			{Name: "ants", Measure: func(_ context.Context, r *suite.Round) error {
				p, err := ants.NewPool(workers, ants.WithPreAlloc(true), ants.WithDisablePurge(true))
				if err != nil {
					return err
				}
				defer p.Release()
				closures(r, func(left *sync.WaitGroup) { _ = p.Submit(func() { left.Done() }) })
				return nil
			}},
			{Name: "pond", Measure: func(_ context.Context, r *suite.Round) error {
				p := pond.NewPool(workers, pond.WithQueueSize(queued))
				defer p.StopAndWait()
				closures(r, func(left *sync.WaitGroup) { _ = p.Go(func() { left.Done() }) })
				return nil
			}},
		},
		Asks: []suite.Ask{{Over: "ants", Want: 0.33, Bound: making}, {Over: "pond", Want: 1.25, Bound: making}},
	}
}

// closures has submit submit one task at a time.
func closures(r *suite.Round, submit func(left *sync.WaitGroup)) {
	var left sync.WaitGroup
	n := r.Pick(400_000, 100_000, 2000)
	all := func(n int) {
		left.Add(n)
		for range n {
			submit(&left)
		}
		left.Wait()
	}
	all(n / 20)
	timed(r, n, func() { all(n) })
}
