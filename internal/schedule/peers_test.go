package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/robfig/cron/v3"
	"pgregory.net/rapid"
)

// TestWhatRobfigsNextDoes holds what docs/time.md says of that library, whose
// search is used here without a zone.
func TestWhatRobfigsNextDoes(t *testing.T) {
	for name, c := range map[string]struct {
		zone, expr, after string
		want              []string
	}{
		"Berlin in spring: not on that day": {
			"Europe/Berlin", "30 2 * * *", "2026-03-28 12:00",
			[]string{"2026-03-30 02:30:00 +02:00"},
		},
		"Berlin in autumn: twice": {
			"Europe/Berlin", "30 2 * * *", "2026-10-24 12:00",
			[]string{"2026-10-25 02:30:00 +02:00", "2026-10-25 02:30:00 +01:00", "2026-10-26 02:30:00 +01:00"},
		},
		"New York in autumn: twice": {
			"America/New_York", "0 1 * * *", "2026-10-31 12:00",
			[]string{"2026-11-01 01:00:00 -04:00", "2026-11-01 01:00:00 -05:00"},
		},
		"Santiago without a midnight: not on that day": {
			"America/Santiago", "0 0 * * *", "2026-09-05 12:00",
			[]string{"2026-09-07 00:00:00 -03:00"},
		},
		"every quarter of an hour in autumn: in both passes": {
			"Europe/Berlin", "*/15 * * * *", "2026-10-25 02:40 +02:00",
			[]string{"2026-10-25 02:45:00 +02:00", "2026-10-25 02:00:00 +01:00", "2026-10-25 02:15:00 +01:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			zone, err := LoadZone(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			s, err := cron.ParseStandard("CRON_TZ=" + c.zone + " " + c.expr)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			at := local(t, zone, c.after)
			for range c.want {
				at = s.Next(at)
				got = append(got, at.Format("2006-01-02 15:04:05 -07:00"))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("next (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheSearchIsThatOfRobfigWithoutAZone compares the search for nominal times
// with a library that everyone trusts for it.
func TestTheSearchIsThatOfRobfigWithoutAZone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawExpr(t)
		if e.every > 0 {
			t.Skip("no fields")
		}
		theirs := cron.SpecSchedule{
			Second: e.spec.Second, Minute: e.spec.Minute, Hour: e.spec.Hour,
			Dom: e.spec.Dom, Month: e.spec.Month, Dow: e.spec.Dow, Location: time.UTC,
		}
		at := time.Unix(rapid.Int64Range(-1e9, 4e9).Draw(t, "after"), 0).UTC()
		for range 20 {
			want := theirs.Next(at)
			got, ok := e.nominalAfter(at.Unix())
			if want.IsZero() {
				return // it gives up after five years
			}
			if !ok || got != want.Unix() {
				t.Fatalf("%v after %v: got %v, want %v", e, at, time.Unix(got, 0).UTC(), want)
			}
			at = want
		}
	})
}
