package scheduler

import (
	"container/heap"
	"context"
	"time"

	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// Apply swaps the jobs. A job that is new, or whose schedule has changed, has
// missed nothing: its occurrences count from now on. Apply cannot fail. It is
// not called while another call is under way.
//
// All that takes long comes before the lock, so that a reload of very many jobs
// makes no run late. Jobs that were decided meanwhile are made once more then.
func (s *Scheduler) Apply(ctx context.Context, p Program) {
	a := s.prepare(p)
	s.swap(a)
	s.remember(ctx, a.fresh, a.gone)
	s.Wake()
}

// swap puts what was prepared in force.
func (s *Scheduler) swap(a *application) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range a.made {
		if m := &a.made[i]; m.isStale() {
			a.resumeLocked(m)
		}
	}
	s.program, s.jobs, s.order = a.program, a.jobs, a.order
	s.marks, s.begun = nil, true
}

// application is what a Program is turned into.
type application struct {
	scheduler *Scheduler
	program   Program
	made      []made
	jobs      map[string]*entry
	order     queue
	fresh     map[string]run.Watermark // that the ledger is to be told
	gone      []string                 // jobs that had a schedule and have none

	tables map[tableID]*table
	stamps map[string]string // equal ones are in memory once
}

// made is an entry and what it was made of.
type made struct {
	entry    *entry
	previous *entry // of the same job, in force until now, or nil
	was      *state // of the previous one at that time
}

// state is what of an entry changes while it is in force.
type state struct {
	mark run.Watermark
	next time.Time
	busy bool
}

func (e *entry) state() state { return state{e.mark, e.next, e.busy} }

// isStale says whether the previous entry has changed since the new one was
// made.
func (m *made) isStale() bool { return m.previous != nil && m.previous.state() != *m.was }

// prepare makes the entries of all jobs that have a schedule. What it reads of
// the scheduler without the lock only Apply changes.
func (s *Scheduler) prepare(p Program) *application {
	a := &application{
		scheduler: s, program: p, jobs: make(map[string]*entry, len(p.Jobs)), fresh: map[string]run.Watermark{},
		tables: map[tableID]*table{}, stamps: map[string]string{},
	}
	for name, def := range p.Jobs {
		if t := p.Timetable(name); len(t.Exprs) > 0 {
			e := &entry{def: def, table: a.table(t), index: -1}
			if p.Blackouts != nil {
				e.blackouts = p.Blackouts(name)
			}
			a.jobs[name] = e
			a.made = append(a.made, made{entry: e, previous: s.jobs[name]})
		}
	}
	a.lookBack()
	now := wallClock()
	for i := range a.made {
		m := &a.made[i]
		a.resume(m, now)
		if e := m.entry; !e.next.IsZero() && !e.busy {
			e.index = len(a.order)
			a.order = append(a.order, e)
		}
	}
	heap.Init(&a.order)
	a.findGone()
	return a
}

// lookBack takes down where the previous entries are.
func (a *application) lookBack() {
	if len(a.scheduler.jobs) == 0 {
		return
	}
	states := make([]state, len(a.made)) // room for all before the lock
	a.scheduler.mu.Lock()
	defer a.scheduler.mu.Unlock()
	for i := range a.made {
		if m := &a.made[i]; m.previous != nil {
			states[i] = m.previous.state()
			m.was = &states[i]
		}
	}
}

// resume makes an entry go on from what is known of its job.
func (a *application) resume(m *made, now time.Time) {
	s, e := a.scheduler, m.entry
	switch mark, known := s.marks[e.def.Name]; {
	case m.previous != nil && m.previous.table.hash == e.table.hash:
		e.mark, e.busy = m.was.mark, m.was.busy
		e.followRules()
	case m.previous != nil:
		e.mark, e.busy = m.was.mark, m.was.busy
		e.mark.At, e.mark.Since = now, now
		if undecided := m.was.next; !undecided.After(now) && now.Sub(undecided) < time.Second {
			e.mark.At = undecided.Add(-time.Second) // the reload came in the very second
			e.mark.Since = e.mark.At
		}
	case known && decidedFor(mark, e.table.hash):
		e.mark = mark
		e.followRules()
	case known:
		e.mark = run.Watermark{At: now, Since: now, Epoch: mark.Epoch, Boot: mark.Boot}
	default:
		e.mark = run.Watermark{At: now, Since: now}
		if s.begun { // added while running: this boot is none of its business
			e.mark.Boot = s.o.BootID
		}
	}
	e.stamp()
	e.mark.Schedule = a.same(e.mark.Schedule)
	e.nextAfter(e.mark.At)
	if s.reboots(e) {
		e.next = now
	}
	if e.mark.At.Equal(now) {
		a.fresh[e.def.Name] = e.mark
	}
}

// resumeLocked makes an entry go on from what its job has come to meanwhile.
func (a *application) resumeLocked(m *made) {
	*m.was = m.previous.state()
	delete(a.fresh, m.entry.def.Name)
	if m.entry.index >= 0 {
		heap.Remove(&a.order, m.entry.index)
	}
	a.resume(m, wallClock())
	if e := m.entry; !e.next.IsZero() && !e.busy {
		heap.Push(&a.order, e)
	}
}

// findGone lists the jobs whose watermarks nobody needs any more.
func (a *application) findGone() {
	for name := range a.scheduler.marks {
		if a.jobs[name] == nil {
			a.gone = append(a.gone, name)
		}
	}
	for name := range a.scheduler.jobs {
		if a.jobs[name] == nil {
			a.gone = append(a.gone, name)
		}
	}
}

// tableID tells apart schedules in memory: jobs that share one share its
// expressions.
type tableID struct {
	exprs *schedule.Expr
	count int
	zone  *time.Location
	dst   schedule.DST
}

// table makes the table of a schedule, once for each in memory.
func (a *application) table(t schedule.Schedule) *table {
	id := tableID{&t.Exprs[0], len(t.Exprs), t.Zone, t.DST}
	if a.tables[id] == nil {
		a.tables[id] = &table{t, scheduleHash(t)}
	}
	return a.tables[id]
}

func (a *application) same(text string) string {
	known, ok := a.stamps[text]
	if !ok {
		a.stamps[text], known = text, text
	}
	return known
}

// remember saves the watermarks of new jobs and forgets those of removed ones.
// If that fails they are saved with the first occurrence.
func (s *Scheduler) remember(ctx context.Context, fresh map[string]run.Watermark, gone []string) {
	if len(fresh) > 0 {
		if err := s.o.Ledger.SetWatermarks(ctx, fresh); err != nil {
			s.o.Log.Error("save the watermarks of new jobs", "err", err)
		}
	}
	if len(gone) > 0 {
		if err := s.o.Ledger.DeleteWatermarks(ctx, gone); err != nil {
			s.o.Log.Error("forget the watermarks of removed jobs", "err", err)
		}
	}
}
