package why

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/poold/poold/internal/run"
)

// down returns the start that ended the absence of the daemon in which an
// instant lies.
func (f *Facts) down(at time.Time) *run.Event {
	for i := range f.Daemon {
		e := &f.Daemon[i]
		if e.Kind == run.EventStart && !e.Since.IsZero() && !at.Before(e.Since) && !at.After(e.At) {
			return e
		}
	}
	return nil
}

// wasDown says from when until when the daemon was down. One that was killed
// is known to have been alive at Since, and no longer.
func (f *Facts) wasDown(e *run.Event, beside time.Time) string {
	from := "from "
	if !cleanly(e) {
		from = "from some time after "
	}
	words := "the daemon was down " + from + f.near(e.Since, beside) + " until " + f.near(e.At, beside)
	if !cleanly(e) {
		words += " (it was killed, or the host went down)"
	}
	return words
}

func cleanly(start *run.Event) bool {
	var life run.Life
	return json.Unmarshal(start.Detail, &life) == nil && life.Clean
}

// firstStart returns the first start of all.
func (f *Facts) firstStart() *run.Event {
	for i := range f.Daemon {
		if e := &f.Daemon[i]; e.Kind == run.EventStart && e.Since.IsZero() {
			return e
		}
	}
	return nil
}

// jumped returns the step of the clock, or the sleep of the host, that an
// instant lies in.
func (f *Facts) jumped(at time.Time) *run.Event {
	for i := range f.Daemon {
		e := &f.Daemon[i]
		if (e.Kind == run.EventClock || e.Kind == run.EventSleep) && at.After(e.Since) && !at.After(e.Until) {
			return e
		}
	}
	return nil
}

func (f *Facts) hasJumped(e *run.Event, beside time.Time) string {
	words := "the clock was set from "
	if e.Kind == run.EventSleep {
		words = "the host was suspended from "
		return words + f.near(e.Since, beside) + " until " + f.near(e.Until, beside)
	}
	return words + f.near(e.Since, beside) + " to " + f.near(e.Until, beside)
}

// hold is one pause or drain, from its beginning to its end.
type hold struct {
	event *run.Event
	end   time.Time  // zero: it lasts
	ended *run.Event // by which resume; nil: by its time, or by a later pause
}

// holds lists the pauses of a subject that overlap a span.
func (f *Facts) holds(subject string, from, until time.Time) []hold {
	var all []hold
	for i := range f.Holds { // oldest first
		e := &f.Holds[i]
		if e.Subject != subject {
			continue
		}
		if n := len(all); n > 0 && (all[n-1].end.IsZero() || e.At.Before(all[n-1].end)) {
			all[n-1].end, all[n-1].ended = e.At, nil
			if e.Kind == run.EventResume {
				all[n-1].ended = e
			}
		}
		if e.Kind != run.EventResume {
			all = append(all, hold{event: e, end: e.Until})
		}
	}
	return slices.DeleteFunc(all, func(h hold) bool {
		return h.event.At.After(until) || (!h.end.IsZero() && !h.end.After(from))
	})
}

// heldDuring returns the first pause of host, pool or job that overlaps a span.
func (f *Facts) heldDuring(pool string, from, until time.Time) *hold {
	for _, subject := range []string{run.SubjectHost, run.SubjectPool(pool), run.SubjectJob(f.Job)} {
		if all := f.holds(subject, from, until); len(all) > 0 {
			return &all[0]
		}
	}
	return nil
}

// wasHeld says what was paused, by whom, when and why.
func (f *Facts) wasHeld(h *hold, beside time.Time) string {
	e := h.event
	words := thing(e.Subject) + " was "
	if h.end.IsZero() || h.end.After(f.Now) {
		words = thing(e.Subject) + " is "
	}
	words += "paused" + by(e.By) + " at " + f.near(e.At, beside)
	if e.Reason != "" {
		words += " (" + e.Reason + ")"
	}
	switch {
	case h.ended != nil:
		words += ", and resumed" + by(h.ended.By) + " at " + f.near(h.end, beside)
	case h.end.IsZero():
		words += ", until " + resume(e.Subject)
	default:
		words += ", until " + f.near(h.end, beside)
	}
	return words
}

// thing is a subject in words.
func thing(subject string) string {
	if kind, name, ok := strings.Cut(subject, "/"); ok {
		return kind + " " + name
	}
	return "the " + subject
}

// resume is the command that ends a pause.
func resume(subject string) string {
	if kind, name, ok := strings.Cut(subject, "/"); ok {
		return "poold " + kind + " resume " + name
	}
	return "poold resume --all"
}

// sizeAt is how many workers the pool had; false where nobody knows.
func (f *Facts) sizeAt(at time.Time) (int, bool) {
	size, known := 0, false
	for _, s := range f.Sizes {
		if s.At.After(at) {
			break
		}
		size, known = s.Workers, true
	}
	return size, known
}

// resized says who gave the pool the size it had at an instant, where that is
// known.
func (f *Facts) resized(at, beside time.Time) string {
	for _, e := range slices.Backward(f.Hands) {
		if e.At.After(at) {
			continue
		}
		if who := by(e.By); who != "" {
			return ", resized" + who + " at " + f.near(e.At, beside)
		}
		break
	}
	return ""
}

// change is what the detail of a reload says about jobs.
type change struct {
	Refused     bool     `json:"refused"`
	Errors      []string `json:"errors"`
	JobsAdded   []string `json:"jobs_added"`
	JobsChanged []string `json:"jobs_changed"`
	JobsRemoved []string `json:"jobs_removed"`
}

func changeOf(e *run.Event) change {
	var c change
	if json.Unmarshal(e.Detail, &c) != nil {
		return change{}
	}
	return c
}

// began says how the job came to have its schedule at the instant since.
func (f *Facts) began(since, beside time.Time) string {
	for i := range f.Daemon {
		e := &f.Daemon[i]
		if e.Kind != run.EventReload || !isNear(e.At, since) {
			continue
		}
		c := changeOf(e)
		switch {
		case slices.Contains(c.JobsAdded, f.Job):
			return "job " + f.Job + " was added by the reload at " + f.near(since, beside) + actor(e)
		case slices.Contains(c.JobsChanged, f.Job):
			return "the schedule of job " + f.Job + " was changed by the reload at " + f.near(since, beside) + actor(e)
		}
	}
	for i := range f.Daemon {
		e := &f.Daemon[i]
		if e.Kind != run.EventStart || !isNear(e.At, since) {
			continue
		}
		if e.Since.IsZero() {
			return "the daemon was started for the first time at " + f.near(e.At, beside)
		}
		return "job " + f.Job + " was added, or its schedule changed, while the daemon was down; it was started at " + f.near(e.At, beside)
	}
	return "job " + f.Job + " was added, or its schedule changed, at " + f.near(since, beside)
}

// isNear says whether two instants are of one act of the daemon.
func isNear(a, b time.Time) bool { return a.Sub(b).Abs() < 10*time.Second }

func actor(e *run.Event) string {
	if words := by(e.By); words != "" {
		return "," + words
	}
	return ""
}

// noteOf tells of an event that concerns every job.
func (f *Facts) noteOf(e *run.Event) string {
	switch e.Kind {
	case run.EventStart:
		if e.Since.IsZero() {
			return "the daemon was started for the first time at " + f.full(e.At)
		}
		if e.At.Sub(e.Since) < time.Second {
			return ""
		}
		return f.wasDown(e, time.Time{})
	case run.EventClock, run.EventSleep:
		return f.hasJumped(e, time.Time{})
	case run.EventReload:
		if c := changeOf(e); c.Refused {
			words := "a reload was refused at " + f.full(e.At) + actor(e)
			if len(c.Errors) > 0 {
				words += ": " + c.Errors[0]
			}
			return words
		}
	}
	return ""
}
