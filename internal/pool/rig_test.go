package pool

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// rig is a pool inside a bubble with tasks that run until they are told to
// end, so that a test decides every step.
type rig struct {
	*Pool
	t       *testing.T
	started []string // names, in the order Do began
	dropped []string
	causes  map[string]error // why the context of a task ended
	mu      sync.Mutex
}

// job is a task of a rig.
type job struct {
	Task
	name   string
	rig    *rig
	end    chan func() // what Do does last
	worker int
}

// inBubble runs f with a pool whose goroutines must all be gone at the end: a
// bubble with one left does not end.
func inBubble(t *testing.T, o Options, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{Pool: New(o), t: t, causes: map[string]error{}}
		f(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = r.Close(ctx)
		if got := r.Stats(); got.Workers != 0 || got.Busy != 0 || got.Queued != 0 {
			t.Errorf("after Close: %+v, want nothing left", got)
		}
	})
}

func (r *rig) job(name string, priority, weight int) *job {
	j := &job{name: name, rig: r, end: make(chan func(), 1), worker: -1}
	j.Task = Task{Do: j.do, Priority: priority, Weight: weight, Dropped: func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.dropped = append(r.dropped, name+": "+err.Error())
	}}
	return j
}

func (j *job) do(s Start) {
	r, ctx := j.rig, s.Context()
	r.mu.Lock()
	r.started = append(r.started, j.name)
	j.worker = s.Worker
	r.mu.Unlock()
	var last func()
	select {
	case last = <-j.end:
	case <-ctx.Done():
		r.mu.Lock()
		r.causes[j.name] = context.Cause(ctx)
		r.mu.Unlock()
	}
	if last != nil {
		last()
	}
}

// submit queues new jobs by name, each with weight 1 and priority 0.
func (r *rig) submit(names ...string) []*job {
	r.t.Helper()
	var js []*job
	for _, name := range names {
		js = append(js, r.add(name, 0, 1))
	}
	return js
}

func (r *rig) add(name string, priority, weight int) *job {
	r.t.Helper()
	j := r.job(name, priority, weight)
	if err := r.Submit(&j.Task); err != nil {
		r.t.Fatalf("submit %s: %v", name, err)
	}
	return j
}

// finish ends jobs and waits until the pool has settled.
func finish(js ...*job) {
	for _, j := range js {
		j.end <- nil
	}
	synctest.Wait()
}

// wantStarted compares what has begun in the order it began, which is the
// order of the queue as long as one task starts at a time.
func (r *rig) wantStarted(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(want, r.started); diff != "" {
		r.t.Errorf("started (-want +got):\n%s", diff)
	}
}

// wantStartedSet is wantStarted for tasks that start side by side.
func (r *rig) wantStartedSet(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	slices.Sort(r.started)
	r.mu.Unlock()
	slices.Sort(want)
	r.wantStarted(want...)
}

// names of the running, through the pool's own list.
func names(js map[*Task]string, ts []*Task) []string {
	var ns []string
	for _, t := range ts {
		ns = append(ns, js[t])
	}
	return ns
}

func index(js ...*job) map[*Task]string {
	m := map[*Task]string{}
	for _, j := range js {
		m[&j.Task] = j.name
	}
	return m
}
