package schedule

import (
	"strings"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	zone, err := LoadZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text, now    string
		past, future string // future empty: as past
	}{
		{"now", "2026-06-03 14:00", "2026-06-03 14:00", ""},
		{"2026-01-02T15:04:05Z", "2026-06-03 14:00", "2026-01-02 16:04:05", ""},
		{"2026-01-02t15:04:05.000z", "2026-06-03 14:00", "2026-01-02 16:04:05", ""},
		{"2026-01-02T15:04:05-05:00", "2026-06-03 14:00", "2026-01-02 21:04:05", ""},
		{"2026-01-02", "2026-06-03 14:00", "2026-01-02 00:00", ""},
		{"2026-01-02 15:04", "2026-06-03 14:00", "2026-01-02 15:04", ""},
		{" 2026-01-02  15:04:05 ", "2026-06-03 14:00", "2026-01-02 15:04:05", ""},
		{"2026-01-02T15:04", "2026-06-03 14:00", "2026-01-02 15:04", ""},
		{"22:00", "2026-06-03 14:00", "2026-06-02 22:00", "2026-06-03 22:00"},
		{"22:00", "2026-06-03 23:00", "2026-06-03 22:00", "2026-06-04 22:00"},
		{"14:00", "2026-06-03 14:00", "2026-06-03 14:00", "2026-06-04 14:00"},
		{"9:05:07", "2026-06-03 14:00", "2026-06-03 09:05:07", "2026-06-04 09:05:07"},
		{"today", "2026-06-03 14:00", "2026-06-03 00:00", ""},
		{"Today 15:30", "2026-06-03 14:00", "2026-06-03 15:30", ""},
		{"tomorrow 02:30", "2026-06-30 14:00", "2026-07-01 02:30", ""},
		{"tomorrow", "2026-12-31 14:00", "2027-01-01 00:00", ""},
		{"yesterday", "2026-03-01 14:00", "2026-02-28 00:00", ""},
		{"yesterday 22:00:01", "2026-06-03 14:00", "2026-06-02 22:00:01", ""},
		{"-24h", "2026-06-03 14:00", "2026-06-02 14:00", ""},
		{"+2h", "2026-06-03 14:00", "2026-06-03 16:00", ""},
		{"7d", "2026-06-10 14:00", "2026-06-03 14:00", "2026-06-17 14:00"},
		{"1d12h", "2026-06-10 14:00", "2026-06-09 02:00", "2026-06-12 02:00"},

		{"2026-03-29 02:30", "2026-01-01 14:00", "2026-03-29 03:00 +02:00", ""},
		{"2026-10-25 02:30", "2026-01-01 14:00", "2026-10-25 02:30 +02:00", ""},
		{"yesterday 02:30", "2026-03-30 14:00", "2026-03-29 03:00 +02:00", ""},
		{"02:30", "2026-10-25 02:40 +01:00", "2026-10-25 02:30 +01:00", "2026-10-26 02:30 +01:00"},
		{"02:30", "2026-10-25 02:40 +02:00", "2026-10-25 02:30 +02:00", "2026-10-25 02:30 +01:00"},
		{"-24h", "2026-03-29 12:00", "2026-03-28 11:00", ""},
	} {
		now := local(t, zone, c.now)
		if c.future == "" {
			c.future = c.past
		}
		for dir, want := range map[Direction]string{Past: c.past, Future: c.future} {
			got, err := ParseTime(c.text, now, zone, dir)
			if err != nil || !got.Equal(local(t, zone, want)) || got.Location() != zone {
				t.Errorf("%q at %s, direction %d: got %v, %v; want %s", c.text, c.now, dir, got, err, want)
			}
		}
	}
}

func TestParseTimeWhereMidnightIsMissing(t *testing.T) {
	for _, c := range []struct{ zone, text, want string }{
		{"America/Santiago", "2026-09-06", "2026-09-06 01:00 -03:00"},
		{"Africa/Cairo", "2026-04-24", "2026-04-24 01:00 +03:00"},
		{"Pacific/Apia", "2011-12-30 12:00", "2011-12-31 00:00 +14:00"},
	} {
		zone, err := LoadZone(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseTime(c.text, time.Now(), zone, Past)
		if err != nil || !got.Equal(local(t, zone, c.want)) {
			t.Errorf("%s in %s: got %v, %v; want %s", c.text, c.zone, got, err, c.want)
		}
	}
}

func TestParseTimeOffersAWayOut(t *testing.T) {
	forms := "write 22:00, today, tomorrow 02:30, yesterday, now, -24h, +2h, 7d, 2026-01-02"
	for _, c := range []struct{ text, want string }{
		{"", forms},
		{"soon", forms},
		{"tonight", forms},
		{"yester", forms},
		{"2026-1-2", forms},
		{"a-b-c", forms},
		{"2026-02-30", "there is no date 2026-02-30"},
		{"2026-13-01", "there is no date 2026-13-01"},
		{"24:00", `"24:00" is not a time of day from 00:00 to 23:59:59`},
		{"22:60", "is not a time of day"},
		{"22:00:05.5", "is not a time of day"},
		{"tomorrow 25:00", "is not a time of day"},
		{"tomorrow at noon", `"at noon" is not a time of day`},
		{"30", `"30" lacks its unit; write 30s or 30m`},
		{"-30", `"30" lacks its unit; write 30s or 30m`},
		{"--5m", "takes no sign"},
		{"-", "empty duration"},
		{"7x", `the unit "x" is not known`},
		{strings.Repeat("z", 100_000), `…"`},
	} {
		got, err := ParseTime(c.text, time.Now(), time.UTC, Past)
		if err == nil {
			t.Errorf("%q: accepted as %v", c.text, got)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || len(err.Error()) > 300 {
			t.Errorf("%.40q: got %.300q, want it to say %q", c.text, err, c.want)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, text := range []string{"22:00", "tomorrow 02:30", "-24h", "7d", "2026-01-02 15:04", "2026-01-02T15:04:05Z", "9999-12-31 23:59", "-106751d", "0000-01-01", "to", "ye "} {
		f.Add(text)
	}
	zone, err := LoadZone("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		for _, dir := range []Direction{Past, Future} {
			at, err := ParseTime(text, now, zone, dir)
			if err == nil && strings.Count(text, ":") == 1 && len(text) == 5 && (dir == Future) != at.After(now) {
				t.Errorf("%q in direction %d is %v", text, dir, at)
			}
		}
	})
}
