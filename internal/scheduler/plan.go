package scheduler

import (
	"math/rand/v2"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// mostAtOnce bounds the occurrences of one job that are enqueued one by one in
// one step; a longer backlog is folded into a row.
const mostAtOnce = 1000

// farBack is how far the clock must be set back for jobs at fixed times to
// begin anew too: as in Debian's cron, a smaller correction does not fire them
// twice.
const farBack = 3 * time.Hour

// circumstances are what plan is told besides the job.
type circumstances struct {
	now       time.Time
	splay     time.Duration
	jitter    func(span time.Duration) time.Duration
	skip      run.Reason          // of every occurrence: paused, disabled; or none
	blackouts *schedule.Blackouts // or nil
}

// planLocked decides what became of the job's occurrences up to now.
func (s *Scheduler) planLocked(e *entry, now time.Time) ([]run.New, run.Watermark) {
	c := circumstances{
		now:    now,
		splay:  schedule.Splay(s.o.Host, e.def.Name, time.Duration(e.def.Splay)),
		jitter: randomUpTo, blackouts: e.blackouts,
	}
	switch {
	case !e.def.Enabled:
		c.skip = run.ReasonDisabled
	case s.o.Paused != nil && s.o.Paused(e.def.Name):
		c.skip = run.ReasonPaused
	}
	runs := plan(e.def, e.table.Schedule, e.mark, c)
	if s.reboots(e) {
		runs = append(runs, rebootRun(e.def, s.o.BootID, c))
	}
	return runs, e.moved(now, s.o.BootID)
}

// plan decides what becomes of each occurrence of the job after its watermark
// and up to now, in the order of time.
func plan(def *jobs.Definition, table schedule.Schedule, mark run.Watermark, c circumstances) []run.New {
	keep := max(mostAtOnce, def.CatchUp.MaxRuns)
	kept, dropped, first, lastDropped := table.DueTail(mark.At, c.now, keep)
	if dropped+len(kept) == 0 {
		return nil
	}
	if dropped == 0 {
		first = kept[0].At
	}
	if c.skip != "" {
		last := lastDropped
		if len(kept) > 0 {
			last = kept[len(kept)-1].At
		}
		return []run.New{skippedRow(def, mark, c.skip, first, last, dropped+len(kept))}
	}
	onTime := len(kept)
	news := make([]run.New, len(kept))
	for i, occ := range kept {
		news[i] = newRun(def, mark, occ.At, c)
		heedBlackout(&news[i], def, table, c, occ.At)
	}
	grace := time.Duration(def.Grace)
	for onTime > 0 && !c.now.After(news[onTime-1].DueAt.Add(grace)) {
		onTime--
	}
	made := firstMadeUp(def.CatchUp, kept[:onTime], c.now)
	for i := made; i < onTime; i++ {
		if news[i].State != run.Queued {
			continue
		}
		news[i].Trigger = run.TriggerCatchUp
		heedBlackout(&news[i], def, schedule.Schedule{}, c, c.now)
		news[i].Overlap = oneByOne(news[i].Overlap)
	}
	missed := dropped + made
	if missed == 0 {
		return news
	}
	last := lastDropped
	if made > 0 {
		last = kept[made-1].At
	}
	row := skippedRow(def, mark, run.ReasonMissed, first, last, missed)
	return append([]run.New{row}, news[made:]...)
}

// firstMadeUp returns from which of the missed occurrences on catch-up runs are
// made.
func firstMadeUp(c jobs.CatchUp, missed []schedule.Occurrence, now time.Time) int {
	most := 0
	switch c.Policy {
	case jobs.CatchUpLatest:
		most = 1
	case jobs.CatchUpAll:
		most = c.MaxRuns
	}
	from := max(len(missed)-most, 0)
	for from < len(missed) && now.Sub(missed[from].At) > time.Duration(c.MaxAge) {
		from++
	}
	return from
}

// oneByOne is the overlap rule among catch-up runs: they were all asked for, so
// none is skipped for another, but they still do not run beside each other.
func oneByOne(rule jobs.Overlap) jobs.Overlap {
	if rule == jobs.OverlapAllow {
		return rule
	}
	return jobs.OverlapQueueAll
}

// newRun is the run of an occurrence at its time.
func newRun(def *jobs.Definition, mark run.Watermark, at time.Time, c circumstances) run.New {
	n := run.New{
		Key: run.OccurrenceKey(def.Name, at, mark.Epoch), State: run.Queued, Trigger: run.TriggerSchedule,
		Priority: def.Priority, Overlap: def.Overlap, ScheduledAt: at,
		DueAt: at.Add(c.splay + c.jitter(time.Duration(def.Jitter))),
	}
	if within := time.Duration(def.StartWithin); within > 0 {
		n.ExpiresAt = n.DueAt.Add(within)
	}
	return n
}

// skippedRow stands for all occurrences from first to last.
func skippedRow(def *jobs.Definition, mark run.Watermark, why run.Reason, first, last time.Time, count int) run.New {
	return run.New{
		Key: run.OccurrenceKey(def.Name, first, mark.Epoch), State: run.Skipped, Reason: why, Trigger: run.TriggerSchedule,
		Priority: def.Priority, ScheduledAt: first, Until: last, Count: count,
	}
}

// rebootRun is the run of a @reboot.
func rebootRun(def *jobs.Definition, boot string, c circumstances) run.New {
	n := newRun(def, run.Watermark{}, c.now, c)
	n.Key, n.Trigger = def.Name+"@reboot:"+boot, run.TriggerReboot
	if c.skip != "" {
		n.State, n.Reason = run.Skipped, c.skip
	}
	return n
}

// submissions makes what is enqueued: all runs at once, or, for a job with
// arguments, a batch for each occurrence. The watermark moves with the last.
func submissions(def *jobs.Definition, runs []run.New, mark run.Watermark, args []string, limit int) []run.Submission {
	var subs []run.Submission
	plain := run.Submission{Def: def, QueueLimit: limit}
	for _, n := range runs {
		if !def.Args.Sourced() || n.State != run.Queued {
			plain.Runs = append(plain.Runs, n)
			continue
		}
		if len(args) == 0 {
			n.State, n.Reason, n.Error = run.Skipped, run.ReasonCondition, "its args name no argument"
			plain.Runs = append(plain.Runs, n)
			continue
		}
		subs = append(subs, batchOf(def, n, args, limit))
	}
	if len(plain.Runs) > 0 || len(subs) == 0 {
		subs = append(subs, plain)
	}
	subs[len(subs)-1].Watermark = &mark
	return subs
}

// batchOf makes one occurrence's batch: a run for each argument.
func batchOf(def *jobs.Definition, n run.New, args []string, limit int) run.Submission {
	return run.Submission{Def: def, Runs: []run.New{n}, Lines: args, Batch: true, BatchKey: n.Key, QueueLimit: limit}
}

// failAll turns queued runs into failed ones: their arguments are not known.
func failAll(runs []run.New, why error) []run.New {
	failed := make([]run.New, len(runs))
	for i, n := range runs {
		if n.State == run.Queued {
			n.State, n.Reason, n.Error = run.Failed, run.ReasonStart, "its arguments could not be listed: "+why.Error()
		}
		failed[i] = n
	}
	return failed
}

func anyQueued(runs []run.New) bool {
	for _, n := range runs {
		if n.State == run.Queued {
			return true
		}
	}
	return false
}

// stepBackLocked lets jobs go on after the clock was set back: their
// watermarks, which lie in what is the future again, return to now, and the
// epoch in their keys rises. A step of less than farBack leaves jobs at fixed
// times alone, so that none fires twice.
func (s *Scheduler) stepBackLocked(now time.Time) {
	moved, most := 0, time.Duration(0)
	for _, e := range s.jobs {
		back := e.mark.At.Sub(now)
		if back <= 0 || (back < farBack && !elapsed(e.table.Schedule)) || e.busy {
			continue
		}
		moved, most = moved+1, max(most, back)
		e.mark.At, e.mark.Epoch = now, e.mark.Epoch+1
		e.nextAfter(now)
		e.stamp()
		s.fixLocked(e)
	}
	if moved > 0 {
		s.o.Log.Warn("the clock was set back; schedules go on from now", "jobs", moved, "by", most.Round(time.Second))
	}
}

// elapsed says whether every expression of the table follows elapsed time.
func elapsed(t schedule.Schedule) bool {
	for _, expr := range t.Exprs {
		if !expr.Wildcard() && !expr.Reboot() {
			return false
		}
	}
	return true
}

func randomUpTo(span time.Duration) time.Duration {
	if span <= 0 {
		return 0
	}
	return rand.N(span)
}
