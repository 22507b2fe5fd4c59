package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/poold/poold/internal/jobs"
)

const withCalendars = `
time_zone: Europe/Berlin
calendars:
  nights: ["22:00..06:00"]
  holidays: {days: [2026-12-25, 12-26], file: holidays.txt}
defaults: {not_during: [nights]}
jobs:
  plain: {schedule: "@daily", with: {command: [ls]}}
  free: {schedule: "@daily", not_during: [], with: {command: [ls]}}
  later: {schedule: "@daily", time_zone: America/New_York, not_during: {calendars: [holidays, nights], defer: true}, with: {command: [ls]}}
`

func loadCalendars(t *testing.T, days string) (*Config, error) {
	t.Helper()
	return loadFiles(t, map[string]string{"config.yaml": withCalendars, "holidays.txt": days})
}

func TestCalendarsHoldTheirDaysAndThoseOfTheirFile(t *testing.T) {
	c, err := loadCalendars(t, "\ufeff# fixed\n2026-05-01   # Labour Day\r\n\n  2026-10-03\n")
	if err != nil {
		t.Fatal(err)
	}
	at := func(job, when string) string {
		moment, err := time.Parse(time.RFC3339, when)
		if err != nil {
			t.Fatal(err)
		}
		out, in := c.Blackouts(job).At(moment)
		if !in {
			return "free"
		}
		return out.Calendar + " until " + out.Until.Format(time.RFC3339)
	}
	for _, tt := range []struct{ job, when, want string }{
		{"plain", "2026-05-01T22:00:00Z", "nights until 2026-05-02T06:00:00+02:00"},
		{"plain", "2026-05-01T12:00:00Z", "free"},
		{"free", "2026-05-01T22:00:00Z", "free"},
		{"later", "2026-05-01T12:00:00Z", "holidays until 2026-05-02T06:00:00-04:00"},
		{"later", "2026-10-03T12:00:00Z", "holidays until 2026-10-04T06:00:00-04:00"},
		{"later", "2027-12-26T12:00:00Z", "holidays until 2027-12-27T06:00:00-05:00"},
	} {
		if got := at(tt.job, tt.when); got != tt.want {
			t.Errorf("%s at %s: %s, want %s", tt.job, tt.when, got, tt.want)
		}
	}
	want := &jobs.NotDuring{Calendars: []string{"holidays", "nights"}, Defer: true}
	if diff := cmp.Diff(want, c.Jobs["later"].NotDuring); diff != "" {
		t.Errorf("the definition (-want +got):\n%s", diff)
	}
}

func TestAChangedCalendarFileIsAChangedConfiguration(t *testing.T) {
	before, err := loadCalendars(t, "2026-05-01\n")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(before.Watched(), func(p string) bool { return strings.HasSuffix(p, "/holidays.txt") }) {
		t.Errorf("its file is not watched: %v", before.Watched())
	}
	after, err := loadCalendars(t, "2026-05-02\n")
	if err != nil {
		t.Fatal(err)
	}
	if before.Digest == after.Digest {
		t.Error("both have one digest")
	}
	if plan := Diff(before, after); !plan.Calendars || len(plan.JobsChanged) > 0 {
		t.Errorf("the plan is %+v, want changed calendars and no changed jobs", plan)
	}
}

func TestMistakesInCalendarsAreShownAtTheirPlace(t *testing.T) {
	files := map[string]string{
		"config.yaml": `calendars:
  empty: {}
  bad: [sat, someday, "2026-02-30"]
  gone: {file: nowhere.txt}
  wrong: {file: days.txt}
  odd: {days: [sat], until: x}
  none:
jobs:
  a: {schedule: "@daily", not_during: [bad, weekend], with: {command: [ls]}}
  b: {schedule: "@daily", not_during: {calendars: wrang, defer: true}, with: {command: [ls]}}
  c: {schedule: "@daily", not_during: {defer: true}, with: {command: [ls]}}
  d: {schedule: "@daily", not_during: {calendar: bad}, with: {command: [ls]}}
`,
		"days.txt": "2026-01-01\n  perhaps\n",
	}
	_, err := loadFiles(t, files)
	if err == nil {
		t.Fatal("it loads")
	}
	var got []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if i := strings.Index(line, "; write 2026-12-25"); i > 0 {
			line = line[:i]
		}
		got = append(got, line)
	}
	want := []string{
		`config.yaml:2:10: calendars.empty: holds no days; write days: [2026-12-25, sat..sun] or file: holidays.txt`,
		`config.yaml:3:14: calendars.bad[1]: "someday": is no entry of a calendar`,
		`config.yaml:3:23: calendars.bad[2]: "2026-02-30": there is no date 2026-02-30`,
		`config.yaml:4:16: calendars.gone.file: nowhere.txt: there is no such file`,
		"config.yaml:6:22: calendars.odd.until: unknown key; one of days, file",
		"config.yaml:7:3: calendars.none: has no value; delete the key, or write its value after the colon",
		`config.yaml:9:45: jobs.a.not_during[1]: there is no calendar "weekend"; one of bad, empty, gone, wrong`,
		`config.yaml:10:51: jobs.b.not_during.calendars: there is no calendar "wrang"; did you mean wrong?`,
		`config.yaml:11:39: jobs.c.not_during: names no calendars; write {calendars: [holidays], defer: true}`,
		"config.yaml:12:40: jobs.d.not_during.calendar: unknown key; did you mean `calendars`?",
		`days.txt:2:3: calendars.wrong: "perhaps": is no entry of a calendar`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
