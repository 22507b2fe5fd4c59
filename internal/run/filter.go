package run

import (
	"time"
)

// Filter selects runs of the ledger; a zero field selects all.
type Filter struct {
	Job    string
	Pool   string
	Batch  string
	States []State
	Since  time.Time // enqueued at or after
	Until  time.Time // enqueued before
	Before int64     // only ids below: the next page of a listing
	Limit  int       // 0: all
	Oldest bool      // oldest first; else newest first
}

// Start is the start of an attempt.
type Start struct {
	Run    *Run // as it was before: queued
	Worker int
	At     time.Time
	// One waiter for Next, if that is not empty, is made ready in the run's place;
	// Woken is told of it right after done.
	Next  Resource
	Woken func([]Run)
}

// Ripe is what a moment made ready.
type Ripe struct {
	Ready   []Run     // due now, held back no longer
	Expired []Run     // to be skipped: not started in time
	Next    time.Time // when there is more; zero: nothing waits for a time
}
