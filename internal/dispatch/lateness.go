package dispatch

import (
	"slices"
	"sync"
	"time"

	"github.com/poold/poold/internal/run"
)

// latenessKept is how many starts Lateness looks back on.
const latenessKept = 1000

// Lateness tells how long after its due time a scheduled run started: the last
// thousand first attempts. What a run waits for a worker, a lock or its
// condition is part of it, so that on an idle host it is what poold itself
// takes. A run that makes up for a missed moment is not counted.
type Lateness struct {
	Starts        int
	P50, P99, Max time.Duration
}

// lateness is a ring of the last starts.
type lateness struct {
	mu   sync.Mutex
	last []time.Duration
	next int
}

// note takes down a start, if it is one that counts.
func (l *lateness) note(r *run.Run, now time.Time) {
	if r.Trigger != run.TriggerSchedule || r.Attempts != 1 || r.DueAt.IsZero() {
		return
	}
	late := max(0, now.Round(0).Sub(r.DueAt)) // by the wall clock, which may have been set back
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.last) < latenessKept {
		l.last = append(l.last, late)
		return
	}
	l.last[l.next] = late
	l.next = (l.next + 1) % latenessKept
}

// Lateness tells how late scheduled runs have started of late.
func (d *Dispatcher) Lateness() Lateness {
	d.late.mu.Lock()
	sorted := slices.Clone(d.late.last)
	d.late.mu.Unlock()
	if len(sorted) == 0 {
		return Lateness{}
	}
	slices.Sort(sorted)
	at := func(percent int) time.Duration { return sorted[(len(sorted)-1)*percent/100] }
	return Lateness{Starts: len(sorted), P50: at(50), P99: at(99), Max: at(100)}
}
