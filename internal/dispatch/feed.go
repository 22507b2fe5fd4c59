package dispatch

import (
	"context"
	"time"

	"github.com/poold/poold/internal/pool"
	"github.com/poold/poold/internal/run"
)

// The window of a pool holds at least this many runs, or a few for each
// worker, and at most windowMost.
const (
	windowLeast     = 256
	windowPerWorker = 4
	windowMost      = 8192
)

// stuckMost bounds the runs in a window that only their keys hold back.
const stuckMost = 4 * windowMost

// lateMost bounds the runs that are remembered while the queue is read. With
// more the window is read afresh.
const lateMost = windowMost

// feed keeps one pool's window filled. The window is the best part of the
// pool's queue: what is ready and stands at or before the cursor is in memory,
// what stands behind it is in the ledger. When whole is set, everything ready
// is in memory. All fields but the first ones are guarded by Dispatcher.mu.
type feed struct {
	d    *Dispatcher
	name string
	pool *pool.Pool
	wake chan struct{} // the window may need filling
	gone context.Context
	quit context.CancelFunc

	spec    Pool
	size    int                      // wanted now
	sized   bool                     // it was given a size
	byHand  bool                     // by an operator
	waiting map[int64]*task          // in the window, in no worker's hand
	asking  map[run.Resource][]*task // those in memory that are not started, by what they ask for
	holding int                      // on their way back to the ledger
	limits
	cursor  *run.Position
	whole   bool
	round   int            // rises when the window is thrown away
	reading bool           // a read of the ledger is under way
	late    []run.Run      // became ready behind the cursor during that read
	left    map[int64]bool // runs that left memory during that read
	done    Tally
}

// Tally counts the ends of a pool's attempts since the daemon started.
type Tally struct{ Succeeded, Failed int64 }

func newFeed(d *Dispatcher, name string) *feed {
	f := &feed{
		d: d, name: name,
		wake:    make(chan struct{}, 1),
		waiting: map[int64]*task{},
		left:    map[int64]bool{},
		asking:  map[run.Resource][]*task{},
		limits:  limits{keys: map[run.Resource]*key{}},
	}
	f.pool = pool.New(pool.Options{Name: name, OnPanic: func(_ *pool.Task, v any, stack []byte) {
		d.o.Log.Error("panic in a worker", "pool", name, "err", v, "stack", string(stack))
	}})
	f.gone, f.quit = context.WithCancel(d.lifetime)
	poke(f.wake)
	return f
}

// run fills the window whenever it runs low, until the feed is gone.
func (f *feed) run() {
	for {
		select {
		case <-f.gone.Done():
			return
		case <-f.wake:
		}
		for f.wants() {
			if err := f.fill(); err != nil {
				if f.gone.Err() != nil {
					return
				}
				f.d.o.Log.Error("read the queue", "pool", f.name, "err", err)
				f.pauseBeforeRetry()
			}
		}
	}
}

func (f *feed) pauseBeforeRetry() {
	wait := time.NewTimer(retryRecord)
	defer wait.Stop()
	select {
	case <-f.gone.Done():
	case <-wait.C:
	}
}

// wants says whether the window should be filled, and begins a read if so.
func (f *feed) wants() bool {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.gone.Err() != nil || !f.lowLocked() {
		return false
	}
	f.reading, f.late = true, nil
	return true
}

// lowLocked says whether there is too little in the window that could start.
func (f *feed) lowLocked() bool {
	window := f.windowLocked()
	return !f.whole && len(f.waiting)-f.stuck <= window/2 && len(f.waiting) < stuckMost && f.holding <= window
}

// windowLocked is how many runs the window should hold.
func (f *feed) windowLocked() int {
	if f.size >= windowMost/windowPerWorker {
		return windowMost
	}
	return max(windowLeast, windowPerWorker*f.size)
}

// fill reads the next stretch of the queue into the window.
func (f *feed) fill() error {
	f.d.mu.Lock()
	after, round, want := f.cursor, f.round, f.windowLocked()
	f.d.mu.Unlock()
	runs, err := f.d.o.Ledger.Window(f.gone, f.name, after, want)

	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.reading = false
	left, late := f.left, f.late
	f.left, f.late = map[int64]bool{}, nil
	if err != nil || round != f.round || f.gone.Err() != nil {
		return err
	}
	for i := range runs {
		if !left[runs[i].ID] {
			f.addLocked(&runs[i])
		}
	}
	if len(runs) > 0 {
		last := runs[len(runs)-1].Position()
		f.cursor = &last
	}
	f.whole = len(runs) < want && len(late) < lateMost
	// The read may not have seen these, and the next one begins at the cursor.
	for i := range late {
		f.offerLocked(&late[i])
	}
	if len(late) == lateMost {
		f.rewindLocked()
	}
	return nil
}

// addLocked puts a run into the window unless it is in memory already. One that
// would only be turned away is held back at once.
func (f *feed) addLocked(r *run.Run) {
	d := f.d
	if _, ok := d.tasks[r.ID]; ok || d.closing {
		return
	}
	t := &task{d: d, feed: f, run: *r}
	t.Task = pool.Task{Do: t.work, Priority: r.Priority, Weight: int(r.Slots)}
	d.tasks[r.ID] = t
	f.needLocked(t)
	if on, behind := f.behindLocked(t, time.Now()); behind {
		f.holdLocked(t, on)
		return
	}
	f.askLocked(t)
	if err := f.pool.Submit(&t.Task); err != nil {
		d.o.Log.Error("hand a run to its pool", "run", r.ID, "pool", f.name, "err", err)
		d.forgetLocked(t)
	}
}

// offerLocked takes a ready run into the window if its place is there.
func (f *feed) offerLocked(r *run.Run) {
	delete(f.left, r.ID)
	if !f.whole && (f.cursor == nil || f.cursor.Before(r.Position())) {
		if f.reading && len(f.late) < lateMost {
			f.late = append(f.late, *r)
		}
		poke(f.wake)
		return
	}
	f.addLocked(r)
	if len(f.waiting)-f.stuck > 2*f.windowLocked() || len(f.waiting) > 2*stuckMost {
		f.rewindLocked()
	}
}

// rewindLocked throws the window away, to be read afresh from the ledger:
// after priorities or pools of queued runs changed, or when it has grown.
func (f *feed) rewindLocked() {
	for _, t := range f.waiting {
		if f.pool.Cancel(&t.Task) {
			f.d.forgetLocked(t)
		}
	}
	f.cursor, f.whole = nil, false
	f.round++
	poke(f.wake)
}

// retireLocked takes a feed away: its window goes back to the ledger, and its
// pool ends when what it executes has.
func (d *Dispatcher) retireLocked(f *feed) {
	delete(d.feeds, f.name)
	delete(d.hands, f.name)
	delete(d.hushed, f.name)
	f.rewindLocked()
	f.dropKeysLocked()
	f.stopRefillLocked()
	f.quit()
	d.loading.Go(func() { _ = f.pool.Close(context.Background()) })
}

// offer takes ready runs into the windows of their pools.
func (d *Dispatcher) offer(runs []run.Run) {
	if len(runs) == 0 {
		return
	}
	stray := false
	d.mu.Lock()
	for i := range runs {
		if f, ok := d.feeds[runs[i].Pool]; ok {
			f.offerLocked(&runs[i])
		} else {
			stray = true
		}
	}
	d.mu.Unlock()
	if stray {
		d.o.Stray()
	}
}

// Rewind reads the window of a pool afresh from the ledger, after queued runs
// were changed there.
func (d *Dispatcher) Rewind(pool string) {
	d.mu.Lock()
	f, ok := d.feeds[pool]
	if ok {
		f.rewindLocked()
	}
	d.mu.Unlock()
	if !ok {
		d.o.Stray()
	}
}

// departed are the runs that left memory last.
type departed struct {
	ids  map[int64]bool
	ring []int64
	next int
}

// departedMost is how many are remembered: those of a few hundred milliseconds
// of the busiest ledger.
const departedMost = 8192

func (l *departed) add(id int64) {
	if l.ids == nil {
		l.ids, l.ring = map[int64]bool{}, make([]int64, departedMost)
	}
	delete(l.ids, l.ring[l.next])
	l.ring[l.next], l.ids[id] = id, true
	l.next = (l.next + 1) % departedMost
}

// forgetLocked drops a run from memory.
func (d *Dispatcher) forgetLocked(t *task) {
	f := t.feed
	delete(d.tasks, t.run.ID)
	d.departed.add(t.run.ID)
	f.leaveLocked(t)
	f.unaskLocked(t)
	if f.reading {
		f.left[t.run.ID] = true
	}
	if f.lowLocked() {
		poke(f.wake)
	}
}
