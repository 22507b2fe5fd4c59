package dispatch

import (
	"cmp"
	"slices"
	"time"

	"github.com/poold/poold/internal/run"
)

// PoolState is a pool as it stands.
type PoolState struct {
	Name     string
	Workers  int // wanted; Unlimited for no bound
	InFile   int // what the configuration wants now
	Busy     int // workers taken
	ByHand   bool
	Until    time.Time // when a size by hand ends
	Pause    *Pause    // its own
	Paused   bool      // by itself or with the host
	Draining bool
	OnShrink OnShrink
	Tally    Tally
	Stuck    int // runs in the window that only the limit of their key holds back
}

// Busy is a run in a worker's hand.
type Busy struct {
	Run    run.Run
	Worker int
	Since  time.Time
}

// Pools lists the pools by name.
func (d *Dispatcher) Pools() []PoolState {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]PoolState, 0, len(d.feeds))
	for _, f := range d.feeds {
		list = append(list, d.stateLocked(f))
	}
	slices.SortFunc(list, func(a, b PoolState) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (d *Dispatcher) stateLocked(f *feed) PoolState {
	s := PoolState{
		Name: f.name, Workers: f.size, Busy: f.pool.Stats().Busy, ByHand: f.byHand,
		OnShrink: f.spec.OnShrink, Tally: f.done, Paused: d.paused != nil, Stuck: f.stuck,
	}
	s.InFile, _ = inForce(f.spec, nil, time.Now())
	if h := d.handLocked(f.name); h != nil && f.byHand {
		s.Until = h.Until
	}
	if p, ok := d.hushed[f.name]; ok {
		s.Pause, s.Paused = &p, true
	}
	draining := (s.Pause != nil && s.Pause.Drain) || (d.paused != nil && d.paused.Drain)
	s.Draining = draining && s.Busy > 0
	return s
}

// Running lists the runs in a worker's hand, oldest first.
func (d *Dispatcher) Running() []Busy {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []Busy
	for _, t := range d.tasks {
		if t.started && !t.ending {
			list = append(list, Busy{Run: t.run, Worker: t.worker, Since: t.run.StartedAt})
		}
	}
	slices.SortFunc(list, func(a, b Busy) int { return cmp.Compare(a.Run.ID, b.Run.ID) })
	return list
}

// HostPause is the pause of the host, or nil.
func (d *Dispatcher) HostPause() *Pause {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.paused
}

// JobPause is the pause of a job, or nil.
func (d *Dispatcher) JobPause(name string) *Pause {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p, ok := d.pausedJobs[name]; ok {
		return &p
	}
	return nil
}

// watch is a channel that those who watch a run share.
type watch struct {
	changed chan struct{}
	by      int // how many they are
}

// Watch returns a channel that is closed at the run's next recorded change.
// Stop must be called when nobody waits for it any more: most runs that are
// watched have ended, and never change again.
func (d *Dispatcher) Watch(id int64) (changed <-chan struct{}, stop func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, ok := d.watched[id]
	if !ok {
		w = &watch{changed: make(chan struct{})}
		d.watched[id] = w
	}
	w.by++
	return w.changed, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if w.by--; w.by == 0 && d.watched[id] == w {
			delete(d.watched, id)
		}
	}
}

// changed tells whoever watches of a recorded change.
func (d *Dispatcher) changed(r run.Run) {
	d.mu.Lock()
	if w, ok := d.watched[r.ID]; ok {
		close(w.changed)
		delete(d.watched, r.ID)
	}
	d.mu.Unlock()
	d.o.Changed(r)
}
