package why

import (
	"fmt"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// skipped says why a moment was skipped.
func (f *Facts) skipped(m *Moment) string {
	r, def := m.Row, m.Row.Def
	if def == nil {
		def = &jobs.Definition{}
	}
	switch r.Reason {
	case run.ReasonOverlap:
		return f.overlapped(m, def)
	case run.ReasonMissed:
		return f.missed(m, def)
	case run.ReasonPaused:
		if all := f.holds(run.SubjectJob(f.Job), m.At, m.At); len(all) > 0 {
			return f.wasHeld(&all[0], m.At)
		}
		return "job " + f.Job + " was paused"
	case run.ReasonDisabled:
		return "the job was off, by enabled: false"
	case run.ReasonExpired:
		words := fmt.Sprintf("not started within start_within, %s", def.StartWithin)
		if cause := f.lateness(m, m.At.Add(f.Splay), r.FinishedAt); cause != "" {
			words += "; " + cause
		}
		return words
	case run.ReasonQueueFull:
		return fmt.Sprintf("the queue of pool %s was full (queue_limit)", r.Pool)
	case run.ReasonCondition:
		return r.Error
	case run.ReasonNotDuring:
		return f.blackedOut(m, def)
	}
	return ended(r)
}

// overlapped names the run that was not done.
func (f *Facts) overlapped(m *Moment, def *jobs.Definition) string {
	const rule = ", and overlap is "
	o := m.InTheWay
	switch {
	case o == nil:
		return "an earlier run of the job was not done" + rule + string(def.Overlap)
	case !o.FinishedAt.IsZero() && o.FinishedAt.Before(m.At): // of a later moment of a folded row
		return fmt.Sprintf("an earlier run of the job was not done, first run %d%s%s", o.ID, rule, def.Overlap)
	case o.StartedAt.IsZero() || o.StartedAt.After(m.At):
		return fmt.Sprintf("run %d was still queued%s%s", o.ID, rule, def.Overlap)
	}
	words := fmt.Sprintf("run %d was still running, since %s", o.ID, f.near(o.StartedAt, m.At))
	if !o.FinishedAt.IsZero() {
		words += " and until " + f.near(o.FinishedAt, m.At)
	}
	return words + rule + string(def.Overlap)
}

// missed says what kept the daemon from deciding in time, and why nothing was
// made up for.
func (f *Facts) missed(m *Moment, def *jobs.Definition) string {
	words := ""
	if e := f.down(m.At); e != nil {
		words = f.wasDown(e, m.At)
	} else if e := f.jumped(m.At); e != nil {
		words = f.hasJumped(e, m.At)
	} else {
		words = fmt.Sprintf("it could not be decided within grace, %s: the daemon, its host or its disk could do no more", def.Grace)
	}
	switch c := def.CatchUp; c.Policy {
	case jobs.CatchUpLatest:
		return words + "; catch_up makes up for the latest moment alone"
	case jobs.CatchUpAll:
		return words + fmt.Sprintf("; catch_up makes up for %d moments of at most %s ago", c.MaxRuns, c.MaxAge)
	}
	return words + "; catch_up is none"
}

func (f *Facts) blackedOut(m *Moment, def *jobs.Definition) string {
	words := "it falls into " + m.Row.Error
	if out, in := f.Blackouts.At(m.At); in { // as the calendars are now
		words = "it falls into calendar " + out.Calendar
		if !out.Until.IsZero() {
			words += ", until " + f.near(out.Until, m.At)
		}
	}
	if def.NotDuring != nil && def.NotDuring.Defer {
		words += "; the last moment before the end is deferred to it"
	}
	return words
}

// ofFuture says what will become of a moment.
func (f *Facts) ofFuture(m *Moment) string {
	words := "not due yet, in " + span(m.At.Sub(f.Now))
	start := m.At.Add(f.Splay)
	def := f.Def
	switch {
	case def == nil:
		return words
	case !def.Enabled:
		return words + "; it will be skipped: the job is off, by enabled: false"
	}
	if all := f.holds(run.SubjectJob(f.Job), m.At, m.At); len(all) > 0 {
		return words + "; it will be skipped: " + f.wasHeld(&all[0], m.At)
	}
	if out, in := f.Blackouts.At(m.At); in {
		if !f.Blackouts.Defer || !out.Stands(f.Table, m.At) {
			return words + "; it will be skipped: it falls into calendar " + out.Calendar
		}
		start = out.Until.Add(f.Splay)
		words += "; it falls into calendar " + out.Calendar + ", which defers it to " + f.near(start, m.At)
	}
	if h := f.heldDuring(def.Pool, start, start); h != nil {
		return words + "; it will wait: " + f.wasHeld(h, m.At)
	}
	if size, known := f.sizeAt(f.Now); known && size == 0 {
		return words + fmt.Sprintf("; it will wait while pool %s has no workers%s: poold pool resize %s N", def.Pool, f.resized(f.Now, m.At), def.Pool)
	}
	words += "; it starts at " + f.near(start, m.At)
	if def.Jitter > 0 {
		words += " or up to " + span(time.Duration(def.Jitter)) + " later"
	}
	switch def.Overlap {
	case jobs.OverlapSkip, jobs.OverlapQueue:
		words += ", unless an earlier run is not done"
	}
	if def.Condition != nil {
		words += ", if its condition says go"
	}
	return words
}

// ofNothing explains a moment of which the ledger has no row.
func (f *Facts) ofNothing(m *Moment) (outcome, words, look string) {
	if m.At.After(f.Mark.At) && !f.Mark.At.IsZero() {
		if f.Now.Sub(m.At) < 5*time.Second {
			return OutcomePending, "due, and being decided just now", "poold why " + f.Job
		}
		return OutcomePending, "due, and not decided: everything until " + f.near(f.Mark.At, m.At) +
			" is. Its arguments are still being listed, or the ledger takes nothing, as on a full disk; the daemon's log says which", "poold status"
	}
	if !m.At.After(f.Mark.Since) {
		return OutcomeBefore, "the schedule did not count yet: " + f.began(f.Mark.Since, m.At), "poold cat " + f.Job
	}
	if e := f.firstStart(); e != nil && m.At.Before(e.At) {
		return OutcomeBefore, "the daemon was started for the first time at " + f.near(e.At, m.At), "poold status"
	}
	if e := f.jumped(m.At); e != nil {
		return OutcomeUnknown, f.hasJumped(e, m.At) + ", over this moment", "poold runs --job " + f.Job
	}
	if f.Oldest.IsZero() || m.At.Before(f.Oldest) || f.KeptFor > 0 && f.Now.Sub(m.At) > f.KeptFor {
		return OutcomeUnknown, "the ledger keeps no record of it any more; see retention in the configuration", "poold runs --job " + f.Job
	}
	return OutcomeUnknown, "the ledger has no record of it; retention may have removed it", "poold runs --job " + f.Job
}

// shift explains the mark of a moment, in words.
func (f *Facts) shift(m *Moment) string {
	if m.Mark == "" {
		return ""
	}
	zone := f.Table.Zone
	if zone == nil {
		zone = time.Local
	}
	at := m.At.In(zone)
	begin, end := at.ZoneBounds()
	if m.Mark == "dst_gap" {
		before := begin.UTC().Add(time.Duration(offset(begin.Add(-1).In(zone))) * time.Second)
		return fmt.Sprintf("the clocks went from %s to %s that day, so that its own time did not exist: it is due at the first instant after that",
			before.Format("15:04"), begin.In(zone).Format("15:04"))
	}
	if shiftedBack(end, zone) && end.Sub(at) <= 3*time.Hour {
		return fmt.Sprintf("the clocks go back that day and show %s twice: this is the first time", at.Format("15:04"))
	}
	return fmt.Sprintf("the clocks went back that day and showed %s twice: this is the second time", at.Format("15:04"))
}

// shiftedBack says whether the clocks go back at an instant.
func shiftedBack(t time.Time, zone *time.Location) bool {
	if t.IsZero() {
		return false
	}
	return offset(t.In(zone)) < offset(t.Add(-1).In(zone))
}
