package scheduler

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
)

// Whatever happens around a moment, it has exactly one row: the daemon ends
// between any two steps, a reload comes in the very second, the ledger takes
// nothing for a while, or it takes all and its answer is lost.
func TestEachMomentHasExactlyOneRowWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			lines := func(d *jobs.Definition) { d.Args = &jobs.Args{List: []string{"x"}} }
			allMissed := func(d *jobs.Definition) {
				d.CatchUp = jobs.CatchUp{Policy: jobs.CatchUpAll, MaxAge: schedule.Duration(time.Hour), MaxRuns: 100}
			}
			h := newHost(t, every("plain", "* * * * *", allMissed), every("batch", "* * * * *", lines, allMissed))
			begun := time.Now()
			for range rapid.IntRange(1, 12).Draw(rt, "events") {
				// Most often to within a moment of a minute.
				next := time.Until(time.Now().Truncate(time.Minute).Add(time.Minute))
				h.wait(next + time.Duration(rapid.IntRange(-1, 1).Draw(rt, "nanoseconds beside the minute")))
				switch rapid.IntRange(0, 4).Draw(rt, "event") {
				case 0:
					h.close()
					time.Sleep(time.Duration(rapid.IntRange(0, 150).Draw(rt, "seconds down")) * time.Second)
					h.open()
				case 1:
					h.s.Apply(context.Background(), h.prog)
				case 2:
					h.breakLedger(context.DeadlineExceeded)
					h.wait(time.Duration(rapid.IntRange(0, 90).Draw(rt, "seconds broken")) * time.Second)
					h.breakLedger(nil)
				case 3:
					h.loseAnswers(true)
					h.wait(time.Duration(rapid.IntRange(0, 90).Draw(rt, "seconds mute")) * time.Second)
					h.loseAnswers(false)
				}
			}
			h.wait(time.Until(time.Now().Truncate(time.Minute).Add(150 * time.Second))) // in the middle of a minute
			var want []string
			for at := begun.Add(time.Minute); !at.After(time.Now()); at = at.Add(time.Minute) {
				want = append(want, at.UTC().Format("02T15:04:05"))
			}
			for _, job := range []string{"plain", "batch"} {
				var got []string
				for _, row := range h.rows(job) {
					got = append(got, row[:len("02T15:04:05")])
				}
				slices.Sort(got)
				if diff := cmp.Diff(want, got); diff != "" {
					rt.Fatalf("moments of %s with a row (-want +got):\n%s", job, diff)
				}
			}
			h.close()
		})
	})
}

func TestAScheduleThatChangesInTheVerySecondLosesNoMomentOfTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, every("j", "0 1 * * *"), every("new", "0 1 * * *"))
		h.stop() // so that the reload comes before the scheduler looks
		<-h.ended
		time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour + time.Millisecond)))
		h.define(every("j", "0 1,18 * * *"), every("new", "0 18 * * *"))
		h.s.Apply(context.Background(), h.prog)
		h.s.tick(context.Background(), wallClock())
		if diff := cmp.Diff([]string{"01T01:00:00 queued schedule"}, h.rows("j")); diff != "" {
			t.Errorf("both schedules name the moment (-want +got):\n%s", diff)
		}
		if got := h.rows("new"); len(got) != 0 {
			t.Errorf("only the old schedule names it: %v", got)
		}
	})
}

// The same name with another offset is what an update of tzdata brings.
func TestNewRulesOfAZoneRepeatAndLoseNoLocalTime(t *testing.T) {
	const name = "Africa/Cairo"
	winter, summer := time.FixedZone(name, 2*3600), time.FixedZone(name, 3*3600)
	for _, c := range []struct {
		name          string
		before, after *time.Location
		fixed         []string
	}{
		// In the bubble it is 00:00 UTC at first, and 10:15 when the rules change.
		{"put forward from 12:15 to 13:15, 12:30 and 13:00 were missed", winter, summer, []string{
			"01T09:00:00 queued schedule", "01T10:00:00 queued schedule",
			"01T09:30:00 skipped schedule missed", "01T10:00:00 queued catch_up", "01T10:30:00 queued schedule",
		}},
		{"put back from 13:15 to 12:15, 12:30 and 13:00 are not due again", summer, winter, []string{
			"01T08:00:00 queued schedule", "01T09:00:00 queued schedule", "01T09:30:00 queued schedule", "01T10:00:00 queued schedule", "01T11:30:00 queued schedule",
		}},
	} {
		for _, down := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					latest := func(d *jobs.Definition) {
						d.CatchUp = jobs.CatchUp{Policy: jobs.CatchUpLatest, MaxAge: schedule.Duration(time.Hour)}
						d.Schedule = []string{"0 11-13 * * *", "30 12,13 * * *"}
					}
					h := newHost(t)
					h.close()
					h.zone = c.before
					h.define(every("fixed", "", latest), every("hourly", "0 * * * *"))
					h.open()
					h.wait(10*time.Hour + 15*time.Minute)
					if down {
						h.close()
					}
					h.zone = c.after
					if down {
						h.open()
					} else {
						h.s.Apply(context.Background(), h.prog)
					}
					h.wait(2 * time.Hour)
					if diff := cmp.Diff(c.fixed, h.rows("fixed")); diff != "" {
						t.Errorf("fixed times (-want +got):\n%s", diff)
					}
					if got := len(h.rows("hourly")); got != 12 {
						t.Errorf("the hourly job has %d rows, want 12: %v", got, h.rows("hourly"))
					}
				})
			})
		}
	}
}
