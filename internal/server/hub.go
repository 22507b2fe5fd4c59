package server

import (
	"sync"
	"sync/atomic"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/run"
)

// subscriberBuffer is how many events a reader of the stream may lag behind.
const subscriberBuffer = 1024

// Event is a change that the stream tells of.
type Event struct {
	Name string // run, pool, batch or reload
	Data any
}

// Hub passes on what changes to whoever watches: readers of the event stream,
// and requests that wait for a run or a batch. Publishing never blocks: a
// reader that lags too far behind is dropped, and told so. Its zero value is
// ready for use.
type Hub struct {
	watched atomic.Int64 // subscribers and waiters; nothing is made for nobody

	mu      sync.Mutex
	readers map[*subscriber]struct{}
	waiters map[waitKey]*waiter
}

// waitKey names what is waited for: a run by its id or a batch by its name.
type waitKey struct {
	run   int64
	batch string
}

// waiter is one change awaited by count requests.
type waiter struct {
	changed chan struct{}
	count   int64
}

type subscriber struct {
	events chan Event // closed when it was dropped
}

// Run publishes a run that has changed.
func (h *Hub) Run(r *run.Run) {
	if h.watched.Load() == 0 {
		return
	}
	h.wake(waitKey{run: r.ID})
	if h.listened() {
		h.publish(Event{Name: "run", Data: WireRun(r)})
	}
}

// Batch publishes that all runs of a batch are final.
func (h *Hub) Batch(id string) {
	if h.watched.Load() == 0 {
		return
	}
	h.wake(waitKey{batch: id})
	h.publish(Event{Name: "batch", Data: map[string]string{"batch": id}})
}

// Pool publishes a pool whose settings have changed.
func (h *Hub) Pool(p api.Pool) { h.publish(Event{Name: "pool", Data: p}) }

// Reload publishes a reload.
func (h *Hub) Reload(r api.Reload) { h.publish(Event{Name: "reload", Data: r}) }

func (h *Hub) listened() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.readers) > 0
}

func (h *Hub) publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.readers {
		select {
		case s.events <- e:
		default:
			h.removeLocked(s)
		}
	}
}

// subscribe adds a reader. Its channel is closed when it is dropped or stopped.
func (h *Hub) subscribe() (events <-chan Event, stop func()) {
	s := &subscriber{events: make(chan Event, subscriberBuffer)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readers == nil {
		h.readers = map[*subscriber]struct{}{}
	}
	h.readers[s] = struct{}{}
	h.watched.Add(1)
	return s.events, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.removeLocked(s)
	}
}

func (h *Hub) removeLocked(s *subscriber) {
	if _, ok := h.readers[s]; ok {
		delete(h.readers, s)
		h.watched.Add(-1)
		close(s.events)
	}
}

// change returns a channel that is closed at the next change of what the key
// names. A caller takes it before it looks at the state, so that no change in
// between escapes it, and calls stop when it waits no longer.
func (h *Hub) change(key waitKey) (changed <-chan struct{}, stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiters == nil {
		h.waiters = map[waitKey]*waiter{}
	}
	w := h.waiters[key]
	if w == nil {
		w = &waiter{changed: make(chan struct{})}
		h.waiters[key] = w
	}
	w.count++
	h.watched.Add(1)
	return w.changed, func() { h.leave(key, w) }
}

// leave takes back one wait. The last to leave an unfulfilled one removes it.
func (h *Hub) leave(key waitKey, w *waiter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watched.Add(-1)
	w.count--
	if w.count == 0 && h.waiters[key] == w {
		delete(h.waiters, key)
	}
}

func (h *Hub) wake(key waitKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.waiters[key]; w != nil {
		delete(h.waiters, key)
		close(w.changed)
	}
}
