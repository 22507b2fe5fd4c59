package schedule

import (
	"math"
	"time"
)

// walk goes through the instants of one expression in a zone, segment by
// segment. It stands on the instant at; math.MaxInt64 is the end.
type walk struct {
	expr *Expr
	zone *time.Location
	dst  DST

	at   int64
	mark string

	seg  segment
	done int64 // nominal times up to this one are dealt with in seg

	// found is the expression's first nominal time after searched.
	found, searched int64
	known           bool

	secondEnd, firstStart           int64 // nominal bounds of what seg has twice
	secondEndKnown, firstStartKnown bool
}

// newWalk returns a walk that stands before the first instant after the given
// one.
func newWalk(e *Expr, zone *time.Location, dst DST, after int64) walk {
	w := walk{expr: e, zone: zone, dst: dst, at: math.MinInt64}
	w.enter(after)
	w.done = after + w.seg.offset
	if e.every > 0 {
		w.at = after
		return w
	}
	if w.oncePerFold() && after-w.seg.start < maxShift {
		w.done = max(w.done, w.secondPassEnd()-1)
	}
	return w
}

// advance moves to the next instant of the expression.
func (w *walk) advance() {
	if w.at == math.MaxInt64 {
		return
	}
	if w.expr.every > 0 {
		w.advanceEvery()
		return
	}
	for {
		n, ok := w.nominal()
		if !ok {
			w.at, w.mark = math.MaxInt64, ""
			return
		}
		if n < w.seg.end+w.seg.offset {
			w.done = n
			w.at, w.mark = n-w.seg.offset, w.foldMark(n)
			return
		}
		if w.cross() {
			return
		}
	}
}

// advanceEvery moves to the next multiple of an @every since the epoch.
func (w *walk) advanceEvery() {
	w.at = (floorDiv(w.at, w.expr.every) + 1) * w.expr.every
	if w.at >= w.seg.end {
		w.enter(w.at)
	}
	w.mark = w.foldMark(w.at + w.seg.offset)
}

// nominal returns the expression's first nominal time that is not dealt with.
func (w *walk) nominal() (int64, bool) {
	if !w.known || w.done < w.searched || w.found <= w.done {
		w.found, w.known = w.expr.nominalAfter(w.done)
		w.searched = w.done
	}
	return w.found, w.known
}

// cross leaves the segment for the next one. It reports true when a time that
// the gap between them skips was moved to the instant the next one begins.
func (w *walk) cross() bool {
	instant := w.seg.end
	before := instant + w.seg.offset
	w.enter(instant)
	after := instant + w.seg.offset
	if w.dst.movesOutOfGap(w.expr, before, after) {
		w.done = after
		w.at, w.mark = instant, MarkGap
		return true
	}
	w.done = after - 1
	if w.oncePerFold() {
		w.done = max(before, after) - 1
	}
	return false
}

func (w *walk) enter(instant int64) {
	w.seg = segmentAt(w.zone, instant)
	w.secondEndKnown, w.firstStartKnown = false, false
}

// oncePerFold says whether the second pass of a fold is left out.
func (w *walk) oncePerFold() bool { return w.dst.oncePerFold(w.expr) }

// foldMark returns MarkFold if the zone shows the nominal time twice. It looks
// beyond the segment only when close to its ends, since that is expensive.
func (w *walk) foldMark(n int64) string {
	at := n - w.seg.offset
	if at-w.seg.start < maxShift && n < w.secondPassEnd() {
		return MarkFold
	}
	if w.seg.end-at <= maxShift && n >= w.firstPassStart() {
		return MarkFold
	}
	return ""
}

func (w *walk) secondPassEnd() int64 {
	if !w.secondEndKnown {
		w.secondEnd, w.secondEndKnown = w.seg.secondPassEnd(w.zone), true
	}
	return w.secondEnd
}

func (w *walk) firstPassStart() int64 {
	if !w.firstStartKnown {
		w.firstStart, w.firstStartKnown = w.seg.firstPassStart(w.zone), true
	}
	return w.firstStart
}

// oncePerFold says whether the expression keeps to the first pass of a fold.
func (d DST) oncePerFold(e *Expr) bool { return !e.wildcard && d.Fold != FoldTwice }

// movesOutOfGap says whether the expression names a time from nominal before
// to nominal after, which a gap skips, and wants to make up for it. A date
// that lies in the gap as a whole does not exist, so its times do not count.
func (d DST) movesOutOfGap(e *Expr, before, after int64) bool {
	if e.wildcard || d.Gap == GapSkip || before >= after {
		return false
	}
	n, ok := e.nominalAfter(before - 1)
	for ok && n < after {
		day := floorDiv(n, secondsPerDay) * secondsPerDay
		if day < before || day+secondsPerDay > after {
			return true
		}
		n, ok = e.nominalAfter(day + secondsPerDay - 1)
	}
	return false
}

// floorDiv divides and rounds down, for instants before the epoch as well.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
