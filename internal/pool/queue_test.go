package pool

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"weak"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSlotsHandOutTheLowest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s slots
		used := map[int]bool{}
		for i, op := range rapid.SliceOfN(rapid.IntRange(-150, 150), 1, 300).Draw(rt, "ops") {
			if op < 0 && used[-op] {
				s.free(-op)
				delete(used, -op)
				continue
			}
			want := 0
			for used[want] {
				want++
			}
			if got := s.take(); got != want {
				rt.Fatalf("step %d: took %d, want %d", i, got, want)
			}
			used[want] = true
		}
	})
}

// TestQueueAgainstASlice compares the rings with a slice kept sorted, over
// pushes, pops and removals from the middle.
func TestQueueAgainstASlice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var q queue
		var model []*Task
		for range rapid.IntRange(1, 400).Draw(rt, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(rt, "op"); {
			case op < 5:
				n := rapid.SampledFrom([]int{1, 1, 1, 40}).Draw(rt, "n")
				for range n {
					task := &Task{Priority: rapid.IntRange(-2, 2).Draw(rt, "priority")}
					q.push(task)
					i := slices.IndexFunc(model, func(m *Task) bool { return m.Priority < task.Priority })
					if i < 0 {
						i = len(model)
					}
					model = slices.Insert(model, i, task)
				}
			case op < 7 && len(model) > 0:
				q.remove(q.best())
				model = model[1:]
			case len(model) > 0:
				i := rapid.IntRange(0, len(model)-1).Draw(rt, "victim")
				q.remove(model[i])
				model = slices.Delete(model, i, i+1)
			}
			var want *Task
			if len(model) > 0 {
				want = model[0]
			}
			if got := q.best(); got != want || q.len != len(model) {
				rt.Fatalf("best %p of %d, want %p of %d", got, q.len, want, len(model))
			}
		}
		if got := q.clear(); !slices.Equal(got, model) || q.best() != nil || q.len != 0 {
			rt.Fatalf("clear returned %d tasks in another order than the %d queued", len(got), len(model))
		}
	})
}

func TestEmptyEntriesAreClosedUp(t *testing.T) {
	var q queue
	ts := make([]Task, 100_000)
	for i := range ts {
		q.push(&ts[i])
	}
	keep := []*Task{&ts[0], &ts[77_777], &ts[99_999]}
	for _, i := range rand.Perm(len(ts)) {
		if !slices.Contains(keep, &ts[i]) {
			q.remove(&ts[i])
		}
	}
	if got := len(q.levels[0].ring); got > keepRing {
		t.Errorf("a ring of %d entries for %d tasks", got, q.len)
	}
	if span := q.levels[0].tail - q.levels[0].head; span > 2*minRing {
		t.Errorf("%d entries to go through for %d tasks", span, q.len)
	}
	if got := q.clear(); !slices.Equal(got, keep) {
		t.Error("what was kept is not in its order")
	}
}

func TestDrainedRingGivesMemoryBack(t *testing.T) {
	var q queue
	ts := make([]Task, 100_000)
	for i := range ts {
		q.push(&ts[i])
	}
	for q.len > 10 {
		q.remove(q.best())
	}
	if got := len(q.levels[0].ring); got > keepRing {
		t.Errorf("a ring of %d entries for %d tasks", got, q.len)
	}
	for q.len > 0 {
		q.remove(q.best())
	}
	if got := len(q.spare[0].ring); got > keepRing {
		t.Errorf("a ring of %d entries kept for reuse", got)
	}
}

// A removed task must be free for the garbage collector while its neighbours
// wait on.
func TestRemovedTaskIsNotHeld(t *testing.T) {
	var q queue
	neighbours := make([]Task, 2)
	q.push(&neighbours[0])
	task := &Task{}
	q.push(task)
	q.push(&neighbours[1])
	q.remove(task)
	w := weak.Make(task)
	task = nil //nolint:ineffassign // so that nothing holds it any more
	for range 3 {
		runtime.GC()
	}
	if w.Value() != nil {
		t.Error("the queue still holds a removed task")
	}
	runtime.KeepAlive(&q)
}

func TestManyPrioritiesLeaveLittleBehind(t *testing.T) {
	var q queue
	ts := make([]Task, 20_000)
	for i := range ts {
		ts[i].Priority = i * 7919 % len(ts)
		q.push(&ts[i])
	}
	last := len(ts)
	for q.len > 0 {
		best := q.best()
		if best.Priority != last-1 {
			t.Fatalf("priority %d after %d", best.Priority, last)
		}
		last = best.Priority
		q.remove(best)
	}
	if len(q.spare) > keepLevels || cap(q.levels) > 2*keepRing {
		t.Errorf("%d spare levels and room for %d", len(q.spare), cap(q.levels))
	}
}

func TestQueuePathsAllocateNothing(t *testing.T) {
	p := New(Options{})
	ts := make([]Task, 64)
	for i := range ts {
		ts[i] = Task{Do: (&job{}).do, Priority: i % 4}
	}
	cycle := func() {
		for i := range ts {
			if err := p.Submit(&ts[i]); err != nil {
				t.Fatal(err)
			}
		}
		for i := range ts {
			if !p.Cancel(&ts[i]) {
				t.Fatal("not cancelled")
			}
		}
	}
	cycle()
	if got := testing.AllocsPerRun(100, cycle); got != 0 {
		t.Errorf("%v allocations for %d submits and cancels, want none", got, len(ts))
	}
}

func TestLevelKeepsItsOrderAcrossGrowth(t *testing.T) {
	for _, offset := range []int{0, 1, minRing - 1, minRing} {
		t.Run(fmt.Sprintf("from offset %d", offset), func(t *testing.T) {
			l := &level{ring: make([]*Task, minRing)}
			var want, got []int
			for i := range offset + 3*minRing {
				l.push(&Task{Weight: i})
				if i < offset {
					l.remove(l.first())
					continue
				}
				want = append(want, i)
			}
			for l.live > 0 {
				got = append(got, l.first().Weight)
				l.remove(l.first())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}
