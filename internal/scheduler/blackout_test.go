package scheduler

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// nights are from 22:00 to 06:00, in UTC.
func nights(t *testing.T, isDeferred bool) *schedule.Blackouts {
	t.Helper()
	c := schedule.Calendar{Name: "nights"}
	if err := c.Add("22:00..06:00"); err != nil {
		t.Fatal(err)
	}
	c.Settle()
	return &schedule.Blackouts{Calendars: []schedule.Calendar{c}, Zone: time.UTC, Defer: isDeferred}
}

func TestPlanHeedsBlackouts(t *testing.T) {
	job := func(expr string, c jobs.CatchUp) jobs.Definition {
		return jobs.Definition{Name: "j", Schedule: []string{expr}, Grace: schedule.Duration(5 * time.Minute), CatchUp: c, Enabled: true}
	}
	all := jobs.CatchUp{Policy: jobs.CatchUpAll, MaxAge: schedule.Duration(24 * time.Hour), MaxRuns: 3}
	tests := []struct {
		name       string
		def        jobs.Definition
		isDeferred bool
		mark, now  string
		want       []string
	}{
		{"what falls in is skipped", job("0 * * * *", jobs.CatchUp{}), false, "2026-01-10 22:30:00", "2026-01-10 23:00:00", []string{"10T23:00 skipped schedule not_during"}},
		{"what does not runs", job("0 * * * *", jobs.CatchUp{}), false, "2026-01-10 05:30:00", "2026-01-10 06:00:00", []string{"10T06:00 queued schedule"}},
		{"a moment that is not the last is not deferred", job("30 * * * *", jobs.CatchUp{}), true, "2026-01-10 23:00:00", "2026-01-10 23:30:00", []string{"10T23:30 skipped schedule not_during"}},
		{"the last is", job("30 * * * *", jobs.CatchUp{}), true, "2026-01-10 05:00:00", "2026-01-10 05:30:00", []string{"10T05:30 queued schedule due 10T06:00"}},
		{"not where the end is a moment itself", job("0 * * * *", jobs.CatchUp{}), true, "2026-01-10 04:30:00", "2026-01-10 05:00:00", []string{"10T05:00 skipped schedule not_during"}},
		{"grace counts from the end", job("0 23 * * *", jobs.CatchUp{Policy: "none"}), true, "2026-01-10 22:00:00", "2026-01-11 06:04:00", []string{"10T23:00 queued schedule due 11T06:00"}},
		{"after it, it is missed", job("0 23 * * *", jobs.CatchUp{Policy: "none"}), true, "2026-01-10 22:00:00", "2026-01-11 06:06:00", []string{"10T23:00 skipped schedule missed ×1 until 10T23:00"}},
		{"what is made up for in a blackout waits for its end", job("0 20 * * *", all), true, "2026-01-10 12:00:00", "2026-01-10 23:10:00", []string{"10T20:00 queued catch_up due 11T06:00"}},
		{"or is not made up for", job("0 20 * * *", all), false, "2026-01-10 12:00:00", "2026-01-10 23:10:00", []string{"10T20:00 skipped catch_up not_during"}},
		{"a moment in a blackout is not made up for", job("0 20-23 * * *", all), false, "2026-01-10 12:00:00", "2026-01-11 12:00:00", []string{
			"10T20:00 skipped schedule missed ×1 until 10T20:00", "10T21:00 queued catch_up", "10T22:00 skipped schedule not_during", "10T23:00 skipped schedule not_during",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := circumstances{
				now: clock(tt.now), jitter: func(time.Duration) time.Duration { return 0 }, blackouts: nights(t, tt.isDeferred),
			}
			got := plan(&tt.def, timetable(&tt.def, time.UTC), run.Watermark{At: clock(tt.mark)}, c)
			lines := brief(got)
			for i, n := range got {
				if n.State == run.Queued && n.DueAt.After(c.now) || n.DueAt.Hour() == 6 && n.ScheduledAt.Hour() != 6 && n.State == run.Queued {
					lines[i] += " due " + n.DueAt.Format("02T15:04")
				}
			}
			if diff := cmp.Diff(tt.want, lines); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestANightOfAPerMinuteJobIsOneRowAndOneRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble begins at midnight UTC: in the night
		h := newHost(t, every("j", "30 * * * * *"), every("off", "30 * * * * *"))
		h.prog.Blackouts = func(job string) *schedule.Blackouts { return nights(t, job == "j") }
		h.s.Apply(t.Context(), h.prog)
		h.wait(6*time.Hour + time.Minute)
		want := []string{"01T00:00:30 skipped schedule not_during ×359", "01T05:59:30 queued schedule", "01T06:00:30 queued schedule"}
		if diff := cmp.Diff(want, h.rows("j")); diff != "" {
			t.Errorf("deferred (-want +got):\n%s", diff)
		}
		want = []string{"01T00:00:30 skipped schedule not_during ×360", "01T06:00:30 queued schedule"}
		if diff := cmp.Diff(want, h.rows("off")); diff != "" {
			t.Errorf("skipped (-want +got):\n%s", diff)
		}
	})
}
