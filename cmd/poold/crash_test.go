package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/poold/poold/internal/api"
)

// The daemon is killed this often, each time within so long after it answered.
const (
	kills    = 50
	longest  = 100 * time.Millisecond
	lines    = 400 // of the batch that is there from the beginning
	perKill  = 4   // lines of the batch that is submitted into each kill
	mayTry   = 2   // retry.attempts: a lost attempt uses none
	finishIn = 60 * time.Second
)

const crashConfig = `
pools: {work: {workers: 8}}
jobs:
  effect:
    pool: work
    overlap: allow
    retry: {attempts: %[1]d, backoff: 10ms, max_backoff: 20ms}
    stop: {after: 2s}
    with:
      shell: |
        sleep 0.0$((POOLD_RUN_ID %% 7))
        echo "$POOLD_RUN_ID $POOLD_ATTEMPT" >> %[2]s
        sleep 0.03
  follower:
    after: {success: [effect]}
    retry: {attempts: %[1]d, backoff: 10ms, max_backoff: 20ms}
    with: {command: ["true"]}
  tick:
    schedule: "@every 1s"
    overlap: allow
    retry: {attempts: %[1]d, backoff: 10ms, max_backoff: 20ms}
    with: {command: [sleep, "0.1"]}
`

// TestKilledAtAnyMomentNothingIsLostOrDoubled kills the daemon again and again
// in the middle of a batch, and while further batches are being submitted. In
// the end every accepted run has succeeded, exactly one attempt of each has,
// and no attempt took effect twice; each batch has set off what follows it once,
// and each second has its one row.
func TestKilledAtAnyMomentNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	h.write("config.yaml", fmt.Sprintf(crashConfig, mayTry, h.path("effects")))
	h.start()
	first, _, err := h.client.StartBatch(t.Context(), "effect", api.StartBatch{ID: "first", Lines: numbered(lines)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range kills {
		acknowledged := h.submitDuring(strconv.Itoa(i), func() {
			time.Sleep(rand.N(longest)) // the random moment
			h.kill()
		})
		h.start()
		if !acknowledged {
			continue
		}
		if _, err := h.client.Batch(t.Context(), strconv.Itoa(i), 0); err != nil {
			t.Errorf("kill %d: the batch was acknowledged, and is gone: %v", i, err)
		}
	}
	h.awaitBatch(first.Batch, finishIn)
	want := lines
	for i := range kills { // once more, whether or not the first time arrived
		id := strconv.Itoa(i)
		if _, _, err := h.client.StartBatch(t.Context(), "effect", api.StartBatch{ID: id, Lines: numbered(perKill)}); err != nil {
			t.Fatal(err)
		}
		h.awaitBatch(id, finishIn)
		want += perKill
	}
	h.stop()
	h.start()
	runs := h.runs("effect")
	if len(runs) != want {
		t.Errorf("the ledger has %d runs, want %d", len(runs), want)
	}
	h.checkEffects(runs)
	h.checkFollowers(kills + 1)
	ticks := h.runs("tick")
	slices.Reverse(ticks)
	checkMoments(t, "tick", ticks)
}

// checkFollowers checks that so many batches have each set off one run.
func (h *host) checkFollowers(batches int) {
	h.t.Helper()
	h.await(finishIn, "the followers have ended", func() bool {
		return !slices.ContainsFunc(h.runs("follower"), func(r api.Run) bool { return !r.Final() })
	})
	followers := h.runs("follower")
	for _, r := range followers {
		if r.State != api.StateSucceeded || r.Trigger != "after" {
			h.t.Errorf("follower %d, set off by %s, is %s", r.ID, r.Trigger, r.State)
		}
	}
	if len(followers) != batches {
		h.t.Errorf("%d batches set off %d runs", batches, len(followers))
	}
}

// submitDuring submits a batch while meanwhile goes on, and says whether it was
// acknowledged.
func (h *host) submitDuring(id string, meanwhile func()) bool {
	h.t.Helper()
	result := make(chan error, 1)
	wait := rand.N(longest)
	go func() {
		time.Sleep(wait)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, _, err := h.client.StartBatch(ctx, "effect", api.StartBatch{ID: id, Lines: numbered(perKill)})
		result <- err
	}()
	meanwhile()
	return <-result == nil
}

// checkEffects compares what the attempts did with what the ledger says of
// them.
func (h *host) checkEffects(runs []api.Run) {
	h.t.Helper()
	effects := h.effects()
	retried := 0
	for _, r := range runs {
		detail, err := h.client.Run(h.t.Context(), r.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		if r.State != api.StateSucceeded {
			h.t.Errorf("run %d is %s (%s)", r.ID, r.State, api.Or(r.Reason, ""))
		}
		if len(detail.History) != r.Attempts {
			h.t.Errorf("run %d has %d attempts and a history of %d", r.ID, r.Attempts, len(detail.History))
		}
		if r.Attempts > 1 {
			retried++
		}
		h.checkHistory(&detail, effects[r.ID])
		delete(effects, r.ID)
	}
	for id, attempts := range effects {
		h.t.Errorf("run %d is not in the ledger, and took effect in its attempts %v", id, attempts)
	}
	if retried == 0 {
		h.t.Error("no attempt was in flight at any kill: this tested nothing")
	}
	h.t.Logf("%d runs, %d of them in flight at a kill and retried", len(runs), retried)
}

// checkHistory checks one run: its last attempt and no other has succeeded and
// took effect; an attempt that was lost took effect once or not at all.
func (h *host) checkHistory(r *api.RunDetail, effects []int) {
	h.t.Helper()
	last := 0
	for _, attempt := range effects {
		if attempt <= last {
			h.t.Errorf("run %d took effect in its attempts %v: twice, or after a later one began", r.ID, effects)
		}
		last = attempt
	}
	if last != r.Attempts {
		h.t.Errorf("run %d took effect in its attempts %v, and the ledger knows %d", r.ID, effects, r.Attempts)
	}
	for i, a := range r.History {
		want := "lost"
		if i == len(r.History)-1 {
			want = api.StateSucceeded
		}
		if got := api.Or(a.Outcome, "none"); a.Attempt != i+1 || got != want {
			h.t.Errorf("run %d: entry %d of the history is attempt %d, %s; want %s", r.ID, i+1, a.Attempt, got, want)
		}
	}
}

// effects reads what the attempts wrote: of each run the attempts, in order of
// their effect.
func (h *host) effects() map[int64][]int {
	h.t.Helper()
	text, err := os.ReadFile(h.path("effects"))
	if err != nil {
		h.t.Fatal(err)
	}
	effects := map[int64][]int{}
	for line := range strings.Lines(string(text)) {
		var id int64
		var attempt int
		if _, err := fmt.Sscanf(line, "%d %d\n", &id, &attempt); err != nil {
			h.t.Fatalf("%q: %v", line, err)
		}
		effects[id] = append(effects[id], attempt)
	}
	return effects
}

func numbered(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.Itoa(i + 1)
	}
	return list
}
