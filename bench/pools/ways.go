package pools

import (
	"context"
	"sync"

	"github.com/Jeffail/tunny"
	"github.com/alitto/pond/v2"
	"github.com/gammazero/workerpool"
	"github.com/panjf2000/ants/v2"
	concpool "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/poold/poold/internal/pool"
)

// queued is how many tasks wait at most, in the ways that have a queue with a
// bound.
const queued = 1024

// way is one way to have tasks done. Its open makes what does them, all alike
// and all the same do, and returns a submit for each producer, which may wait
// for room, and what ends it.
type way struct {
	name string
	open func(workers, producers int, do func()) (submits []func(), end func())
}

// forAll is a submit that all producers may share.
func forAll(producers int, submit func()) (submits []func()) {
	for range producers {
		submits = append(submits, submit)
	}
	return submits
}

// ours has the caller own the records, as the durable part of poold does: each
// producer goes round a stock of its own, which is larger than what may wait.
var ours = way{"poold", func(workers, producers int, do func()) (submits []func(), end func()) {
	p := pool.New(pool.Options{Size: workers, QueueLimit: queued})
	for range producers {
		submits = append(submits, stock(p, 2*queued+workers, func(pool.Start) { do() }))
	}
	return submits, func() { _ = p.Close(context.Background()) }
}}

// stock goes past a record that is busy still: the system has taken the
// processor from the goroutine that has it, for as long as it likes.
func stock(p *pool.Pool, n int, do func(pool.Start)) (submit func()) {
	tasks := make([]pool.Task, n)
	for i := range tasks {
		tasks[i].Do = do
	}
	i := 0
	return func() {
		for done := false; !done; {
			done = p.SubmitWait(context.Background(), &tasks[i]) == nil
			if i++; i == len(tasks) {
				i = 0
			}
		}
	}
}

// theAnts are given their memory before and never purged. They have no queue:
// Submit waits for a worker. The generic pool, which takes an argument instead
// of a function, was no faster.
var theAnts = way{"ants", func(workers, producers int, do func()) ([]func(), func()) {
	p, err := ants.NewPool(workers, ants.WithPreAlloc(true), ants.WithDisablePurge(true))
	if err != nil {
		panic(err) // the options are wrong
	}
	return forAll(producers, func() { _ = p.Submit(do) }), p.Release
}}

// thePond uses Go, which makes no future to wait with.
var thePond = way{"pond", func(workers, producers int, do func()) ([]func(), func()) {
	p := pond.NewPool(workers, pond.WithQueueSize(queued))
	return forAll(producers, func() { _ = p.Go(do) }), p.StopAndWait
}}

// gammazero has a queue without a bound, and no choice.
var gammazero = way{"gammazero/workerpool", func(workers, producers int, do func()) ([]func(), func()) {
	p := workerpool.New(workers)
	return forAll(producers, func() { p.Submit(do) }), p.StopWait
}}

// theTunny has no way to submit without waiting for the end.
var theTunny = way{"tunny", func(workers, producers int, do func()) ([]func(), func()) {
	p := tunny.NewFunc(workers, func(any) any { do(); return nil })
	return forAll(producers, func() { p.Process(nil) }), p.Close
}}

var conc = way{"conc", func(workers, producers int, do func()) ([]func(), func()) {
	p := concpool.New().WithMaxGoroutines(workers)
	return forAll(producers, func() { p.Go(do) }), p.Wait
}}

var group = way{"errgroup", func(workers, producers int, do func()) ([]func(), func()) {
	var g errgroup.Group
	g.SetLimit(workers)
	f := func() error { do(); return nil } //nolint:unparam // what errgroup takes
	return forAll(producers, func() { g.Go(f) }), func() { _ = g.Wait() }
}}

var weighted = way{"semaphore and a goroutine a task", func(workers, producers int, do func()) ([]func(), func()) {
	s := semaphore.NewWeighted(int64(workers))
	f := func() { defer s.Release(1); do() }
	submit := func() {
		_ = s.Acquire(context.Background(), 1)
		go f()
	}
	return forAll(producers, submit), func() { _ = s.Acquire(context.Background(), int64(workers)) }
}}

// channel is the least that has a queue: no panic is caught, nothing can be
// cancelled, resized, ordered or looked at.
var channel = way{"channel and goroutines", func(workers, producers int, do func()) ([]func(), func()) {
	c := make(chan func(), queued)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for f := range c {
				f()
			}
		})
	}
	return forAll(producers, func() { c <- do }), func() { close(c); wg.Wait() }
}}
