package schedule

import (
	"math/bits"
	"time"
)

// DueTail returns the newest keep occurrences after one instant and up to
// another, oldest first. Of the older ones it tells how many there are and
// which are the first and the last of them; both are zero if there are none.
// It is made for long absences: the older occurrences are counted by days, not
// one by one, unless an @every stands beside other expressions.
func (s Schedule) DueTail(after, until time.Time, keep int) (kept []Occurrence, dropped int, first, lastDropped time.Time) {
	from, end := after.Unix(), until.Unix()
	if keep > 0 {
		kept = s.newest(from, end, keep)
	}
	if len(kept) > 0 {
		end = kept[0].At.Unix() - 1
	}
	if dropped = s.count(from, end); dropped == 0 {
		return kept, 0, time.Time{}, time.Time{}
	}
	oldest, _ := s.Next(after)
	last, _ := s.Last(time.Unix(end, 0))
	return kept, dropped, oldest.At, last.At
}

// newest returns the last keep occurrences after one instant and up to
// another. It looks back in growing strides for where they begin.
func (s Schedule) newest(after, until int64, keep int) []Occurrence {
	start, n := until, 0
	for stride := int64(60); start > after && n < keep; stride *= 2 {
		start = max(after, until-stride)
		n = s.count(start, until)
	}
	m := s.merge(start)
	for ; n > keep; n-- {
		m.next()
	}
	kept := make([]Occurrence, 0, n)
	for range n {
		o, _ := m.next()
		kept = append(kept, o)
	}
	return kept
}

// count returns the number of occurrences after one instant and up to another.
func (s Schedule) count(after, until int64) int {
	if after >= until {
		return 0
	}
	c := counter{zone: s.zone(), dst: s.DST, fullDays: map[uint64]int{}}
	everies := 0
	for i := range s.Exprs {
		if e := &s.Exprs[i]; !e.silent() {
			c.exprs = append(c.exprs, e)
			everies += min(1, int(e.every))
		}
	}
	switch {
	case everies == 1 && len(c.exprs) == 1:
		every := c.exprs[0].every
		return int(floorDiv(until, every) - floorDiv(after, every))
	case everies > 0 || len(c.exprs) > 64:
		return s.countEach(after, until)
	}
	return c.count(after, until)
}

func (s Schedule) countEach(after, until int64) int {
	m := s.merge(after)
	for n := 0; ; n++ {
		if _, ok := m.next(); !ok || m.last > until {
			return n
		}
	}
}

// counter counts the instants that at least one of up to 64 expressions
// names. A set of expressions is a number with a bit for each.
type counter struct {
	exprs    []*Expr
	zone     *time.Location
	dst      DST
	fullDays map[uint64]int // set of expressions → instants of a whole day
}

func (c *counter) count(after, until int64) int {
	total := 0
	for at := after + 1; at <= until; {
		seg := segmentAt(c.zone, at)
		end := min(seg.end, until+1)
		total += c.countSegment(seg, at, end)
		at = end
	}
	return total
}

// countSegment counts the instants from at to before end within a segment,
// by the rules that the package comment states.
func (c *counter) countSegment(seg segment, at, end int64) int {
	total := 0
	if at == seg.start && c.gapAdds(seg) {
		total++
	}
	n, stop := at+seg.offset, end+seg.offset
	if at-seg.start < maxShift {
		if second := min(stop, seg.secondPassEnd(c.zone)); n < second {
			total += c.countNominal(n, second, c.repeated())
			n = second
		}
	}
	return total + c.countNominal(n, stop, ^uint64(0))
}

// gapAdds says whether a time that a gap skipped was moved to the beginning of
// the segment, which has no occurrence of its own there.
func (c *counter) gapAdds(seg segment) bool {
	before, after := seg.start+offsetAt(c.zone, seg.start-1), seg.start+seg.offset
	moved := false
	for _, e := range c.exprs {
		moved = moved || c.dst.movesOutOfGap(e, before, after)
	}
	return moved && c.countNominal(after, after+1, ^uint64(0)) == 0
}

// repeated returns the set of the expressions that take part in the second
// pass of a fold.
func (c *counter) repeated() uint64 {
	var set uint64
	for i, e := range c.exprs {
		if !c.dst.oncePerFold(e) {
			set |= 1 << i
		}
	}
	return set
}

// countNominal counts the nominal times from n to before stop that at least
// one expression of the set names.
func (c *counter) countNominal(n, stop int64, set uint64) int {
	total := 0
	for n < stop {
		day := floorDiv(n, secondsPerDay) * secondsPerDay
		end := min(stop, day+secondsPerDay)
		today := set & c.matching(day)
		if end-n < secondsPerDay {
			total += c.countClock(today, n-day, end-day)
		} else {
			total += c.countDay(today)
		}
		n = end
	}
	return total
}

// matching returns the set of the expressions that name times of a day.
func (c *counter) matching(day int64) uint64 {
	date := time.Unix(day, 0).UTC()
	_, month, dom := date.Date()
	var set uint64
	for i, e := range c.exprs {
		if e.spec.Month&(1<<month) == 0 {
			continue
		}
		if e.spec.onDay(dom, date.Weekday()) {
			set |= 1 << i
		}
	}
	return set
}

func (c *counter) countDay(set uint64) int {
	n, ok := c.fullDays[set]
	if !ok {
		n = c.countClock(set, 0, secondsPerDay)
		c.fullDays[set] = n
	}
	return n
}

// countClock counts the times of day from one second of the day to before
// another.
func (c *counter) countClock(set uint64, from, to int64) int {
	total := 0
	for minute := from / 60; set != 0 && minute*60 < to; minute++ {
		var seconds uint64
		for rest := set; rest != 0; rest &= rest - 1 {
			e := c.exprs[bits.TrailingZeros64(rest)]
			if e.spec.Hour&(1<<(minute/60)) != 0 && e.spec.Minute&(1<<(minute%60)) != 0 {
				seconds |= e.spec.Second
			}
		}
		if head := from - minute*60; head > 0 {
			seconds &^= 1<<head - 1
		}
		if tail := to - minute*60; tail < 60 {
			seconds &= 1<<tail - 1
		}
		total += bits.OnesCount64(seconds)
	}
	return total
}
