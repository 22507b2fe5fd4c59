package schedule

import (
	"cmp"
	"slices"
	"time"
)

// Calendar is a named set of times: dates, weekdays and spans. It is written in
// local time, and means whatever the zone of the job makes of it. The zero
// value holds nothing. All methods may be called at the same time.
type Calendar struct {
	Name string

	dates   []span   // on fixed dates: sorted, none touches the next
	yearly  []yearly // once a year
	weekly  []span   // from the Monday of each week on
	entries int
}

// span is from one nominal time to before another: seconds of local date and
// time, written as if it were UTC, or seconds of a week.
type span struct{ from, to int64 }

// yearly is a span by the dates it begins and ends at in each year. One that
// ends before it begins goes into the next year.
type yearly struct {
	from, to dayOfYear
}

// dayOfYear is a date without a year, and seconds of that day.
type dayOfYear struct {
	month time.Month
	day   int
	clock int64
}

// in is the nominal time in a year. The 29th of February is no time at all in
// most: it is the moment at which March begins.
func (d dayOfYear) in(year int) int64 {
	date := time.Date(year, d.month, d.day, 0, 0, 0, 0, time.UTC)
	if date.Month() != d.month {
		return date.Unix()
	}
	return date.Unix() + d.clock
}

func (d dayOfYear) before(e dayOfYear) bool {
	return cmp.Or(cmp.Compare(d.month, e.month), cmp.Compare(d.day, e.day), cmp.Compare(d.clock, e.clock)) < 0
}

const secondsPerWeek = 7 * secondsPerDay

// firstMonday is one before all that is asked for, as a nominal time.
var firstMonday = time.Date(1900, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()

// Len is how many entries the calendar has.
func (c *Calendar) Len() int { return c.entries }

// Settle sorts what Add has added. It must be called once, before anything is
// asked for.
func (c *Calendar) Settle() {
	slices.SortFunc(c.dates, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	joined := c.dates[:0]
	for _, s := range c.dates {
		if n := len(joined); n > 0 && s.from <= joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, s.to)
			continue
		}
		joined = append(joined, s)
	}
	c.dates = joined
}

// near calls use for each span that may lie within two days of a nominal time.
func (c *Calendar) near(n int64, use func(span)) {
	i, _ := slices.BinarySearchFunc(c.dates, n-maxShift, func(s span, n int64) int { return cmp.Compare(s.to, n) })
	for ; i < len(c.dates) && c.dates[i].from <= n+maxShift; i++ {
		use(c.dates[i])
	}
	year := time.Unix(n, 0).UTC().Year()
	for _, y := range c.yearly {
		for at := year - 1; at <= year+1; at++ {
			use(y.in(at))
		}
	}
	week := firstMonday + floorDiv(n-firstMonday, secondsPerWeek)*secondsPerWeek
	for _, w := range c.weekly {
		for monday := week - 2*secondsPerWeek; monday <= week+secondsPerWeek; monday += secondsPerWeek {
			use(span{monday + w.from, monday + w.to})
		}
	}
}

func (y yearly) in(year int) span {
	s := span{y.from.in(year), y.to.in(year)}
	if y.to.before(y.from) {
		s.to = y.to.in(year + 1)
	}
	return s
}

// covering returns the end of the latest span that holds the instant. A span
// begins when its beginning is first shown, and ends when its end is last
// shown: of an hour that comes twice, it holds both.
func (c *Calendar) covering(zone *time.Location, instant int64) (end int64, ok bool) {
	c.near(instant+offsetAt(zone, instant), func(s span) {
		if instant < firstShown(zone, s.from) {
			return
		}
		if to := lastShown(zone, s.to); instant < to {
			end, ok = max(end, to), true
		}
	})
	return end, ok
}

// firstShown and lastShown are the first and the last instant that shows a
// nominal time in the zone, or the end of the gap that skips it.
func firstShown(zone *time.Location, nominal int64) int64 { return instantOf(zone, nominal) }

func lastShown(zone *time.Location, nominal int64) int64 {
	at := instantOf(zone, nominal)
	for seg := segmentAt(zone, at); seg.end != farFuture && seg.end < at+maxShift; {
		seg = segmentAt(zone, seg.end)
		again := nominal - seg.offset
		if again < seg.start {
			break
		}
		if again < seg.end {
			at = again
		}
	}
	return at
}

// Blackouts are the times at which a job is not to run: those of its calendars,
// in its zone.
type Blackouts struct {
	Calendars []Calendar
	Zone      *time.Location
	Defer     bool // what falls in runs at the end
}

// Blackout is one stretch of them.
type Blackout struct {
	Calendar string    // the first that holds the instant
	Until    time.Time // the first instant that is in none; zero if there is no end within ten years
}

// longestBlackout is how far an end is looked for.
const longestBlackout = 10 * 366 * secondsPerDay

// At returns the blackout that holds the instant, if one does.
func (b *Blackouts) At(t time.Time) (Blackout, bool) {
	if b == nil {
		return Blackout{}, false
	}
	zone := Schedule{Zone: b.Zone}.zone()
	begin := t.Unix()
	name, end, ok := b.covering(zone, begin)
	if !ok {
		return Blackout{}, false
	}
	for {
		_, later, more := b.covering(zone, end)
		if !more {
			return Blackout{Calendar: name, Until: time.Unix(end, 0).In(zone)}, true
		}
		if end = later; end-begin > longestBlackout {
			return Blackout{Calendar: name}, true
		}
	}
}

func (b *Blackouts) covering(zone *time.Location, instant int64) (name string, end int64, ok bool) {
	for i := range b.Calendars {
		to, in := b.Calendars[i].covering(zone, instant)
		if !in {
			continue
		}
		if !ok {
			name = b.Calendars[i].Name
		}
		end, ok = max(end, to), true
	}
	return name, end, ok
}

// Stands says whether a moment that falls into the blackout is the one that
// runs at its end: the last that does, unless the schedule names the end, too.
func (b Blackout) Stands(s Schedule, at time.Time) bool {
	if b.Until.IsZero() {
		return false
	}
	next, ok := s.Next(at)
	return !ok || next.At.After(b.Until)
}

// NextRun returns when a moment of the schedule after an instant runs first:
// one outside of the blackouts, or the end of one, where they defer. It reports
// false when there is none within fifty years.
func (b *Blackouts) NextRun(s Schedule, after time.Time) (time.Time, bool) {
	for range 10_000 {
		next, ok := s.Next(after)
		if !ok {
			return time.Time{}, false
		}
		out, in := b.At(next.At)
		switch {
		case !in:
			return next.At, true
		case out.Until.IsZero():
			return time.Time{}, false
		case !b.Defer:
			after = out.Until.Add(-1)
			continue
		}
		if at, ok := s.Next(out.Until.Add(-1)); ok && at.At.Equal(out.Until) {
			return at.At, true
		}
		return out.Until, true
	}
	return time.Time{}, false
}
