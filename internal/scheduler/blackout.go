package scheduler

import (
	"fmt"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// heedBlackout skips a run whose moment falls into a blackout, or lets it start
// at the end where the job defers. Of the moments that the table names within
// one blackout the last is deferred and stands for the others. The moment is
// the schedule's, before splay and jitter; that of a run that makes up for a
// missed one is now.
func heedBlackout(n *run.New, def *jobs.Definition, table schedule.Schedule, c circumstances, at time.Time) {
	out, in := c.blackouts.At(at)
	if !in {
		return
	}
	if c.blackouts.Defer && out.Stands(table, at) {
		n.DueAt = out.Until.Add(n.DueAt.Sub(n.ScheduledAt))
		if n.Trigger == run.TriggerCatchUp {
			n.DueAt = out.Until
		}
		if within := time.Duration(def.StartWithin); within > 0 {
			n.ExpiresAt = n.DueAt.Add(within)
		}
		return
	}
	n.State, n.Reason, n.Error = run.Skipped, run.ReasonNotDuring, "calendar "+out.Calendar
	if !out.Until.IsZero() {
		n.Error += fmt.Sprintf(", until %s", out.Until.Format("2006-01-02 15:04:05 -0700"))
	}
}
