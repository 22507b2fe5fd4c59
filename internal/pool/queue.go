package pool

import (
	"cmp"
	"slices"
)

// keepLevels is room for levels that is not worth giving back.
const keepLevels = 64

// queue holds waiting tasks, one level for each priority in use. Levels are few
// as a rule, so a sorted list serves; the best is at its end, where taking the
// last task of a level moves nothing. The links are in the tasks: a queue
// allocates nothing for them, has nothing to give back when they have gone, and
// takes one out of its middle at once.
type queue struct {
	levels []level // by rising priority, each with at least one task
	len    int
}

// level is the tasks of one priority, first in first out.
type level struct {
	priority int
	tasks    taskList
}

// best returns the task to start next, or nil.
func (q *queue) best() *Task {
	if len(q.levels) == 0 {
		return nil
	}
	return q.levels[len(q.levels)-1].tasks.oldest
}

func (q *queue) push(t *Task) {
	i, found := q.find(t.Priority)
	if !found {
		q.levels = slices.Insert(q.levels, i, level{priority: t.Priority})
	}
	q.levels[i].tasks.add(t)
	q.len++
}

// remove takes t out, wherever in the queue it is.
func (q *queue) remove(t *Task) {
	i, _ := q.find(t.Priority)
	l := &q.levels[i]
	l.tasks.remove(t)
	q.len--
	if l.tasks.len > 0 {
		return
	}
	q.levels = slices.Delete(q.levels, i, i+1)
	// A crowd of priorities that has passed leaves no long list behind.
	if c := cap(q.levels); c > keepLevels && len(q.levels) < c/4 {
		q.levels = slices.Clone(q.levels)
	}
}

// find returns where the level of a priority is, or is to be.
func (q *queue) find(priority int) (int, bool) {
	if n := len(q.levels); n > 0 && q.levels[n-1].priority == priority {
		return n - 1, true
	}
	return slices.BinarySearchFunc(q.levels, priority, func(l level, priority int) int {
		return cmp.Compare(l.priority, priority)
	})
}

// clear takes out all tasks and returns them, the best first.
func (q *queue) clear() []*Task {
	ts := make([]*Task, 0, q.len)
	for t := q.best(); t != nil; t = q.best() {
		q.remove(t)
		ts = append(ts, t)
	}
	*q = queue{}
	return ts
}
