package clock

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// mostCPU ends a measurement that has enough to show.
const mostCPU = 2 * time.Second

// TestFire shows that each runner does the work that is measured. It is the
// measurement, too, in a process that is told what of by MEASURE: time is
// virtual in tests alone.
func TestFire(t *testing.T) {
	if what := os.Getenv("MEASURE"); what != "" {
		var who string
		var jobs, seconds int
		if _, err := fmt.Sscan(what, &who, &jobs, &seconds); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s\t%g\n", firePrefix, fire(t, who, jobs, seconds))
		return
	}
	for _, who := range append([]string{"poold"}, peers...) {
		fire(t, who, 50, 20) // fails unless as many runs are due as should be
	}
}

// fire measures the CPU time of a run that is due, in µs, over so many seconds
// of virtual time at most.
func fire(t *testing.T, who string, jobs, seconds int) (cost float64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var due atomic.Int64
		r, err := newRunner(t.Context(), who, jobs, oneDay, &due)
		if err != nil {
			t.Fatal(err)
		}
		defer r.stop()
		r.start()
		time.Sleep(2500 * time.Millisecond) // what it does once, at its start, is done
		synctest.Wait()
		runtime.GC()
		first, began := due.Load(), cpuTime()
		passed := 0
		for passed < seconds && cpuTime()-began < mostCPU {
			time.Sleep(time.Second)
			passed++
		}
		synctest.Wait()
		used, runs := cpuTime()-began, due.Load()-first
		if want := int64(passed * fewJobs); runs != want {
			t.Fatalf("%d runs of %s were due in %d s, and should have been %d", runs, who, passed, want)
		}
		cost = float64(used.Nanoseconds()) / 1000 / float64(runs)
	})
	return cost
}
