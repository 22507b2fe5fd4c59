package sqlite

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/poold/poold/internal/run"
)

// remaining lists what is left, the oldest first.
func remaining(t *testing.T, l *Ledger) []int64 {
	t.Helper()
	runs, err := l.Runs(t.Context(), run.Filter{Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	return ids(runs)
}

func TestPruneKeepsWhatRetentionPromises(t *testing.T) {
	l := open(t)
	queued := enqueue(t, l, job("a"), run.New{}, at(0))
	running := start(t, l, enqueue(t, l, job("a"), run.New{}, at(0)), at(0))
	success := lived(t, l, "a", run.Succeeded, at(1))
	failure := lived(t, l, "a", run.Failed, at(2))
	var old []int64
	for i := range 5 {
		old = append(old, lived(t, l, "a", run.Canceled, at(3+i)).ID)
	}
	other := lived(t, l, "b", run.Canceled, at(9)) // b's newest
	slow := enqueue(t, l, job("a"), run.New{}, at(10))
	var young []int64
	for i := range 3 {
		young = append(young, lived(t, l, "a", run.Canceled, at(3600+i)).ID)
	}
	end(t, l, start(t, l, slow, at(11)), run.Next{State: run.Canceled}, at(4000)) // ended late
	var told []int64
	n, err := l.Prune(t.Context(), Retention{Age: time.Hour, KeepPerJob: 2}, at(3700), func(ids []int64) error {
		told = append(told, ids...)
		return nil
	})
	if err != nil || n != len(old) || !slices.Equal(told, old) {
		t.Errorf("pruned %d, told %v, %v; want %v", n, told, err, old)
	}
	want := append([]int64{queued.ID, running.ID, success.ID, failure.ID, other.ID, slow.ID}, young...)
	if got := remaining(t, l); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n, err := l.Prune(t.Context(), Retention{Age: time.Hour, KeepPerJob: 2}, at(3700), nil); n != 0 || err != nil {
		t.Errorf("again: pruned %d, %v", n, err)
	}
	if r := enqueue(t, l, job("a"), run.New{}, at(5000)); r.ID <= young[2] {
		t.Errorf("the id %d was used before", r.ID)
	}
}

func TestPruneByNumberTakesTheOldest(t *testing.T) {
	l := open(t)
	for i := range 20 {
		lived(t, l, "a", run.Canceled, at(i))
	}
	all := remaining(t, l)
	n, err := l.Prune(t.Context(), Retention{Runs: 8, KeepPerJob: 3}, at(100), nil)
	if got := remaining(t, l); err != nil || n != 12 || !slices.Equal(got, all[12:]) {
		t.Errorf("pruned %d, %v, left %v", n, err, got)
	}
	n, err = l.Prune(t.Context(), Retention{Runs: 1, KeepPerJob: 3}, at(100), nil)
	if got := remaining(t, l); err != nil || n != 5 || !slices.Equal(got, all[17:]) {
		t.Errorf("pruned %d, %v, left %v", n, err, got)
	}
}

func TestPruneTakesWhatBelongsToTheRuns(t *testing.T) {
	l := open(t)
	first, second := job("a"), job("a")
	second.Description = "another definition"
	got, err := l.Enqueue(t.Context(), []run.Submission{{Def: first, Batch: true, Runs: make([]run.New, 1)}}, at(0))
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, l, got[0].Runs[0], at(1))
	end(t, l, r, run.Next{State: run.Queued, DueAt: at(2)}, at(2))
	end(t, l, start(t, l, r, at(3)), run.Next{State: run.Canceled}, at(4))
	for i := range 3 {
		end(t, l, start(t, l, enqueue(t, l, second, run.New{}, at(200+60*i)), at(200)), run.Next{State: run.Canceled}, at(5000))
	}
	l.writer.cache = newTxCache() // as in a new daemon, which has used neither
	if n, err := l.Prune(t.Context(), Retention{Age: time.Minute, KeepPerJob: 1}, at(1000), nil); n != 1 || err != nil {
		t.Fatalf("pruned %d, %v", n, err)
	}
	for table, want := range map[string]int64{"runs": 3, "attempts": 0, "batches": 0, "definitions": 1, "clock": 3} {
		n, err := one(t.Context(), l.writer.conn, number, "SELECT count(*) FROM "+table)
		if err != nil || n != want {
			t.Errorf("%s: %d rows are left, %v, want %d", table, n, err, want)
		}
	}
	again := enqueue(t, l, first, run.New{}, at(1000))
	if r, err := l.Run(t.Context(), again.ID); err != nil || r.Def.Description != "" {
		t.Errorf("the first definition again: got %+v, %v", r.Def, err)
	}
}

func TestPruneStopsWhereItsCallerFails(t *testing.T) {
	l := open(t)
	for i := range 5 {
		lived(t, l, "a", run.Canceled, at(i))
	}
	_, err := l.Prune(t.Context(), Retention{Runs: 1}, at(100), func([]int64) error { return errStop })
	if !errors.Is(err, errStop) || len(remaining(t, l)) != 5 {
		t.Errorf("got %v, left %v", err, remaining(t, l))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Prune(ctx, Retention{Runs: 1}, at(100), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPruneGoesPastManyThatStay(t *testing.T) {
	l := open(t)
	sub := run.Submission{Def: job("a"), Runs: make([]run.New, 10*pruneFirst)}
	for i := range sub.Runs {
		if i%3 != 0 {
			sub.Runs[i] = run.New{State: run.Failed, Reason: run.ReasonCondition}
		}
	}
	if _, err := l.Enqueue(t.Context(), []run.Submission{sub}, at(0)); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := range sub.Runs {
		failed += min(1, i%3)
	}
	n, err := l.Prune(t.Context(), Retention{Age: time.Hour, KeepPerJob: 0}, at(7200), nil)
	if err != nil || n != failed-1 { // the last failure stays
		t.Errorf("pruned %d, %v, want %d", n, err, failed-1)
	}
}

func TestOnlyOutputThatNobodyKeepsMayGo(t *testing.T) {
	l := open(t)
	var all []int64
	for i := range 8 {
		r := start(t, l, enqueue(t, l, job("a"), run.New{}, at(i)), at(i))
		all = append(all, r.ID)
		if i < 7 { // the last one goes on
			end(t, l, r, run.Next{State: run.Canceled}, at(i))
		}
	}
	const unknown = 99
	got, err := l.MayLoseOutput(t.Context(), 3, append([]int64{unknown}, all...))
	if want := append([]int64{unknown}, all[:5]...); err != nil || !slices.Equal(got, want) {
		t.Errorf("all but the newest three: got %v, %v, want %v", got, err, want)
	}
	got, err = l.MayLoseOutput(t.Context(), 0, all)
	if err != nil || !slices.Equal(got, all[:7]) {
		t.Errorf("all that have ended: got %v, %v, want %v", got, err, all[:7])
	}
}

func TestOutputThatIsGoneIsNotCounted(t *testing.T) {
	l := open(t)
	r := start(t, l, enqueue(t, l, job("a"), run.New{}, at(0)), at(0))
	e := run.End{Run: &r, From: run.Running, Next: run.Next{State: run.Succeeded}, Finished: at(1), Attempt: &run.Attempt{
		Run: r.ID, Number: 1, StartedAt: r.StartedAt, FinishedAt: at(1), OutputBytes: 10,
	}}
	if _, err := finishRun(l, e); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Run(t.Context(), r.ID); err != nil || got.OutputBytes != 10 {
		t.Fatalf("it printed %d bytes, %v", got.OutputBytes, err)
	}
	if err := l.MarkOutputGone(t.Context(), []int64{r.ID}); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Run(t.Context(), r.ID); err != nil || got.OutputBytes != 0 {
		t.Errorf("afterwards it has %d bytes, %v", got.OutputBytes, err)
	}
}

func TestPruneLeavesDefinitionsThatThisProcessUses(t *testing.T) {
	l := open(t)
	first, second := job("a"), job("a")
	second.Description = "another definition"
	end(t, l, start(t, l, enqueue(t, l, first, run.New{}, at(0)), at(0)), run.Next{State: run.Canceled}, at(1))
	enqueue(t, l, second, run.New{}, at(2))
	if n, err := l.Prune(t.Context(), Retention{Age: time.Minute, KeepPerJob: 1}, at(1000), nil); n != 1 || err != nil {
		t.Fatalf("pruned %d, %v", n, err)
	}
	again := enqueue(t, l, first, run.New{}, at(1001))
	l.defs.forget()
	if r, err := l.Run(t.Context(), again.ID); err != nil || r.Def.Name != "a" || r.Def.Description != "" {
		t.Errorf("got %+v, %v", r.Def, err)
	}
}

func TestPruneFindsStepsThatStallNobody(t *testing.T) {
	p := pruning{chunk: pruneFirst}
	for range 20 {
		p.pace(pruneStall * 2)
	}
	if p.chunk != pruneLeast {
		t.Errorf("slow steps: got %d, want %d", p.chunk, pruneLeast)
	}
	for range 20 {
		p.pace(0)
	}
	if p.chunk != pruneMost {
		t.Errorf("quick steps: got %d, want %d", p.chunk, pruneMost)
	}
	if p.pace(pruneStall / 2); p.chunk != pruneMost {
		t.Errorf("a step that is right changed it to %d", p.chunk)
	}
}
