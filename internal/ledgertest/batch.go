package ledgertest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

func batchTests() map[string]func(*suite) {
	return map[string]func(*suite){
		"a batch counts its lines":                                batchCounts,
		"lines of one batch never conflict":                       batchLinesDoNotConflict,
		"lines conflict with what was there before":               batchConflicts,
		"the same key returns the same batch":                     batchKeys,
		"a key that may be taken for the ledger's own is refused": batchKeyRefused,
		"a batch whose lines are all skipped is done at once":     batchAllSkipped,
	}
}

func lines(args ...string) []run.New {
	var list []run.New
	for _, arg := range args {
		list = append(list, run.New{Arg: arg, Trigger: run.TriggerBatch})
	}
	return list
}

func batchCounts(s *suite) {
	got := s.enqueue(clock(0), run.Submission{Def: job("a"), Batch: true, Runs: lines("1", "2", "3", "4", "5")})
	want := run.Batch{ID: got.Batch, Job: "a", Pool: "p", Total: 5, Queued: 5, CreatedAt: clock(0)}
	s.hasBatch(want)
	if !strings.HasPrefix(got.Batch, "b") || got.Runs[0].Batch != got.Batch || got.Runs[4].Arg != "5" {
		s.Errorf("got batch %q, lines %+v", got.Batch, got.Runs)
	}
	first, second := s.start(got.Runs[0], clock(2)), s.start(got.Runs[1], clock(3))
	want.StartedAt, want.Queued, want.Running = clock(2), 3, 2
	s.hasBatch(want)
	s.end(first, succeeded(), clock(4))
	s.end(second, run.Next{State: run.Queued, Reason: run.ReasonRetry, DueAt: clock(5)}, clock(5))
	s.end(got.Runs[2], run.Next{State: run.Canceled}, clock(5))
	s.end(got.Runs[3], run.Next{State: run.Skipped}, clock(5))
	want.Queued, want.Running, want.Succeeded, want.Canceled, want.Skipped, want.Busy = 2, 0, 1, 1, 1, 4*time.Second
	s.hasBatch(want)
	s.reopen()
	if ended := s.end(s.start(s.get(second.ID), clock(6)), failed(), clock(8)); ended.BatchEnd != "" {
		s.Errorf("ended with a line queued: %q", ended.BatchEnd)
	}
	if ended := s.end(s.start(got.Runs[4], clock(8)), succeeded(), clock(9)); ended.BatchEnd != got.Batch {
		s.Errorf("the last end: got batch %q", ended.BatchEnd)
	}
	want.Queued, want.Failed, want.Succeeded, want.FinishedAt, want.Busy = 0, 1, 2, clock(9), 7*time.Second
	s.hasBatch(want)
}

func (s *suite) hasBatch(want run.Batch) {
	s.Helper()
	got, err := s.Batch(s.Context(), want.ID)
	s.ok(err)
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("batch (-want +got):\n%s", diff)
	}
}

func batchLinesDoNotConflict(s *suite) {
	for _, rule := range []jobs.Overlap{jobs.OverlapSkip, jobs.OverlapQueue, jobs.OverlapReplace} {
		list := lines("x", "x", "x")
		for i := range list {
			list[i].Overlap = rule
		}
		got := s.enqueue(clock(0), run.Submission{Def: job("j-" + string(rule)), Batch: true, Runs: list})
		for _, r := range got.Runs {
			if r.State != run.Queued || !r.Exclusive {
				s.Errorf("%s: got %s, exclusive %v", rule, r.State, r.Exclusive)
			}
		}
		if len(got.Replace) != 0 {
			s.Errorf("%s: replaces %v", rule, got.Replace)
		}
	}
}

func batchConflicts(s *suite) {
	busy := s.add(job("a"), run.New{Arg: "x"})
	list := lines("x", "y", "x")
	for i := range list {
		list[i].Overlap = jobs.OverlapSkip
	}
	got := s.enqueue(clock(0), run.Submission{Def: job("a"), Batch: true, Runs: list})
	s.hasBatch(run.Batch{ID: got.Batch, Job: "a", Pool: "p", Total: 3, Queued: 1, Skipped: 2, CreatedAt: clock(0)})
	if got.Runs[0].ID == got.Runs[2].ID {
		s.Error("skipped lines of a batch folded")
	}
	for i := range list {
		list[i].Overlap = jobs.OverlapReplace
	}
	got = s.enqueue(clock(0), run.Submission{Def: job("a"), Batch: true, Runs: list})
	if !slices.Contains(got.Replace, busy.ID) || len(got.Replace) != 2 {
		s.Errorf("got %v to replace, want the earlier two, once", got.Replace)
	}
}

func batchKeys(s *suite) {
	sub := run.Submission{Def: job("a"), Batch: true, BatchKey: "nightly 2026", Runs: lines("1", "2")}
	first := s.enqueue(clock(0), sub)
	s.reopen()
	sub.Runs = lines("3")
	sub.Watermark = &run.Watermark{At: clock(1)}
	second := s.enqueue(clock(1), sub)
	if first.Existing || first.Batch != "nightly 2026" || !second.Existing || second.Batch != first.Batch {
		s.Errorf("got %q existing %v, then %q existing %v", first.Batch, first.Existing, second.Batch, second.Existing)
	}
	s.hasBatch(run.Batch{ID: first.Batch, Job: "a", Pool: "p", Total: 2, Queued: 2, CreatedAt: clock(0)})
	if marks, err := s.Watermarks(s.Context()); err != nil || len(marks) != 1 {
		s.Errorf("the watermark did not move: %v, %v", marks, err)
	}
	sub.Def = job("b")
	_, err := s.Enqueue(s.Context(), []run.Submission{sub}, clock(2))
	if !errors.Is(err, run.ErrBatchKey) || !strings.Contains(err.Error(), `"a"`) {
		s.Errorf("the key of another job's batch: got %v", err)
	}
}

func batchKeyRefused(s *suite) {
	sub := run.Submission{Def: job("a"), Batch: true, Runs: lines("1")}
	own := s.enqueue(clock(0), sub)
	sub.BatchKey = own.Batch
	if again := s.enqueue(clock(1), sub); !again.Existing {
		s.Error("the ledger's own id names no batch")
	}
	for _, key := range []string{"b99", "a\nb", "\xff", strings.Repeat("x", 5000)} {
		sub.BatchKey = key
		if _, err := s.Enqueue(s.Context(), []run.Submission{sub}, clock(1)); !errors.Is(err, run.ErrBatchKey) {
			s.Errorf("the key %.20q: got %v", key, err)
		}
	}
	if got := s.window("p"); len(got) != 1 {
		s.Errorf("refused batches left %v", got)
	}
}

func batchAllSkipped(s *suite) {
	got := s.enqueue(clock(0), run.Submission{
		Def: job("a"), Batch: true,
		Runs: []run.New{{State: run.Skipped, Reason: run.ReasonPaused}, {State: run.Skipped, Reason: run.ReasonPaused}},
	})
	s.hasBatch(run.Batch{ID: got.Batch, Job: "a", Pool: "p", Total: 2, Skipped: 2, CreatedAt: clock(0), FinishedAt: clock(0)})
}
