package schedule

import (
	"math"
	"time"
)

// Gap says what becomes of a fixed time that a gap skips.
type Gap string

// The ways to treat a gap. The zero value is GapRunAfter.
const (
	GapRunAfter Gap = "run_after" // once, at the first instant after the gap
	GapSkip     Gap = "skip"      // not on that day
)

// Values lists what a gap rule may be.
func (Gap) Values() []string { return []string{"run_after", "skip"} }

// Fold says what becomes of a fixed time that a fold repeats.
type Fold string

// The ways to treat a fold. The zero value is FoldOnce.
const (
	FoldOnce  Fold = "once"  // in the first pass
	FoldTwice Fold = "twice" // in both passes
)

// Values lists what a fold rule may be.
func (Fold) Values() []string { return []string{"once", "twice"} }

// DST is the rule for days on which a zone shifts its clocks. It concerns
// fixed times alone; the package comment says what those are.
type DST struct {
	Gap  Gap  `json:"gap,omitempty" yaml:"gap"`
	Fold Fold `json:"fold,omitempty" yaml:"fold"`
}

// The marks of an occurrence.
const (
	MarkGap  = "dst_gap"  // a time that a gap skipped was moved here
	MarkFold = "dst_fold" // the local time exists twice; this is either pass
)

// Occurrence is one instant that a schedule names.
type Occurrence struct {
	At       time.Time // in the schedule's zone, a whole second
	Mark     string    // MarkGap, MarkFold or empty
	Wildcard bool      // one of the expressions that name it follows elapsed time
}

// Schedule says when: expressions, a zone, and a rule for the zone's shifts.
// An instant that several expressions name is one occurrence. A nil Zone is
// the host's. All methods may be called at the same time.
type Schedule struct {
	Exprs []Expr
	Zone  *time.Location
	DST   DST
}

// Reboot says whether one of the expressions is "@reboot", which names no
// instant: the other methods know nothing of it.
func (s Schedule) Reboot() bool {
	for _, e := range s.Exprs {
		if e.Reboot() {
			return true
		}
	}
	return false
}

// Next returns the earliest occurrence strictly after an instant. It reports
// false when there is none within fifty years.
func (s Schedule) Next(after time.Time) (Occurrence, bool) {
	m := s.merge(after.Unix())
	return m.next()
}

// Last returns the latest occurrence at or before an instant. It reports false
// when there is none within fifty years.
func (s Schedule) Last(until time.Time) (Occurrence, bool) {
	end := until.Unix()
	empty := end // no occurrence lies after it, up to end
	var found Occurrence
	for stride := int64(1); ; stride *= 4 {
		if o, ok := s.first(end-stride, end); ok {
			found = o
			break
		}
		empty = end - stride
		if stride > horizonYears*366*secondsPerDay {
			return Occurrence{}, false
		}
	}
	// Halving what is left finds the last of many as fast as the last of one.
	for early := found.At.Unix(); early < empty; {
		middle := early + (empty-early)/2
		o, ok := s.first(middle, end)
		if !ok {
			empty = middle
			continue
		}
		found, early = o, o.At.Unix()
	}
	return found, true
}

// Due returns the occurrences after one instant and up to another, oldest
// first. It stops at limit, if that is above zero, and then says whether there
// are more.
func (s Schedule) Due(after, until time.Time, limit int) (due []Occurrence, more bool) {
	end := until.Unix()
	for m := s.merge(after.Unix()); ; {
		o, ok := m.next()
		if !ok || o.At.Unix() > end {
			return due, false
		}
		if limit > 0 && len(due) == limit {
			return due, true
		}
		due = append(due, o)
	}
}

// first returns the first occurrence after one instant and up to another.
func (s Schedule) first(after, until int64) (Occurrence, bool) {
	m := s.merge(after)
	o, ok := m.next()
	return o, ok && m.last <= until
}

func (s Schedule) zone() *time.Location {
	if s.Zone == nil {
		return time.Local
	}
	return s.Zone
}

// merge walks all expressions of the schedule side by side, from after an
// instant on.
func (s Schedule) merge(after int64) merge {
	m := merge{zone: s.zone(), last: after, walks: make([]walk, 0, len(s.Exprs))}
	for i := range s.Exprs {
		if e := &s.Exprs[i]; !e.silent() {
			m.walks = append(m.walks, newWalk(e, m.zone, s.DST, after))
		}
	}
	return m
}

// merge yields the occurrences of several walks in order, each instant once.
type merge struct {
	zone  *time.Location
	walks []walk
	last  int64 // everything up to this instant is yielded
}

func (m *merge) next() (Occurrence, bool) {
	first := int64(math.MaxInt64)
	for i := range m.walks {
		w := &m.walks[i]
		if w.at <= m.last {
			w.advance()
		}
		first = min(first, w.at)
	}
	if first == math.MaxInt64 {
		return Occurrence{}, false
	}
	m.last = first
	o := Occurrence{At: time.Unix(first, 0).In(m.zone)}
	for i := range m.walks {
		w := &m.walks[i]
		if w.at != first {
			continue
		}
		o.Wildcard = o.Wildcard || w.expr.Wildcard()
		if o.Mark == "" {
			o.Mark = w.mark
		}
	}
	return o, true
}
