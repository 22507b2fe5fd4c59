package dispatch

import (
	"time"

	"github.com/poold/poold/internal/run"
)

// Limited is what the limits beside the size of its pool let a run do now.
type Limited struct {
	NextAt time.Time // when the pool's rate lets another run start; zero: now
	// Of the run's key; nothing is set for a run without one.
	Kind      Key
	Key       string
	Running   int // runs of it
	Per       Per
	KeyNextAt time.Time // when its rate lets another start; zero: now
}

// Limited says which limits hold a queued run back.
func (d *Dispatcher) Limited(r *run.Run) Limited {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.feeds[r.Pool]
	if !ok {
		return Limited{}
	}
	var l Limited
	if f.rate.empty() {
		l.NextAt = f.rate.next
	}
	on, _ := d.keyer.per(r)
	if on == "" {
		return l
	}
	l.Kind, l.Key, l.Per = f.spec.Per.Key, on.Key(), f.spec.Per
	if k, known := f.keys[on]; known {
		l.Running = k.running
		if k.rate.empty() {
			l.KeyNextAt = k.rate.next
		}
	}
	return l
}
