// Package pool is a bounded, resizable set of reused workers fed by a priority
// queue in memory.
//
// # The bound
//
// A task takes Weight workers for as long as its Do runs. The weights of all
// running tasks together never exceed the size of the pool. Two things put a
// pool above its size: a shrink that lets running tasks finish, and Adopt.
// While it is above its size nothing else starts.
//
// # The order
//
// The task with the highest Priority starts first, and within one priority the
// one submitted first; tasks held by their key are left out. The pool does not
// look past that best task: while it is too heavy for the workers that are free,
// nothing behind it starts. A lighter task could, but then a steady flow of light
// tasks would keep a heavy one waiting forever.
//
// # The life of a task
//
//  1. Submit claims the record and puts it into the queue: one lock section.
//     The queue is links between the records, so it allocates nothing.
//  2. If the best task can start, a parked worker is woken after the lock is
//     released, the one parked last first. At most two woken workers are on
//     their way at any time; each that finds work wakes the next, so a burst of
//     submits does not pay for a burst of wake-ups. Growth alone gives workers
//     their tasks in its own lock section, since it knows how many will start.
//  3. The worker takes whatever task is best when it arrives. A task of higher
//     priority submitted meanwhile therefore still goes first.
//  4. Do runs outside every lock. Its context is made when it first asks, which
//     most short tasks never do: a start that nobody looks at allocates nothing.
//  5. The worker gives its weight back and takes the next task: the second and
//     last lock section. With nothing to take it parks, or leaves when there
//     are more workers than the size.
//
// A panic or a runtime.Goexit in Do ends that task only.
//
// # Keys
//
// Tasks may name a Key. Of these no more run at once than the key allows,
// counted in tasks, whatever their weights. A task over that is held: it waits
// with its key, and the best task of the queue is the best of those that are not
// held. So held tasks stand in nobody's way, and neither do they lose their
// place: once its key has room, a held task starts before tasks of lower
// priority and before those submitted later, with other keys or with none.
//
// A held task costs nothing while it waits. Nobody looks at it again before its
// key has room, and then only at the key's first. Keys with something to start
// are kept in a heap, so a start that has a key costs the logarithm of their
// number, and one that has none costs nothing more. A key needs no registering
// and no clean-up: it is a record that the tasks refer to.
//
// # Permits
//
// A pool or a key may be metered: each start takes a permit, and without one it
// waits, in the pool's case with everything behind it, in a key's case as a held
// task. Workers, the key's place and the permits are taken together, in one lock
// section, at the moment a task starts and never before. So nothing waits while
// holding, and what a task waits for is free for others.
//
// # What it leaves to others
//
// A pool knows no time and no durable state. A rate is made of permits by whoever
// has a clock, and a limit that spans pools, such as a lock, is taken by the task
// when it runs: it gives its permit back and is submitted again when the lock is
// free.
package pool

import (
	"errors"
	"math"
	"sync"
)

// Unlimited is the size of a pool that starts every task at once, the limit of a
// key that holds nothing back, and the number of permits where none are needed.
const Unlimited = math.MaxInt

// The errors a caller may branch on.
var (
	// ErrFull refuses a task because as many wait as Options.QueueLimit allows.
	ErrFull = errors.New("queue is full")
	// ErrClosed refuses a task after Close. It is also what Dropped gets for a
	// task that was still queued then, and the cause by which Close cancels.
	ErrClosed = errors.New("pool is closed")
	// ErrBusy refuses a task that is queued or running already.
	ErrBusy = errors.New("task is queued or running already")
	// ErrShrunk is the cause by which Resize cancels a running task.
	ErrShrunk = errors.New("pool was shrunk")
	// ErrResumed is returned by Drain when Resume ended it.
	ErrResumed = errors.New("pool was resumed while draining")
)

// Options says what a pool is to be. The zero value is a pool of size 0, which
// holds every task until it is resized.
type Options struct {
	// Size is how many workers there are at most. Below 0 is 0.
	Size int
	// Name stands in the errors of the pool.
	Name string
	// QueueLimit is how many tasks may wait; 0 is no limit. Tasks for which a
	// worker is free do not count as waiting, so a burst into an idle pool is
	// taken up to Size+QueueLimit. Held tasks count as waiting, and a blocked
	// SubmitWait goes past them when a worker is free for its task. The count is
	// of tasks: a burst of tasks heavier than 1 may overshoot the limit by less
	// than Size.
	QueueLimit int
	// OnPanic is called on the worker after Do of t panicked with v, while t
	// still counts as running. It must not panic. Without it the panic shows
	// only in Stats.
	OnPanic func(t *Task, v any, stack []byte)
}

// Pool runs tasks on a bounded set of workers. Make one with New. All methods
// may be called by any goroutine at any time, also from within Do, except that
// Close and Drain wait for the task that calls them.
type Pool struct {
	name    string
	limit   int
	onPanic func(*Task, any, []byte)
	workers sync.WaitGroup // of goroutines
	waiters sync.Pool      // of *waiter
	ended   chan struct{}  // closed when the pool is closed and nothing runs

	mu sync.Mutex
	// What every submit and every turn of a worker looks at stands together: it
	// moves from one processor's cache to another's with the mutex.
	waking    int // workers on their way to the lock
	busy      int // sum of weights of the running tasks
	size      int
	queue     queue      // of tasks without a key
	could     int        // tasks with a key that wait and may start
	blocked   waiterList // submitters waiting for room, first come first
	submitted uint64
	paused    bool
	closed    bool
	permits   int // Unlimited if the pool is not metered
	running   int // tasks
	started   uint64
	done      uint64
	ready     readyKeys // keys whose best task may start
	slots     slots

	leaving  int       // the part of busy that a shrink has cancelled already
	keyed    int       // tasks with a key that wait
	keys     keyList   // those keys
	parked   []*worker // the one parked last at the end
	alive    int       // workers running, parked and on their way
	draining *drain    // nil unless someone drains

	panicked, dropped uint64
}

// New returns a pool that is open and running. It starts no goroutine: workers
// come with the first tasks.
func New(o Options) *Pool {
	return &Pool{
		name:    o.Name,
		limit:   max(o.QueueLimit, 0),
		onPanic: o.OnPanic,
		size:    max(o.Size, 0),
		permits: Unlimited,
		ended:   make(chan struct{}),
	}
}

// Stats is what a pool was doing at one moment. Submitted is always the sum of
// Queued, Running, Done and Dropped.
type Stats struct {
	Size    int // as set by New or Resize
	Busy    int // weight of the running tasks; above Size after a shrink or Adopt
	Running int // running tasks
	Idle    int // workers parked until there is a task
	Queued  int // tasks that wait, without those of blocked SubmitWait calls
	Held    int // those of Queued that only their key keeps from starting
	Workers int // goroutines

	Submitted uint64 // tasks accepted, the adopted ones among them
	Done      uint64 // tasks whose Do has ended, however it ended
	Panicked  uint64 // those of Done whose Do panicked
	Dropped   uint64 // tasks accepted that never started: context done, cancelled or pool closed

	Paused   bool
	Draining bool
	Closed   bool
}

// Stats returns a consistent snapshot.
func (p *Pool) Stats() Stats {
	p.lock()
	defer p.mu.Unlock()
	return Stats{
		Size:      p.size,
		Busy:      p.busy,
		Running:   p.running,
		Idle:      len(p.parked),
		Queued:    p.queuedLocked(),
		Held:      p.keyed - p.could,
		Workers:   p.alive,
		Submitted: p.submitted,
		Done:      p.done,
		Panicked:  p.panicked,
		Dropped:   p.dropped,
		Paused:    p.paused,
		Draining:  p.draining != nil,
		Closed:    p.closed,
	}
}

// Running returns the running tasks, the one started first first.
func (p *Pool) Running() []*Task {
	p.lock()
	defer p.mu.Unlock()
	ws := p.slots.workers()
	ts := make([]*Task, 0, len(ws))
	for _, w := range ws {
		ts = append(ts, w.task)
	}
	return ts
}

// lock takes p.mu. Lock alone puts a waiting goroutine to sleep after a short
// spin, and with several producers nearly every acquisition then costs a trip
// through the scheduler. The sections are far shorter than that trip, so it
// pays to come back a few times first.
func (p *Pool) lock() {
	if !p.mu.TryLock() {
		p.lockSlow()
	}
}

func (p *Pool) lockSlow() {
	for range lockTries {
		for range lockGap {
		}
		if p.mu.TryLock() {
			return
		}
	}
	p.mu.Lock()
}

const (
	lockTries = 3
	lockGap   = 900 // turns of an empty loop, about 0.3 µs
)

// unlock ends a section that may have made a task startable or room in the
// queue: it lets blocked submitters in, releases p.mu and wakes workers. Every
// section that changes something ends here, which keeps the rule that a task
// that can start always has a worker on its way.
func (p *Pool) unlock() {
	if p.blocked.first != nil {
		p.admitLocked()
	}
	if p.waking == maxWaking || p.busy >= p.size || p.startableLocked() == 0 { // as a rule
		p.mu.Unlock()
		return
	}
	p.wakeUnlock()
}

func (p *Pool) wakeUnlock() {
	ws := p.wakeLocked()
	p.mu.Unlock()
	for _, w := range ws {
		if w != nil {
			p.send(w)
		}
	}
}
