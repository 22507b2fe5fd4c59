package pool

import (
	"cmp"
	"slices"
)

const (
	minRing    = 16   // entries of a new level
	keepRing   = 1024 // entries of a ring that is not worth shrinking
	keepLevels = 8    // empty levels kept for reuse
)

// queue holds the waiting tasks, one level for each priority in use. Levels are
// few as a rule, so a sorted list serves; the best is at its end, where taking
// the last task of a level moves nothing.
type queue struct {
	levels []*level // by rising priority, each with at least one task
	spare  []*level
	len    int
}

// best returns the task to start next, or nil.
func (q *queue) best() *Task {
	if len(q.levels) == 0 {
		return nil
	}
	return q.levels[len(q.levels)-1].first()
}

func (q *queue) push(t *Task) {
	q.at(t.Priority).push(t)
	q.len++
}

// remove takes t out, wherever in the queue it is.
func (q *queue) remove(t *Task) {
	l := t.level
	l.remove(t)
	q.len--
	if l.live == 0 {
		q.retire(l)
	}
}

// at returns the level of a priority, made if need be.
func (q *queue) at(priority int) *level {
	n := len(q.levels)
	if n > 0 && q.levels[n-1].priority == priority {
		return q.levels[n-1]
	}
	i, found := q.find(priority)
	if found {
		return q.levels[i]
	}
	var l *level
	if n := len(q.spare); n > 0 {
		l, q.spare = q.spare[n-1], q.spare[:n-1]
	} else {
		l = &level{ring: make([]*Task, minRing)}
	}
	l.priority = priority
	q.levels = slices.Insert(q.levels, i, l)
	return l
}

// retire takes an empty level off the list. A few are kept, so that a queue that
// keeps running empty does not allocate; their rings have shrunk by then.
func (q *queue) retire(l *level) {
	i, _ := q.find(l.priority)
	q.levels = slices.Delete(q.levels, i, i+1)
	if len(q.spare) < keepLevels {
		l.reset()
		q.spare = append(q.spare, l)
	}
	// A crowd of priorities that has passed leaves no long list behind.
	if len(q.levels) < cap(q.levels)/4 && cap(q.levels) > keepRing {
		q.levels = slices.Clone(q.levels)
	}
}

func (q *queue) find(priority int) (int, bool) {
	return slices.BinarySearchFunc(q.levels, priority, func(l *level, priority int) int {
		return cmp.Compare(l.priority, priority)
	})
}

// level is a queue of tasks of one priority, first in first out, in a ring whose
// size is a power of two. An entry keeps its position until it is compacted, and
// the task knows it: that is what lets a task in the middle be taken out at
// once. Its entry is then empty and skipped.
type level struct {
	ring       []*Task
	head, tail uint64 // positions; an entry is at its position modulo len(ring)
	live       int    // entries that are not empty
	priority   int
}

func (l *level) slot(pos uint64) **Task { return &l.ring[pos&uint64(len(l.ring)-1)] }

// first returns the task at the head. The level must have one.
func (l *level) first() *Task {
	for {
		if t := *l.slot(l.head); t != nil {
			return t
		}
		l.head++
	}
}

func (l *level) push(t *Task) {
	if l.tail-l.head == uint64(len(l.ring)) {
		l.makeRoom()
	}
	t.level, t.pos = l, l.tail
	*l.slot(l.tail) = t
	l.tail++
	l.live++
}

func (l *level) remove(t *Task) {
	*l.slot(t.pos) = nil
	if t.pos == l.head {
		l.head++
	}
	t.level = nil
	l.live--
	switch span := int(l.tail - l.head); {
	case l.live == 0: // the queue retires it
	case span > minRing && l.live < span/2:
		l.compact()
		l.shrink()
	default:
		l.shrink()
	}
}

// makeRoom is called when the ring is full. Where a good part of it is empty
// entries, closing up is enough.
func (l *level) makeRoom() {
	if l.live <= len(l.ring)*3/4 {
		l.compact()
		return
	}
	l.resize(2 * len(l.ring))
}

// shrink gives memory back once most of a large ring is unused.
func (l *level) shrink() {
	if len(l.ring) > keepRing && int(l.tail-l.head) < len(l.ring)/4 {
		l.resize(len(l.ring) / 2)
	}
}

// resize moves the entries to a ring of another size. Positions stay.
func (l *level) resize(size int) {
	old := *l
	l.ring = make([]*Task, size)
	for pos := l.head; pos != l.tail; pos++ {
		*l.slot(pos) = *old.slot(pos)
	}
}

// compact closes up over the empty entries, in place. It visits every entry, so
// it is done only when at least a quarter of them are empty.
func (l *level) compact() {
	to := l.head
	for pos := l.head; pos != l.tail; pos++ {
		t := *l.slot(pos)
		if t == nil {
			continue
		}
		*l.slot(pos) = nil
		*l.slot(to) = t
		t.pos = to
		to++
	}
	l.tail = to
}

// reset makes an empty level as good as new. Its entries are empty already.
func (l *level) reset() { l.head, l.tail = 0, 0 }

// clear takes out all tasks and returns them, the best first.
func (q *queue) clear() []*Task {
	ts := make([]*Task, 0, q.len)
	for _, l := range slices.Backward(q.levels) {
		for pos := l.head; pos != l.tail; pos++ {
			if t := *l.slot(pos); t != nil {
				t.level = nil
				ts = append(ts, t)
			}
		}
	}
	*q = queue{}
	return ts
}
