// Package why says in sentences what became of the moments at which a job was
// due. It is pure: whoever asks it hands over what the ledger knows, and gets
// words for a person who was woken by a job that did not run.
//
// For each moment there is a run, or a skipped row that stands for it, or
// nothing. Where the row alone does not say why, the events around it do: when
// the daemon was down, who paused what, how the clock was set.
package why

import (
	"slices"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// Facts are what is known about a job and its surroundings, as far back as the
// moments that are asked for.
type Facts struct {
	Now       time.Time
	Zone      *time.Location // in which times are told
	Job       string
	Def       *jobs.Definition // as configured now; nil where it is no more
	Table     schedule.Schedule
	Blackouts *schedule.Blackouts
	Splay     time.Duration
	Mark      run.Watermark
	KeptFor   time.Duration // by retention
	Oldest    time.Time     // when the oldest run of the ledger was enqueued; zero: none is there

	Daemon []run.Event // starts, stops, reloads, steps of the clock
	Holds  []run.Event // pauses, drains and resumes, of host, pool and job
	Sizes  []Size      // of the job's pool, oldest first
	Hands  []run.Event // who resized the pool, oldest first
}

// Size is how many workers a pool has from a moment on.
type Size struct {
	At      time.Time
	Workers int
}

// Moment is one due moment, and what the ledger has of it.
type Moment struct {
	At       time.Time
	Mark     string // schedule.MarkGap, MarkFold or none
	Row      *run.Run
	Attempts []run.Attempt // of the row's run, oldest first
	Batch    *run.Batch    // instead of a row, where each argument has a run
	InTheWay *run.Run      // of a row that was skipped for it
	Beside   []run.Run     // runs with their definitions that may have been under way while this one waited
	HeldBack []string      // what holds back a run that is queued still
}

// The outcomes of a moment, beside the states of a run.
const (
	OutcomeFuture  = "future"
	OutcomePending = "pending" // due, and not decided yet
	OutcomeBefore  = "before"  // the schedule or the daemon was not there yet
	OutcomeUnknown = "unknown"
	OutcomeUnnamed = "unnamed" // the schedule does not name it
)

// Answer is what became of a moment.
type Answer struct {
	At       time.Time
	Mark     string
	Outcome  string // a state of a run, or one of the outcomes
	Reason   string // of the run
	Run      int64  // or 0
	Sentence string
	Look     string // the command that shows more
}

// Explain says what became of a moment.
func (f *Facts) Explain(m *Moment) Answer {
	a := Answer{At: m.At.In(f.Zone), Mark: m.Mark}
	switch {
	case m.Row != nil:
		a.Outcome, a.Reason, a.Run = string(m.Row.State), string(m.Row.Reason), m.Row.ID
		a.Look = "poold show " + id(m.Row.ID)
		a.Sentence = f.ofRow(m)
	case m.Batch != nil:
		a.Outcome, a.Look = string(m.Batch.Result()), "poold runs --batch "+m.Batch.ID
		if !m.Batch.Done() {
			a.Outcome = string(run.Running)
		}
		a.Sentence = f.ofBatch(m)
	case m.At.After(f.Now):
		a.Outcome, a.Look = OutcomeFuture, "poold next "+f.Job
		a.Sentence = f.ofFuture(m)
	default:
		a.Outcome, a.Sentence, a.Look = f.ofNothing(m)
	}
	if words := f.shift(m); words != "" {
		a.Sentence += "; " + words
	}
	a.Sentence = upper(a.Sentence) + "."
	return a
}

// Unnamed answers for a moment that the schedule does not name, and names the
// nearest ones, where there are any.
func (f *Facts) Unnamed(at time.Time) Answer {
	a := Answer{At: at.In(f.Zone), Outcome: OutcomeUnnamed, Look: "poold next " + f.Job}
	if f.Def == nil {
		a.Sentence, a.Look = "The configuration has no job "+f.Job+" now, and the ledger has no run of it for that moment.", "poold runs --job "+f.Job
		return a
	}
	if len(f.Table.Exprs) == 0 {
		a.Sentence, a.Look = "Job "+f.Job+" has no schedule: it is never due by itself.", "poold cat "+f.Job
		return a
	}
	words := "the schedule does not name " + f.full(at)
	before, hasBefore := f.Table.Last(at)
	after, hasAfter := f.Table.Next(at)
	switch {
	case hasBefore && hasAfter:
		words += "; the nearest moments are " + f.near(before.At, at) + " before and " + f.near(after.At, at) + " after it"
	case hasBefore:
		words += "; the last one was " + f.near(before.At, at)
	case hasAfter:
		words += "; the first one is " + f.near(after.At, at)
	}
	a.Sentence = upper(words) + "."
	return a
}

// Notes tell what happened in a span that concerns every job: the daemon was
// down, the clock was set, a reload was refused.
func (f *Facts) Notes(from, until time.Time) []string {
	var notes []string
	for _, e := range slices.Backward(f.Daemon) {
		if e.At.Before(from) || e.Since.After(until) || (e.Since.IsZero() && e.At.After(until)) {
			continue
		}
		if words := f.noteOf(&e); words != "" {
			notes = append(notes, upper(words)+".")
		}
	}
	return notes
}
