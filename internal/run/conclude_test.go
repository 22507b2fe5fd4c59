package run_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func exited(code int) jobs.Outcome {
	return jobs.Outcome{OK: code == 0, Reason: "exit", ExitCode: &code, Error: "exit status"}
}

func stopped(code int) jobs.Outcome {
	out := exited(code)
	out.Stopped = true
	return out
}

func TestConclude(t *testing.T) {
	retried := jobs.Retry{Attempts: 3, Backoff: schedule.Duration(10 * time.Second), MaxBackoff: schedule.Duration(time.Minute)}
	once := jobs.Retry{Attempts: 1, Backoff: schedule.Duration(10 * time.Second)}
	tests := []struct {
		name  string
		def   jobs.Definition
		tries int
		out   jobs.Outcome
		cause error
		want  run.Next
	}{
		{
			"exit status 0 succeeds",
			jobs.Definition{Retry: once},
			1, exited(0), nil,
			run.Next{State: run.Succeeded, Outcome: "succeeded"},
		},
		{
			"a status named as success succeeds",
			jobs.Definition{Retry: once, Exit: jobs.Exit{Success: []int{24}}},
			1, exited(24), nil,
			run.Next{State: run.Succeeded, Outcome: "succeeded"},
		},
		{
			"a status named as skip skips",
			jobs.Definition{Retry: retried, Exit: jobs.Exit{Skip: []int{75}}},
			1, exited(75), nil,
			run.Next{State: run.Skipped, Reason: "exit", Outcome: "skipped"},
		},
		{
			"another status fails when there is one try",
			jobs.Definition{Retry: once},
			1, exited(3), nil,
			run.Next{State: run.Failed, Reason: "exit", Outcome: "exit"},
		},
		{
			"a failure with tries left waits for the next",
			jobs.Definition{Retry: retried},
			1, exited(3), nil,
			run.Next{State: run.Queued, Reason: "retry", Outcome: "exit", DueAt: now.Add(5 * time.Second)},
		},
		{
			"the last try fails for good",
			jobs.Definition{Retry: retried},
			3, exited(3), nil,
			run.Next{State: run.Failed, Reason: "exit", Outcome: "exit"},
		},
		{
			"a status named as no_retry fails at once",
			jobs.Definition{Retry: retried, Exit: jobs.Exit{NoRetry: []int{64}}},
			1, exited(64), nil,
			run.Next{State: run.Failed, Reason: "exit", Outcome: "exit"},
		},
		{
			"a type that says no retry is heeded",
			jobs.Definition{Retry: retried},
			1,
			jobs.Outcome{Reason: "http", NoRetry: true},
			nil,
			run.Next{State: run.Failed, Reason: "http", Outcome: "http"},
		},
		{
			"retry after is the least wait",
			jobs.Definition{Retry: retried},
			1,
			jobs.Outcome{Reason: "http", RetryAfter: time.Hour},
			nil,
			run.Next{State: run.Queued, Reason: "retry", Outcome: "http", DueAt: now.Add(time.Hour)},
		},
		{
			"a timeout is the reason whatever the signal",
			jobs.Definition{Retry: once},
			1,
			jobs.Outcome{Reason: "signal", Signal: "TERM"},
			jobs.ErrTimeout,
			run.Next{State: run.Failed, Reason: "timeout", Outcome: "timeout"},
		},
		{
			"a success at the moment of its timeout stays one",
			jobs.Definition{Retry: once},
			1, exited(0), jobs.ErrTimeout,
			run.Next{State: run.Succeeded, Outcome: "succeeded"},
		},
		{
			"a status that means success means nothing after a timeout",
			jobs.Definition{Retry: once, Exit: jobs.Exit{Success: []int{143}}},
			1, stopped(143), jobs.ErrTimeout,
			run.Next{State: run.Failed, Reason: "timeout", Outcome: "timeout"},
		},
		{
			"a status that means skipped means nothing after a requeue",
			jobs.Definition{Retry: retried, Exit: jobs.Exit{Skip: []int{75}}},
			1, stopped(75), jobs.ErrRequeued,
			run.Next{State: run.Queued, Reason: "requeued", Outcome: "requeued", DueAt: now, Refund: true},
		},
		{
			"a status that means success stays one when the cancel came after the end",
			jobs.Definition{Retry: once, Exit: jobs.Exit{Success: []int{24}}},
			1, exited(24), jobs.ErrCanceled,
			run.Next{State: run.Succeeded, Outcome: "succeeded"},
		},
		{
			"an operator's cancel is final whatever tries are left",
			jobs.Definition{Retry: retried},
			1, exited(143), jobs.ErrCanceled,
			run.Next{State: run.Canceled, Reason: "operator", Outcome: "canceled"},
		},
		{
			"a replaced run is canceled",
			jobs.Definition{Retry: retried},
			1, exited(143), jobs.ErrReplaced,
			run.Next{State: run.Canceled, Reason: "replaced", Outcome: "canceled"},
		},
		{
			"a shrink that stops cancels",
			jobs.Definition{Retry: retried},
			1, exited(143), jobs.ErrShrunk,
			run.Next{State: run.Canceled, Reason: "shrink", Outcome: "canceled"},
		},
		{
			"a shrink that requeues gives the try back",
			jobs.Definition{Retry: retried},
			3, exited(143), jobs.ErrRequeued,
			run.Next{State: run.Queued, Reason: "requeued", Outcome: "requeued", DueAt: now, Refund: true},
		},
		{
			"the daemon's stop gives the try back",
			jobs.Definition{Retry: retried},
			3, exited(143), jobs.ErrShutdown,
			run.Next{State: run.Queued, Reason: "interrupted", Outcome: "interrupted", DueAt: now, Refund: true},
		},
		{
			"a run that may start once is lost by the daemon's stop",
			jobs.Definition{Retry: once},
			1, exited(143), jobs.ErrShutdown,
			run.Next{State: run.Failed, Reason: "lost", Outcome: "lost"},
		},
		{
			"a run lost with its daemon is retried where it may be, and keeps its try",
			jobs.Definition{Retry: retried},
			3, run.Lost(), jobs.ErrLost,
			run.Next{State: run.Queued, Reason: "retry", Outcome: "lost", DueAt: now.Add(20 * time.Second), Refund: true},
		},
		{
			"a run that may start once is lost with its daemon",
			jobs.Definition{Retry: once},
			1, run.Lost(), jobs.ErrLost,
			run.Next{State: run.Failed, Reason: "lost", Outcome: "lost"},
		},
		{
			"a run whose process is lost to a living daemon uses its try",
			jobs.Definition{Retry: retried},
			3,
			jobs.Outcome{Reason: "lost"},
			nil,
			run.Next{State: run.Failed, Reason: "lost", Outcome: "lost"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &run.Run{ID: 1, Tries: tt.tries, Attempts: tt.tries}
			got := run.Conclude(&tt.def, r, tt.out, tt.cause, now, 0)
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(run.Next{}, "Error")); diff != "" {
				t.Errorf("Conclude (-want +got):\n%s", diff)
			}
			if got.State == run.Failed && got.Error == "" && tt.out.Error != "" {
				t.Error("a failure lost its error text")
			}
		})
	}
}

// Whatever happens, a run is not started more often than retry.attempts says.
func TestConcludeNeverExceedsTheTries(t *testing.T) {
	causes := []error{nil, jobs.ErrTimeout, jobs.ErrShutdown, jobs.ErrLost, jobs.ErrRequeued, jobs.ErrShrunk, jobs.ErrCanceled, errors.New("other")}
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "attempts")
		def := &jobs.Definition{Retry: jobs.Retry{Attempts: limit, Backoff: schedule.Duration(time.Second)}}
		r := &run.Run{}
		for range 50 {
			r.Tries++
			if r.Tries > limit {
				t.Fatalf("started for the %dth time of %d", r.Tries, limit)
			}
			next := run.Conclude(def, r, exited(rapid.IntRange(0, 3).Draw(t, "status")), rapid.SampledFrom(causes).Draw(t, "cause"), now, 0.5)
			if next.State != run.Queued {
				return
			}
			if limit == 1 {
				t.Fatalf("a run that may start once was queued again: %+v", next)
			}
			if next.Refund {
				r.Tries--
			}
		}
	})
}

func TestBackoffDoublesUpToItsMaximum(t *testing.T) {
	r := jobs.Retry{Backoff: schedule.Duration(10 * time.Second), MaxBackoff: schedule.Duration(35 * time.Second)}
	for tries, want := range map[int]time.Duration{1: 10 * time.Second, 2: 20 * time.Second, 3: 35 * time.Second, 60: 35 * time.Second} {
		if got := run.Backoff(r, tries, 0.999999); got.Round(time.Second) != want {
			t.Errorf("after %d tries: got %v, want %v", tries, got, want)
		}
		if got := run.Backoff(r, tries, 0); got != want/2 {
			t.Errorf("after %d tries, least jitter: got %v, want %v", tries, got, want/2)
		}
	}
}

func TestAdmitBy(t *testing.T) {
	tests := []struct {
		rule            jobs.Overlap
		queued, running int
		want            run.Admission
	}{
		{jobs.OverlapSkip, 0, 0, run.Admit},
		{jobs.OverlapSkip, 1, 0, run.Reject},
		{jobs.OverlapSkip, 0, 1, run.Reject},
		{jobs.OverlapQueue, 0, 1, run.Admit},
		{jobs.OverlapQueue, 1, 0, run.Reject},
		{jobs.OverlapQueue, 1, 1, run.Reject},
		{jobs.OverlapQueueAll, 9, 1, run.Admit},
		{jobs.OverlapAllow, 9, 9, run.Admit},
		{jobs.OverlapReplace, 0, 0, run.Admit},
		{jobs.OverlapReplace, 1, 1, run.AdmitReplace},
	}
	for _, tt := range tests {
		if got := run.AdmitBy(tt.rule, tt.queued, tt.running); got != tt.want {
			t.Errorf("AdmitBy(%s, %d queued, %d running) = %v, want %v", tt.rule, tt.queued, tt.running, got, tt.want)
		}
	}
}

func TestFires(t *testing.T) {
	after := jobs.After{Success: []string{"a"}, Failure: []string{"b"}, Any: []string{"c"}}
	tests := map[string]map[run.State]bool{
		"a": {run.Succeeded: true, run.Failed: false, run.Canceled: false, run.Skipped: false},
		"b": {run.Succeeded: false, run.Failed: true, run.Canceled: false, run.Skipped: false},
		"c": {run.Succeeded: true, run.Failed: true, run.Canceled: true, run.Skipped: false},
		"d": {run.Succeeded: false, run.Failed: false, run.Canceled: false, run.Skipped: false},
	}
	for upstream, states := range tests {
		for state, want := range states {
			if got := run.Fires(after, upstream, state); got != want {
				t.Errorf("the end of %s as %s fires: got %v, want %v", upstream, state, got, want)
			}
		}
	}
}

func TestLinesOfABatchShareWhatTheirJobSerializes(t *testing.T) {
	def := &jobs.Definition{Name: "j", Locks: []string{"db"}}
	line := run.Run{ID: 1, Job: "j", Arg: "x", Batch: "b1", Exclusive: true, Def: def}
	want := []run.Resource{run.SerialResource("j", "x"), run.LockResource("db")}
	if diff := cmp.Diff(want, line.Resources()); diff != "" {
		t.Errorf("Resources (-want +got):\n%s", diff)
	}
	if got := line.Owner(want[0]); got != "batch b1" {
		t.Errorf("the serial resource belongs to %q, want the batch", got)
	}
	if got := line.Owner(want[1]); got != "" {
		t.Errorf("the lock belongs to %q, want the run itself", got)
	}
}

func TestPositionOrdersByPriorityThenAge(t *testing.T) {
	ordered := []run.Position{{5, 9}, {5, 10}, {0, 1}, {0, 2}, {-3, 1}}
	for i := range ordered {
		for j := range ordered {
			if got, want := ordered[i].Before(ordered[j]), i < j; got != want {
				t.Errorf("%v before %v: got %v, want %v", ordered[i], ordered[j], got, want)
			}
		}
	}
}
