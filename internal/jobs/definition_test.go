package jobs_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
)

func sample() *jobs.Definition {
	return &jobs.Definition{
		Name: "backup", Type: "exec", With: json.RawMessage(`{"command":["/bin/true"]}`),
		Schedule: []string{"30 2 * * *"}, TimeZone: "Europe/Berlin", Pool: "default", Slots: jobs.AllSlots,
		Timeout: schedule.Duration(2 * time.Hour), Overlap: jobs.OverlapSkip,
		Stop:   jobs.Stop{Signal: "TERM", After: schedule.Duration(30 * time.Second), Mode: jobs.StopTree},
		Output: jobs.Output{Max: 16 << 20}, Enabled: true, DefinedAt: "config.yaml:12",
	}
}

func TestDefinitionSurvivesItsCanonicalForm(t *testing.T) {
	want := sample()
	raw, err := want.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	got := &jobs.Definition{}
	if err := json.Unmarshal(raw, got); err != nil {
		t.Fatal(err)
	}
	want.DefinedAt = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestHashIsOfTheContentAlone(t *testing.T) {
	moved, changed := sample(), sample()
	moved.DefinedAt = "conf.d/other.yaml:3"
	changed.Timeout++
	hash := func(d *jobs.Definition) string {
		t.Helper()
		h, err := d.Hash()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if hash(sample()) != hash(moved) {
		t.Error("moving a job within the files changed its hash")
	}
	if hash(sample()) == hash(changed) {
		t.Error("another timeout has the same hash")
	}
}

func TestSizeText(t *testing.T) {
	for text, want := range map[string]jobs.Size{"0": 0, "16MiB": 16 << 20, "2GiB": 2 << 30, "500kB": 500_000, "100B": 100, "1.5KiB": 1536} {
		var got jobs.Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"16", "1.5", "", "MiB", "-1MiB", "16MiB!", "999999999999EiB"} {
		var got jobs.Size
		if err := got.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "16MiB") {
			t.Errorf("%q: got %d, %v; want an error that shows how to write it", text, got, err)
		}
	}
	if got := jobs.Size(16 << 20).String(); got != "16MiB" {
		t.Errorf("16 MiB is written %s", got)
	}
}

func TestSlotsAndSignals(t *testing.T) {
	var all jobs.Slots
	if err := all.UnmarshalText([]byte("all")); err != nil || all != jobs.AllSlots {
		t.Errorf("all: got %d, %v", all, err)
	}
	for _, text := range []string{"0", "-1", "two", "1.5", ""} {
		var got jobs.Slots
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q slots: got %d, want an error", text, got)
		}
	}
	for text, want := range map[string]jobs.Signal{"TERM": "TERM", "SIGINT": "INT", "usr1": "USR1"} {
		var got jobs.Signal
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want || got.Number() == 0 {
			t.Errorf("signal %q: got %s, %v; want %s", text, got, err, want)
		}
	}
	var none jobs.Signal
	if err := none.UnmarshalText([]byte("STOPIT")); err == nil {
		t.Error("STOPIT is no signal")
	}
}

func TestExpandReplacesInOnePass(t *testing.T) {
	task := jobs.Task{Run: 17, Arg: "{run_id} {arg}", ScheduledAt: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)}
	got := task.Expand("<{arg}|{run_id}|{scheduled_at}|{other}>")
	if want := "<{run_id} {arg}|17|2026-01-02T03:04:00Z|{other}>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestUpstreamListsEachJobOnce(t *testing.T) {
	after := jobs.After{Success: []string{"a", "b"}, Failure: []string{"b"}, Any: []string{"c", "a"}}
	if diff := cmp.Diff([]string{"a", "b", "c"}, after.Upstream()); diff != "" {
		t.Errorf("Upstream (-want +got):\n%s", diff)
	}
}

func TestCheckArgMatchesTheWholeArgument(t *testing.T) {
	def := &jobs.Definition{Name: "j", Type: "exec", Args: &jobs.Args{Match: "[a-z]+|[0-9]"}}
	r := jobs.NewRegistry(nil)
	for arg, ok := range map[string]bool{"main": true, "7": true, "main7": false, "77": false, "x\ny": false, "": false, "-rf": false} {
		if err := def.CheckArg(r, arg); (err == nil) != ok {
			t.Errorf("argument %q: %v, want it taken: %v", arg, err, ok)
		}
	}
}

func TestCheckArgRefusesWhatNoCommandCouldBeGiven(t *testing.T) {
	matches := &jobs.Definition{Name: "j", Type: "exec", Args: &jobs.Args{Match: "(?s).*"}}
	if err := matches.CheckArg(jobs.NewRegistry(nil), strings.Repeat("x", jobs.MaxArg)); err != nil {
		t.Errorf("the longest argument: %v", err)
	}
	for name, arg := range map[string]string{
		"too long":         strings.Repeat("x", jobs.MaxArg+1),
		"with a zero byte": "a\x00b",
	} {
		err := matches.CheckArg(jobs.NewRegistry(nil), arg)
		if err == nil || len(err.Error()) > 300 {
			t.Errorf("%s, whatever args.match says: got %.400v, want a short error", name, err)
		}
	}
}

func TestCheckArgQuotesNoMoreThanTheBeginning(t *testing.T) {
	def := &jobs.Definition{Name: "j", Type: "exec", Args: &jobs.Args{Match: "[a-z]+"}}
	err := def.CheckArg(jobs.NewRegistry(nil), strings.Repeat("é", 1000))
	if err == nil || len(err.Error()) > 400 || !strings.Contains(err.Error(), "ééé…") {
		t.Errorf("got %v, want the beginning of the argument", err)
	}
}
