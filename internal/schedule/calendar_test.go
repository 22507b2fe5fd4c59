package schedule

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func blackouts(t *testing.T, zone string, entries ...string) *Blackouts {
	t.Helper()
	c := Calendar{Name: "c"}
	for _, text := range entries {
		if err := c.Add(text); err != nil {
			t.Fatal(err)
		}
	}
	c.Settle()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return &Blackouts{Calendars: []Calendar{c}, Zone: loc}
}

func TestBlackoutsHoldWhatTheirEntriesSay(t *testing.T) {
	const free = ""
	tests := []struct {
		name, zone string
		entries    string // parted by ;
		at, until  string
	}{
		{"a date is its whole day", "UTC", "2026-12-25", "2026-12-25T00:00:00Z", "2026-12-26T00:00:00Z"},
		{"the second before it is free", "UTC", "2026-12-25", "2026-12-24T23:59:59Z", free},
		{"the next midnight is free", "UTC", "2026-12-25", "2026-12-26T00:00:00Z", free},
		{"a date is one of the job's zone", "America/New_York", "2026-12-25", "2026-12-26T04:59:59Z", "2026-12-26T05:00:00Z"},
		{"a range of dates holds its last", "UTC", "2026-12-24..2027-01-02", "2027-01-02T12:00:00Z", "2027-01-03T00:00:00Z"},
		{"a time that ends is not part", "UTC", "2026-12-24 18:00..2026-12-26 06:00", "2026-12-26T06:00:00Z", free},
		{"a time that begins is", "UTC", "2026-12-24 18:00..2026-12-26 06:00", "2026-12-24T18:00:00Z", "2026-12-26T06:00:00Z"},
		{"times within a date", "UTC", "2026-12-24 18:00..22:00", "2026-12-24T21:59:59Z", "2026-12-24T22:00:00Z"},
		{"a day of each year", "UTC", "12-25", "2031-12-25T10:00:00Z", "2031-12-26T00:00:00Z"},
		{"a span of each year goes over its end", "UTC", "12-24..01-02", "2030-01-01T10:00:00Z", "2030-01-03T00:00:00Z"},
		{"the leap day is not in other years", "UTC", "02-29", "2027-03-01T00:00:00Z", free},
		{"the leap day", "UTC", "02-29", "2028-02-29T23:00:00Z", "2028-03-01T00:00:00Z"},
		{"up to the leap day, in another year", "UTC", "02-20..02-29", "2027-02-28T23:00:00Z", "2027-03-01T00:00:00Z"},
		{"a weekday", "UTC", "sat", "2026-01-10T23:59:59Z", "2026-01-11T00:00:00Z"},
		{"a weekday by its whole name", "UTC", "Saturday", "2026-01-10T23:59:59Z", "2026-01-11T00:00:00Z"},
		{"weekdays that touch are one", "UTC", "sat..sun;mon", "2026-01-10T12:00:00Z", "2026-01-13T00:00:00Z"},
		{"a weekend with times", "UTC", "fri 18:00..mon 06:00", "2026-01-12T05:59:59Z", "2026-01-12T06:00:00Z"},
		{"a weekend with times begins", "UTC", "fri 18:00..mon 06:00", "2026-01-09T17:59:59Z", free},
		{"weekdays over the end of the week", "UTC", "sat..tue", "2026-01-12T12:00:00Z", "2026-01-14T00:00:00Z"},
		{"each night, before midnight", "UTC", "22:00..06:00", "2026-01-10T23:00:00Z", "2026-01-11T06:00:00Z"},
		{"each night, after midnight", "UTC", "22:00..06:00", "2026-01-10T05:59:00Z", "2026-01-10T06:00:00Z"},
		{"by day it is free", "UTC", "22:00..06:00", "2026-01-10T06:00:00Z", free},
		{"office hours", "UTC", "mon..fri 08:00..18:00", "2026-01-09T17:00:00Z", "2026-01-09T18:00:00Z"},
		{"no office on Saturday", "UTC", "mon..fri 08:00..18:00", "2026-01-10T17:00:00Z", free},
		{"Friday's night belongs to Friday", "UTC", "fri 22:00..06:00", "2026-01-10T05:00:00Z", "2026-01-10T06:00:00Z"},
		{"24:00 is the end of a day", "UTC", "20:00..24:00", "2026-01-10T23:59:59Z", "2026-01-11T00:00:00Z"},
		{"spans of two entries that touch are one", "UTC", "20:00..24:00;00:00..02:00", "2026-01-10T21:00:00Z", "2026-01-11T02:00:00Z"},
		{"a night with a gap is an hour shorter", "Europe/Berlin", "2026-03-29 00:00..06:00", "2026-03-28T23:00:00Z", "2026-03-29T04:00:00Z"},
		{"what begins in a gap begins after it", "Europe/Berlin", "2026-03-29 02:30..06:00", "2026-03-29T01:00:00Z", "2026-03-29T04:00:00Z"},
		{"and not before", "Europe/Berlin", "2026-03-29 02:30..06:00", "2026-03-29T00:59:59Z", free},
		{"what ends in a gap ends after it", "Europe/Berlin", "2026-03-29 01:00..02:30", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"},
		{"a fold is held with both its passes", "Europe/Berlin", "2026-10-25 02:15..02:30", "2026-10-25T00:45:00Z", "2026-10-25T01:30:00Z"},
		{"a day without midnight begins an hour later", "America/Santiago", "2026-09-06", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"},
		{"every day has no end", "UTC", "mon..sun", "2026-01-10T00:00:00Z", "0001-01-01T00:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := blackouts(t, tt.zone, strings.Split(tt.entries, ";")...)
			at, err := time.Parse(time.RFC3339, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			got, in := b.At(at)
			until := ""
			if in {
				until = got.Until.UTC().Format(time.RFC3339)
			}
			if until != tt.until {
				t.Errorf("at %s the blackout lasts until %q, want %q", tt.at, until, tt.until)
			}
		})
	}
}

func TestEntriesThatMeanNothingAreRefused(t *testing.T) {
	tests := map[string]string{
		"":                       "is no entry",
		"tomorrow":               "is no entry",
		"2026-02-30":             "there is no date 2026-02-30",
		"13-01":                  "there is no date 13-01",
		"02-30":                  "there is no date 02-30",
		"2026-01-02..2026-01-01": "ends before it begins",
		"2026-01-02..sat":        "is no entry",
		"2026-12-24..25":         "is no entry",
		"25:00..26:00":           "is not a time of day",
		"10:00":                  "is no entry",
		"10:00..10:00":           "it ends when it begins",
		"fri 18:00..fri 18:00":   "it ends when it begins",
		"a..b..c..d":             "is no entry",
		"1-2-3-4-5-":             "there is no date",
		"0--01":                  "is no entry",
	}
	for text, want := range tests {
		var c Calendar
		if err := c.Add(text); err == nil || c.Len() != 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// The end of a blackout is the first instant that is free.
func TestABlackoutEndsWhereItSays(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Beirut"}
	entries := []string{"22:00..06:00", "sat..sun", "mon..fri 01:30..02:30", "12-24..01-02", "2026-03-29", "2026-10-25 02:00..2026-10-26 02:10", "02-29"}
	rapid.Check(t, func(r *rapid.T) {
		b := blackouts(t, rapid.SampledFrom(zones).Draw(r, "zone"), rapid.SliceOfN(rapid.SampledFrom(entries), 1, 4).Draw(r, "entries")...)
		at := time.Unix(rapid.Int64Range(1767225600, 1830297600).Draw(r, "at"), 0)
		got, in := b.At(at)
		if !in {
			return
		}
		if !got.Until.After(at) {
			t.Fatalf("at %v it ends at %v", at, got.Until)
		}
		if _, still := b.At(got.Until); still {
			t.Fatalf("at %v it ends at %v, which is in it", at, got.Until)
		}
		if again, in := b.At(got.Until.Add(-time.Second)); !in || !again.Until.Equal(got.Until) {
			t.Fatalf("at %v it ends at %v, but not for the second before: %v %v", at, got.Until, again, in)
		}
	})
}

func TestOfABlackoutTheLastMomentStands(t *testing.T) {
	b := blackouts(t, "UTC", "22:00..06:00")
	for expr, want := range map[string]string{
		"* * * * *":    "",                     // 06:00 is named itself
		"1-59 * * * *": "2026-01-11T05:59:00Z", // the minute before
		"0 23 * * *":   "2026-01-10T23:00:00Z",
	} {
		e, err := Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		s := Schedule{Exprs: []Expr{e}, Zone: time.UTC}
		due, _ := s.Due(time.Date(2026, 1, 10, 21, 59, 0, 0, time.UTC), time.Date(2026, 1, 11, 5, 59, 59, 0, time.UTC), 0)
		got := ""
		for _, o := range due {
			out, in := b.At(o.At)
			if !in {
				t.Fatalf("%v is free", o.At)
			}
			if out.Stands(s, o.At) {
				got += o.At.Format(time.RFC3339)
			}
		}
		if got != want {
			t.Errorf("of %s %q stands, want %q", expr, got, want)
		}
	}
}

func FuzzCalendar(f *testing.F) {
	for _, seed := range []string{"2026-12-25", "12-24..01-02", "fri 18:00..mon 06:00", "mon..fri 08:00..18:00", "22:00..24:00"} {
		f.Add(seed, int64(1767225600))
	}
	f.Fuzz(func(t *testing.T, text string, at int64) {
		var c Calendar
		if c.Add(text) != nil || at < 0 || at > 1<<33 {
			return
		}
		c.Settle()
		b := Blackouts{Calendars: []Calendar{c}, Zone: time.UTC}
		if got, in := b.At(time.Unix(at, 0)); in && !got.Until.IsZero() && !got.Until.After(time.Unix(at, 0)) {
			t.Errorf("%q at %d ends at %v", text, at, got.Until)
		}
	})
}

func TestTheNextRunIsOutsideOfBlackouts(t *testing.T) {
	e, err := Parse("30 2 * * *")
	if err != nil {
		t.Fatal(err)
	}
	s := Schedule{Exprs: []Expr{e}, Zone: time.UTC}
	from := time.Date(2026, 1, 9, 12, 0, 0, 0, time.UTC) // a Friday
	weekend := blackouts(t, "UTC", "fri 18:00..mon 06:00")
	if got, ok := weekend.NextRun(s, from); !ok || !got.Equal(time.Date(2026, 1, 13, 2, 30, 0, 0, time.UTC)) {
		t.Errorf("skipping, it runs at %v, %v; want on Tuesday", got, ok)
	}
	weekend.Defer = true
	if got, ok := weekend.NextRun(s, from); !ok || !got.Equal(time.Date(2026, 1, 12, 6, 0, 0, 0, time.UTC)) {
		t.Errorf("deferring, it runs at %v, %v; want at the end, on Monday", got, ok)
	}
	if got, ok := blackouts(t, "UTC", "mon..sun").NextRun(s, from); ok {
		t.Errorf("it never runs, but at %v", got)
	}
	var none *Blackouts
	if got, ok := none.NextRun(s, from); !ok || !got.Equal(time.Date(2026, 1, 10, 2, 30, 0, 0, time.UTC)) {
		t.Errorf("without blackouts it runs at %v, %v", got, ok)
	}
}
