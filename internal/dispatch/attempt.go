package dispatch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// askTimeout bounds one asking of a condition.
const askTimeout = time.Minute

// attempt executes the run through its type and records how it ended.
func (d *Dispatcher) attempt(ctx context.Context, t *task, sink Output) {
	if limit := time.Duration(t.run.Def.Timeout); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, jobs.ErrTimeout)
		defer cancel()
	}
	d.late.note(&t.run, time.Now())
	out := d.execute(ctx, t, sink)
	ended := time.Now()
	written := d.closeOutput(t, sink)
	next := run.Conclude(t.run.Def, &t.run, out, d.causeOf(ctx, t), ended, run.Jitter())
	d.conclude(t, next, &run.Attempt{
		Run: t.run.ID, Number: t.run.Attempts, Worker: t.worker,
		StartedAt: t.run.StartedAt, FinishedAt: ended, Outcome: next.Outcome,
		ExitCode: out.ExitCode, Signal: out.Signal, Error: next.Error, OutputBytes: written,
	})
}

func (d *Dispatcher) closeOutput(t *task, sink Output) (written int64) {
	written, err := sink.Close()
	if err != nil {
		d.o.Log.Error("close the output", "run", t.run.ID, "err", err)
	}
	return written
}

// causeOf is why the attempt was ended early, if it was. Whoever ends the run
// for good outweighs what had ended this attempt before.
func (d *Dispatcher) causeOf(ctx context.Context, t *task) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if forGood(t.stopped) {
		return t.stopped
	}
	return context.Cause(ctx)
}

// execute calls the job type. A panic of the type ends this attempt alone.
func (d *Dispatcher) execute(ctx context.Context, t *task, sink Output) (out jobs.Outcome) {
	defer func() {
		if v := recover(); v != nil {
			d.o.Log.Error("panic in a job type", "job", t.run.Job, "run", t.run.ID, "err", v, "stack", string(debug.Stack()))
			out = jobs.Outcome{Reason: string(run.ReasonStart), Error: fmt.Sprintf("the job type %s panicked: %v", t.run.Type, v)}
		}
	}()
	typ, ok := d.registry().Lookup(t.run.Def.Type)
	if !ok {
		return jobs.Outcome{
			Reason: string(run.ReasonStart),
			Error:  fmt.Sprintf("there is no job type %q in the configuration any more", t.run.Def.Type),
		}
	}
	return typ.Run(ctx, t.values(t.run.Attempts, sink))
}

func (d *Dispatcher) registry() jobs.Registry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.program.Registry
}

// values is what the job type gets to know of the run.
func (t *task) values(attempt int, sink jobs.Sink) jobs.Task {
	def := t.run.Def
	at := t.run.ScheduledAt
	if !at.IsZero() {
		at = at.In(t.d.zoneOf(def))
	}
	return jobs.Task{
		Ledger: t.d.o.LedgerID, Job: t.run.Job, Run: t.run.ID, Attempt: attempt,
		Arg: t.run.Arg, ScheduledAt: at, TimeZone: def.TimeZone,
		With: def.With, Stop: def.Stop, Output: sink,
	}
}

// zoneOf is the job's zone: its own, or else the configuration's.
func (d *Dispatcher) zoneOf(def *jobs.Definition) *time.Location {
	if def.TimeZone != "" {
		if zone, err := time.LoadLocation(def.TimeZone); err == nil {
			return zone
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.program.Zone == nil {
		return time.UTC
	}
	return d.program.Zone
}

// mayStart asks the run's condition. When the answer is no, the run is skipped,
// failed, or sent back to be asked again later, without holding the worker.
func (d *Dispatcher) mayStart(ctx context.Context, t *task, sink Output) bool {
	cond := t.run.Def.Condition
	asked := time.Now()
	limited, cancel := context.WithTimeoutCause(ctx, askTimeout, jobs.ErrTimeout)
	defer cancel()
	out := d.registry().Ask(limited, t.run.Def.Type, t.values(t.run.Attempts+1, sink), cond.Command)
	if out.OK {
		return true
	}
	d.closeOutput(t, sink)
	first := t.run.AskedAt
	if first.IsZero() {
		first = asked
	}
	if cause := context.Cause(ctx); cutShort(cause) {
		d.letGo(t)
		d.Rewind(t.feed.name)
		return false
	}
	next := refused(out, context.Cause(limited))
	again := asked.Add(time.Duration(cond.Every))
	if next.State == run.Skipped && cond.Wait > 0 && !again.After(first.Add(time.Duration(cond.Wait))) {
		d.askLater(t, first, again)
		return false
	}
	d.conclude(t, next, nil)
	return false
}

// cutShort says whether the cause ends the asking and not the run.
func cutShort(cause error) bool {
	return errors.Is(cause, jobs.ErrShutdown) || errors.Is(cause, jobs.ErrShrunk) || errors.Is(cause, jobs.ErrRequeued)
}

// refused is what becomes of a run whose condition did not say go.
func refused(out jobs.Outcome, cause error) run.Next {
	switch {
	case forGood(cause), errors.Is(cause, errJobRemoved):
		return stoppedBefore(cause)
	case errors.Is(cause, jobs.ErrTimeout):
		return run.Next{State: run.Failed, Reason: run.ReasonCondition, Error: "the condition gave no answer within " + askTimeout.String()}
	case out.ExitCode != nil && *out.ExitCode >= 1 && *out.ExitCode <= 254:
		return run.Next{State: run.Skipped, Reason: run.ReasonCondition, Error: fmt.Sprintf("the condition said no: exit status %d", *out.ExitCode)}
	}
	return run.Next{State: run.Failed, Reason: run.ReasonCondition, Error: "the condition could not be asked: " + out.Error}
}

// askLater sends a run whose condition says wait back to the ledger until the
// time to ask again.
func (d *Dispatcher) askLater(t *task, first, again time.Time) {
	d.o.Ledger.SetAsked(&t.run, first, again, func(err error) {
		go func() { // letGo wakes those who wait, through the ledger
			if err == nil || errors.Is(err, run.ErrStale) {
				d.letGo(t)
				poke(d.ripen)
				return
			}
			d.complain("put a run off", "run", t.run.ID, "err", err)
			d.waitToRetry(d.lifetime)
			d.letGo(t)
			d.Rewind(t.feed.name) // it is ready still
		}()
	})
}

// conclude ends a run in memory, after an attempt or before one, and records
// the end with all that follows from it. It does not wait for the record.
func (d *Dispatcher) conclude(t *task, next run.Next, attempt *run.Attempt) {
	end := run.End{
		Run: &t.run, From: run.Queued, Attempt: attempt, Next: next,
		Release: t.passesOn(), Finished: time.Now(),
	}
	d.mu.Lock()
	if t.started {
		end.From = run.Running
		end.Finished = attempt.FinishedAt
		end.Release = t.run.Resources()
	}
	t.ending, t.stop = true, nil
	t.feed.unaskLocked(t)
	if t.claimed {
		d.releaseLocked(&t.run)
	}
	end.Follow = d.followLocked(&t.run)
	d.mu.Unlock()
	d.record(t, end)
}

// record hands an end to the ledger, again and again until it is durable.
func (d *Dispatcher) record(t *task, end run.End) {
	d.o.Ledger.Finish(end, func(ended run.Ended, err error) {
		if err != nil && !errors.Is(err, run.ErrStale) && !errors.Is(err, run.ErrClosed) {
			d.complain("record an end; trying again", "run", t.run.ID, "err", err)
			if !d.givesUp() {
				time.AfterFunc(retryRecord, func() { d.record(t, end) })
				return
			}
		}
		d.recorded(t, end, ended, err)
		if t.claimed {
			d.busy.Done()
		}
	})
}

// givesUp says whether the daemon stops and has waited long enough for the
// ledger. The next one finds the run lost.
func (d *Dispatcher) givesUp() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hopeless
}

// recorded goes on from an end that is durable.
func (d *Dispatcher) recorded(t *task, end run.End, ended run.Ended, err error) {
	d.mu.Lock()
	d.forgetLocked(t)
	if end.Attempt != nil {
		t.feed.done.count(end.Next.State)
	}
	waiting, stopped := t.finished, t.stopped
	d.mu.Unlock()
	stale := errors.Is(err, run.ErrStale)
	if forGood(stopped) && (stale || !end.Next.State.Final()) { // it came while this was being recorded
		go d.stopSurely(t.run.ID, stopped)
	}
	for _, f := range waiting {
		f()
	}
	if stale && end.From == run.Queued {
		// It had started or ended while it came into memory. Others may have been
		// held back behind it since.
		go d.wakeEach(end.Release)
		d.Rewind(t.feed.name)
		return
	}
	if err != nil {
		d.o.Log.Error("record an end", "run", t.run.ID, "err", err)
		return
	}
	d.report(&t.run, &end)
	d.settled(ended)
}

// settled dispatches what an end made ready.
func (d *Dispatcher) settled(ended run.Ended) {
	for i := range ended.Ready {
		d.changed(ended.Ready[i])
	}
	d.offer(ended.Ready)
	for _, id := range ended.Replace {
		go d.replace(id)
	}
	if ended.BatchEnd != "" {
		d.o.BatchEnd(ended.BatchEnd)
	}
	if !ended.NextDue.IsZero() {
		poke(d.ripen)
	}
}

func (c *Tally) count(s run.State) {
	switch s {
	case run.Succeeded:
		c.Succeeded++
	case run.Failed:
		c.Failed++
	}
}

// report tells of an end: one log line for each attempt, and whoever watches.
func (d *Dispatcher) report(r *run.Run, end *run.End) {
	after := *r
	after.State, after.Reason, after.Error = end.Next.State, end.Next.Reason, end.Next.Error
	if after.State.Final() {
		after.FinishedAt = end.Finished
	}
	if a := end.Attempt; a != nil {
		after.ExitCode, after.Signal, after.OutputBytes = a.ExitCode, a.Signal, a.OutputBytes
		d.logAttempt(&after, a)
	} else {
		d.o.Log.Info("run ended without a start", "job", r.Job, "run", r.ID, "pool", r.Pool, "state", after.State, "reason", after.Reason)
	}
	d.changed(after)
}

func (d *Dispatcher) logAttempt(r *run.Run, a *run.Attempt) {
	attrs := []any{
		"job", r.Job, "run", r.ID, "attempt", a.Number, "pool", r.Pool, "worker", a.Worker,
		"outcome", a.Outcome, "took", a.FinishedAt.Sub(a.StartedAt).Round(time.Millisecond),
	}
	if r.Arg != "" {
		attrs = append(attrs, "arg", jobs.Beginning(r.Arg))
	}
	if a.Error != "" {
		attrs = append(attrs, "err", a.Error)
	}
	if r.State == run.Queued {
		attrs = append(attrs, "again", r.Reason)
	}
	if r.State == run.Failed {
		d.o.Log.Warn("attempt ended", attrs...)
		return
	}
	d.o.Log.Info("attempt ended", attrs...)
}

// followLocked lists the jobs that the end of the run may set off.
func (d *Dispatcher) followLocked(r *run.Run) []run.Follow {
	var follow []run.Follow
	for _, def := range d.followers[r.Job] {
		f := run.Follow{
			Def:        def,
			QueueLimit: d.program.Pools[def.Pool].QueueLimit,
			New:        run.New{State: run.Queued, Trigger: run.TriggerAfter, Priority: def.Priority, Overlap: def.Overlap},
		}
		if within := time.Duration(def.StartWithin); within > 0 {
			f.New.ExpiresAt = time.Now().Add(within)
		}
		if _, paused := d.pausedJobs[def.Name]; paused {
			f.Skip = run.ReasonPaused
		}
		if !def.Enabled {
			f.Skip = run.ReasonDisabled
		}
		follow = append(follow, f)
	}
	return follow
}
