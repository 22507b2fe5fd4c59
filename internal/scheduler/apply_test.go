package scheduler

import (
	"testing"
	"testing/synctest"
	"time"
)

// What is decided while an Apply prepares is decided for the new jobs too, and
// each of them has its place in the heap.
func TestWhatIsDecidedWhileJobsAreSwapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, every("same", "* * * * *"), every("changed", "* * * * *"), every("idle", "0 12 * * *"))
		h.wait(30 * time.Second)
		began := wallClock()
		h.define(every("same", "* * * * *"), every("changed", "*/2 * * * *"), every("idle", "0 12 * * *"), every("new", "* * * * *"))
		a := h.s.prepare(h.prog)
		h.wait(time.Minute) // the first minute is decided, and recorded by the old jobs
		h.s.swap(a)
		for name, from := range map[string]time.Time{
			"same": began.Add(30 * time.Second), "changed": began.Add(time.Minute), "idle": began.Add(-30 * time.Second), "new": began,
		} {
			if e := h.s.jobs[name]; e.mark.At.Before(from.Add(-time.Second)) || e.mark.At.After(from.Add(time.Second)) {
				t.Errorf("job %s counts from %s, want %s", name, e.mark.At, from)
			}
		}
		for i, e := range h.s.order {
			if e.index != i || i > 0 && e.next.Before(h.s.order[(i-1)/2].next) {
				t.Errorf("job %s is out of order in the heap", e.def.Name)
			}
		}
		if len(h.s.order) != 4 {
			t.Errorf("%d jobs in the heap, want 4", len(h.s.order))
		}
		_, told := a.fresh["new"]
		_, kept := a.fresh["same"]
		if !told || kept {
			t.Errorf("the ledger is told of %v, want of new and changed", a.fresh)
		}
	})
}
