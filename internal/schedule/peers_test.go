package schedule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/robfig/cron/v3"
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
