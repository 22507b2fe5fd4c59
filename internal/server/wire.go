package server

import (
	"time"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/run"
)

// WireRun gives a run its wire form.
func WireRun(r *run.Run) api.Run {
	w := api.Run{
		ID: r.ID, Job: r.Job, Pool: r.Pool, Type: r.Type,
		State: string(r.State), Reason: api.Text(string(r.Reason)), Trigger: string(r.Trigger),
		Arg: api.Text(r.Arg), Batch: api.Text(r.Batch), Priority: r.Priority,
		ScheduledAt: api.At(r.ScheduledAt), DueAt: api.At(r.DueAt), EnqueuedAt: api.At(r.EnqueuedAt),
		StartedAt: api.At(r.StartedAt), FinishedAt: api.At(r.FinishedAt),
		Attempts: r.Attempts, ExitCode: r.ExitCode, Signal: api.Text(r.Signal),
		Error: api.Text(r.Error), Host: api.Text(r.Host), OutputBytes: r.OutputBytes,
	}
	if r.Parent > 0 {
		w.Parent = &r.Parent
	}
	if r.Count > 1 {
		w.Count, w.Until = &r.Count, api.At(r.Until)
	}
	return w
}

// WireRuns gives runs their wire form.
func WireRuns(runs []run.Run) []api.Run {
	wire := make([]api.Run, len(runs))
	for i := range runs {
		wire[i] = WireRun(&runs[i])
	}
	return wire
}

// WireDetail gives a run and its attempts their wire form.
func WireDetail(r *run.Run, attempts []run.Attempt) api.RunDetail {
	d := api.RunDetail{Run: WireRun(r), History: make([]api.Attempt, len(attempts))}
	for i, a := range attempts {
		d.History[i] = api.Attempt{
			Attempt: a.Number, Worker: a.Worker,
			StartedAt: api.At(a.StartedAt), FinishedAt: api.At(a.FinishedAt),
			Outcome: api.Text(a.Outcome), ExitCode: a.ExitCode, Signal: api.Text(a.Signal),
			Error: api.Text(a.Error), OutputBytes: a.OutputBytes,
		}
	}
	return d
}

// WireBatch gives a batch its wire form. Size is the mean number of workers of
// its pool while it ran; zero if that is not known, which leaves ideal null.
func WireBatch(b *run.Batch, size float64, now time.Time) api.Batch {
	w := api.Batch{
		Batch: b.ID, Job: b.Job, Pool: b.Pool, Total: b.Total,
		Queued: b.Queued, Running: b.Running, Succeeded: b.Succeeded,
		Failed: b.Failed, Canceled: b.Canceled, Skipped: b.Skipped,
		CreatedAt: api.At(b.CreatedAt), StartedAt: api.At(b.StartedAt), FinishedAt: api.At(b.FinishedAt),
	}
	if b.StartedAt.IsZero() {
		return w
	}
	end := b.FinishedAt
	if end.IsZero() {
		end = now
	}
	w.Wall = api.Span(end.Sub(b.StartedAt))
	if size > 0 {
		// More workers than lines cannot make it faster.
		w.Ideal = api.Span(time.Duration(float64(b.Busy) / min(size, float64(b.Total))))
	}
	return w
}
