package sqlite

import (
	"testing"
	"time"

	"github.com/poold/poold/internal/run"
)

func TestWhatAClockFromTheFuturePutOffIsPulledIn(t *testing.T) {
	l := open(t)
	const ahead = 1_000_000 // seconds
	retry := start(t, l, enqueue(t, l, job("retry"), run.New{}, at(ahead)), at(ahead+1))
	end(t, l, retry, run.Next{State: run.Queued, Reason: run.ReasonRetry, DueAt: at(ahead + 32)}, at(ahead+2))
	asked := enqueue(t, l, job("asked"), run.New{}, at(ahead))
	done := make(chan error, 1)
	l.SetAsked(&asked, at(ahead), at(ahead+60), func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wished := enqueue(t, l, job("wished"), run.New{DueAt: at(ahead)}, at(0))
	sound := start(t, l, enqueue(t, l, job("sound"), run.New{}, at(0)), at(1))
	end(t, l, sound, run.Next{State: run.Queued, Reason: run.ReasonRetry, DueAt: at(600)}, at(2))

	n, err := l.PullIn(t.Context(), at(10)) // the clock was set right
	if err != nil || n != 2 {
		t.Errorf("pulled in %d, want 2; %v", n, err)
	}
	for id, want := range map[int64]time.Time{
		retry.ID: at(40), asked.ID: at(70), wished.ID: at(ahead), sound.ID: at(600),
	} {
		r, err := l.Run(t.Context(), id)
		if err != nil || !r.DueAt.Equal(want) {
			t.Errorf("%s: due at %v, want %v; %v", r.Job, r.DueAt, want, err)
		}
	}
	if r, _ := l.Run(t.Context(), asked.ID); !r.AskedAt.Equal(at(10)) {
		t.Errorf("asked at %v, want %v", r.AskedAt, at(10))
	}
	if n, err := l.PullIn(t.Context(), at(11)); err != nil || n != 0 {
		t.Errorf("the second time: pulled in %d; %v", n, err)
	}
}
