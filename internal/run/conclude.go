package run

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/poold/poold/internal/jobs"
)

// Next is what becomes of a run.
type Next struct {
	State   State
	Reason  Reason
	Outcome string // for the attempt: succeeded, or why it ended otherwise
	Error   string
	DueAt   time.Time // of a run that is queued again
	Refund  bool      // the attempt does not count against retry.attempts
}

// Conclude decides what becomes of a run when an attempt of it has ended. The
// cause is why its context was cancelled, or nil; now is the time of the end;
// jitter, in [0,1), spreads retries.
//
// What ended an attempt from outside decides before how it ended: a cancelled
// run is canceled, whatever its exit status, unless it had already succeeded.
// An attempt that the daemon's own stop or death or a shrink of its pool cut
// short does not use up a try, where the run may be started again at all.
func Conclude(def *jobs.Definition, r *Run, out jobs.Outcome, cause error, now time.Time, jitter float64) Next {
	if next, ok := byExit(def, out); ok {
		return next
	}
	switch {
	case errors.Is(cause, jobs.ErrCanceled):
		return Next{State: Canceled, Reason: ReasonOperator, Outcome: "canceled", Error: "canceled by an operator"}
	case errors.Is(cause, jobs.ErrReplaced):
		return Next{State: Canceled, Reason: ReasonReplaced, Outcome: "canceled", Error: "replaced by a newer run"}
	case errors.Is(cause, jobs.ErrShrunk):
		return Next{State: Canceled, Reason: ReasonShrink, Outcome: "canceled", Error: "stopped by a shrink of its pool"}
	case errors.Is(cause, jobs.ErrRequeued):
		return again(def, now, ReasonRequeued, "stopped by a shrink of its pool")
	case errors.Is(cause, jobs.ErrShutdown):
		return again(def, now, ReasonInterrupted, "interrupted by the daemon's stop")
	case errors.Is(cause, jobs.ErrLost):
		return afterLoss(def, r, out, now, jitter)
	case errors.Is(cause, jobs.ErrTimeout):
		out.Reason, out.NoRetry = string(ReasonTimeout), false
		out.Error = "stopped after its timeout of " + def.Timeout.String()
	}
	return afterFailure(def, r, out, now, jitter)
}

// byExit concludes what the outcome alone decides: a success, or an exit
// status that means skipped. The status of an attempt that was told to stop
// has no meaning: a job that heeds TERM may well end with one of these.
func byExit(def *jobs.Definition, out jobs.Outcome) (Next, bool) {
	switch {
	case out.Stopped:
	case out.OK, exitIn(def.Exit.Success, out):
		return Next{State: Succeeded, Outcome: "succeeded"}, true
	case exitIn(def.Exit.Skip, out):
		return Next{State: Skipped, Reason: ReasonExit, Outcome: "skipped", Error: out.Error}, true
	}
	return Next{}, false
}

// afterFailure retries a failed run while tries are left.
func afterFailure(def *jobs.Definition, r *Run, out jobs.Outcome, now time.Time, jitter float64) Next {
	reason := Reason(out.Reason)
	next := Next{State: Failed, Reason: reason, Outcome: out.Reason, Error: out.Error}
	final := out.NoRetry || (reason == ReasonExit && exitIn(def.Exit.NoRetry, out))
	if final || r.Tries >= def.Retry.Attempts {
		return next
	}
	wait := max(Backoff(def.Retry, r.Tries, jitter), out.RetryAfter)
	next.State, next.Reason, next.DueAt = Queued, ReasonRetry, now.Add(wait)
	return next
}

// again queues a run that was cut short from outside; one that may be started
// only once has failed instead.
func again(def *jobs.Definition, now time.Time, why Reason, text string) Next {
	if !def.Retry.Restartable() {
		return Next{
			State: Failed, Reason: ReasonLost, Outcome: string(ReasonLost),
			Error: text + "; not started again, since retry.attempts is 1",
		}
	}
	return Next{State: Queued, Reason: why, Outcome: string(why), Error: text, DueAt: now, Refund: true}
}

// afterLoss queues a run again whose daemon died, if it may be started again at
// all. That uses up no try, but the pause grows with every start: it may be the
// run itself that takes the daemon with it.
func afterLoss(def *jobs.Definition, r *Run, out jobs.Outcome, now time.Time, jitter float64) Next {
	next := Next{State: Failed, Reason: ReasonLost, Outcome: string(ReasonLost), Error: out.Error}
	if def.Retry.Restartable() {
		next.State, next.Reason, next.Refund = Queued, ReasonRetry, true
		next.DueAt = now.Add(Backoff(def.Retry, r.Attempts, jitter))
	}
	return next
}

// Lost is the outcome of an attempt whose process is gone while nobody saw it
// end.
func Lost() jobs.Outcome {
	return jobs.Outcome{Reason: string(ReasonLost), Error: "the daemon that ran it is gone, and nobody saw it end"}
}

// Backoff is the delay after the given number of tries: the configured one,
// doubled with each further try up to its maximum, then spread over the upper
// half of the span by jitter in [0,1).
func Backoff(r jobs.Retry, tries int, jitter float64) time.Duration {
	wait, limit := time.Duration(r.Backoff), time.Duration(r.MaxBackoff)
	if limit <= 0 {
		limit = wait
	}
	for i := 1; i < tries && wait < limit; i++ {
		wait *= 2
	}
	wait = min(wait, limit)
	return wait/2 + time.Duration(jitter*float64(wait-wait/2))
}

// Jitter returns a random number in [0,1) for Conclude.
func Jitter() float64 { return rand.Float64() }

func exitIn(codes []int, out jobs.Outcome) bool {
	return out.ExitCode != nil && slices.Contains(codes, *out.ExitCode)
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

// Admission is what the rule of overlap makes of a new run.
type Admission int

// The admissions.
const (
	Admit        Admission = iota // queued
	AdmitReplace                  // queued, and the active ones are stopped
	Reject                        // skipped, or refused to whoever waits for it
)

// AdmitBy decides by the rule of overlap about a new run of a job and argument
// of which so many are queued and running.
func AdmitBy(rule jobs.Overlap, queued, running int) Admission {
	switch {
	case queued+running == 0, rule == jobs.OverlapQueueAll, rule == jobs.OverlapAllow, rule == "":
		return Admit
	case rule == jobs.OverlapReplace:
		return AdmitReplace
	case rule == jobs.OverlapQueue && queued == 0:
		return Admit
	}
	return Reject
}

// Exclusive says whether a run under the rule never runs beside another of the
// same job and argument.
func Exclusive(rule jobs.Overlap) bool { return rule != jobs.OverlapAllow && rule != "" }

// Fires says whether the end of the upstream job in that state sets off a job
// with this `after`.
func Fires(after jobs.After, upstream string, state State) bool {
	switch state {
	case Succeeded:
		return slices.Contains(after.Success, upstream) || slices.Contains(after.Any, upstream)
	case Failed:
		return slices.Contains(after.Failure, upstream) || slices.Contains(after.Any, upstream)
	case Canceled:
		return slices.Contains(after.Any, upstream)
	}
	return false
}

// Result is the state that stands for a whole batch whose runs are final:
// failed if one failed, else canceled if one was canceled, else succeeded if
// one succeeded, else skipped.
func (b *Batch) Result() State {
	switch {
	case b.Failed > 0:
		return Failed
	case b.Canceled > 0:
		return Canceled
	case b.Succeeded > 0:
		return Succeeded
	}
	return Skipped
}

// Done says whether all runs of the batch are final.
func (b *Batch) Done() bool { return b.Queued+b.Running == 0 }
