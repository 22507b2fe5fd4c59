package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parsed returns the schedule of a zone and expressions that are known good.
func parsed(t testing.TB, zone string, dst DST, texts ...string) Schedule {
	t.Helper()
	loc, err := LoadZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	s := Schedule{Zone: loc, DST: dst}
	for _, text := range texts {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Exprs = append(s.Exprs, e)
	}
	return s
}

// local reads a date and time in a zone; with an offset where it matters.
func local(t testing.TB, zone *time.Location, text string) time.Time {
	t.Helper()
	for _, layout := range []string{"2006-01-02 15:04:05 -07:00", "2006-01-02 15:04 -07:00", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at.In(zone)
		}
	}
	t.Fatalf("%q is not a date", text)
	return time.Time{}
}

// written returns occurrences as text, with their marks.
func written(occurrences []Occurrence) []string {
	texts := []string{}
	for _, o := range occurrences {
		texts = append(texts, strings.TrimSpace(o.At.Format("2006-01-02 15:04:05 -07:00 ")+o.Mark))
	}
	return texts
}

func TestOccurrences(t *testing.T) {
	for name, c := range map[string]struct {
		exprs       string // several are parted by a semicolon
		after, till string
		want        []string
	}{
		"five fields name minutes": {
			"30 2 * * *", "2026-01-01", "2026-01-03",
			[]string{"2026-01-01 02:30:00 +00:00", "2026-01-02 02:30:00 +00:00"},
		},
		"six fields begin with seconds": {
			"15,45 30 2 * * *", "2026-01-01", "2026-01-02",
			[]string{"2026-01-01 02:30:15 +00:00", "2026-01-01 02:30:45 +00:00"},
		},
		"the start is excluded and the end included": {
			"0 0 * * *", "2026-01-01", "2026-01-03",
			[]string{"2026-01-02 00:00:00 +00:00", "2026-01-03 00:00:00 +00:00"},
		},
		"two expressions that name one instant give one occurrence": {
			"0 */12 * * *; 0 0 * * *", "2026-01-01", "2026-01-02",
			[]string{"2026-01-01 12:00:00 +00:00", "2026-01-02 00:00:00 +00:00"},
		},
		"7 is Sunday": {
			"0 0 * * 7", "2026-01-01", "2026-01-12",
			[]string{"2026-01-04 00:00:00 +00:00", "2026-01-11 00:00:00 +00:00"},
		},
		"a range of weekdays may end with 7": {
			"0 0 * * 5-7", "2026-01-05", "2026-01-12",
			[]string{"2026-01-09 00:00:00 +00:00", "2026-01-10 00:00:00 +00:00", "2026-01-11 00:00:00 +00:00"},
		},
		"a range of weekdays may end with SUN": {
			"0 0 * * SAT-SUN", "2026-01-05", "2026-01-12",
			[]string{"2026-01-10 00:00:00 +00:00", "2026-01-11 00:00:00 +00:00"},
		},
		"a range of weekdays with a step reaches Sunday as 7": {
			"0 0 * * 5-7/2", "2026-01-05", "2026-01-12",
			[]string{"2026-01-09 00:00:00 +00:00", "2026-01-11 00:00:00 +00:00"},
		},
		"both day fields mean either": {
			"0 0 13 * fri", "2026-01-05", "2026-01-17",
			[]string{"2026-01-09 00:00:00 +00:00", "2026-01-13 00:00:00 +00:00", "2026-01-16 00:00:00 +00:00"},
		},
		"a day of week that begins with a star means both": {
			"0 0 1-7 * */7", "2026-01-01", "2026-02-28",
			[]string{"2026-01-04 00:00:00 +00:00", "2026-02-01 00:00:00 +00:00"},
		},
		"a day of month that begins with a star means both": {
			"0 0 */100,1-7 * MON", "2026-01-01", "2026-02-28",
			[]string{"2026-01-05 00:00:00 +00:00", "2026-02-02 00:00:00 +00:00"},
		},
		"a day of month with a star and a step means both": {
			"0 0 */2 * mon", "2026-01-01", "2026-01-31",
			[]string{"2026-01-05 00:00:00 +00:00", "2026-01-19 00:00:00 +00:00"},
		},
		"a value with a step goes on to the end of the field": {
			"50/5 0 * * *", "2026-01-01", "2026-01-02",
			[]string{"2026-01-01 00:50:00 +00:00", "2026-01-01 00:55:00 +00:00"},
		},
		"@weekly is Sunday at midnight": {
			"@weekly", "2026-01-01", "2026-01-05", []string{"2026-01-04 00:00:00 +00:00"},
		},
		"@every counts from the epoch": {
			"@every 7h", "2026-01-01", "2026-01-01 16:00",
			[]string{"2026-01-01 07:00:00 +00:00", "2026-01-01 14:00:00 +00:00"},
		},
		"@every counts before the epoch as well": {
			"@every 7h", "1969-12-31", "1970-01-01 07:00",
			[]string{"1969-12-31 03:00:00 +00:00", "1969-12-31 10:00:00 +00:00", "1969-12-31 17:00:00 +00:00", "1970-01-01 00:00:00 +00:00", "1970-01-01 07:00:00 +00:00"},
		},
		"fixed times come before the epoch as well": {
			"30 2 * * *", "1969-12-30", "1970-01-01",
			[]string{"1969-12-30 02:30:00 +00:00", "1969-12-31 02:30:00 +00:00"},
		},
		"@reboot names no instant": {
			"@reboot", "2026-01-01", "2027-01-01", []string{},
		},
		"@reboot leaves the others alone": {
			"@reboot; @yearly", "2025-06-01", "2026-06-01", []string{"2026-01-01 00:00:00 +00:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := parsed(t, "UTC", DST{}, strings.Split(c.exprs, "; ")...)
			due, more := s.Due(local(t, s.Zone, c.after), local(t, s.Zone, c.till), 0)
			if diff := cmp.Diff(c.want, written(due)); diff != "" || more {
				t.Errorf("occurrences (-want +got), more %v:\n%s", more, diff)
			}
			if _, n, _, _ := s.DueTail(local(t, s.Zone, c.after), local(t, s.Zone, c.till), 0); n != len(c.want) {
				t.Errorf("counts %d, want %d", n, len(c.want))
			}
		})
	}
}

func TestNextFindsRareDates(t *testing.T) {
	for _, c := range []struct{ expr, after, want string }{
		{"0 0 29 2 *", "2096-03-01", "2104-02-29 00:00:00 +00:00"},
		{"0 0 29 2 */7", "2032-03-01", "2060-02-29 00:00:00 +00:00"},
		{"0 0 29 2 */7", "2088-03-01", "2128-02-29 00:00:00 +00:00"},
	} {
		s := parsed(t, "UTC", DST{}, c.expr)
		o, ok := s.Next(local(t, time.UTC, c.after))
		if got := written([]Occurrence{o})[0]; !ok || got != c.want {
			t.Errorf("%s after %s: got %s, want %s", c.expr, c.after, got, c.want)
		}
	}
}

func TestNextIgnoresFractionsOfASecond(t *testing.T) {
	s := parsed(t, "UTC", DST{}, "* * * * * *")
	for _, c := range []struct {
		after time.Time
		want  int64
	}{
		{time.Unix(100, 0), 101},
		{time.Unix(100, 1), 101},
		{time.Unix(100, 999_999_999), 101},
		{time.Unix(-100, 500_000_000), -99},
	} {
		if o, _ := s.Next(c.after); o.At.Unix() != c.want || o.At.Nanosecond() != 0 {
			t.Errorf("after %v: got %v, want second %d", c.after, o.At, c.want)
		}
	}
}

func TestSchedulesThatNameNothing(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, s := range map[string]Schedule{
		"no expressions":         {},
		"the zero expression":    {Exprs: []Expr{{}}},
		"an expression @reboot":  parsed(t, "UTC", DST{}, "@reboot"),
		"@reboot in a real zone": parsed(t, "Europe/Berlin", DST{}, "@reboot"),
	} {
		t.Run(name, func(t *testing.T) {
			if o, ok := s.Next(now); ok {
				t.Errorf("next is %v", o)
			}
			if o, ok := s.Last(now); ok {
				t.Errorf("last is %v", o)
			}
			if kept, dropped, _, _ := s.DueTail(now.AddDate(-1, 0, 0), now, 3); len(kept)+dropped != 0 {
				t.Errorf("kept %v, dropped %d", kept, dropped)
			}
		})
	}
}

func TestANilZoneIsTheHosts(t *testing.T) {
	s := parsed(t, "UTC", DST{}, "0 12 * * *")
	s.Zone = nil
	o, _ := s.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.Local))
	if want := time.Date(2026, 1, 1, 12, 0, 0, 0, time.Local); !o.At.Equal(want) {
		t.Errorf("got %v, want %v", o.At, want)
	}
}

func TestDueStopsAtItsLimit(t *testing.T) {
	s := parsed(t, "UTC", DST{}, "@hourly")
	after := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		hours, limit, want int
		more               bool
	}{{5, 3, 3, true}, {3, 3, 3, false}, {2, 3, 2, false}, {5, 0, 5, false}} {
		due, more := s.Due(after, after.Add(time.Duration(c.hours)*time.Hour), c.limit)
		if len(due) != c.want || more != c.more {
			t.Errorf("%d due hours, limit %d: got %d, more %v", c.hours, c.limit, len(due), more)
		}
	}
}

func TestOccurrencesSayWhetherTheyFollowElapsedTime(t *testing.T) {
	after := time.Date(2026, 1, 1, 11, 59, 0, 0, time.UTC)
	for _, c := range []struct {
		exprs []string
		want  bool
	}{
		{[]string{"0 12 * * *"}, false},
		{[]string{"0 * * * *"}, true},
		{[]string{"@every 1h"}, true},
		{[]string{"0 12 * * *", "0 * * * *"}, true},
		{[]string{"0 * * * *", "0 12 * * *"}, true},
		{[]string{"0 12 * * *", "30 * * * *"}, false},
	} {
		if o, _ := parsed(t, "UTC", DST{}, c.exprs...).Next(after); o.Wildcard != c.want {
			t.Errorf("%v: got %v, want %v", c.exprs, o.Wildcard, c.want)
		}
	}
}

func TestDueTailOfALongAbsenceIsCheap(t *testing.T) {
	s := parsed(t, "Europe/Berlin", DST{}, "* * * * * *", "30 2 * * *")
	until := time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)
	after := until.AddDate(-56, 0, 0)
	kept, dropped, first, last := s.DueTail(after, until, 10)
	if want := int(until.Unix() - after.Unix() - 10); dropped != want || len(kept) != 10 {
		t.Errorf("kept %d, dropped %d; want 10 and %d", len(kept), dropped, want)
	}
	if !first.Equal(after.Add(time.Second)) || !last.Equal(until.Add(-10*time.Second)) {
		t.Errorf("dropped from %v to %v", first, last)
	}
}

func TestDueTailKeepsNothingWhenAskedForNothing(t *testing.T) {
	s := parsed(t, "UTC", DST{}, "@daily")
	after := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, keep := range []int{0, -1} {
		kept, dropped, first, last := s.DueTail(after, after.AddDate(0, 0, 3), keep)
		if len(kept) != 0 || dropped != 3 || first.Day() != 2 || last.Day() != 4 {
			t.Errorf("keep %d: kept %v, dropped %d from %v to %v", keep, kept, dropped, first, last)
		}
	}
}

func TestRebootIsSeenAmongOthers(t *testing.T) {
	if !parsed(t, "UTC", DST{}, "@daily", "@reboot").Reboot() {
		t.Error("@daily and @reboot: not seen")
	}
	if parsed(t, "UTC", DST{}, "@daily").Reboot() {
		t.Error("@daily alone: seen")
	}
}
