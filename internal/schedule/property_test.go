package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// zonesToTry have shifts of an hour, of half an hour, at midnight, across the
// date line and none at all.
func zonesToTry() []string {
	return []string{
		"UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Santiago", "America/Nuuk",
		"Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kwajalein", "Africa/Cairo", "Africa/Casablanca",
		"Asia/Beirut", "Asia/Kathmandu", "Asia/Tehran", "America/St_Johns", "Antarctica/Troll", "Asia/Pyongyang",
	}
}

func drawZone(t *rapid.T) *time.Location {
	zone, err := LoadZone(rapid.SampledFrom(zonesToTry()).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// drawInstant prefers the neighbourhood of a shift, where there are any.
func drawInstant(t *rapid.T, zone *time.Location) time.Time {
	year := rapid.IntRange(1990, 2037).Draw(t, "year")
	day := rapid.IntRange(1, 366).Draw(t, "day")
	at := time.Date(year, 1, day, 0, 0, 0, 0, zone)
	if _, end := at.ZoneBounds(); !end.IsZero() && rapid.IntRange(0, 3).Draw(t, "near a shift") > 0 {
		at = end
	}
	return at.Add(time.Duration(rapid.IntRange(-3000, 3000).Draw(t, "minutes")) * time.Minute)
}

func drawField(t *rapid.T, low, high int, name string) string {
	switch rapid.IntRange(0, 5).Draw(t, name+" form") {
	case 0:
		return "*"
	case 1:
		return fmt.Sprintf("*/%d", rapid.IntRange(1, 12).Draw(t, name+" step"))
	case 2:
		from := rapid.IntRange(low, high).Draw(t, name+" from")
		return fmt.Sprintf("%d-%d", from, rapid.IntRange(from, high).Draw(t, name+" to"))
	case 3:
		return fmt.Sprintf("%d,%d", rapid.IntRange(low, high).Draw(t, name+" one"), rapid.IntRange(low, high).Draw(t, name+" other"))
	}
	return fmt.Sprint(rapid.IntRange(low, high).Draw(t, name))
}

// drawExpr returns an expression of minutes, most often in the early hours and
// around midnight, where shifts are.
func drawExpr(t *rapid.T) Expr {
	if rapid.IntRange(0, 9).Draw(t, "every") == 0 {
		e, err := Parse(fmt.Sprintf("@every %dm", rapid.IntRange(1, 300).Draw(t, "interval")))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	hour := drawField(t, 0, 4, "hour")
	if rapid.Bool().Draw(t, "late") {
		hour = drawField(t, 0, 23, "late hour")
	}
	day, month, weekday := "*", "*", "*"
	if rapid.Bool().Draw(t, "day restricted") {
		day = drawField(t, 1, 28, "day of month")
	}
	if rapid.Bool().Draw(t, "weekday restricted") {
		weekday = drawField(t, 0, 7, "weekday")
	}
	e, err := Parse(strings.Join([]string{drawField(t, 0, 59, "minute"), hour, day, month, weekday}, " "))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func drawDST(t *rapid.T) DST {
	return DST{
		Gap:  rapid.SampledFrom([]Gap{"", GapRunAfter, GapSkip}).Draw(t, "gap"),
		Fold: rapid.SampledFrom([]Fold{"", FoldOnce, FoldTwice}).Draw(t, "fold"),
	}
}

func drawSchedule(t *rapid.T) Schedule {
	s := Schedule{Zone: drawZone(t), DST: drawDST(t)}
	for range rapid.IntRange(1, 3).Draw(t, "expressions") {
		s.Exprs = append(s.Exprs, drawExpr(t))
	}
	return s
}

// clockFace is what the clocks of a zone show at each minute of a stretch of
// time. It finds occurrences by trying every minute, and so knows nothing of
// segments.
type clockFace struct {
	minutes []time.Time
	shown   map[string][]time.Time // local date and time → when it is shown
	dates   map[string]bool
}

const faceForm = "2006-01-02 15:04"

func newClockFace(zone *time.Location, from, to time.Time) clockFace {
	f := clockFace{shown: map[string][]time.Time{}, dates: map[string]bool{}}
	for at := from.Truncate(time.Minute); !at.After(to); at = at.Add(time.Minute) {
		at = at.In(zone)
		f.minutes = append(f.minutes, at)
		f.shown[at.Format(faceForm)] = append(f.shown[at.Format(faceForm)], at)
		f.dates[at.Format(time.DateOnly)] = true
	}
	return f
}

// matches compares the fields one by one, on its own terms.
func matches(e Expr, at time.Time) bool {
	in := func(set uint64, v int) bool { return set>>v&1 == 1 }
	dom, dow := in(e.spec.Dom, at.Day()), in(e.spec.Dow, int(at.Weekday()))
	fields := strings.Fields(e.text)
	day := dom || dow
	if fields[2][0] == '*' || fields[4][0] == '*' {
		day = dom && dow
	}
	return day && in(e.spec.Month, int(at.Month())) && in(e.spec.Hour, at.Hour()) && in(e.spec.Minute, at.Minute())
}

// occurrences maps each instant that the schedule names to whether it was
// moved out of a gap.
func (f clockFace) occurrences(s Schedule) map[time.Time]bool {
	named := map[time.Time]bool{}
	add := func(at time.Time, moved bool) { named[at] = named[at] || moved }
	for _, e := range s.Exprs {
		for i, at := range f.minutes {
			switch {
			case e.every > 0:
				if at.Unix()%e.every == 0 {
					add(at, false)
				}
			case e.wildcard && matches(e, at):
				add(at, false)
			case !e.wildcard && matches(e, at):
				if s.DST.Fold == FoldTwice || f.shown[at.Format(faceForm)][0].Equal(at) {
					add(at, false)
				}
			}
			if i > 0 && !e.wildcard && s.DST.Gap != GapSkip && f.skipped(e, f.minutes[i-1], at) {
				add(at, true)
			}
		}
	}
	return named
}

// skipped says whether the clocks leave out a time of the expression between
// two minutes, on a date that exists.
func (f clockFace) skipped(e Expr, before, after time.Time) bool {
	nominal := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	}
	for n := nominal(before).Add(time.Minute); n.Before(nominal(after)); n = n.Add(time.Minute) {
		if matches(e, n) && f.dates[n.Format(time.DateOnly)] {
			return true
		}
	}
	return false
}

func TestDueAgreesWithTryingEveryMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchedule(t)
		after := drawInstant(t, s.Zone).Truncate(time.Minute)
		until := after.Add(time.Duration(rapid.IntRange(1, 2*24*60).Draw(t, "length")) * time.Minute)
		// The face reaches further, so that it sees both ends of a shift.
		face := newClockFace(s.Zone, after.Add(-26*time.Hour), until.Add(26*time.Hour))
		var want []string
		named := face.occurrences(s)
		for _, at := range face.minutes {
			moved, ok := named[at]
			if !ok || !at.After(after) || at.After(until) {
				continue
			}
			o := Occurrence{At: at}
			switch {
			case moved:
				o.Mark = MarkGap
			case len(face.shown[at.Format(faceForm)]) > 1:
				o.Mark = MarkFold
			}
			want = append(want, written([]Occurrence{o})...)
		}
		due, _ := s.Due(after, until, 0)
		if diff := cmp.Diff(append([]string{}, want...), written(due)); diff != "" {
			t.Fatalf("%v in %v after %v (-want +got):\n%s", s.Exprs, s.Zone, after, diff)
		}
	})
}

// quietNoon is noon of the first day from the middle of January on beside which
// the zone keeps its offset.
func quietNoon(zone *time.Location, year int) time.Time {
	for at := time.Date(year, 1, 15, 12, 0, 0, 0, zone); ; at = at.AddDate(0, 0, 1) {
		_, before := at.AddDate(0, 0, -3).Zone()
		_, now := at.Zone()
		_, after := at.AddDate(0, 0, 3).Zone()
		if before == now && now == after {
			return at
		}
	}
}

// nominalDate is the date on which an occurrence of a daily time is due by the
// clocks of its zone. One that was moved out of a gap may be the next date's.
func nominalDate(o Occurrence, hour, minute int) string {
	if o.Mark != MarkGap {
		return o.At.Format(time.DateOnly)
	}
	before := o.At.Add(-1)
	_, offset := before.Zone()
	showed := time.Unix(o.At.Unix()+int64(offset), 0).UTC() // by clocks that had not been put forward
	due := time.Date(showed.Year(), showed.Month(), showed.Day(), hour, minute, 0, 0, time.UTC)
	if due.Before(showed) {
		due = due.AddDate(0, 0, 1)
	}
	return due.Format(time.DateOnly)
}

func TestADailyTimeComesOnceForEachDateThereIs(t *testing.T) {
	names := strings.Fields(zoneNames)
	rapid.Check(t, func(t *rapid.T) {
		zone, err := LoadZone(rapid.SampledFrom(names).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		year := rapid.IntRange(1900, 2099).Draw(t, "year")
		hour, minute := rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")
		e, err := Parse(fmt.Sprintf("%d %d * * *", minute, hour))
		if err != nil {
			t.Fatal(err)
		}
		from, to := quietNoon(zone, year), quietNoon(zone, year+1)
		// From noon to noon: of the first day only what comes later counts, of
		// the last what comes before.
		var want, got []string
		for at := from; at.Before(to); at = at.Add(15 * time.Minute) {
			if date := at.Format(time.DateOnly); len(want) == 0 || date > want[len(want)-1] {
				want = append(want, date)
			}
		}
		if hour < 12 {
			want = want[1:]
		} else {
			want = want[:len(want)-1]
		}
		due, _ := Schedule{Exprs: []Expr{e}, Zone: zone}.Due(from.Add(-1), to.Add(-1), 0)
		for _, o := range due {
			got = append(got, nominalDate(o, hour, minute))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%v in %v: dates (-there are +with an occurrence):\n%s", e, zone, diff)
		}
	})
}

func TestNextGrowsAndIteratesToDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchedule(t)
		after := drawInstant(t, s.Zone)
		until := after.Add(72 * time.Hour)
		const most = 200
		due, more := s.Due(after, until, most)
		at := after
		for i, want := range due {
			got, ok := s.Next(at)
			if !ok || got != want {
				t.Fatalf("occurrence %d: next after %v is %v, due says %v", i, at, got, want)
			}
			if !got.At.After(at) {
				t.Fatalf("next after %v is %v", at, got.At)
			}
			at = got.At
		}
		if o, ok := s.Next(at); more != (ok && !o.At.After(until)) {
			t.Fatalf("more is %v, next after %v is %v", more, at, o)
		}
	})
}

func TestDueTailAgreesWithDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchedule(t)
		after := drawInstant(t, s.Zone)
		until := after.Add(time.Duration(rapid.IntRange(-60, 20*24*3600).Draw(t, "seconds")) * time.Second)
		keep := rapid.IntRange(0, 20).Draw(t, "keep")
		due, _ := s.Due(after, until, 0)
		older := due[:max(0, len(due)-keep)]
		kept, dropped, first, last := s.DueTail(after, until, keep)
		if diff := cmp.Diff(written(due[len(older):]), written(kept)); diff != "" {
			t.Fatalf("%v after %v: kept (-want +got):\n%s", s.Exprs, after, diff)
		}
		if dropped != len(older) {
			t.Fatalf("%v after %v: dropped %d, want %d", s.Exprs, after, dropped, len(older))
		}
		if dropped == 0 && first.IsZero() && last.IsZero() {
			return
		}
		if !first.Equal(older[0].At) || !last.Equal(older[dropped-1].At) {
			t.Fatalf("dropped from %v to %v, want %v to %v", first, last, older[0].At, older[dropped-1].At)
		}
	})
}

func TestLastAgreesWithDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchedule(t)
		until := drawInstant(t, s.Zone)
		last, ok := s.Last(until)
		if !ok {
			t.Fatalf("%v: nothing before %v", s.Exprs, until)
		}
		if last.At.After(until) {
			t.Fatalf("last at or before %v is %v", until, last.At)
		}
		due, more := s.Due(last.At.Add(-time.Second), until, 2)
		if len(due) != 1 || more || due[0] != last {
			t.Fatalf("%v: last before %v is %v, but due are %v", s.Exprs, until, last, due)
		}
	})
}
