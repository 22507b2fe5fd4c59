package why

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// lateBy is the lateness from which on it is explained.
const lateBy = time.Second

// ofRow tells what became of a moment that has a run, or a row that stands for
// it.
func (f *Facts) ofRow(m *Moment) string {
	r := m.Row
	switch {
	case r.State == run.Skipped && r.Attempts == 0:
		return "skipped: " + f.skipped(m)
	case r.State == run.Queued && r.Attempts == 0:
		return f.queued(m)
	case r.State == run.Canceled && r.Attempts == 0:
		return fmt.Sprintf("canceled as run %d before it started, at %s: %s", r.ID, f.near(r.FinishedAt, m.At), ended(r))
	case r.State == run.Failed && r.Attempts == 0:
		return fmt.Sprintf("failed as run %d before it started: %s", r.ID, ended(r))
	}
	return f.ran(m)
}

// ran tells of a run that was started.
func (f *Facts) ran(m *Moment) string {
	r := m.Row
	words := fmt.Sprintf("ran as run %d, %s", r.ID, f.started(m))
	if n := len(m.Attempts); n > 1 {
		first := &m.Attempts[0]
		words += fmt.Sprintf("; its first attempt ended %s (%s), and it was started %d times", f.near(first.FinishedAt, m.At), outcome(first), r.Attempts)
	}
	switch r.State {
	case run.Running:
		return words + fmt.Sprintf("; it still runs, for %s now", span(f.Now.Sub(r.StartedAt)))
	case run.Queued:
		return words + "; it waits for another attempt" + f.heldBack(m)
	case run.Succeeded:
		return words + ", and succeeded after " + span(r.FinishedAt.Sub(r.StartedAt))
	case run.Skipped:
		return words + ", and counts as skipped: it ended with an exit status of exit.skip"
	}
	return words + fmt.Sprintf(", and %s after %s: %s", r.State, span(r.FinishedAt.Sub(r.StartedAt)), ended(r))
}

// started tells when the run was started, and why so late.
func (f *Facts) started(m *Moment) string {
	first := m.Row.StartedAt
	if len(m.Attempts) > 0 {
		first = m.Attempts[0].StartedAt
	}
	due := f.due(m, first)
	words := "started on time"
	if late := first.Sub(due); late >= lateBy {
		words = fmt.Sprintf("started %s late, at %s", span(late), f.near(first, m.At))
		if cause := f.lateness(m, due, first); cause != "" {
			words += ", since " + cause
		}
	} else if due.Sub(m.At) >= lateBy {
		words += fmt.Sprintf(" at %s, %s after the moment by %s", f.near(first, m.At), span(due.Sub(m.At)), f.delay(m))
	}
	return words
}

// due is when the run was to start: after splay, jitter or a blackout.
func (f *Facts) due(m *Moment, first time.Time) time.Time {
	if m.Row.Attempts <= 1 && !m.Row.DueAt.IsZero() && !m.Row.DueAt.After(first) && m.Row.DueAt.After(m.At) && m.Row.AskedAt.IsZero() {
		return m.Row.DueAt
	}
	return m.At.Add(f.Splay)
}

// delay names what puts the start off.
func (f *Facts) delay(m *Moment) string {
	var all []string
	if def := m.Row.Def; def != nil {
		if out, in := f.Blackouts.At(m.At); in && def.NotDuring != nil && def.NotDuring.Defer {
			return "calendar " + out.Calendar + ", which defers it"
		}
		if def.Splay > 0 {
			all = append(all, "splay")
		}
		if def.Jitter > 0 {
			all = append(all, "jitter")
		}
	}
	if len(all) == 0 {
		return "splay or jitter"
	}
	return strings.Join(all, " and ")
}

// lateness says what a run waited for between two instants, as far as the
// ledger shows.
func (f *Facts) lateness(m *Moment, due, first time.Time) string {
	r := m.Row
	if e := f.down(m.At); e != nil {
		return f.wasDown(e, m.At)
	}
	if h := f.heldDuring(r.Pool, due, first); h != nil {
		return f.wasHeld(h, m.At)
	}
	if e := f.jumped(m.At); e != nil {
		return f.hasJumped(e, m.At)
	}
	if size, known := f.sizeAt(due); known && size == 0 {
		return fmt.Sprintf("pool %s had no workers%s", r.Pool, f.resized(due, m.At))
	}
	if words := f.behind(m, due, first); words != "" {
		return words
	}
	if !r.AskedAt.IsZero() && r.Def != nil && r.Def.Condition != nil && r.Def.Condition.Wait > 0 {
		return "its condition said no at first"
	}
	if late := r.EnqueuedAt.Sub(m.At); late >= lateBy {
		return fmt.Sprintf("it was decided only at %s: the daemon or its disk was busy", f.near(r.EnqueuedAt, m.At))
	}
	return "it waited in the queue of pool " + r.Pool
}

// behind says which other runs were in the way: one of the same job, one that
// held a lock, or as many as the pool has workers. Those that were under way
// when the run was due come before those that began later.
func (f *Facts) behind(m *Moment, due, first time.Time) string {
	busy, named, later := 0, "", ""
	for i := range m.Beside {
		o := &m.Beside[i]
		over := !o.FinishedAt.IsZero() && !o.FinishedAt.After(due)
		if o.ID == m.Row.ID || over || o.StartedAt.After(first) {
			continue
		}
		words := f.inTheWay(m, o)
		switch {
		case o.StartedAt.After(due):
			later = cmp.Or(later, words)
			continue
		case o.Pool == m.Row.Pool:
			busy += max(1, int(o.Slots))
		}
		named = cmp.Or(named, words)
	}
	full := ""
	if size, known := f.sizeAt(due); known && size > 0 && busy >= size {
		full = fmt.Sprintf("all %d workers of pool %s were busy", size, m.Row.Pool)
		if size == 1 {
			full = fmt.Sprintf("the one worker of pool %s was busy", m.Row.Pool)
		}
	}
	return cmp.Or(named, full, later)
}

// inTheWay says what another run had that this one needed, or nothing.
func (f *Facts) inTheWay(m *Moment, o *run.Run) string {
	until := "until " + f.near(o.FinishedAt, m.At)
	if o.FinishedAt.IsZero() {
		until = "still"
	}
	if m.Row.Exclusive && o.Job == m.Row.Job && o.Arg == m.Row.Arg {
		return fmt.Sprintf("run %d of this job ran %s", o.ID, until)
	}
	if lock := shared(m.Row.Def, o.Def); lock != "" {
		return fmt.Sprintf("run %d of job %s held the lock %s %s", o.ID, o.Job, lock, until)
	}
	return ""
}

// shared is a lock that both take.
func shared(a, b *jobs.Definition) string {
	if a == nil || b == nil {
		return ""
	}
	for _, lock := range a.Locks {
		for _, other := range b.Locks {
			if lock == other {
				return lock
			}
		}
	}
	return ""
}

func (f *Facts) queued(m *Moment) string {
	r := m.Row
	words := fmt.Sprintf("queued as run %d", r.ID)
	if r.DueAt.After(f.Now) {
		return words + fmt.Sprintf(", to start at %s by %s", f.near(r.DueAt, m.At), f.delay(m))
	}
	return words + f.heldBack(m)
}

func (f *Facts) heldBack(m *Moment) string {
	if len(m.HeldBack) == 0 {
		return ", and about to start"
	}
	return ": " + strings.Join(m.HeldBack, "; ")
}

// ended says how a run ended.
func ended(r *run.Run) string {
	switch {
	case r.Reason == run.ReasonExit && r.ExitCode != nil:
		return fmt.Sprintf("exit status %d", *r.ExitCode)
	case r.Error != "":
		return r.Error
	case r.Signal != "":
		return "signal " + r.Signal
	}
	return string(r.Reason)
}

func outcome(a *run.Attempt) string {
	if a.ExitCode != nil && *a.ExitCode != 0 {
		return fmt.Sprintf("exit status %d", *a.ExitCode)
	}
	return a.Outcome
}

// ofBatch tells of a moment at which each argument had a run.
func (f *Facts) ofBatch(m *Moment) string {
	b := m.Batch
	words := fmt.Sprintf("became batch %s of %s: ", b.ID, plural(b.Total, "run"))
	var counts []string
	for _, c := range []struct {
		n    int
		word string
	}{
		{b.Succeeded, "succeeded"},
		{b.Failed, "failed"},
		{b.Canceled, "canceled"},
		{b.Skipped, "skipped"},
		{b.Running, "running"},
		{b.Queued, "queued"},
	} {
		if c.n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", c.n, c.word))
		}
	}
	words += strings.Join(counts, ", ")
	if !b.FinishedAt.IsZero() {
		words += ", done at " + f.near(b.FinishedAt, m.At)
	}
	return words
}
