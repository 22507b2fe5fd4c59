package schedule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShiftsOfTheClock(t *testing.T) {
	usual, skip, twice := DST{}, DST{Gap: GapSkip}, DST{Fold: FoldTwice}
	for name, c := range map[string]struct {
		zone        string
		dst         DST
		expr        string
		after, till string
		want        []string
	}{
		"Berlin in spring moves 02:30 to 03:00": {
			"Europe/Berlin", usual, "30 2 * * *", "2026-03-28 12:00", "2026-03-30 12:00",
			[]string{"2026-03-29 03:00:00 +02:00 dst_gap", "2026-03-30 02:30:00 +02:00"},
		},
		"Berlin in spring leaves 02:30 out where gaps are skipped": {
			"Europe/Berlin", skip, "30 2 * * *", "2026-03-28 12:00", "2026-03-30 12:00",
			[]string{"2026-03-30 02:30:00 +02:00"},
		},
		"several skipped times make up for themselves once": {
			"Europe/Berlin", usual, "0,20,40 2 * * *", "2026-03-28 12:00", "2026-03-29 12:00",
			[]string{"2026-03-29 03:00:00 +02:00 dst_gap"},
		},
		"a skipped time and one right after the gap are one occurrence": {
			"Europe/Berlin", usual, "0,30 2,3 * * *", "2026-03-28 12:00", "2026-03-29 12:00",
			[]string{"2026-03-29 03:00:00 +02:00 dst_gap", "2026-03-29 03:30:00 +02:00"},
		},
		"a time right after the gap is not moved": {
			"Europe/Berlin", usual, "0 3 * * *", "2026-03-28 12:00", "2026-03-29 12:00",
			[]string{"2026-03-29 03:00:00 +02:00"},
		},
		"the seconds of a skipped minute are made up for once": {
			"Europe/Berlin", usual, "* 30 2 * * *", "2026-03-28 12:00", "2026-03-29 12:00",
			[]string{"2026-03-29 03:00:00 +02:00 dst_gap"},
		},
		"Berlin in autumn runs 02:30 in the first pass": {
			"Europe/Berlin", usual, "30 2 * * *", "2026-10-24 12:00", "2026-10-26 12:00",
			[]string{"2026-10-25 02:30:00 +02:00 dst_fold", "2026-10-26 02:30:00 +01:00"},
		},
		"Berlin in autumn runs 02:30 in both passes where folds count twice": {
			"Europe/Berlin", twice, "30 2 * * *", "2026-10-24 12:00", "2026-10-26 12:00",
			[]string{"2026-10-25 02:30:00 +02:00 dst_fold", "2026-10-25 02:30:00 +01:00 dst_fold", "2026-10-26 02:30:00 +01:00"},
		},
		"a start inside the second pass does not bring the time again": {
			"Europe/Berlin", usual, "30 2 * * *", "2026-10-25 02:10 +01:00", "2026-10-25 12:00", []string{},
		},
		"a start inside the first pass finds the rest of it": {
			"Europe/Berlin", usual, "15,45 2 * * *", "2026-10-25 02:30 +02:00", "2026-10-25 12:00",
			[]string{"2026-10-25 02:45:00 +02:00 dst_fold"},
		},
		"the end of a fold exists once": {
			"Europe/Berlin", usual, "0 3 * * *", "2026-10-24 12:00", "2026-10-25 12:00",
			[]string{"2026-10-25 03:00:00 +01:00"},
		},
		"the start of a fold exists twice": {
			"Europe/Berlin", twice, "0 2 * * *", "2026-10-24 12:00", "2026-10-25 12:00",
			[]string{"2026-10-25 02:00:00 +02:00 dst_fold", "2026-10-25 02:00:00 +01:00 dst_fold"},
		},
		"New York in autumn runs 01:00 once": {
			"America/New_York", usual, "0 1 * * *", "2026-10-31 12:00", "2026-11-02 12:00",
			[]string{"2026-11-01 01:00:00 -04:00 dst_fold", "2026-11-02 01:00:00 -05:00"},
		},
		"New York in spring does not touch 01:00": {
			"America/New_York", usual, "0 1 * * *", "2026-03-07 12:00", "2026-03-08 12:00",
			[]string{"2026-03-08 01:00:00 -05:00"},
		},
		"every 15 minutes has nothing to make up for after a gap": {
			"Europe/Berlin", usual, "*/15 * * * *", "2026-03-29 01:30", "2026-03-29 03:15",
			[]string{"2026-03-29 01:45:00 +01:00", "2026-03-29 03:00:00 +02:00", "2026-03-29 03:15:00 +02:00"},
		},
		"every half hour goes through both passes of a fold": {
			"Europe/Berlin", usual, "*/30 * * * *", "2026-10-25 01:30", "2026-10-25 03:00",
			[]string{
				"2026-10-25 02:00:00 +02:00 dst_fold", "2026-10-25 02:30:00 +02:00 dst_fold",
				"2026-10-25 02:00:00 +01:00 dst_fold", "2026-10-25 02:30:00 +01:00 dst_fold",
				"2026-10-25 03:00:00 +01:00",
			},
		},
		"a fixed minute of every hour follows elapsed time": {
			"America/New_York", usual, "30 * * * *", "2026-11-01 00:00", "2026-11-01 02:30",
			[]string{
				"2026-11-01 00:30:00 -04:00", "2026-11-01 01:30:00 -04:00 dst_fold",
				"2026-11-01 01:30:00 -05:00 dst_fold", "2026-11-01 02:30:00 -05:00",
			},
		},
		"every minute of a fixed hour follows elapsed time into a gap": {
			"Europe/Berlin", usual, "*/30 2 * * *", "2026-03-28 12:00", "2026-03-30 12:00",
			[]string{"2026-03-30 02:00:00 +02:00", "2026-03-30 02:30:00 +02:00"},
		},
		"hours written out are fixed times": {
			"Europe/Berlin", usual, "0 1-3 * * *", "2026-10-24 12:00", "2026-10-25 12:00",
			[]string{"2026-10-25 01:00:00 +02:00", "2026-10-25 02:00:00 +02:00 dst_fold", "2026-10-25 03:00:00 +01:00"},
		},
		"@every keeps its distance through a fold": {
			"Europe/Berlin", usual, "@every 1h", "2026-10-25 01:00", "2026-10-25 03:00",
			[]string{"2026-10-25 02:00:00 +02:00 dst_fold", "2026-10-25 02:00:00 +01:00 dst_fold", "2026-10-25 03:00:00 +01:00"},
		},
		"@every keeps its distance over a gap": {
			"Europe/Berlin", usual, "@every 1h", "2026-03-29 01:00", "2026-03-29 04:00",
			[]string{"2026-03-29 03:00:00 +02:00", "2026-03-29 04:00:00 +02:00"},
		},
		"Lord Howe shifts by half an hour in spring": {
			"Australia/Lord_Howe", usual, "15 2 * * *", "2026-10-03 12:00", "2026-10-05 12:00",
			[]string{"2026-10-04 02:30:00 +11:00 dst_gap", "2026-10-05 02:15:00 +11:00"},
		},
		"Lord Howe leaves 02:45 alone in spring": {
			"Australia/Lord_Howe", usual, "45 2 * * *", "2026-10-03 12:00", "2026-10-04 12:00",
			[]string{"2026-10-04 02:45:00 +11:00"},
		},
		"Lord Howe repeats half an hour in autumn": {
			"Australia/Lord_Howe", twice, "15,45 1 * * *", "2026-04-04 12:00", "2026-04-05 12:00",
			[]string{"2026-04-05 01:15:00 +11:00", "2026-04-05 01:45:00 +11:00 dst_fold", "2026-04-05 01:45:00 +10:30 dst_fold"},
		},
		"Santiago has no midnight in spring": {
			"America/Santiago", usual, "@daily", "2026-09-05 12:00", "2026-09-07 12:00",
			[]string{"2026-09-06 01:00:00 -03:00 dst_gap", "2026-09-07 00:00:00 -03:00"},
		},
		"Santiago repeats the hour before midnight in autumn": {
			"America/Santiago", usual, "30 23 * * *", "2026-04-04 12:00", "2026-04-05 23:59",
			[]string{"2026-04-04 23:30:00 -03:00 dst_fold", "2026-04-05 23:30:00 -04:00"},
		},
		"Cairo has no midnight in spring": {
			"Africa/Cairo", usual, "30 0 * * *", "2026-04-23 12:00", "2026-04-24 12:00",
			[]string{"2026-04-24 01:00:00 +03:00 dst_gap"},
		},
		"Cairo ends a day twice in autumn": {
			"Africa/Cairo", twice, "0 0 * * *", "2026-10-29 12:00", "2026-10-30 12:00",
			[]string{"2026-10-30 00:00:00 +02:00"},
		},
		"Beirut has no midnight in spring": {
			"Asia/Beirut", skip, "0 0 * * *", "2026-03-28 12:00", "2026-03-30 12:00",
			[]string{"2026-03-30 00:00:00 +03:00"},
		},
		"Apia has no 30 December 2011": {
			"Pacific/Apia", usual, "0 12 * * *", "2011-12-28 13:00", "2011-12-31 13:00",
			[]string{"2011-12-29 12:00:00 -10:00", "2011-12-31 12:00:00 +14:00"},
		},
		"Apia has midnight on the date after the missing one": {
			"Pacific/Apia", usual, "@daily", "2011-12-28 13:00", "2011-12-31 13:00",
			[]string{"2011-12-29 00:00:00 -10:00", "2011-12-31 00:00:00 +14:00"},
		},
		"Apia has nothing for the missing date alone": {
			"Pacific/Apia", usual, "0 12 30 12 *", "2011-01-01", "2012-12-31 13:00",
			[]string{"2012-12-30 12:00:00 +14:00"},
		},
		"Nuuk moves the last hour of a day to the next date": {
			"America/Nuuk", usual, "30 23 * * *", "2026-03-27 12:00", "2026-03-29 23:45",
			[]string{"2026-03-27 23:30:00 -02:00", "2026-03-29 00:00:00 -01:00 dst_gap", "2026-03-29 23:30:00 -01:00"},
		},
		"Kwajalein crosses the date line in 1993": {
			"Pacific/Kwajalein", usual, "0 6 * * *", "1993-08-19 12:00", "1993-08-23 12:00",
			[]string{"1993-08-20 06:00:00 -12:00", "1993-08-22 06:00:00 +12:00", "1993-08-23 06:00:00 +12:00"},
		},
		"a day that comes twice runs once": {
			"America/Juneau", usual, "0 16 * * *", "1867-10-17 00:00", "1867-10-20 00:00",
			[]string{"1867-10-17 16:00:00 +15:02", "1867-10-18 16:00:00 +15:02 dst_fold", "1867-10-19 16:00:00 -08:57"},
		},
		"local mean time ends in a gap of seconds": {
			"America/New_York", usual, "0 12 * * *", "1883-11-18 00:00", "1883-11-19 00:00",
			[]string{"1883-11-18 12:00:00 -04:56 dst_fold"},
		},
		"a new offset for good is a shift as well": {
			"Asia/Pyongyang", usual, "40 23 * * *", "2018-05-04 00:00", "2018-05-05 23:50",
			[]string{"2018-05-05 00:00:00 +09:00 dst_gap", "2018-05-05 23:40:00 +09:00"},
		},
		"the last day of a leap year is ordinary": {
			"Europe/Berlin", usual, "0 */12 * * *", "2040-12-30 12:00", "2041-01-01 00:00",
			[]string{"2040-12-31 00:00:00 +01:00", "2040-12-31 12:00:00 +01:00", "2041-01-01 00:00:00 +01:00"},
		},
		"UTC has no shifts": {
			"UTC", usual, "30 2 * * *", "2026-03-28 12:00", "2026-03-29 12:00", []string{"2026-03-29 02:30:00 +00:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := parsed(t, c.zone, c.dst, c.expr)
			due, _ := s.Due(local(t, s.Zone, c.after), local(t, s.Zone, c.till), 0)
			if diff := cmp.Diff(c.want, written(due)); diff != "" {
				t.Errorf("occurrences (-want +got):\n%s", diff)
			}
			from := local(t, s.Zone, c.after)
			for i := 0; i <= len(due); i++ {
				if _, n, _, _ := s.DueTail(from, local(t, s.Zone, c.till), 0); n != len(due)-i {
					t.Errorf("counts %d after %v, want %d", n, from, len(due)-i)
				}
				if i < len(due) {
					from = due[i].At
				}
			}
		})
	}
}
