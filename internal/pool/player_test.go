package pool

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// player drives a pool and the model side by side.
type player struct {
	m     *model
	p     *Pool
	tasks []*ptask
	keys  []*Key // as those of the model
	seen  seen
	lock  chan struct{} // a mutex that also serves from within Do
}

type ptask struct {
	Task
	m      mtask
	end    chan func()
	cancel context.CancelFunc // of Ctx
	giveUp context.CancelFunc // of SubmitWait
	at     string             // idle, in the pool, or blocked
}

func play(limit int, ops []op) error {
	y := &player{
		m:    &model{size: 2, limit: limit, permits: Unlimited, seen: newSeen()},
		seen: newSeen(), lock: make(chan struct{}, 1),
	}
	y.p = New(Options{Size: 2, QueueLimit: limit, OnPanic: func(t *Task, _ any, _ []byte) {
		y.note(func() {
			i := slices.IndexFunc(y.tasks, func(o *ptask) bool { return &o.Task == t })
			y.seen.Panics = append(y.seen.Panics, i)
		})
	}})
	defer y.stop()
	for limit := range 3 {
		y.keys = append(y.keys, y.p.NewKey(limit))
		y.m.keys = append(y.m.keys, &mkey{limit: limit, permits: Unlimited})
	}
	for i, o := range ops {
		y.step(o)
		y.m.settle()
		synctest.Wait()
		if diff := cmp.Diff(y.expect(), y.observe()); diff != "" {
			return fmt.Errorf("step %d, %+v (-model +pool):\n%s", i, o, diff)
		}
	}
	return nil
}

func (y *player) note(f func()) {
	y.lock <- struct{}{}
	f()
	<-y.lock
}

func (y *player) stop() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = y.p.Close(ctx)
	for _, t := range y.tasks {
		t.cancel()
	}
}

func (y *player) expect() seen {
	m := y.m
	s := m.seen
	s.Running = nil
	for _, t := range m.running {
		s.Running = append(s.Running, t.id)
	}
	s.Snapshot = m.stats
	s.Snapshot.Size, s.Snapshot.Busy, s.Snapshot.Running = m.size, m.busy(), len(m.running)
	_, held := m.split(m.queue)
	s.Snapshot.Queued, s.Snapshot.Held = len(m.queue), len(held)
	s.Snapshot.Paused, s.Snapshot.Draining, s.Snapshot.Closed = m.paused, m.draining, m.closed
	if m.vague {
		s.Worker = nil
	}
	return s
}

func (y *player) observe() seen {
	s := y.seen
	s.Running = nil
	workers := map[int]bool{}
	for _, t := range y.p.Running() {
		id := slices.IndexFunc(y.tasks, func(o *ptask) bool { return &o.Task == t })
		s.Running = append(s.Running, id)
		if workers[s.Worker[id]] {
			s.Answer += fmt.Sprintf(" worker %d twice", s.Worker[id])
		}
		workers[s.Worker[id]] = true
	}
	s.Snapshot = y.p.Stats()
	// How many goroutines are idle is not part of the model, but they must fit.
	if w := s.Snapshot.Workers; w != s.Snapshot.Idle+s.Snapshot.Running || w > max(s.Snapshot.Size, s.Snapshot.Running) {
		s.Answer += fmt.Sprintf(" %d workers, %d idle", w, s.Snapshot.Idle)
	}
	s.Snapshot.Workers, s.Snapshot.Idle = 0, 0
	if y.m.vague {
		s.Worker = nil
	}
	return s
}

// task makes a task. Its number is its place in y.tasks; key says which of the
// keys it has, if any.
func (y *player) task(priority, weight, key int) *ptask {
	id := len(y.tasks)
	t := &ptask{m: mtask{id: id, priority: priority, weight: max(weight, 1)}, end: make(chan func(), 1), at: "idle"}
	t.Priority, t.Weight = priority, weight
	if key < len(y.keys) {
		t.Key, t.m.key = y.keys[key], y.m.keys[key]
	}
	t.Ctx, t.cancel = context.WithCancel(context.Background())
	t.giveUp = func() {}
	t.Do = func(s Start) {
		ctx := s.Context()
		y.note(func() { y.seen.Starts[id]++; y.seen.Worker[id] = s.Worker })
		select {
		case last := <-t.end:
			last()
		case <-ctx.Done():
			y.note(func() { y.seen.Causes[id] = context.Cause(ctx).Error() })
		}
	}
	t.Dropped = func(err error) { y.note(func() { y.seen.Dropped[id] = err.Error() }) }
	y.tasks = append(y.tasks, t)
	return t
}

// pick returns the nth of the tasks for which ok holds, or nil.
func (y *player) pick(n int, ok func(*ptask) bool) *ptask {
	var ts []*ptask
	for _, t := range y.tasks {
		if ok(t) {
			ts = append(ts, t)
		}
	}
	if len(ts) == 0 {
		return nil
	}
	return ts[n%len(ts)]
}

func (y *player) queued(t *ptask) bool  { return slices.Contains(y.m.queue, &t.m) }
func (y *player) running(t *ptask) bool { return slices.Contains(y.m.running, &t.m) }
func (y *player) blocked(t *ptask) bool { return slices.Contains(y.m.blocked, &t.m) }
func (y *player) idle(t *ptask) bool {
	return !y.queued(t) && !y.running(t) && !y.blocked(t) && !t.m.ended
}

// answer compares what a call returned with what the model says.
func (y *player) answer(got error, want error) {
	y.m.seen.Answer, y.seen.Answer = fmt.Sprint(want), fmt.Sprint(got)
}

func (y *player) refusal(ts ...*mtask) error {
	switch {
	case y.m.closed:
		return ErrClosed
	case !y.m.room(ts...):
		return ErrFull
	}
	return nil
}

func (y *player) step(o op) {
	y.m.seen.Answer, y.seen.Answer = "", ""
	weight := []int{0, 1, 1, 1, 1, 2, 3, math.MaxInt}[o.B]
	switch o.Kind {
	case "submit":
		y.submit(y.task(o.A%3, weight, o.C))
	case "again":
		if t := y.pick(o.A, func(*ptask) bool { return true }); t != nil && y.idle(t) {
			y.submit(t)
		} else if t != nil && !t.m.ended {
			y.answer(y.p.Submit(&t.Task), ErrBusy)
		}
	case "batch":
		y.batch(o.A%5, weight, o.C)
	case "wait":
		y.wait(y.task(o.A%3, weight, o.C))
	case "give up":
		y.stopWaiting(o.A)
	case "adopt":
		y.adopt(y.task(0, weight, o.C))
	case "cancel":
		if t := y.pick(o.A, func(t *ptask) bool { return !t.m.ended || y.queued(t) }); t != nil {
			y.cancel(t)
		}
	case "end":
		// Not of a task with a key: until a worker has put it away it has the
		// key's place, and how long that is the model does not know.
		if t := y.pick(o.A, y.queued); t != nil && t.m.key == nil {
			// A dropped task has a number for a moment, too.
			t.m.ended, y.m.vague = true, true
			t.cancel()
		}
	case "finish", "panic", "goexit":
		y.finish(o)
	case "permits", "add permits", "key limit", "key permits", "add key permits":
		y.meter(o)
	default:
		y.control(o)
	}
}

func (y *player) submit(t *ptask) {
	want := y.refusal(&t.m)
	y.answer(y.p.Submit(&t.Task), want)
	if want == nil {
		y.m.push(&t.m)
	}
}

func (y *player) batch(n, weight, key int) {
	var ts []*Task
	var ms []*mtask
	for i := range n {
		t := y.task(i%2, weight, key+i%2)
		ts, ms = append(ts, &t.Task), append(ms, &t.m)
	}
	want := y.refusal(ms...)
	y.answer(y.p.SubmitBatch(ts), want)
	for _, m := range ms {
		if want == nil {
			y.m.push(m)
		}
	}
}

func (y *player) wait(t *ptask) {
	ctx, cancel := context.WithCancel(context.Background())
	t.giveUp = cancel
	switch y.refusal(&t.m) {
	case nil:
		y.m.push(&t.m)
		y.m.seen.Waits[t.m.id] = "ok"
	case ErrFull:
		y.m.blocked = append(y.m.blocked, &t.m)
	case ErrClosed:
		y.m.seen.Waits[t.m.id] = ErrClosed.Error()
	}
	go func() {
		defer cancel()
		err := y.p.SubmitWait(ctx, &t.Task)
		y.note(func() { y.seen.Waits[t.m.id] = result(err) })
	}()
}

func (y *player) stopWaiting(n int) {
	if t := y.pick(n, y.blocked); t != nil {
		t.giveUp()
		y.m.blocked = slices.DeleteFunc(y.m.blocked, func(o *mtask) bool { return o == &t.m })
		y.m.seen.Waits[t.m.id] = "canceled"
	}
}

func result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return err.Error()
}

func (y *player) adopt(t *ptask) {
	if y.m.closed {
		y.answer(y.p.Adopt(&t.Task), ErrClosed)
		return
	}
	y.answer(y.p.Adopt(&t.Task), nil)
	y.m.stats.Submitted++
	y.m.start(&t.m, min(t.m.weight, max(y.m.size, 1)))
}

func (y *player) cancel(t *ptask) {
	want := y.queued(t)
	y.m.seen.Answer, y.seen.Answer = fmt.Sprint(want), fmt.Sprint(y.p.Cancel(&t.Task))
	if want {
		y.m.queue = slices.DeleteFunc(y.m.queue, func(o *mtask) bool { return o == &t.m })
		y.m.stats.Dropped++
	}
}

func (y *player) finish(o op) {
	t := y.pick(o.A, y.running)
	if t == nil {
		return
	}
	switch o.Kind {
	case "finish":
		t.end <- func() {}
	case "panic":
		t.end <- func() { panic("as told") }
		y.m.stats.Panicked++
		y.m.seen.Panics = append(y.m.seen.Panics, t.m.id)
	case "goexit":
		t.end <- runtime.Goexit
	}
	y.m.finish(&t.m)
}

func (y *player) control(o op) {
	switch o.Kind {
	case "resize":
		n, mode := o.A, Mode(o.B%3)
		y.m.resize(n, mode)
		for _, t := range y.p.Resize(n, mode) {
			id := slices.IndexFunc(y.tasks, func(o *ptask) bool { return &o.Task == t })
			y.seen.Stopped = append(y.seen.Stopped, id)
		}
	case "pause":
		y.m.paused = true
		y.p.Pause()
	case "resume":
		y.m.paused = false
		if y.m.draining {
			y.m.draining = false
			y.m.seen.Drains = append(y.m.seen.Drains, ErrResumed.Error())
		}
		y.p.Resume()
	case "drain":
		y.drain()
	case "close":
		if o.A == 0 { // rarely, since little happens afterwards
			y.close()
		}
	}
}

// some is a number of permits or workers, the last one without a limit.
var some = []int{0, 1, 2, 3, 5, 8, 13, Unlimited}

func (y *player) meter(o op) {
	i := o.C % len(y.keys)
	k, mk := y.keys[i], y.m.keys[i]
	switch n := some[o.A]; o.Kind {
	case "permits":
		y.m.permits = n
		y.p.SetPermits(n)
	case "add permits": // sometimes it takes one away
		y.m.permits = plus(y.m.permits, o.B-1)
		y.left(y.m.permits, y.p.AddPermits(o.B-1))
	case "key limit":
		mk.limit = n
		y.p.SetKeyLimit(k, n)
	case "key permits":
		mk.permits = n
		y.p.SetKeyPermits(k, n)
	case "add key permits":
		mk.permits = plus(mk.permits, o.B-1)
		y.left(mk.permits, y.p.AddKeyPermits(k, o.B-1))
	}
}

func (y *player) left(want, got int) {
	y.m.seen.Answer, y.seen.Answer = fmt.Sprint(want, " left"), fmt.Sprint(got, " left")
}

func (y *player) drain() {
	if y.m.draining {
		return
	}
	y.m.paused = true
	if len(y.m.running) == 0 {
		y.m.seen.Drains = append(y.m.seen.Drains, "ok")
	} else {
		y.m.draining = true
	}
	go func() {
		err := y.p.Drain(context.Background())
		y.note(func() { y.seen.Drains = append(y.seen.Drains, result(err)) })
	}()
}

func (y *player) close() {
	if !y.m.closed {
		for _, t := range y.m.queue {
			y.m.stats.Dropped++
			y.m.seen.Dropped[t.id] = ErrClosed.Error()
		}
		for _, t := range y.m.blocked {
			y.m.seen.Waits[t.id] = ErrClosed.Error()
		}
		y.m.queue, y.m.blocked, y.m.closed = nil, nil, true
	}
	go func() { _ = y.p.Close(context.Background()) }()
}
