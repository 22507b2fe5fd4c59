package pool

import (
	"runtime"
	"slices"
	"testing"
	"weak"

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
			if got := s.take(nil); got != want {
				rt.Fatalf("step %d: took %d, want %d", i, got, want)
			}
			used[want] = true
		}
	})
}

// TestQueueAgainstASlice compares the lists with a slice kept sorted, over
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
	if cap(q.levels) > keepLevels {
		t.Errorf("room for %d levels is left", cap(q.levels))
	}
}

func TestQueuePathsAllocateNothing(t *testing.T) {
	p := New(Options{})
	keys := []*Key{nil, p.NewKey(1), p.NewKey(100)}
	ts := make([]Task, 64)
	for i := range ts {
		ts[i] = Task{Do: (&job{}).do, Priority: i % 4, Key: keys[i%3]}
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

// TestReadyKeysAgainstASort changes what keys have to offer in every way, and
// compares the first of them with what a search finds.
func TestReadyKeysAgainstASort(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var h readyKeys
		keys := make([]Key, rapid.IntRange(1, 40).Draw(rt, "keys"))
		for i := range uint64(rapid.IntRange(1, 300).Draw(rt, "steps")) {
			k := &keys[rapid.IntRange(0, len(keys)-1).Draw(rt, "key")]
			switch {
			case rapid.IntRange(0, 2).Draw(rt, "op") > 0:
				k.queue.push(&Task{Priority: rapid.IntRange(0, 3).Draw(rt, "priority"), order: i})
				h.put(k)
			case k.queue.len > 1:
				k.queue.remove(k.queue.best())
				h.put(k)
			case k.queue.len == 1:
				k.queue.remove(k.queue.best())
				h.remove(k)
			}
			var want *Task
			for i := range keys {
				if t := keys[i].queue.best(); t != nil && (want == nil || comesBefore(t, want)) {
					want = t
				}
			}
			var got *Task
			if len(h) > 0 {
				got = h[0].key.queue.best()
			}
			if got != want {
				rt.Fatalf("step %d: the best is %+v, want %+v", i, got, want)
			}
		}
	})
}

func comesBefore(a, b *Task) bool {
	return a.Priority > b.Priority || a.Priority == b.Priority && a.order < b.order
}

func TestManyKeysLeaveLittleBehind(t *testing.T) {
	p := New(Options{})
	ts := make([]Task, 20_000)
	for i := range ts {
		ts[i] = Task{Do: (&job{}).do, Key: p.NewKey(1)}
		if err := p.Submit(&ts[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range ts {
		p.Cancel(&ts[i])
	}
	if cap(p.ready) > keepLevels || p.keys.first != nil {
		t.Errorf("room for %d keys is left, or a key", cap(p.ready))
	}
}
