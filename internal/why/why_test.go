package why

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// on is a time of day on 10 January 2026, a Saturday, in UTC; 11T02:30 is one
// on the 11th.
func on(text string) time.Time {
	day, clock, other := strings.Cut(text, "T")
	if !other {
		day, clock = "10", text
	}
	if strings.Count(clock, ":") == 1 {
		clock += ":00"
	}
	at, err := time.Parse("2006-01-02 15:04:05.999", "2026-01-"+day+" "+clock)
	if err != nil {
		panic(err)
	}
	return at
}

func detail(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func table(t *testing.T, zone string, exprs ...string) schedule.Schedule {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	s := schedule.Schedule{Zone: loc}
	for _, text := range exprs {
		e, err := schedule.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Exprs = append(s.Exprs, e)
	}
	return s
}

// backup is what is known about a job that is due at 02:30, at noon.
func backup(t *testing.T) Facts {
	t.Helper()
	return Facts{
		Now: on("12:00"), Zone: time.UTC, Job: "backup", Table: table(t, "UTC", "30 2 * * *"),
		Def:  &jobs.Definition{Name: "backup", Pool: "db", Overlap: jobs.OverlapSkip, Enabled: true},
		Mark: run.Watermark{At: on("12:00"), Since: on("01T00:00")}, KeptFor: 30 * 24 * time.Hour, Oldest: on("01T00:00"),
		Sizes: []Size{{At: on("01T00:00"), Workers: 2}},
	}
}

// nightly is the run of 02:30 that started then and succeeded after three
// minutes.
func nightly(change ...func(*run.Run)) *run.Run {
	r := &run.Run{
		ID: 12, Job: "backup", Pool: "db", State: run.Succeeded, Trigger: run.TriggerSchedule, Attempts: 1, Exclusive: true,
		ScheduledAt: on("02:30"), DueAt: on("02:30"), EnqueuedAt: on("02:30"), StartedAt: on("02:30:00.2"), FinishedAt: on("02:33:00.2"),
		Def: &jobs.Definition{Name: "backup", Pool: "db", Overlap: jobs.OverlapSkip, Grace: schedule.Duration(5 * time.Minute), Locks: []string{"pg"}},
	}
	for _, f := range change {
		f(r)
	}
	return r
}

func skippedFor(reason run.Reason, text string) *run.Run {
	return nightly(func(r *run.Run) {
		r.State, r.Reason, r.Error, r.Attempts, r.StartedAt, r.FinishedAt = run.Skipped, reason, text, 0, time.Time{}, on("02:30")
	})
}

func late(to string) *run.Run {
	return nightly(func(r *run.Run) { r.StartedAt, r.FinishedAt = on(to), on(to).Add(time.Minute) })
}

func three() *int { n := 3; return &n }

var (
	killed  = run.Event{ID: 2, At: on("07:31"), Kind: run.EventStart, Subject: run.SubjectDaemon, Since: on("02:10"), Detail: detail(run.Life{})}
	stopped = run.Event{ID: 2, At: on("07:31"), Kind: run.EventStart, Subject: run.SubjectDaemon, Since: on("02:10"), Detail: detail(run.Life{Clean: true})}
	paused  = run.Event{ID: 3, At: on("09T22:00"), Kind: run.EventPause, Subject: run.SubjectJob("backup"), By: "user root", Reason: "disk swap"}
	resumed = run.Event{ID: 4, At: on("07:00"), Kind: run.EventResume, Subject: run.SubjectJob("backup"), By: "user anna"}
	upgrade = run.Event{ID: 5, At: on("02:00"), Kind: run.EventDrain, Subject: run.SubjectHost, By: "user root", Until: on("04:00")}
	other   = run.Run{ID: 7, Job: "dump", Pool: "db", Slots: 2, StartedAt: on("02:00"), FinishedAt: on("02:41"), Def: &jobs.Definition{Name: "dump"}}
)

func TestSentences(t *testing.T) {
	tests := []struct {
		name   string
		facts  func(*Facts)
		moment Moment
		want   string
	}{
		{"it ran on time", nil, Moment{Row: nightly()}, "Ran as run 12, started on time, and succeeded after 3m."},
		{
			"it failed", nil,
			Moment{Row: nightly(func(r *run.Run) { r.State, r.Reason, r.ExitCode = run.Failed, run.ReasonExit, three() })},
			"Ran as run 12, started on time, and failed after 3m: exit status 3.",
		},
		{"it was replaced", nil, Moment{Row: nightly(func(r *run.Run) {
			r.State, r.Reason, r.Error = run.Canceled, run.ReasonReplaced, "replaced by a newer run"
		})}, "Ran as run 12, started on time, and canceled after 3m: replaced by a newer run."},
		{
			"it runs", nil,
			Moment{Row: nightly(func(r *run.Run) { r.State, r.FinishedAt = run.Running, time.Time{} })},
			"Ran as run 12, started on time; it still runs, for 9h29m now.",
		},
		{"splay", func(f *Facts) { f.Splay = 5 * time.Minute }, Moment{Row: nightly(func(r *run.Run) {
			r.DueAt, r.StartedAt, r.Def.Splay = on("02:35"), on("02:35"), schedule.Duration(time.Hour)
			r.FinishedAt = on("02:36")
		})}, "Ran as run 12, started on time at 02:35, 5m after the moment by splay, and succeeded after 1m."},
		{"it was tried again", nil, Moment{Row: nightly(func(r *run.Run) { r.Attempts, r.StartedAt = 2, on("02:32") }), Attempts: []run.Attempt{
			{StartedAt: on("02:30"), FinishedAt: on("02:31"), Outcome: "timeout"}, {StartedAt: on("02:32"), Outcome: "succeeded"},
		}}, "Ran as run 12, started on time; its first attempt ended 02:31 (timeout), and it was started 2 times, and succeeded after 1m."},
		{
			"late, by the pool", nil,
			Moment{Row: late("02:41"), Beside: []run.Run{other}},
			"Ran as run 12, started 11m late, at 02:41, since all 2 workers of pool db were busy, and succeeded after 1m.",
		},
		{"late, by a lock", nil, Moment{Row: late("02:41"), Beside: []run.Run{func() run.Run {
			o := other
			o.Def = &jobs.Definition{Name: "dump", Locks: []string{"pg"}}
			return o
		}()}}, "Ran as run 12, started 11m late, at 02:41, since run 7 of job dump held the lock pg until 02:41, and succeeded after 1m."},
		{"late, by an earlier run", nil, Moment{Row: late("02:41"), Beside: []run.Run{func() run.Run {
			o := other
			o.Job = "backup"
			return o
		}()}}, "Ran as run 12, started 11m late, at 02:41, since run 7 of this job ran until 02:41, and succeeded after 1m."},
		{
			"late, by a pool without workers", func(f *Facts) { f.Sizes = []Size{{on("01:00"), 0}, {on("02:40"), 2}} },
			Moment{Row: late("02:41")},
			"Ran as run 12, started 11m late, at 02:41, since pool db had no workers, and succeeded after 1m.",
		},
		{"late, by a pool that somebody emptied", func(f *Facts) {
			f.Sizes = []Size{{on("01:00"), 0}, {on("02:40"), 2}}
			f.Hands = []run.Event{{At: on("01:00"), Kind: run.EventResize, By: "user root"}, {At: on("02:40"), Kind: run.EventResize, By: "user anna"}}
		}, Moment{Row: late("02:41")}, "Ran as run 12, started 11m late, at 02:41, since pool db had no workers, resized by root at 01:00, and succeeded after 1m."},
		{
			"late, by a pause of the host", func(f *Facts) { f.Holds = []run.Event{upgrade} },
			Moment{Row: late("04:00")},
			"Ran as run 12, started 1h30m late, at 04:00, since the host was paused by root at 02:00, until 04:00, and succeeded after 1m.",
		},
		{
			"made up for", func(f *Facts) { f.Daemon = []run.Event{stopped} },
			Moment{Row: late("07:31")},
			"Ran as run 12, started 5h1m late, at 07:31, since the daemon was down from 02:10 until 07:31, and succeeded after 1m.",
		},
		{
			"late, and nobody knows", nil,
			Moment{Row: late("02:41")},
			"Ran as run 12, started 11m late, at 02:41, since it waited in the queue of pool db, and succeeded after 1m.",
		},
		{
			"queued", nil,
			Moment{Row: nightly(func(r *run.Run) { r.State, r.Attempts = run.Queued, 0 }), HeldBack: []string{"pool db has 0 workers"}},
			"Queued as run 12: pool db has 0 workers.",
		},
		{"canceled before it started", nil, Moment{Row: nightly(func(r *run.Run) {
			r.State, r.Attempts, r.Reason, r.Error = run.Canceled, 0, run.ReasonOperator, "canceled by an operator"
		})}, "Canceled as run 12 before it started, at 02:33: canceled by an operator."},
		{
			"missed, by a stop", func(f *Facts) { f.Daemon = []run.Event{stopped} },
			Moment{Row: skippedFor(run.ReasonMissed, "")},
			"Skipped: the daemon was down from 02:10 until 07:31; catch_up is none.",
		},
		{
			"missed, by a kill", func(f *Facts) { f.Daemon = []run.Event{killed} },
			Moment{Row: skippedFor(run.ReasonMissed, "")},
			"Skipped: the daemon was down from some time after 02:10 until 07:31 (it was killed, or the host went down); catch_up is none.",
		},
		{"missed, by a clock that was set", func(f *Facts) {
			f.Daemon = []run.Event{{Kind: run.EventClock, At: on("03:00"), Since: on("02:00"), Until: on("03:00")}}
		}, Moment{Row: skippedFor(run.ReasonMissed, "")}, "Skipped: the clock was set from 02:00 to 03:00; catch_up is none."},
		{
			"missed, by a busy daemon", nil,
			Moment{Row: skippedFor(run.ReasonMissed, "")},
			"Skipped: it could not be decided within grace, 5m: the daemon, its host or its disk could do no more; catch_up is none.",
		},
		{
			"overlap", nil,
			Moment{Row: skippedFor(run.ReasonOverlap, run.InTheWayError(7)), InTheWay: &other},
			"Skipped: run 7 was still running, since 02:00 and until 02:41, and overlap is skip.",
		},
		{
			"overlap with what is queued", nil,
			Moment{Row: skippedFor(run.ReasonOverlap, run.InTheWayError(7)), InTheWay: &run.Run{ID: 7}},
			"Skipped: run 7 was still queued, and overlap is skip.",
		},
		{
			"paused", func(f *Facts) { f.Holds = []run.Event{paused, resumed} },
			Moment{Row: skippedFor(run.ReasonPaused, "")},
			"Skipped: job backup was paused by root at Fri 2026-01-09 22:00 (disk swap), and resumed by anna at 07:00.",
		},
		{
			"still paused", func(f *Facts) { f.Holds = []run.Event{paused} },
			Moment{Row: skippedFor(run.ReasonPaused, "")},
			"Skipped: job backup is paused by root at Fri 2026-01-09 22:00 (disk swap), until poold job resume backup.",
		},
		{"disabled", nil, Moment{Row: skippedFor(run.ReasonDisabled, "")}, "Skipped: the job was off, by enabled: false."},
		{
			"its condition", nil,
			Moment{Row: skippedFor(run.ReasonCondition, "the condition said no: exit status 1")},
			"Skipped: the condition said no: exit status 1.",
		},
		{"expired", nil, Moment{Row: func() *run.Run {
			r := skippedFor(run.ReasonExpired, "not started within start_within")
			r.Def.StartWithin, r.FinishedAt = schedule.Duration(time.Hour), on("03:30")
			return r
		}(), Beside: []run.Run{other}}, "Skipped: not started within start_within, 1h; all 2 workers of pool db were busy."},
		{"a full queue", nil, Moment{Row: skippedFor(run.ReasonQueueFull, "")}, "Skipped: the queue of pool db was full (queue_limit)."},
		{
			"a batch", nil,
			Moment{Batch: &run.Batch{ID: "backup@x", Total: 3, Succeeded: 2, Failed: 1, FinishedAt: on("02:40")}},
			"Became batch backup@x of 3 runs: 2 succeeded, 1 failed, done at 02:40.",
		},
		{"before the job was there", func(f *Facts) {
			f.Mark.Since = on("09:00")
			f.Daemon = []run.Event{{At: on("09:00"), Kind: run.EventReload, By: "file", Detail: []byte(`{"jobs_added":["backup"]}`)}}
		}, Moment{}, "The schedule did not count yet: job backup was added by the reload at 09:00, by a changed file."},
		{"before its schedule was that", func(f *Facts) {
			f.Mark.Since = on("09:00")
			f.Daemon = []run.Event{{At: on("09:00"), Kind: run.EventReload, By: "user root", Detail: []byte(`{"jobs_changed":["backup"]}`)}}
		}, Moment{}, "The schedule did not count yet: the schedule of job backup was changed by the reload at 09:00, by root."},
		{"before the first start", func(f *Facts) {
			f.Mark.Since = on("09:00")
			f.Daemon = []run.Event{{At: on("09:00"), Kind: run.EventStart}}
		}, Moment{}, "The schedule did not count yet: the daemon was started for the first time at 09:00."},
		{"pruned", func(f *Facts) { f.Oldest = on("11:00") }, Moment{}, "The ledger keeps no record of it any more; see retention in the configuration."},
		{
			"not decided", func(f *Facts) { f.Mark.At = on("02:00") },
			Moment{},
			"Due, and not decided: everything until 02:00 is. Its arguments are still being listed, or the ledger takes nothing, as on a full disk; the daemon's log says which.",
		},
		{"in the future", func(f *Facts) { f.Now = on("02:00") }, Moment{}, "Not due yet, in 30m; it starts at 02:30, unless an earlier run is not done."},
		{
			"in the future, paused", func(f *Facts) { f.Now, f.Holds = on("02:00"), []run.Event{paused} },
			Moment{},
			"Not due yet, in 30m; it will be skipped: job backup is paused by root at Fri 2026-01-09 22:00 (disk swap), until poold job resume backup.",
		},
		{"in the future, after the pause", func(f *Facts) {
			f.Now, f.Holds = on("02:00"), []run.Event{{At: on("01:00"), Kind: run.EventPause, Subject: run.SubjectJob("backup"), Until: on("02:15")}}
		}, Moment{}, "Not due yet, in 30m; it starts at 02:30, unless an earlier run is not done."},
		{
			"in the future, without workers", func(f *Facts) { f.Now, f.Sizes = on("02:00"), []Size{{on("01:00"), 0}} },
			Moment{},
			"Not due yet, in 30m; it will wait while pool db has no workers: poold pool resize db N.",
		},
		{
			"in the future, off", func(f *Facts) { f.Now, f.Def.Enabled = on("02:00"), false },
			Moment{},
			"Not due yet, in 30m; it will be skipped: the job is off, by enabled: false.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := backup(t)
			if tt.facts != nil {
				tt.facts(&f)
			}
			tt.moment.At = on("02:30")
			if got := f.Explain(&tt.moment).Sentence; got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestBlackoutsAreExplained(t *testing.T) {
	c := schedule.Calendar{Name: "nights"}
	if err := c.Add("22:00..06:00"); err != nil {
		t.Fatal(err)
	}
	c.Settle()
	f := backup(t)
	f.Now, f.Blackouts = on("01:00"), &schedule.Blackouts{Calendars: []schedule.Calendar{c}, Zone: time.UTC}
	if got, want := f.Explain(&Moment{At: on("02:30")}).Sentence, "Not due yet, in 1h30m; it will be skipped: it falls into calendar nights."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	f.Blackouts.Defer = true
	want := "Not due yet, in 1h30m; it falls into calendar nights, which defers it to 06:00; it starts at 06:00, unless an earlier run is not done."
	if got := f.Explain(&Moment{At: on("02:30")}).Sentence; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	f.Now = on("12:00")
	if got, want := f.Explain(&Moment{At: on("02:30"), Row: skippedFor(run.ReasonNotDuring, "calendar x")}).Sentence, "Skipped: it falls into calendar nights, until 06:00."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAMomentThatIsNotNamedHasNeighbours(t *testing.T) {
	f := backup(t)
	want := "The schedule does not name Sat 2026-01-10 03:15:00 +0000; the nearest moments are 02:30 before and Sun 2026-01-11 02:30 after it."
	if got := f.Unnamed(on("03:15")); got.Sentence != want || got.Outcome != OutcomeUnnamed {
		t.Errorf("got  %s (%s)\nwant %s", got.Sentence, got.Outcome, want)
	}
	f.Table.Exprs = nil
	if got, want := f.Unnamed(on("03:15")).Sentence, "Job backup has no schedule: it is never due by itself."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestShiftsOfTheClocksAreToldInWords(t *testing.T) {
	f := backup(t)
	f.Table = table(t, "Europe/Berlin", "30 2 * * *")
	f.Zone = f.Table.Zone
	tests := []struct{ at, mark, want string }{
		{"2026-03-29T01:00:00Z", schedule.MarkGap, "the clocks went from 02:00 to 03:00 that day, so that its own time did not exist: it is due at the first instant after that."},
		{"2026-10-25T00:30:00Z", schedule.MarkFold, "the clocks go back that day and show 02:30 twice: this is the first time."},
		{"2026-10-25T01:30:00Z", schedule.MarkFold, "the clocks went back that day and showed 02:30 twice: this is the second time."},
	}
	for _, tt := range tests {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Explain(&Moment{At: at, Mark: tt.mark}).Sentence; !strings.HasSuffix(got, "; "+tt.want) {
			t.Errorf("at %s: %s\nwant %s", tt.at, got, tt.want)
		}
	}
}

func TestNotesTellWhatConcernsEveryJob(t *testing.T) {
	f := backup(t)
	f.Daemon = []run.Event{
		{At: on("01:00"), Kind: run.EventReload, By: "signal HUP", Detail: []byte(`{"refused":true,"errors":["config.yaml:3:1: jubs: unknown key"]}`)},
		killed,
	}
	got := strings.Join(f.Notes(on("00:00"), on("12:00")), "\n")
	want := "The daemon was down from some time after Sat 2026-01-10 02:10 until Sat 2026-01-10 07:31 (it was killed, or the host went down).\n" +
		"A reload was refused at Sat 2026-01-10 01:00:00 +0000, by signal HUP: config.yaml:3:1: jubs: unknown key."
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := f.Notes(on("08:00"), on("12:00")); len(got) > 0 {
		t.Errorf("after it: %v", got)
	}
}
