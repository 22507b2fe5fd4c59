package pools

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
	"github.com/poold/poold/internal/pool"
)

const (
	many    = 1000
	crowded = 10 * time.Millisecond
)

// crowd is a thousand workers with tasks that wait ten milliseconds. Each way
// has a process of its own.
func crowd(alone map[string]suite.Alone) suite.Group {
	alone["crowd"] = func(_ context.Context, args []string, note func(string, float64)) error {
		n := 100_000
		if args[1] != "full" {
			n = 5000
		}
		return inCrowd(args[0], n, note)
	}
	row := func(name string) suite.Row {
		return suite.Row{Name: name, Measure: func(ctx context.Context, r *suite.Round) error {
			how := "full"
			if r.Pick(0, 0, 1) == 1 {
				how = "smoke"
			}
			got, err := r.Alone(ctx, "crowd", name, how)
			for _, f := range []string{"cpu", "peak", "wall"} {
				r.Note(f, got[f])
			}
			return err
		}}
	}
	g := suite.Group{
		Name: "1,000 workers, 100,000 tasks of 10 ms that sleep", Rounds: rounds, Quick: 2,
		About:   "CPU time and peak memory of a process that does nothing else.",
		Figures: []suite.Figure{{Name: "cpu", Unit: "s of CPU"}, {Name: "peak", Unit: "MB at the peak"}, {Name: "wall", Unit: "s"}},
		Rows:    []suite.Row{row(ours.name), row(batches), row("static split"), row(channel.name), row(theAnts.name), row(thePond.name)},
	}
	for _, figure := range []string{"cpu", "peak"} {
		g.Asks = append(g.Asks,
			suite.Ask{Figure: figure, Over: "static split", Want: 1.5, Bound: "Its goroutines never meet; with a bare channel between them they take 1.3 to 1.4 times as much."},
			suite.Ask{Figure: figure, Over: channel.name, Want: 1.3},
			suite.Ask{Row: batches, Figure: figure, Over: "static split", Want: 1.5, Bound: "Its goroutines never meet; with a bare channel between them they take 1.3 to 1.4 times as much."},
			suite.Ask{Row: batches, Figure: figure, Over: channel.name, Want: 1.3})
	}
	return g
}

func inCrowd(name string, n int, note func(string, float64)) error {
	work := func() { time.Sleep(crowded) }
	began := time.Now()
	defer func() { note("wall", time.Since(began).Seconds()) }()
	switch name {
	case "static split":
		split(many, n, work)
		return nil
	case batches:
		return inBatches(n, work)
	}
	for _, w := range []way{ours, channel, theAnts, thePond} {
		if w.name == name {
			once(w, many, n, work)
			return nil
		}
	}
	return errors.New("there is no way called " + name)
}

const batches = "poold, in batches"

// inBatches submits the tasks in two batches that take turns, each as large as
// what may wait elsewhere: one waits while the other runs.
func inBatches(n int, work func()) error {
	p := pool.New(pool.Options{Size: many})
	defer p.Close(context.Background())
	var left [2]sync.WaitGroup
	var turns [2][]*pool.Task
	for i := range turns {
		tasks := make([]pool.Task, queued)
		for j := range tasks {
			tasks[j].Do = func(pool.Start) { work(); left[i].Done() }
		}
		turns[i] = pointers(tasks)
	}
	for i := 0; n > 0; i = 1 - i {
		left[i].Wait()
		size := min(n, queued)
		left[i].Add(size)
		for p.SubmitBatch(turns[i][:size]) != nil { // the worker of its last one is about to put that away
			runtime.Gosched()
		}
		n -= size
	}
	left[0].Wait()
	left[1].Wait()
	return nil
}

// once has a way do n tasks that work, from nothing.
func once(w way, workers, n int, work func()) {
	var left sync.WaitGroup
	submits, end := w.open(workers, 1, func() { work(); left.Done() })
	defer end()
	produce(&left, submits, n)
}

// idle is the memory of a pool that has worked with all it has.
func idle(alone map[string]suite.Alone) suite.Group {
	alone["idle"] = func(_ context.Context, _ []string, note func(string, float64)) error { return idleWorkers(note) }
	figures := []suite.Figure{{Name: "idle", Unit: "MB"}, {Name: "all working", Unit: "MB"}}
	return suite.Group{
		Name: "10,000 workers without work", Rounds: 3, Quick: 1,
		About: "What a pool of 10,000 workers adds to the resident memory of a process: while all of them are\n" +
			"in a task that waits, and when none has work and the runtime has given back what is free.",
		Figures: figures,
		Rows: []suite.Row{{Name: "poold", Measure: func(ctx context.Context, r *suite.Round) error {
			got, err := r.Alone(ctx, "idle")
			for _, f := range figures {
				r.Note(f.Name, got[f.Name])
			}
			return err
		}}},
		Asks: []suite.Ask{{Want: 30}, {Figure: "all working", Want: 30}},
	}
}

func idleWorkers(note func(string, float64)) error {
	const size = 10_000
	tasks := make([]pool.Task, size)
	var working sync.WaitGroup
	working.Add(size)
	gate := make(chan struct{})
	for i := range tasks {
		tasks[i].Do = func(pool.Start) { working.Done(); <-gate }
	}
	debug.FreeOSMemory()
	before, err := rig.Memory(unix.Getpid(), "VmRSS")
	if err != nil {
		return err
	}
	added := func(name string) error {
		now, err := rig.Memory(unix.Getpid(), "VmRSS")
		note(name, now-before)
		return err
	}
	p := pool.New(pool.Options{Size: size})
	defer p.Close(context.Background())
	if err := p.SubmitBatch(pointers(tasks)); err != nil {
		return err
	}
	working.Wait()
	if err := added("all working"); err != nil {
		return err
	}
	close(gate)
	for s := p.Stats(); s.Running > 0 || s.Workers != s.Idle; s = p.Stats() {
		runtime.Gosched()
	}
	debug.FreeOSMemory()
	return added("idle")
}

func pointers(tasks []pool.Task) (ps []*pool.Task) {
	for i := range tasks {
		ps = append(ps, &tasks[i])
	}
	return ps
}
