package pool

import "math"

// Key holds back tasks that have something in common: no more of them run at
// once than it allows. Make one with NewKey, and name it in Task.Key. A key that
// nobody refers to any more is garbage; a pool refers to it only while tasks of
// it wait or run.
type Key struct {
	pool *Pool

	// The rest is guarded by the mutex of that pool.
	limit   int
	running int // tasks, whatever their weight
	permits int
	queue   queue // its tasks that wait
	could   int   // of these, as many as the key would let start now
	ready   int   // its place in Pool.ready, from 1; 0 if could is 0
	coming  int   // its tasks in the batch that is being judged
	// neighbours among the keys with tasks that wait
	prev, next *Key
}

// NewKey returns a key of which at most limit tasks run at once. Below 0 is 0,
// and a key of 0 holds all its tasks until SetKeyLimit. It is not metered.
func (p *Pool) NewKey(limit int) *Key {
	return &Key{pool: p, limit: max(limit, 0), permits: Unlimited}
}

// SetKeyLimit changes how many tasks of k may run at once; below 0 is 0. After a
// raise as many held tasks start as now may. After a cut running tasks go on,
// and none starts until enough of them have ended.
func (p *Pool) SetKeyLimit(k *Key, n int) {
	p.changeKey(k, func() { k.limit = max(n, 0) })
}

// SetKeyPermits is SetPermits for the tasks of k alone.
func (p *Pool) SetKeyPermits(k *Key, n int) {
	p.changeKey(k, func() { k.permits = max(n, 0) })
}

// AddKeyPermits is AddPermits for the tasks of k alone.
func (p *Pool) AddKeyPermits(k *Key, n int) (left int) {
	p.changeKey(k, func() {
		k.permits = addPermits(k.permits, n)
		left = k.permits
	})
	return left
}

func (p *Pool) changeKey(k *Key, change func()) {
	if k.pool != p {
		panic("pool: a key of another pool")
	}
	p.lock()
	change()
	p.weighLocked(k)
	p.unlock()
}

// SetPermits meters the pool: n more tasks may start, each taking one permit
// together with its workers, and then all wait until there are more. Below 0 is
// 0. Unlimited ends the metering. The pool knows no time; a rate is what the
// caller makes of it by adding permits as time goes by.
func (p *Pool) SetPermits(n int) {
	p.lock()
	p.permits = max(n, 0)
	p.unlock()
}

// AddPermits adds n permits, starts what now may, and returns how many there
// were with those added. Below 0 takes permits away and may leave a debt. It
// adds without a cap, which is the caller's to keep: AddPermits(0) only reads. A
// pool that is not metered stays so, and returns Unlimited. A task that took a
// permit and finds that it may not run after all gives it back with
// AddPermits(1); one that the pool drops at its turn has given it back itself.
func (p *Pool) AddPermits(n int) (left int) {
	p.lock()
	p.permits = addPermits(p.permits, n)
	left = p.permits
	p.unlock()
	return left
}

// addPermits adds n to what is there. Only Unlimited means unmetered, so a sum
// stops short of it.
func addPermits(there, n int) int {
	switch {
	case there == Unlimited:
		return Unlimited
	case n > 0 && there > Unlimited-1-n:
		return Unlimited - 1
	case n < 0 && there < math.MinInt-n:
		return math.MinInt
	}
	return there + n
}

// roomLocked is how many more tasks of k may start now.
func (k *Key) roomLocked() int {
	return max(min(k.limit-k.running, k.permits), 0)
}

// weighLocked is called after anything about k has changed: it finds out anew
// how many of its tasks could start, and where its first one stands among those
// of other keys.
func (p *Pool) weighLocked(k *Key) {
	could := min(k.queue.len, k.roomLocked())
	p.could += could - k.could
	k.could = could
	switch {
	case could > 0:
		p.ready.put(k)
	case k.ready > 0:
		p.ready.remove(k)
	}
}

// payLocked takes, for w, what t needs beside workers. Its key must be weighed
// after.
func (p *Pool) payLocked(w *worker, t *Task) {
	if p.permits != Unlimited {
		p.permits--
		w.paid = true
	}
	k := t.Key
	if k == nil {
		return
	}
	k.running++
	if k.permits != Unlimited {
		k.permits--
		w.paidKey = true
	}
}

// payBackLocked gives back the permits of the task of w, which was dropped.
func (p *Pool) payBackLocked(w *worker) {
	if w.paid {
		p.permits = addPermits(p.permits, 1)
	}
	if w.paidKey {
		k := w.task.Key
		k.permits = addPermits(k.permits, 1)
	}
}

// pushKeyedLocked queues t with its key.
func (p *Pool) pushKeyedLocked(t *Task) {
	k := t.Key
	if k.queue.len == 0 {
		p.keys.add(k)
	}
	k.queue.push(t)
	p.keyed++
	p.weighLocked(k)
}

// removeKeyedLocked takes t out of the queue of its key.
func (p *Pool) removeKeyedLocked(t *Task) {
	k := t.Key
	k.queue.remove(t)
	p.keyed--
	if k.queue.len == 0 {
		p.keys.remove(k)
	}
	p.weighLocked(k)
}

// keyList holds the keys with tasks that wait, so that Close finds these.
type keyList struct{ first *Key }

func (l *keyList) add(k *Key) {
	k.next = l.first
	if k.next != nil {
		k.next.prev = k
	}
	l.first = k
}

func (l *keyList) remove(k *Key) {
	if k.prev != nil {
		k.prev.next = k.next
	} else {
		l.first = k.next
	}
	if k.next != nil {
		k.next.prev = k.prev
	}
	k.prev, k.next = nil, nil
}

// readyKeys is a heap of the keys that would let a task start, the one with the
// best task first. A key with a crowd of tasks is in it once.
type readyKeys []readyKey

type readyKey struct {
	priority int // of its best task, kept here to compare without a look at it
	order    uint64
	key      *Key
}

func (a readyKey) before(b readyKey) bool {
	return a.priority > b.priority || a.priority == b.priority && a.order < b.order
}

// put adds k, or moves it to where its best task stands now.
func (h *readyKeys) put(k *Key) {
	t := k.queue.best()
	e := readyKey{t.Priority, t.order, k}
	if k.ready == 0 {
		*h = append(*h, e)
		k.ready = len(*h)
	}
	h.settle(k.ready-1, e)
}

func (h *readyKeys) remove(k *Key) {
	s := *h
	last := len(s) - 1
	e := s[last]
	s[last] = readyKey{}
	*h = s[:last]
	if e.key != k {
		h.settle(k.ready-1, e)
	}
	k.ready = 0
	if c := cap(s); c > keepLevels && last < c/4 {
		*h = append(make(readyKeys, 0, c/2), s[:last]...)
	}
}

// settle puts e at i, or above or below where it belongs.
func (h readyKeys) settle(i int, e readyKey) {
	for i > 0 && e.before(h[(i-1)/2]) {
		i = h.move((i-1)/2, i)
	}
	for {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if child >= len(h) || !h[child].before(e) {
			break
		}
		i = h.move(child, i)
	}
	h[i] = e
	e.key.ready = i + 1
}

// move moves an entry and returns where from.
func (h readyKeys) move(from, to int) int {
	h[to] = h[from]
	h[to].key.ready = to + 1
	return from
}
