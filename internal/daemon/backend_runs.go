package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/output"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/server"
)

// Runs lists runs.
func (b *backend) Runs(ctx context.Context, f run.Filter) ([]api.Run, error) {
	list, err := b.d.ledger.Runs(ctx, f)
	return server.WireRuns(list), err
}

// Run returns a run with its attempts; the one under way comes last.
func (b *backend) Run(ctx context.Context, id int64) (api.RunDetail, error) {
	r, err := b.d.ledger.Run(ctx, id)
	if err != nil {
		return api.RunDetail{}, err
	}
	attempts, err := b.d.ledger.Attempts(ctx, id)
	if err != nil {
		return api.RunDetail{}, err
	}
	if r.State == run.Running && len(attempts) < r.Attempts {
		now := run.Attempt{Run: id, Number: r.Attempts, StartedAt: r.StartedAt}
		for _, busy := range b.d.pools.Running() {
			if busy.Run.ID == id {
				now.Worker = busy.Worker
			}
		}
		attempts = append(attempts, now)
	}
	return server.WireDetail(&r, attempts), nil
}

// Failing lists the last failed run of each job that has not succeeded since.
func (b *backend) Failing(ctx context.Context, since time.Time) ([]api.Run, error) {
	list, err := b.d.ledger.FailedSince(ctx, since)
	return server.WireRuns(list), err
}

// Stats are how the runs of a span went.
func (b *backend) Stats(ctx context.Context, jobs []string, since, until time.Time) ([]run.Stats, error) {
	return b.d.ledger.Stats(ctx, jobs, since, until)
}

// UsualTime is how long the last successes of a job took.
func (b *backend) UsualTime(ctx context.Context, job string) (run.Spread, error) {
	return b.d.ledger.UsualTime(ctx, job)
}

// Output opens what an attempt printed.
func (b *backend) Output(ctx context.Context, id int64, o server.OutputRequest) (io.ReadCloser, error) {
	if o.Follow {
		return b.follow(ctx, id, o)
	}
	if o.Lines > 0 {
		text, err := b.d.outputs.Tail(id, o.Attempt, o.Lines)
		if err != nil && !isGone(err) {
			return nil, fmt.Errorf("read the output of run %d: %w", id, err)
		}
		return io.NopCloser(bytes.NewReader(text)), nil
	}
	text, err := b.d.outputs.Reader(id, o.Attempt)
	if isGone(err) {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the output of run %d: %w", id, err)
	}
	return text, nil
}

// follow streams what an attempt prints until it ends, waiting for its start
// first.
func (b *backend) follow(ctx context.Context, id int64, o server.OutputRequest) (io.ReadCloser, error) {
	if _, err := b.d.ledger.Run(ctx, id); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	pipe, sink := io.Pipe()
	go func() {
		err := b.awaitAttempt(ctx, id, o.Attempt, false)
		if err == nil {
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = b.awaitAttempt(ctx, id, o.Attempt, true)
			}()
			_, err = b.d.outputs.Follow(ctx, sink, id, o.Attempt, output.From{Lines: o.Lines}, done)
		}
		cancel()
		_ = sink.CloseWithError(err)
	}()
	return &followed{pipe, cancel}, nil
}

// followed is a stream that stops being made when it is closed.
type followed struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close ends the stream.
func (f *followed) Close() error {
	f.cancel()
	return f.PipeReader.Close()
}

// awaitAttempt returns when the attempt has begun, or, with ended, has ended.
func (b *backend) awaitAttempt(ctx context.Context, id int64, attempt int, ended bool) error {
	for {
		there, err := b.untilChange(ctx, id, func(r *run.Run) bool {
			over := r.State.Final() || r.Attempts > attempt || (r.Attempts == attempt && r.State != run.Running)
			return over || (!ended && r.Attempts >= attempt)
		})
		if err != nil || there {
			return err
		}
	}
}

// untilChange says whether the run is as wanted, or else waits for its next
// change.
func (b *backend) untilChange(ctx context.Context, id int64, wanted func(*run.Run) bool) (bool, error) {
	changed, stop := b.d.pools.Watch(id)
	defer stop()
	r, err := b.d.ledger.Run(ctx, id)
	if err != nil || wanted(&r) {
		return err == nil, err
	}
	select {
	case <-changed:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// Cancel ends a queued run, or asks a running one to stop.
func (b *backend) Cancel(ctx context.Context, id int64) (api.Run, error) {
	if err := b.d.pools.Cancel(ctx, id); err != nil {
		return api.Run{}, err
	}
	b.d.log.Info("cancel asked for", "run", id)
	return b.run(ctx, id)
}

// CancelAll ends many runs and says what became of each.
func (b *backend) CancelAll(ctx context.Context, ids []int64) []error {
	b.d.log.Info("cancel asked for", "runs", len(ids))
	return b.d.pools.CancelAll(ctx, ids)
}

// Bump moves a queued run to the head of its pool's queue.
func (b *backend) Bump(ctx context.Context, id int64) (api.Run, error) {
	r, err := b.d.pools.Bump(ctx, id)
	return server.WireRun(&r), err
}

// Retry makes a new run of a final one, by its job's definition as it is now.
func (b *backend) Retry(ctx context.Context, id int64) (api.Run, error) {
	old, err := b.d.ledger.Run(ctx, id)
	if err != nil {
		return api.Run{}, err
	}
	if !old.State.Final() {
		return api.Run{}, &run.StaleError{State: old.State}
	}
	def, ok := b.d.current.Load().Jobs[old.Job]
	if !ok {
		return api.Run{}, b.unknownJob(old.Job)
	}
	return b.submit(ctx, def, run.New{
		State: run.Queued, Trigger: run.TriggerRetry, Arg: old.Arg, Priority: old.Priority,
		Overlap: def.Overlap, Parent: id, ScheduledAt: old.ScheduledAt,
	})
}

// StartRun makes one run of a job.
func (b *backend) StartRun(ctx context.Context, job string, r server.StartRequest) (api.Run, error) {
	cfg := b.d.current.Load()
	def, ok := cfg.Jobs[job]
	if !ok {
		return api.Run{}, b.unknownJob(job)
	}
	if r.Arg == "" && def.Args.Sourced() {
		return api.Run{}, server.Invalid(
			fmt.Sprintf("job %q runs once for each of its args", job), "give one with --arg, or several lines to poold batch "+job)
	}
	if r.Arg != "" {
		if err := def.CheckArg(cfg.Registry, r.Arg); err != nil {
			return api.Run{}, server.Invalid(err.Error(), "")
		}
	}
	n := run.New{
		State: run.Queued, Trigger: run.TriggerManual, Arg: r.Arg, Priority: def.Priority,
		Overlap: manualOverlap(def.Overlap, r), DueAt: r.At,
	}
	if r.Priority != nil {
		n.Priority = *r.Priority
	}
	if within := time.Duration(def.StartWithin); within > 0 {
		n.ExpiresAt = later(n.DueAt, time.Now()).Add(within)
	}
	return b.submit(ctx, def, n)
}

// manualOverlap is the overlap rule for a run that an operator asks for.
func manualOverlap(rule jobs.Overlap, r server.StartRequest) jobs.Overlap {
	switch {
	case r.Force:
		return jobs.OverlapAllow
	case r.Queue:
		return jobs.OverlapQueueAll
	}
	return rule
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// submit enqueues one run for somebody who waits for the answer.
func (b *backend) submit(ctx context.Context, def *jobs.Definition, n run.New) (api.Run, error) {
	done, err := b.d.pools.Enqueue(ctx, []run.Submission{{
		Def: def, Runs: []run.New{n}, QueueLimit: b.queueLimit(def), Refuse: true,
	}}, time.Now())
	if err != nil {
		return api.Run{}, fmt.Errorf("run job %q: %w", def.Name, err)
	}
	return server.WireRun(&done[0].Runs[0]), nil
}

func (b *backend) queueLimit(def *jobs.Definition) int {
	return b.d.current.Load().Pools[def.Pool].QueueLimit
}

// StartBatch makes a run for each line, all or none.
func (b *backend) StartBatch(ctx context.Context, job string, r server.BatchRequest) (api.Batch, bool, error) {
	cfg := b.d.current.Load()
	def, ok := cfg.Jobs[job]
	if !ok {
		return api.Batch{}, false, b.unknownJob(job)
	}
	if strings.Contains(r.ID, "@") {
		return api.Batch{}, false, server.Invalid(
			fmt.Sprintf("a batch cannot be named %q: names with @ are those of scheduled batches", r.ID), "choose another --id")
	}
	for i, line := range r.Lines {
		if err := def.CheckArg(cfg.Registry, line); err != nil {
			return api.Batch{}, false, server.Invalid(fmt.Sprintf("line %d: %v", i+1, err), "nothing was enqueued")
		}
	}
	n := run.New{State: run.Queued, Trigger: run.TriggerBatch, Priority: def.Priority, Overlap: def.Overlap}
	if r.Priority != nil {
		n.Priority = *r.Priority
	}
	sub := run.Submission{
		Def: def, Runs: []run.New{n}, Lines: r.Lines, Batch: true, BatchKey: r.ID,
		QueueLimit: b.queueLimit(def), Refuse: true,
	}
	done, err := b.d.pools.Enqueue(ctx, []run.Submission{sub}, time.Now())
	if err != nil {
		return api.Batch{}, false, fmt.Errorf("batch of job %q: %w", job, err)
	}
	batch, err := b.Batch(ctx, done[0].Batch)
	return batch, done[0].Existing, err
}

// Batch returns a batch.
func (b *backend) Batch(ctx context.Context, id string) (api.Batch, error) {
	batch, err := b.d.ledger.Batch(ctx, id)
	if err != nil {
		return api.Batch{}, err
	}
	now := time.Now()
	size := 0.0
	if !batch.StartedAt.IsZero() {
		end := batch.FinishedAt
		if end.IsZero() {
			end = now
		}
		if size, err = b.d.ledger.MeanPoolSize(ctx, batch.Pool, batch.StartedAt, end); err != nil {
			return api.Batch{}, err
		}
	}
	return server.WireBatch(&batch, size, now), nil
}

func (b *backend) run(ctx context.Context, id int64) (api.Run, error) {
	r, err := b.d.ledger.Run(ctx, id)
	return server.WireRun(&r), err
}
