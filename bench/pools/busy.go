package pools

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
)

// spinner keeps a processor busy for a time that does not depend on a clock.
type spinner struct{ perMicrosecond int }

// turn takes a time in proportion to n. It goes to memory each time, so that the
// compiler cannot do without it.
func turn(n int) {
	var x atomic.Uint64
	for range n {
		x.Load()
	}
}

// calibrate takes the fastest of some tries, which met least of other work.
func calibrate() spinner {
	const n = 1_000_000
	best := time.Hour
	for range 10 {
		began := time.Now()
		turn(n)
		best = min(best, time.Since(began))
	}
	return spinner{max(1, int(n*time.Microsecond/best))}
}

func (s spinner) spin(microseconds int) { turn(s.perMicrosecond * microseconds) }

// spin is tasks of some microseconds of CPU time.
func spin(microseconds int) suite.Group {
	var s spinner
	total := func(r *suite.Round) int { return r.Pick(400_000, 150_000, 2000) / microseconds }
	row := func(w way) suite.Row {
		return suite.Row{Name: w.name, Measure: func(_ context.Context, r *suite.Round) error {
			measure(r, w, workers, 1, total(r), func() { s.spin(microseconds) })
			return nil
		}}
	}
	g := suite.Group{
		Name:   fmt.Sprintf("%d µs of CPU, one producer", microseconds),
		Rounds: rounds, Quick: 3, Figures: perTask,
		Open: func(context.Context, *rig.Rig) error { s = calibrate(); return nil },
		Rows: []suite.Row{row(ours), row(theAnts), row(thePond), row(channel), {
			Name: "static split", Measure: func(_ context.Context, r *suite.Round) error {
				timed(r, total(r), func() { split(workers, total(r), func() { s.spin(microseconds) }) })
				return nil
			},
		}},
	}
	if microseconds == 1 {
		g.Asks = []suite.Ask{{Over: "ants", Want: 0.6, Bound: "The static split, which has no pool at all, is the floor of this row: compare its time with the goal."}, {Over: "static split", Want: 1.5}}
	} else {
		g.Asks = []suite.Ask{{Over: "static split", Want: 1.1}}
	}
	return g
}

// split is the floor: every goroutine knows its share beforehand.
func split(workers, n int, work func()) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range n / workers {
				work()
			}
		})
	}
	wg.Wait()
}
