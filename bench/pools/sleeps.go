package pools

import (
	"context"
	"fmt"
	"time"

	"github.com/poold/poold/bench/suite"
)

const nap = 100 * time.Millisecond

// sleeps is tasks that wait a tenth of a second, as those do that wait for
// somebody else.
func sleeps(workers int) suite.Group {
	total := func(r *suite.Round) int { return r.Pick(30, 10, 2) * workers }
	note := func(r *suite.Round, do func()) {
		began := time.Now()
		do()
		ideal := float64(total(r)/workers) * nap.Seconds()
		r.Note("", 100*(time.Since(began).Seconds()/ideal-1))
	}
	row := func(w way) suite.Row {
		return suite.Row{Name: w.name, Measure: func(_ context.Context, r *suite.Round) error {
			note(r, func() { once(w, workers, total(r), func() { time.Sleep(nap) }) })
			return nil
		}}
	}
	return suite.Group{
		Name: fmt.Sprintf("Tasks of 100 ms that sleep, %d workers", workers), Rounds: 6, Quick: 2,
		About:   "30 for each worker in a full run. The floor is as many goroutines that sleep 30 times each, without a pool.",
		Figures: []suite.Figure{{Unit: "% above ideal"}},
		Rows: []suite.Row{row(ours), {
			Name: "static split", Measure: func(_ context.Context, r *suite.Round) error {
				note(r, func() { split(workers, total(r), func() { time.Sleep(nap) }) })
				return nil
			},
		}, row(theAnts), row(thePond)},
		Asks: []suite.Ask{{Minus: "static split", Want: 0.15}},
	}
}
