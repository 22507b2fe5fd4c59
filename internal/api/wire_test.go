package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTheKeysOfTheContract holds what scripts parse: each key is there, null
// where there is nothing, and none is spelled another way.
func TestTheKeysOfTheContract(t *testing.T) {
	for name, test := range map[string]struct {
		document any
		keys     string
	}{
		"run": {Run{}, `id job pool type state reason trigger arg batch priority scheduled_at due_at enqueued_at started_at
			finished_at attempts exit_code signal error host output_bytes count until`},
		"run in detail": {RunDetail{}, `id job state history`},
		"attempt":       {Attempt{}, `attempt worker started_at finished_at outcome exit_code signal output_bytes`},
		"pool":          {Pool{}, `name workers busy queued paused draining by_hand succeeded failed oldest_queued_at`},
		"job":           {Job{}, `name type pool schedule enabled paused stale next_at last_run defined_at`},
		"occurrence":    {Occurrence{}, `job at mark not_during deferred_to`},
		"batch":         {Batch{}, `batch job total queued running succeeded failed canceled skipped started_at finished_at wall ideal`},
		"error":         {ConfigNote{}, `file line column key message hint`},
		"runs":          {RunList{}, `runs`},
		"pools":         {PoolList{}, `pools`},
		"jobs":          {JobList{}, `jobs`},
		"occurrences":   {OccurrenceList{}, `occurrences`},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(test.document)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			for _, key := range strings.Fields(test.keys) {
				if _, ok := got[key]; !ok {
					t.Errorf("key %s is missing in %s", key, raw)
				}
			}
		})
	}
}

func TestARunAsItIsWritten(t *testing.T) {
	code, at := 3, time.Date(2026, 1, 2, 4, 4, 5, 123456789, time.FixedZone("", 3600))
	r := Run{
		ID: 17, Job: "nightly", Pool: "default", Type: "exec", State: StateFailed, Reason: Text("exit"), Trigger: "schedule",
		ScheduledAt: At(at.Truncate(time.Second)), StartedAt: At(at), FinishedAt: At(time.Time{}), Attempts: 2, ExitCode: &code, OutputBytes: 12,
	}
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":17,"job":"nightly","pool":"default","type":"exec","state":"failed","reason":"exit","trigger":"schedule",` +
		`"arg":null,"batch":null,"priority":0,"scheduled_at":"2026-01-02T03:04:05.000000Z","due_at":null,"enqueued_at":null,` +
		`"started_at":"2026-01-02T03:04:05.123456Z","finished_at":null,"attempts":2,"exit_code":3,"signal":null,"error":null,` +
		`"host":null,"parent":null,"output_bytes":12,"count":null,"until":null}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	var back Run
	if err := json.Unmarshal(got, &back); err != nil || !back.StartedAt.Equal(Time{at.Truncate(time.Microsecond)}) {
		t.Errorf("read back: %v %v", back.StartedAt, err)
	}
}

func TestAnOccurrenceKeepsItsOffset(t *testing.T) {
	o := Occurrence{Job: "a", At: ZonedTime{time.Date(2026, 3, 29, 3, 0, 0, 0, time.FixedZone("", 7200))}, Mark: "dst_gap"}
	got, err := json.Marshal(o)
	if want := `{"job":"a","at":"2026-03-29T03:00:00+02:00","mark":"dst_gap","not_during":null,"deferred_to":null}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	var back Occurrence
	if err := json.Unmarshal(got, &back); err != nil || !back.At.Equal(o.At) {
		t.Errorf("read back: %v %v", back, err)
	}
}

func TestDurationsAreStrings(t *testing.T) {
	for d, want := range map[time.Duration]string{0: `"0s"`, time.Hour: `"1h"`, 90 * time.Minute: `"1h30m"`, 10*time.Minute + 5*time.Second: `"10m5s"`, 1500 * time.Millisecond: `"1.5s"`} {
		got, err := json.Marshal(Span(d))
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		var back Duration
		if err := json.Unmarshal(got, &back); err != nil || time.Duration(back) != d {
			t.Errorf("%s reads back as %v, %v", got, back, err)
		}
	}
}

func TestTimesThatAreNone(t *testing.T) {
	for _, raw := range []string{`"yesterday"`, `17`, `"2026-01-02"`, `{}`} {
		var at Time
		if err := json.Unmarshal([]byte(raw), &at); err == nil {
			t.Errorf("%s was taken for %v", raw, at)
		}
	}
}

func TestAResizeTellsUnlimitedFromNothing(t *testing.T) {
	eight := 8
	for want, r := range map[string]Resize{
		`{"workers":8}`:    {Workers: &eight},
		`{"workers":null}`: {Unlimited: true},
		`{"reset":true}`:   {Reset: true},
		`{"for":"2h","on_shrink":"requeue","workers":null}`: {Unlimited: true, For: "2h", OnShrink: "requeue"},
	} {
		got, err := json.Marshal(r.body())
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

func TestPlansThatChangeSomething(t *testing.T) {
	if !(&Plan{JobsAdded: []string{}}).Empty() {
		t.Error("an empty plan changes something")
	}
	for _, p := range []Plan{{JobsRemoved: []string{"a"}}, {PoolsResized: []PoolResize{{}}}, {NeedsRestart: []string{"x"}}, {Settings: []string{"time_zone"}}, {RunsTouched: 1}} {
		if p.Empty() {
			t.Errorf("%+v changes nothing", p)
		}
	}
}

func TestWhatAMistypedNameMeant(t *testing.T) {
	known := []string{"nightly-backup", "crawl", "report"}
	for name, want := range map[string]string{
		"nightly-bakcup": "nightly-backup", "Crawl": "crawl", "crwal": "crawl", "reports": "report", "x": "", "": "", "something-else": "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if got := Nearest("crawl", slices.Clone(known)); got != "crawl" {
		t.Errorf("itself: %q", got)
	}
}
