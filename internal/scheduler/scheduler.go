// Package scheduler turns time into runs. It sleeps until the next occurrence
// of any job, never longer than half a minute, or until it is woken: by new
// jobs, or by whoever noticed that the clock was set. Then it decides, from the
// wall clock, what became of every occurrence between each job's watermark and
// now, and records the runs and the new watermarks in one transaction.
//
//	watermark ──occ──occ──occ──▶ now        plan: pure, in plan.go
//	               │    │    └ on time ─▶ queued, due at once or after splay and jitter
//	               │    └ late by more than grace ─▶ catch_up: queued …
//	               └ … or one skipped row that stands for all the missed ones
//
// Nothing is decided twice: the watermark moves with the rows, and each row's
// key names its occurrence. If the ledger cannot take them, nothing has moved,
// and the same occurrences are decided when it can.
package scheduler

import (
	"container/heap"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// Ledger is what the scheduler needs of the durable record: the time up to
// which each job's occurrences have been decided.
type Ledger interface {
	Watermarks(ctx context.Context) (map[string]run.Watermark, error)
	SetWatermarks(ctx context.Context, marks map[string]run.Watermark) error
	DeleteWatermarks(ctx context.Context, names []string) error
}

// Queue takes the scheduler's runs: all of a call, with their watermarks, or
// none.
type Queue interface {
	Enqueue(ctx context.Context, subs []run.Submission, now time.Time) ([]run.Submitted, error)
}

// Options are what a Scheduler is made of.
type Options struct {
	Ledger Ledger
	Queue  Queue
	Log    *slog.Logger
	Host   string // splay is taken of it
	BootID string // @reboot happens once for each
	// Arguments lists a job's arguments from its file or command. It may take
	// its time: only this job waits for it.
	Arguments func(ctx context.Context, def *jobs.Definition) ([]string, error)
	// Paused says whether a job is paused: then its occurrences are skipped.
	Paused func(job string) bool
}

// Program is the configuration as the scheduler needs it.
type Program struct {
	Jobs        map[string]*jobs.Definition
	Timetable   func(job string) schedule.Schedule // of each of the jobs; empty: no schedule
	QueueLimits map[string]int                     // by pool
	// Blackouts returns when a job is not to run; nil: of no job.
	Blackouts func(job string) *schedule.Blackouts
}

// The scheduler looks at the clock at least this often, and waits this long
// before it tries the ledger again.
const (
	longestWait = 30 * time.Second
	retryWait   = time.Second
)

// ahead is how long before its moment an occurrence is decided, so that the run
// is on disk and in a worker's hand by then. Whoever executes it waits for the
// moment: nothing starts early.
const ahead = 5 * time.Millisecond

// Scheduler decides occurrences.
type Scheduler struct {
	o       Options
	wake    chan struct{}
	listed  sync.WaitGroup // arguments being listed
	failing bool           // the ledger took nothing last time; tick's own

	mu      sync.Mutex
	program Program
	jobs    map[string]*entry
	order   queue
	marks   map[string]run.Watermark // as loaded, of jobs not seen yet
	begun   bool                     // the first Apply has been
	last    time.Time                // the clock at the last look
}

// entry is one job with a schedule.
type entry struct {
	def       *jobs.Definition
	table     *table
	blackouts *schedule.Blackouts // nil: none
	mark      run.Watermark
	next      time.Time // when to look at it; the place in the heap
	index     int       // in the heap, or -1
	busy      bool      // its arguments are being listed
}

// table is a schedule, shared by all jobs that have it, and its scheduleHash.
type table struct {
	schedule.Schedule
	hash string
}

// New returns a scheduler that knows the ledger's watermarks and no jobs.
func New(ctx context.Context, o Options) (*Scheduler, error) {
	marks, err := o.Ledger.Watermarks(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the watermarks: %w", err)
	}
	return &Scheduler{o: o, wake: make(chan struct{}, 1), jobs: map[string]*entry{}, marks: marks}, nil
}

// reboots says whether the job has a @reboot that this boot has not had.
func (s *Scheduler) reboots(e *entry) bool {
	if e.mark.Boot == s.o.BootID {
		return false
	}
	for _, expr := range e.table.Exprs {
		if expr.Reboot() {
			return true
		}
	}
	return false
}

// nextAfter finds when to look at the job again.
func (e *entry) nextAfter(mark time.Time) {
	e.next = time.Time{}
	if occ, ok := e.table.Next(mark); ok {
		e.next = occ.At
	}
}

// Wake makes the scheduler look at the clock now.
func (s *Scheduler) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run decides occurrences until ctx is done, and then waits for what it
// started.
func (s *Scheduler) Run(ctx context.Context) error {
	defer s.listed.Wait()
	for {
		next := s.tick(ctx, wallClock().Add(ahead))
		wait := time.NewTimer(max(time.Until(next.Add(-ahead)), 0))
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-s.wake:
			wait.Stop()
		case <-wait.C:
		}
	}
}

// wallClock is the time that the wall clock shows. Two results of time.Now are
// compared by how much time has passed between them, and would never tell that
// the clock was set back.
func wallClock() time.Time { return time.Now().Round(0) }

// manyJobs bounds the jobs decided in one transaction.
const manyJobs = 500

// tick decides what is due and returns when to look again.
func (s *Scheduler) tick(ctx context.Context, now time.Time) time.Time {
	s.mu.Lock()
	if now.Before(s.last.Add(-time.Second)) || s.last.IsZero() {
		s.stepBackLocked(now)
	}
	s.last = now
	due := s.dueLocked(now)
	plans := s.plansLocked(ctx, due, now)
	s.mu.Unlock()

	if refused := s.enqueue(ctx, plans, now); len(refused) > 0 {
		s.putBack(refused, now.Add(retryWait))
		due = slices.DeleteFunc(due, func(e *entry) bool { return slices.Contains(refused, e) })
	}
	return s.advance(due, now)
}

// planned is what is enqueued for one job.
type planned struct {
	entry *entry
	subs  []run.Submission
}

// enqueue records what is planned in one transaction, or, where that fails,
// each job's by itself: one that cannot be recorded holds up no other. It
// returns the jobs of which nothing is recorded.
func (s *Scheduler) enqueue(ctx context.Context, plans []planned, now time.Time) (refused []*entry) {
	var all []run.Submission
	for _, p := range plans {
		all = append(all, p.subs...)
	}
	if len(all) == 0 {
		return nil
	}
	_, err := s.o.Queue.Enqueue(ctx, all, now)
	if err == nil {
		if s.failing {
			s.o.Log.Info("due runs are recorded again")
		}
		s.failing = false
		return nil
	}
	for _, p := range plans {
		if len(plans) > 1 && ctx.Err() == nil {
			if _, err = s.o.Queue.Enqueue(ctx, p.subs, now); err == nil {
				continue
			}
		}
		refused = append(refused, p.entry)
		if ctx.Err() == nil && !s.failing {
			s.o.Log.Error("record due runs; they are decided when it works again", "job", p.entry.def.Name, "err", err)
		}
		s.failing = true
	}
	return refused
}

// dueLocked takes the jobs to look at out of the heap.
func (s *Scheduler) dueLocked(now time.Time) []*entry {
	var due []*entry
	for len(s.order) > 0 && !s.order[0].next.After(now) && len(due) < manyJobs {
		due = append(due, heap.Pop(&s.order).(*entry))
	}
	return due
}

// plansLocked plans the due jobs. A job whose arguments have to be listed goes
// its own way.
func (s *Scheduler) plansLocked(ctx context.Context, due []*entry, now time.Time) []planned {
	var plans []planned
	for _, e := range due {
		runs, mark := s.planLocked(e, now)
		if e.def.Args.Sourced() && e.def.Args.List == nil && anyQueued(runs) {
			s.listThenEnqueue(ctx, e, runs, mark)
			continue
		}
		var args []string
		if e.def.Args.Sourced() {
			args = e.def.Args.List
		}
		plans = append(plans, planned{e, submissions(e.def, runs, mark, args, s.limitLocked(e.def))})
	}
	return plans
}

func (s *Scheduler) limitLocked(def *jobs.Definition) int { return s.program.QueueLimits[def.Pool] }

// listThenEnqueue lists the job's arguments beside the scheduler's loop and
// enqueues its runs then.
func (s *Scheduler) listThenEnqueue(ctx context.Context, e *entry, runs []run.New, mark run.Watermark) {
	e.busy = true
	limit := s.limitLocked(e.def)
	s.listed.Go(func() {
		args, err := s.o.Arguments(ctx, e.def)
		now := wallClock()
		if err != nil {
			s.o.Log.Error("list the arguments", "job", e.def.Name, "err", err)
			runs = failAll(runs, err)
		}
		subs := submissions(e.def, runs, mark, args, limit)
		for {
			if _, err = s.o.Queue.Enqueue(ctx, subs, now); err == nil || ctx.Err() != nil {
				break
			}
			s.o.Log.Error("record due runs", "job", e.def.Name, "err", err)
			wait := time.NewTimer(retryWait)
			select {
			case <-ctx.Done():
			case <-wait.C:
			}
			wait.Stop()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if current := s.jobs[e.def.Name]; current != nil { // a reload may have changed it
			if current.table.hash == e.table.hash {
				current.mark = mark
			}
			current.busy = false
			current.nextAfter(current.mark.At)
			s.pushLocked(current)
			s.Wake()
		}
	})
}

// advance puts decided jobs back for their next occurrence, and returns when
// to look again.
func (s *Scheduler) advance(due []*entry, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range due {
		if e.busy {
			continue
		}
		e.mark = e.moved(now, s.o.BootID)
		e.nextAfter(now)
		s.pushLocked(e)
	}
	if len(s.order) > 0 && s.order[0].next.Before(now.Add(longestWait)) {
		return s.order[0].next
	}
	return now.Add(longestWait)
}

func (s *Scheduler) putBack(due []*entry, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range due {
		if !e.busy {
			e.next = at
			s.pushLocked(e)
		}
	}
}

// pushLocked puts a job into the heap, unless it has nothing to wait for or
// has been replaced by a reload meanwhile.
func (s *Scheduler) pushLocked(e *entry) {
	if e.next.IsZero() || e.busy || e.index >= 0 || s.jobs[e.def.Name] != e {
		return
	}
	heap.Push(&s.order, e)
}

// fixLocked moves a job in the heap to where its time to look now is.
func (s *Scheduler) fixLocked(e *entry) {
	if e.index < 0 {
		s.pushLocked(e)
		return
	}
	if e.next.IsZero() {
		heap.Remove(&s.order, e.index)
		return
	}
	heap.Fix(&s.order, e.index)
}

// moved is the job's watermark when everything up to now is decided.
func (e *entry) moved(now time.Time, boot string) run.Watermark {
	moved := entry{table: e.table, mark: e.mark}
	moved.mark.At, moved.mark.Boot = now, boot
	moved.stamp()
	return moved.mark
}

// queue is a heap of jobs by the time to look at them.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].next.Before(q[j].next) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is for container/heap.
func (q *queue) Push(x any) {
	e := x.(*entry)
	e.index = len(*q)
	*q = append(*q, e)
}

// Pop is for container/heap.
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	e.index = -1
	return e
}
