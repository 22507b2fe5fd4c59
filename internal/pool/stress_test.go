package pool

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// counted is a task that knows how often it ended, and in which way.
type counted struct {
	Task
	ran, dropped, cancelled atomic.Int32
}

// meter watches the bound from inside the tasks.
type meter struct {
	busy, most atomic.Int64
}

func (m *meter) in(weight int) {
	now := m.busy.Add(int64(weight))
	for {
		most := m.most.Load()
		if now <= most || m.most.CompareAndSwap(most, now) {
			return
		}
	}
}

func (m *meter) out(weight int) { m.busy.Add(-int64(weight)) }

func closePool(t *testing.T, p *Pool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// TestStressBoundAndCompleteness has several producers use every way in while
// tasks end in every way, and checks that each task ended exactly once and that
// the bound held at every moment.
func TestStressBoundAndCompleteness(t *testing.T) {
	defer goleak.VerifyNone(t)
	const size, producers, each = 4, 8, 3000
	p := New(Options{Size: size, QueueLimit: 500})
	var m meter
	all := make([][]counted, producers)
	var wg sync.WaitGroup
	for i := range all {
		all[i] = make([]counted, each)
		wg.Go(func() { produce(t, p, &m, all[i], uint64(i)) })
	}
	wg.Wait()
	waitUntil(t, p, func(s Stats) bool { return s.Queued == 0 && s.Running == 0 })
	closePool(t, p)

	if got := m.most.Load(); got > size {
		t.Errorf("%d busy at once in a pool of %d", got, size)
	}
	for i := range all {
		for j := range all[i] {
			c := &all[i][j]
			if n := c.ran.Load() + c.dropped.Load() + c.cancelled.Load(); n != 1 {
				t.Fatalf("task %d/%d ended %d times", i, j, n)
			}
		}
	}
	if s := p.Stats(); s.Submitted != producers*each || s.Submitted != s.Done+s.Dropped {
		t.Errorf("stats %+v do not add up to %d", s, producers*each)
	}
}

func produce(t *testing.T, p *Pool, m *meter, cs []counted, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range cs {
		c := &cs[i]
		end := rnd.IntN(50)
		weight := 1 + rnd.IntN(3)
		c.Task = Task{Priority: rnd.IntN(3), Weight: weight, Dropped: func(error) { c.dropped.Add(1) }}
		c.Do = func(Start) {
			c.ran.Add(1)
			m.in(weight)
			defer m.out(weight)
			switch end {
			case 0:
				panic("stress")
			case 1:
				runtime.Goexit()
			case 2:
				runtime.Gosched()
			}
		}
		if end == 3 {
			c.Ctx = done
		}
		enter(t, p, c, rnd.IntN(10))
	}
}

// enter brings a task into the pool in one of the ways there are.
func enter(t *testing.T, p *Pool, c *counted, way int) {
	var err error
	switch {
	case way < 3:
		for err = p.Submit(&c.Task); err == ErrFull; err = p.Submit(&c.Task) {
			runtime.Gosched()
		}
	case way < 4:
		for err = ErrFull; err == ErrFull; {
			err = p.SubmitBatch([]*Task{&c.Task})
		}
	default:
		err = p.SubmitWait(t.Context(), &c.Task)
	}
	if err != nil {
		t.Error(err)
	}
	if way == 9 && p.Cancel(&c.Task) {
		c.cancelled.Add(1)
	}
}

// waitUntil polls, giving the processor away in between.
func waitUntil(t *testing.T, p *Pool, ok func(Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(p.Stats()); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("stuck: %+v", p.Stats())
		}
	}
}

// TestStressControl changes size and state all the time, with tasks that obey
// their contexts, and checks that nothing is lost and nothing is left.
func TestStressControl(t *testing.T) {
	defer goleak.VerifyNone(t)
	const tasks = 6000
	p := New(Options{Size: 3})
	cs := make([]counted, tasks)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() { fiddle(p, stop) })
	for i := range 3 {
		wg.Go(func() {
			for j := i; j < tasks; j += 3 {
				c := &cs[j]
				c.Do = func(s Start) {
					if c.ran.Add(1); j%100 == 0 {
						<-s.Context().Done() // until a shrink or Close
					}
				}
				c.Dropped = func(error) { c.dropped.Add(1) }
				start := p.Submit
				if j%50 == 7 {
					start = p.Adopt
				}
				if err := start(&c.Task); err != nil {
					t.Error(err)
				}
			}
		})
	}
	waitUntil(t, p, func(s Stats) bool { return s.Submitted == tasks && s.Queued < tasks/10 })
	close(stop)
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for j := range cs {
		if n := cs[j].ran.Load() + cs[j].dropped.Load(); n != 1 {
			t.Fatalf("task %d ended %d times", j, n)
		}
	}
	if s := p.Stats(); s.Workers != 0 || s.Busy != 0 || s.Submitted != s.Done+s.Dropped {
		t.Errorf("stats after Close: %+v", s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leaving != 0 || p.waking != 0 || p.slots.take(nil) != 0 {
		t.Errorf("leaving %d, waking %d, or a worker number is lost", p.leaving, p.waking)
	}
}

// fiddle works the controls until told to stop, and leaves the pool running.
func fiddle(p *Pool, stop chan struct{}) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for {
		select {
		case <-stop:
			p.Resize(4, Finish)
			p.Resume()
			return
		default:
		}
		switch rnd.IntN(4) {
		case 0:
			p.Pause()
			p.Resume()
		case 1:
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Microsecond)
			_ = p.Drain(ctx)
			cancel()
			p.Resume()
		default:
			p.Resize(rnd.IntN(8), Mode(rnd.IntN(3)))
		}
		p.Running()
	}
}

// TestStressOrder checks that one worker starts the tasks of each producer and
// priority in the order they were submitted.
func TestStressOrder(t *testing.T) {
	defer goleak.VerifyNone(t)
	const producers, each, priorities = 4, 2000, 3
	p := New(Options{Size: 1})
	var order [producers][priorities][]int // written by the one worker
	var wg sync.WaitGroup
	for i := range producers {
		wg.Go(func() {
			for j := range each {
				task := &Task{Priority: j % priorities, Do: func(Start) {
					order[i][j%priorities] = append(order[i][j%priorities], j)
				}}
				if err := p.Submit(task); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	waitUntil(t, p, func(s Stats) bool { return s.Done == producers*each })
	closePool(t, p)
	for i := range order {
		for _, got := range order[i] {
			if !slices.IsSorted(got) {
				t.Errorf("producer %d: started out of order", i)
			}
		}
	}
}

// TestStressSubmitAgainstClose looks for a task that is accepted and then
// forgotten, and for a worker that Close misses.
func TestStressSubmitAgainstClose(t *testing.T) {
	defer goleak.VerifyNone(t)
	for range 300 {
		p := New(Options{Size: 2, QueueLimit: 2})
		var accepted, ended atomic.Int64
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for {
					c := &Task{
						Do:      func(Start) { ended.Add(1) },
						Dropped: func(error) { ended.Add(1) },
					}
					var err error
					if i%2 == 0 {
						err = p.SubmitWait(t.Context(), c)
					} else {
						err = p.Submit(c)
					}
					switch err {
					case nil:
						accepted.Add(1)
					case ErrClosed:
						return
					}
				}
			})
		}
		runtime.Gosched()
		closePool(t, p)
		if s := p.Stats(); s.Workers != 0 {
			t.Fatalf("%d workers after Close", s.Workers)
		}
		wg.Wait()
		if accepted.Load() != ended.Load() {
			t.Fatalf("accepted %d, ended %d", accepted.Load(), ended.Load())
		}
	}
}

// TestStressKeysAndPermits has producers share keys while somebody else grants
// permits, and checks from inside the tasks that no key runs more than it may,
// and that no start was ahead of the permits.
func TestStressKeysAndPermits(t *testing.T) {
	defer goleak.VerifyNone(t)
	const producers, each = 4, 3000
	p := New(Options{Size: 6})
	p.SetPermits(0)
	var granted, started atomic.Int64
	keys, meters := make([]*Key, 4), make([]meter, 4) // the last one is of no key
	for i := range 3 {
		keys[i] = p.NewKey(i + 1)
	}
	var wg sync.WaitGroup
	for i := range producers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 3))
			for range each {
				k := rnd.IntN(len(keys))
				task := &Task{Key: keys[k], Priority: rnd.IntN(3), Do: func(Start) {
					meters[k].in(1)
					defer meters[k].out(1)
					if s, g := started.Add(1), granted.Load(); s > g {
						t.Errorf("start %d with %d permits", s, g)
					}
					runtime.Gosched()
				}}
				if err := p.Submit(task); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range producers * each / 10 {
		granted.Add(10)
		p.AddPermits(10)
		runtime.Gosched()
	}
	wg.Wait()
	waitUntil(t, p, func(s Stats) bool { return s.Done == producers*each })
	for i := range 3 {
		if got := meters[i].most.Load(); got > int64(i+1) {
			t.Errorf("%d of a key of %d ran at once", got, i+1)
		}
	}
	if left := p.AddPermits(0); left != 0 || p.Stats().Held != 0 {
		t.Errorf("%d permits left and %d held at the end", left, p.Stats().Held)
	}
	closePool(t, p)
}
