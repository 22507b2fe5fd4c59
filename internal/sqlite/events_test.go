package sqlite

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/run"
)

func addEvent(t *testing.T, l *Ledger, e run.Event) int64 {
	t.Helper()
	id, err := l.AddEvent(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestEventsAreReadAsTheyWereWrittenNewestFirst(t *testing.T) {
	l := open(t)
	begin := time.Date(2026, 1, 10, 2, 0, 0, 0, time.UTC)
	pause := run.Event{
		At: begin, Kind: run.EventPause, Subject: run.SubjectJob("j"), By: "user root", Reason: "disk swap",
		Until: begin.Add(time.Hour), Detail: []byte(`{"a":1}`),
	}
	resume := run.Event{At: begin.Add(time.Minute), Kind: run.EventResume, Subject: run.SubjectJob("j")}
	pause.ID, resume.ID = addEvent(t, l, pause), addEvent(t, l, resume)
	addEvent(t, l, run.Event{At: begin, Kind: run.EventPause, Subject: run.SubjectHost})

	got, err := l.Events(t.Context(), run.SubjectJob("j"), time.Time{}, time.Time{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]run.Event{resume, pause}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got, err = l.Events(t.Context(), run.SubjectJob("j"), begin, begin.Add(time.Minute), 10); err != nil || len(got) != 1 || got[0].ID != pause.ID {
		t.Errorf("before the resume: %v, %v; want the pause", got, err)
	}
}

func TestTheLastLifeIsKnownAfterACleanStopAndAfterAKill(t *testing.T) {
	dir := t.TempDir()
	l := openIn(t, dir)
	begin := time.Date(2026, 1, 10, 2, 0, 0, 0, time.UTC)
	if start, stop, alive, err := l.LastLife(t.Context()); err != nil || start.ID != 0 || stop.ID != 0 || !alive.IsZero() {
		t.Errorf("a fresh ledger had a life: %v %v %v %v", start, stop, alive, err)
	}
	startID := addEvent(t, l, run.Event{At: begin, Kind: run.EventStart, Subject: run.SubjectDaemon})
	if err := l.Beat(t.Context(), begin.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	start, stop, alive, err := l.LastLife(t.Context())
	if err != nil || start.ID != startID || stop.ID != 0 || !alive.Equal(begin.Add(time.Minute)) {
		t.Errorf("killed: start %d, stop %d, alive %v, %v", start.ID, stop.ID, alive, err)
	}
	stopID := addEvent(t, l, run.Event{At: begin.Add(2 * time.Minute), Kind: run.EventStop, Subject: run.SubjectDaemon})
	if err := l.EndEvent(t.Context(), stopID, begin.Add(3*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, stop, _, err = l.LastLife(t.Context()); err != nil || stop.ID != stopID || !stop.Until.Equal(begin.Add(3*time.Minute)) {
		t.Errorf("stopped: %v, %v", stop, err)
	}
}

func TestOldEventsArePrunedButForTheLastStart(t *testing.T) {
	l := open(t)
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	old, young := now.Add(-40*24*time.Hour), now.Add(-time.Hour)
	addEvent(t, l, run.Event{At: old, Kind: run.EventStart, Subject: run.SubjectDaemon})
	last := addEvent(t, l, run.Event{At: old, Kind: run.EventStart, Subject: run.SubjectDaemon})
	addEvent(t, l, run.Event{At: old, Kind: run.EventReload, Subject: run.SubjectDaemon})
	kept := addEvent(t, l, run.Event{At: young, Kind: run.EventReload, Subject: run.SubjectDaemon})
	if _, err := l.Prune(t.Context(), Retention{Age: 30 * 24 * time.Hour}, now, nil); err != nil {
		t.Fatal(err)
	}
	got, err := l.Events(t.Context(), run.SubjectDaemon, time.Time{}, time.Time{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, e := range got {
		ids = append(ids, e.ID)
	}
	if diff := cmp.Diff([]int64{kept, last}, ids); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}
