package scheduler

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// timetable is the job's schedule, as the configuration makes it.
func timetable(def *jobs.Definition, zone *time.Location) schedule.Schedule {
	table := schedule.Schedule{Zone: zone, DST: def.DST}
	for _, text := range def.Schedule {
		expr, err := schedule.Parse(text)
		if err != nil {
			panic(err)
		}
		table.Exprs = append(table.Exprs, expr)
	}
	return table
}

func clock(text string) time.Time {
	at, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		panic(err)
	}
	return at
}

// brief tells a plan in one line a row.
func brief(news []run.New) []string {
	var lines []string
	for _, n := range news {
		line := fmt.Sprintf("%s %s %s", n.ScheduledAt.Format("02T15:04"), n.State, n.Trigger)
		if n.Reason != "" {
			line += " " + string(n.Reason)
		}
		if n.Count > 0 {
			line += fmt.Sprintf(" ×%d until %s", n.Count, n.Until.Format("02T15:04"))
		}
		lines = append(lines, line)
	}
	return lines
}

func TestPlan(t *testing.T) {
	hourly := func(c jobs.CatchUp) jobs.Definition {
		return jobs.Definition{
			Name: "j", Schedule: []string{"0 * * * *"}, Grace: schedule.Duration(5 * time.Minute), CatchUp: c, Overlap: jobs.OverlapSkip, Enabled: true,
		}
	}
	day := schedule.Duration(24 * time.Hour)
	tests := []struct {
		name      string
		def       jobs.Definition
		mark, now string
		skip      run.Reason
		want      []string
	}{
		{"nothing is due", hourly(jobs.CatchUp{}), "2026-01-10 03:00:00", "2026-01-10 03:59:59", "", nil},
		{"the occurrence at the very moment is due", hourly(jobs.CatchUp{}), "2026-01-10 03:00:00", "2026-01-10 04:00:00", "", []string{"10T04:00 queued schedule"}},
		{"late within grace is on time", hourly(jobs.CatchUp{}), "2026-01-10 03:00:00", "2026-01-10 04:05:00", "", []string{"10T04:00 queued schedule"}},
		{"later than grace is missed", hourly(jobs.CatchUp{Policy: "none"}), "2026-01-10 03:00:00", "2026-01-10 04:05:01", "", []string{"10T04:00 skipped schedule missed ×1 until 10T04:00"}},
		{
			"with no catch-up all missed are one row, and what is on time runs", hourly(jobs.CatchUp{Policy: "none"}),
			"2026-01-10 00:30:00", "2026-01-10 06:01:00", "",
			[]string{"10T01:00 skipped schedule missed ×5 until 10T05:00", "10T06:00 queued schedule"},
		},
		{
			"latest makes up for the newest", hourly(jobs.CatchUp{Policy: "latest", MaxAge: day, MaxRuns: 10}),
			"2026-01-10 00:30:00", "2026-01-10 05:30:00", "",
			[]string{"10T01:00 skipped schedule missed ×4 until 10T04:00", "10T05:00 queued catch_up"},
		},
		{
			"latest makes up for nothing that is too old", hourly(jobs.CatchUp{Policy: "latest", MaxAge: schedule.Duration(10 * time.Minute), MaxRuns: 10}),
			"2026-01-10 00:30:00", "2026-01-10 05:30:00", "",
			[]string{"10T01:00 skipped schedule missed ×5 until 10T05:00"},
		},
		{
			"all makes up for the newest max_runs, oldest first", hourly(jobs.CatchUp{Policy: "all", MaxAge: day, MaxRuns: 3}),
			"2026-01-10 00:30:00", "2026-01-10 05:30:00", "",
			[]string{"10T01:00 skipped schedule missed ×2 until 10T02:00", "10T03:00 queued catch_up", "10T04:00 queued catch_up", "10T05:00 queued catch_up"},
		},
		{
			"two weeks down end in a row and the newest that are young enough", hourly(jobs.CatchUp{Policy: "all", MaxAge: day, MaxRuns: 2}),
			"2026-01-10 00:30:00", "2026-01-24 00:30:00", "",
			[]string{"10T01:00 skipped schedule missed ×334 until 23T22:00", "23T23:00 queued catch_up", "24T00:00 queued catch_up"},
		},
		{
			"a paused job's occurrences are one row", hourly(jobs.CatchUp{Policy: "all", MaxAge: day, MaxRuns: 3}),
			"2026-01-10 00:30:00", "2026-01-10 03:00:00", run.ReasonPaused,
			[]string{"10T01:00 skipped schedule paused ×3 until 10T03:00"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := circumstances{now: clock(tt.now), skip: tt.skip, jitter: func(time.Duration) time.Duration { return 0 }}
			got := plan(&tt.def, timetable(&tt.def, time.UTC), run.Watermark{At: clock(tt.mark)}, c)
			if diff := cmp.Diff(tt.want, brief(got)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlanCountsGraceFromAfterSplayAndJitter(t *testing.T) {
	def := jobs.Definition{
		Name: "j", Schedule: []string{"0 * * * *"}, Enabled: true,
		Grace: schedule.Duration(time.Minute), StartWithin: schedule.Duration(time.Hour),
	}
	c := circumstances{
		now: clock("2026-01-10 04:10:00"), splay: 5 * time.Minute,
		jitter: func(time.Duration) time.Duration { return 4 * time.Minute },
	}
	got := plan(&def, timetable(&def, time.UTC), run.Watermark{At: clock("2026-01-10 03:00:00")}, c)
	if len(got) != 1 || got[0].State != run.Queued {
		t.Fatalf("got %v, want the run on time", brief(got))
	}
	if want := clock("2026-01-10 04:09:00"); !got[0].DueAt.Equal(want) {
		t.Errorf("due at %v, want %v", got[0].DueAt, want)
	}
	if want := clock("2026-01-10 05:09:00"); !got[0].ExpiresAt.Equal(want) {
		t.Errorf("expires at %v, want %v", got[0].ExpiresAt, want)
	}
}

func TestCatchUpRunsDoNotSkipEachOther(t *testing.T) {
	for rule, want := range map[jobs.Overlap]jobs.Overlap{
		jobs.OverlapSkip: jobs.OverlapQueueAll, jobs.OverlapReplace: jobs.OverlapQueueAll, jobs.OverlapAllow: jobs.OverlapAllow,
	} {
		if got := oneByOne(rule); got != want {
			t.Errorf("under %s they are enqueued as %s, want %s", rule, got, want)
		}
	}
}

func TestSubmissionsMakeABatchOfEachOccurrence(t *testing.T) {
	def := &jobs.Definition{Name: "j", Args: &jobs.Args{List: []string{"a", "b"}}}
	mark := run.Watermark{At: clock("2026-01-10 05:00:00")}
	runs := []run.New{
		{Key: "j@1", State: run.Skipped, Reason: run.ReasonMissed},
		{Key: "j@2", State: run.Queued},
		{Key: "j@3", State: run.Queued},
	}
	subs := submissions(def, runs, mark, def.Args.List, 7)
	if len(subs) != 3 {
		t.Fatalf("got %d submissions, want two batches and a row", len(subs))
	}
	var keys []string
	marks := 0
	for _, s := range subs {
		for i := range s.Len() {
			n := s.At(i)
			keys = append(keys, s.BatchKey+" "+n.Key+" "+n.Arg)
		}
		if s.Watermark != nil {
			marks++
		}
	}
	want := []string{"j@2 j@2/1 a", "j@2 j@2/2 b", "j@3 j@3/1 a", "j@3 j@3/2 b", " j@1 "}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	if marks != 1 || subs[2].Watermark == nil {
		t.Errorf("the watermark moves with %d submissions, want with the last alone", marks)
	}
}
