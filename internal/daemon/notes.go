package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/server"
)

// actor is who sent the request, as events name it.
func actor(ctx context.Context) string {
	if name := server.Peer(ctx); name != "" {
		return actorUser + name
	}
	return ""
}

// notePause records that something was paused, or is drained.
func (d *Daemon) notePause(subject string, p dispatch.Pause) {
	e := run.Event{At: p.Since, Kind: run.EventPause, Subject: subject, Reason: p.Reason, Until: p.Until}
	if p.By != "" {
		e.By = actorUser + p.By
	}
	if p.Drain {
		e.Kind = run.EventDrain
	}
	d.note(e, nil)
}

// noteResume records the end of a pause or a drain.
func (d *Daemon) noteResume(ctx context.Context, subject string) {
	d.note(run.Event{Kind: run.EventResume, Subject: subject, By: actor(ctx)}, nil)
}

// noteHandSize records what an operator did to the size of a pool.
func (d *Daemon) noteHandSize(ctx context.Context, pool string, size run.Size, until time.Time) {
	d.note(run.Event{Kind: run.EventResize, Subject: run.SubjectPool(pool), By: actor(ctx), Until: until}, size)
}

// noteSize records a size that the file or a window gave a pool.
func (d *Daemon) noteSize(pool string, workers int, by string, at time.Time) {
	d.note(run.Event{At: at, Kind: run.EventResize, Subject: run.SubjectPool(pool), By: by}, run.Size{Workers: wireSize(workers)})
}

// mostNoted bounds what the event of a reload names.
const mostNoted = 200

// reloadNote is the detail of the event of a reload.
type reloadNote struct {
	Refused      bool     `json:"refused,omitempty"`
	Errors       []string `json:"errors,omitempty"`
	JobsAdded    []string `json:"jobs_added,omitempty"`
	JobsChanged  []string `json:"jobs_changed,omitempty"`
	JobsRemoved  []string `json:"jobs_removed,omitempty"`
	PoolsAdded   []string `json:"pools_added,omitempty"`
	PoolsChanged []string `json:"pools_changed,omitempty"`
	PoolsRemoved []string `json:"pools_removed,omitempty"`
	Settings     []string `json:"settings,omitempty"`
	Left         int      `json:"left,omitempty"` // names that are not listed
}

// noteReload records a reload that was applied or refused.
func (d *Daemon) noteReload(ctx context.Context, r *api.Reload) {
	by := actorFile
	switch r.Trigger {
	case bySignal:
		by = actorSignal + "HUP"
	case byAPI:
		by = actor(ctx)
	}
	note := reloadNote{Refused: len(r.Errors) > 0}
	some := func(names []string) []string {
		note.Left += max(0, len(names)-mostNoted)
		return names[:min(len(names), mostNoted)]
	}
	note.JobsAdded, note.JobsChanged, note.JobsRemoved = some(r.Plan.JobsAdded), some(r.Plan.JobsChanged), some(r.Plan.JobsRemoved)
	var resized []string
	for _, p := range r.Plan.PoolsResized {
		resized = append(resized, p.Pool)
	}
	note.PoolsAdded, note.PoolsRemoved = some(r.Plan.PoolsAdded), some(r.Plan.PoolsRemoved)
	note.PoolsChanged = some(append(resized, r.Plan.PoolsChanged...))
	note.Settings = some(r.Plan.Settings)
	for _, e := range r.Errors[:min(len(r.Errors), 5)] {
		note.Errors = append(note.Errors, fmt.Sprintf("%s:%d:%d: %s: %s", e.File, e.Line, e.Column, e.Key, e.Message))
	}
	d.note(run.Event{At: r.At.Time, Kind: run.EventReload, Subject: run.SubjectDaemon, By: by}, note)
}
