package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
	"github.com/poold/poold/internal/server"
	"github.com/poold/poold/internal/why"
)

// How much is read for one answer, whatever the span that is asked for.
const (
	mostEvents = 2000 // of each subject
	mostLate   = 20   // moments for which the runs beside them are read
)

// inquiry is one question on its way to its answer.
type inquiry struct {
	*backend
	facts why.Facts
	table schedule.Schedule
	late  int
}

// Why says what became of the due moments of a job.
func (b *backend) Why(ctx context.Context, job string, q server.WhyQuery) (api.Why, error) {
	i := inquiry{backend: b}
	if err := i.learn(ctx, job, q); err != nil {
		return api.Why{}, err
	}
	answer := api.Why{
		Job: job, Schedule: []string{}, TimeZone: zoneName(i.facts.Zone), From: api.At(q.Since), Until: api.At(q.Until),
		Moments: []api.WhyMoment{}, Notes: []string{},
	}
	if i.facts.Def != nil && i.facts.Def.Schedule != nil {
		answer.Schedule = i.facts.Def.Schedule
	}
	if !q.At.IsZero() {
		return answer, i.at(ctx, q.At, &answer)
	}
	return answer, i.window(ctx, q, &answer)
}

// learn gathers what is known about the job and its surroundings.
func (i *inquiry) learn(ctx context.Context, job string, q server.WhyQuery) error {
	cfg, ledger := i.d.current.Load(), i.d.ledger
	f := why.Facts{
		Now: time.Now(), Zone: cfg.Zone, Job: job, Table: cfg.Timetable(job), Blackouts: cfg.Blackouts(job),
		KeptFor: time.Duration(cfg.Retention.Age),
	}
	pool := ""
	if def, ok := cfg.Jobs[job]; ok {
		f.Def, f.Splay, pool = def, i.d.splay(def), def.Pool
		if f.Table.Zone != nil {
			f.Zone = f.Table.Zone
		}
	} else if last, err := ledger.LastRuns(ctx, job, 1); err != nil || len(last) == 0 {
		return errors.Join(err, i.unknownJob(job))
	}
	var err error
	if f.Mark, err = ledger.Watermark(ctx, job); err != nil {
		return err
	}
	if f.Oldest, err = ledger.OldestRun(ctx); err != nil {
		return err
	}
	until := time.Time{}
	if !q.Until.IsZero() { // what ended what happened in the span comes after it
		until = q.Until.Add(30 * 24 * time.Hour)
	}
	if f.Daemon, err = i.events(ctx, until, run.SubjectDaemon); err != nil {
		return err
	}
	if f.Holds, err = i.events(ctx, until, run.SubjectHost, run.SubjectPool(pool), run.SubjectJob(job)); err != nil {
		return err
	}
	f.Holds = slices.DeleteFunc(f.Holds, func(e run.Event) bool {
		if e.Kind != run.EventResize {
			return false
		}
		f.Hands = append(f.Hands, e)
		return true
	})
	i.facts, i.table = f, f.Table
	i.addCurrentHolds(pool)
	sizes, err := ledger.PoolSizes(ctx, pool, f.Now, mostEvents)
	for _, s := range sizes {
		i.facts.Sizes = append(i.facts.Sizes, why.Size{At: s.At, Workers: s.Workers})
	}
	return err
}

// events reads the newest events about some subjects, oldest first.
func (i *inquiry) events(ctx context.Context, until time.Time, subjects ...string) ([]run.Event, error) {
	var all []run.Event
	for _, subject := range subjects {
		events, err := i.d.ledger.Events(ctx, subject, time.Time{}, until, mostEvents)
		if err != nil {
			return nil, err
		}
		all = append(all, events...)
	}
	slices.SortFunc(all, func(a, b run.Event) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// addCurrentHolds adds pauses whose events retention has removed.
func (i *inquiry) addCurrentHolds(pool string) {
	add := func(subject string, p *dispatch.Pause) {
		if p == nil || slices.ContainsFunc(i.facts.Holds, func(e run.Event) bool { return e.Subject == subject }) {
			return
		}
		e := run.Event{At: p.Since, Kind: run.EventPause, Subject: subject, Reason: p.Reason, Until: p.Until}
		if p.By != "" {
			e.By = actorUser + p.By
		}
		i.facts.Holds = slices.Insert(i.facts.Holds, 0, e)
	}
	add(run.SubjectHost, i.d.pools.HostPause())
	add(run.SubjectJob(i.facts.Job), i.d.pools.JobPause(i.facts.Job))
	for _, s := range i.d.pools.Pools() {
		if s.Name == pool {
			add(run.SubjectPool(pool), s.Pause)
		}
	}
}

// window answers for the due moments of a span, the newest first as far as the
// limit goes, and told in the order of time.
func (i *inquiry) window(ctx context.Context, q server.WhyQuery, answer *api.Why) error {
	f := &i.facts
	until := f.Now
	if !q.Until.IsZero() {
		until = q.Until.Add(-1) // exclusive
	}
	if len(f.Table.Exprs) == 0 || f.Table.Reboot() && !i.names(f.Now) {
		return i.unscheduled(ctx, q, answer)
	}
	from := q.Since.Add(-1) // inclusive
	if q.Since.IsZero() || from.Before(f.Mark.Since) {
		from = f.Mark.Since
	}
	if from.IsZero() { // of a ledger that was there before it kept this
		from = f.Now.Add(-f.KeptFor)
	}
	var moments []schedule.Occurrence
	if until.After(from) {
		var dropped int
		moments, dropped, _, _ = f.Table.DueTail(from, until, q.Limit)
		answer.LeftOut = dropped
	}
	earlier, more, err := i.earlier(ctx, q, from, q.Limit-len(moments))
	if err != nil {
		return err
	}
	answer.More = more || answer.LeftOut > 0
	for _, m := range earlier {
		answer.Moments = append(answer.Moments, wireAnswer(f.Explain(&m), &m))
	}
	for _, occ := range moments {
		a, err := i.explain(ctx, occ)
		if err != nil {
			return err
		}
		answer.Moments = append(answer.Moments, a)
	}
	if n := len(answer.Moments); n > 0 {
		answer.Notes = append(answer.Notes, f.Notes(answer.Moments[0].At.Time, until)...)
	}
	if occ, ok := f.Table.Next(f.Now); ok && q.Until.IsZero() {
		a, err := i.explain(ctx, occ)
		if err != nil {
			return err
		}
		answer.Next = &a
	}
	if len(answer.Moments) == 0 {
		answer.Notes = append(answer.Notes, i.empty(q, from))
	}
	return nil
}

// names says whether the schedule names any moment at all.
func (i *inquiry) names(now time.Time) bool {
	_, ok := i.table.Next(now)
	return ok
}

// empty says why there is no moment to tell of.
func (i *inquiry) empty(q server.WhyQuery, from time.Time) string {
	if q.Since.IsZero() && q.Until.IsZero() {
		return fmt.Sprintf("The job has not been due yet since its schedule counts, %s.", from.In(i.facts.Zone).Format("2006-01-02 15:04:05 -0700"))
	}
	return "The schedule names no moment in this span, and the ledger has no run of one."
}

// earlier returns the moments before the schedule was as it is now: only the
// ledger knows of them.
func (i *inquiry) earlier(ctx context.Context, q server.WhyQuery, before time.Time, most int) (moments []why.Moment, more bool, err error) {
	if q.Since.After(before) {
		return nil, false, nil
	}
	if !q.Until.IsZero() && q.Until.Before(before) {
		before = q.Until.Add(-1)
	}
	before = before.Truncate(time.Second).Add(time.Second) // keys have whole seconds
	for {
		r, err := i.d.ledger.RunBefore(ctx, i.facts.Job, before)
		if err != nil || r.ID == 0 || r.ScheduledAt.Before(q.Since) {
			slices.Reverse(moments)
			return moments, false, err
		}
		if len(moments) >= most {
			slices.Reverse(moments)
			return moments, true, nil
		}
		m := why.Moment{At: r.ScheduledAt, Row: &r}
		if err := i.complete(ctx, &m); err != nil {
			return nil, false, err
		}
		moments = append(moments, m)
		before = r.ScheduledAt
	}
}

// unscheduled answers for a job that is never due by itself: its last runs.
func (i *inquiry) unscheduled(ctx context.Context, q server.WhyQuery, answer *api.Why) error {
	f := &i.facts
	switch {
	case f.Def == nil:
		answer.Notes = append(answer.Notes, "The configuration has no job "+f.Job+" any more. These are its last runs.")
	case f.Table.Reboot():
		answer.Notes = append(answer.Notes, "The job is due once after each boot of the host, and at no other time. These are its last runs.")
	default:
		answer.Notes = append(answer.Notes, "The job has no schedule: it runs when somebody asks, in batches, or after other jobs. These are its last runs.")
	}
	list, err := i.d.ledger.Runs(ctx, run.Filter{Job: f.Job, Since: q.Since, Until: q.Until, Limit: q.Limit})
	if err != nil {
		return err
	}
	for _, listed := range slices.Backward(list) {
		r, err := i.d.ledger.Run(ctx, listed.ID)
		if errors.Is(err, run.ErrNotFound) {
			continue // retention was faster
		}
		if err != nil {
			return err
		}
		m := why.Moment{At: r.EnqueuedAt, Row: &r}
		if !r.ScheduledAt.IsZero() {
			m.At = r.ScheduledAt
		}
		if err := i.complete(ctx, &m); err != nil {
			return err
		}
		answer.Moments = append(answer.Moments, wireAnswer(f.Explain(&m), &m))
	}
	return nil
}

// at answers for one moment, whether the schedule names it or not.
func (i *inquiry) at(ctx context.Context, at time.Time, answer *api.Why) error {
	f := &i.facts
	if last, ok := f.Table.Last(at); ok && last.At.Equal(at) {
		a, err := i.explain(ctx, last)
		answer.Moments = append(answer.Moments, a)
		answer.Notes = append(answer.Notes, f.Notes(at.Add(-time.Hour), at.Add(time.Hour))...)
		return err
	}
	r, err := i.d.ledger.RunFor(ctx, f.Job, at)
	if err != nil {
		return err
	}
	if r.ID != 0 && (r.ScheduledAt.Equal(at) || at.Before(f.Mark.Since)) { // of an earlier schedule
		m := why.Moment{At: at, Row: &r}
		err := i.complete(ctx, &m)
		answer.Moments = append(answer.Moments, wireAnswer(f.Explain(&m), &m))
		return err
	}
	answer.Moments = append(answer.Moments, wireAnswer(f.Unnamed(at), &why.Moment{}))
	before, hasBefore := f.Table.Last(at)
	after, hasAfter := f.Table.Next(at)
	for _, near := range []struct {
		occ schedule.Occurrence
		ok  bool
	}{{before, hasBefore}, {after, hasAfter}} {
		if !near.ok {
			continue
		}
		a, err := i.explain(ctx, near.occ)
		if err != nil {
			return err
		}
		answer.Moments = append(answer.Moments, a)
	}
	return nil
}

// explain answers for a moment that the schedule names.
func (i *inquiry) explain(ctx context.Context, occ schedule.Occurrence) (api.WhyMoment, error) {
	m := why.Moment{At: occ.At, Mark: occ.Mark}
	r, err := i.d.ledger.RunFor(ctx, i.facts.Job, occ.At)
	if err != nil {
		return api.WhyMoment{}, err
	}
	if r.ID != 0 {
		m.Row = &r
	}
	if err := i.complete(ctx, &m); err != nil {
		return api.WhyMoment{}, err
	}
	return wireAnswer(i.facts.Explain(&m), &m), nil
}

// complete adds what explains the row of a moment.
func (i *inquiry) complete(ctx context.Context, m *why.Moment) error {
	if def := i.facts.Def; m.Row == nil || m.Row.Batch != "" {
		if m.Row == nil && (def == nil || !def.Args.Sourced()) {
			return nil
		}
		batch, err := i.d.ledger.Batch(ctx, run.OccurrenceKey(i.facts.Job, m.At, i.facts.Mark.Epoch))
		if err == nil {
			m.Batch, m.Row = &batch, nil
			return nil
		}
		if !errors.Is(err, run.ErrNotFound) || m.Row == nil {
			return ignoreMissing(err)
		}
	}
	r := m.Row
	if other := r.InTheWay(); other != 0 {
		blocker, err := i.d.ledger.Run(ctx, other)
		if err == nil {
			m.InTheWay = &blocker
		} else if !errors.Is(err, run.ErrNotFound) {
			return err
		}
	}
	var err error
	if r.Attempts > 0 {
		if m.Attempts, err = i.d.ledger.Attempts(ctx, r.ID); err != nil {
			return ignoreMissing(err)
		}
	}
	if r.State == run.Queued {
		if m.HeldBack, err = i.HeldBack(ctx, "run", fmt.Sprint(r.ID)); err != nil {
			return err
		}
	}
	return i.lookBeside(ctx, m)
}

// lookBeside finds what a run that was late may have waited for.
func (i *inquiry) lookBeside(ctx context.Context, m *why.Moment) error {
	first := m.Row.StartedAt
	if len(m.Attempts) > 0 {
		first = m.Attempts[0].StartedAt
	}
	if m.Row.Reason == run.ReasonExpired {
		first = m.Row.FinishedAt
	}
	due := m.At.Add(i.facts.Splay)
	if first.IsZero() || first.Sub(due) < time.Second || i.late >= mostLate {
		return nil
	}
	i.late++
	var err error
	m.Beside, err = i.d.ledger.RunsBeside(ctx, m.Row.ID, due, first)
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, run.ErrNotFound) {
		return nil
	}
	return err
}

func wireAnswer(a why.Answer, m *why.Moment) api.WhyMoment {
	w := api.WhyMoment{
		At: api.ZonedTime{Time: a.At}, Mark: a.Mark, Outcome: a.Outcome, Reason: api.Text(a.Reason),
		Sentence: a.Sentence, Look: a.Look,
	}
	if a.Run > 0 {
		w.Run = &a.Run
	}
	if m.Row != nil && m.Row.Count > 1 {
		w.Count, w.Until = &m.Row.Count, api.At(m.Row.Until)
	}
	return w
}
