package schedule

import (
	"math/bits"
	"time"
)

// horizonYears is how far a search goes. The rarest date there is, a 29
// February on a given weekday, comes every 40 years at worst.
const horizonYears = 50

// fields are the sets of values that an expression allows, each as bits of a
// number.
type fields struct {
	Second, Minute, Hour, Dom, Month, Dow uint64
}

// nominalAfter returns the first nominal time after n that the fields match,
// within horizonYears.
func (e *Expr) nominalAfter(n int64) (int64, bool) {
	n++
	day := floorDiv(n, secondsPerDay)
	clock := n - day*secondsPerDay
	for last := day + horizonYears*366; day <= last; clock = 0 {
		year, month, dom := time.Unix(day*secondsPerDay, 0).UTC().Date()
		if e.spec.Month&(1<<month) == 0 {
			day = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay
			continue
		}
		if e.spec.onDay(dom, dayOfWeek(day)) {
			if second, ok := e.spec.clockFrom(clock); ok {
				return day*secondsPerDay + second, true
			}
		}
		day++
	}
	return 0, false
}

// dayOfWeek returns the weekday of a day since the epoch, a Thursday.
func dayOfWeek(day int64) time.Weekday { return time.Weekday(day - 7*floorDiv(day+4, 7) + 4) }

// onDay says whether the day fields match: both of them where one begins with
// "*", else either.
func (f *fields) onDay(dom int, dow time.Weekday) bool {
	isDom, isDow := f.Dom&(1<<dom) != 0, f.Dow&(1<<dow) != 0
	if (f.Dom|f.Dow)&starBit != 0 {
		return isDom && isDow
	}
	return isDom || isDow
}

// clockFrom returns the first time of day from a second of the day on that the
// fields match.
func (f *fields) clockFrom(second int64) (int64, bool) {
	h, m, s := int(second/3600), int(second/60%60), int(second%60)
	if f.Hour&(1<<h) != 0 {
		if f.Minute&(1<<m) != 0 {
			if s, ok := from(f.Second, s); ok {
				return secondOfDay(h, m, s), true
			}
		}
		if m, ok := from(f.Minute, m+1); ok {
			return secondOfDay(h, m, first(f.Second)), true
		}
	}
	if h, ok := from(f.Hour, h+1); ok {
		return secondOfDay(h, first(f.Minute), first(f.Second)), true
	}
	return 0, false
}

func secondOfDay(h, m, s int) int64 { return int64(h*3600 + m*60 + s) }

// from returns the least member of a set that is not below a value.
func from(set uint64, value int) (int, bool) {
	set = set &^ starBit >> value << value
	return bits.TrailingZeros64(set), set != 0
}

func first(set uint64) int { return bits.TrailingZeros64(set) }
