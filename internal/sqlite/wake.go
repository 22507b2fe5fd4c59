package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/poold/poold/internal/run"
)

// wakeMost is how many runs one Wake makes ready.
const wakeMost = 1000

// Hold holds a ready run back until the resource is free, and calls done when
// that is durable. Since the run leaves the ready ones, one waiter in its pool
// of each of the free resources, those others that it needs and nobody has, is
// woken in its place: a waiter of one that is taken, or of another pool, would
// only send the next in a circle. A run that is not queued and ready gives run.ErrStale.
func (l *Ledger) Hold(r *run.Run, on run.Resource, free []run.Resource, done func(woken []run.Run, err error)) {
	var woken []run.Run
	l.writer.submit(&op{
		what: "hold",
		done: func(err error) { done(woken, err) },
		apply: func(t *tx) error {
			woken = nil
			if n, err := t.holdBack(r.ID, on); err != nil {
				return err
			} else if n == 0 {
				return stale(r.ID, "hold")
			}
			pool, err := t.poolOf(r)
			if err != nil {
				return err
			}
			for _, res := range free {
				got, err := t.wakeIn(pool, res)
				if err != nil {
					return err
				}
				woken = append(woken, got...)
			}
			return nil
		},
	})
}

// holdBack takes a run out of the ready ones, if it is one; n is 1 then.
func (t *tx) holdBack(id int64, on run.Resource) (n int64, err error) {
	n, err = t.change("UPDATE runs SET ready = 0, waits = ?, reason = coalesce(?, reason) WHERE id = ? AND ready = 1",
		string(on), string(heldReason(on)), id)
	if err != nil {
		return 0, fmt.Errorf("run %d: %w", id, err)
	}
	return n, nil
}

// heldReason is the reason of a run that waits for the resource.
func heldReason(on run.Resource) run.Reason {
	if on.IsLock() {
		return run.ReasonLock
	}
	return ""
}

// wakeOne makes the best waiter of the resource in each pool ready.
func (t *tx) wakeOne(on run.Resource) ([]run.Run, error) {
	var woken []run.Run
	for pool := ""; ; {
		const best = `SELECT pool, id FROM runs INDEXED BY runs_waits WHERE waits = ? AND pool > ?
			ORDER BY pool, priority DESC, id LIMIT 1`
		var id int64
		err := t.query(best, []any{string(on), plain(pool)}, func(v []driver.Value) error {
			pool, id = text(v[0]), number(v[1])
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look who waits for %s: %w", on, err)
		}
		if id == 0 {
			return woken, nil
		}
		r, err := t.makeReady(id)
		if err != nil {
			return nil, err
		}
		woken = append(woken, r)
	}
}

// wakeIn makes the best waiter of the resource in the pool ready.
func (t *tx) wakeIn(pool string, on run.Resource) ([]run.Run, error) {
	id, err := pick(t, number, `SELECT id FROM runs INDEXED BY runs_waits WHERE waits = ? AND pool = ?
		ORDER BY priority DESC, id LIMIT 1`, string(on), pool)
	if err != nil || id == 0 {
		return nil, err
	}
	r, err := t.makeReady(id)
	return []run.Run{r}, err
}

// makeReady lets a held run go.
func (t *tx) makeReady(id int64) (run.Run, error) {
	if err := t.letGo(id); err != nil {
		return run.Run{}, err
	}
	return t.byID(id)
}

// letGo holds a queued run back no longer. Its reason goes with what it waited
// for.
func (t *tx) letGo(id int64) error {
	err := t.exec(`UPDATE runs SET ready = 1, waits = NULL, reason = nullif(reason, 'lock') WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("make run %d ready: %w", id, err)
	}
	return nil
}

// Wake makes those ready who wait for the resource: the best of each pool, or,
// with all, a thousand of them, of which those stay held that wait for something
// else besides. More is how many would still be woken by another call; without
// all it is 0.
func (l *Ledger) Wake(ctx context.Context, on run.Resource, all bool) (woken []run.Run, more int, err error) {
	err = l.writer.do(ctx, "wake who waits for "+string(on), false, func(t *tx) error {
		var err error
		woken, more = nil, 0
		if all {
			woken, more, err = t.wakeAll(on)
		} else {
			woken, err = t.wakeOne(on)
		}
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return woken, more, nil
}

// wakeAll wakes a thousand who wait for a shared resource.
func (t *tx) wakeAll(on run.Resource) (woken []run.Run, more int, err error) {
	ids, err := t.ids("SELECT id FROM runs INDEXED BY runs_waits WHERE waits = ? LIMIT ?", string(on), wakeMost)
	if err != nil {
		return nil, 0, err
	}
	woken, err = t.placeHeld(ids)
	if err != nil || len(ids) < wakeMost {
		return woken, 0, err
	}
	left, err := pick(t, number, "SELECT count(*) FROM runs INDEXED BY runs_waits WHERE waits = ?", string(on))
	return woken, int(left), err
}

// ids reads the ids that a query gives.
func (t *tx) ids(query string, args ...any) ([]int64, error) {
	var ids []int64
	err := t.query(query, args, func(v []driver.Value) error {
		ids = append(ids, number(v[0]))
		return nil
	})
	return ids, err
}

// resourcesAtOnce is how many resources one WakeAll looks at.
const resourcesAtOnce = 250

// WakeAll wakes one waiter of each resource in each pool, and a thousand of a
// shared one, as a new daemon must, which cannot know what the old one was about
// to do. It goes in steps: each call begins after the resource that the last one
// returned, and the last of all returns none. Resources that skip names are left
// alone.
func (l *Ledger) WakeAll(ctx context.Context, after run.Resource, skip func(run.Resource) bool) (woken []run.Run, last run.Resource, err error) {
	err = l.writer.do(ctx, "wake who waits", false, func(t *tx) error {
		woken, last = nil, after
		for range resourcesAtOnce {
			on, err := pick(t, text, "SELECT waits FROM runs INDEXED BY runs_waits WHERE waits > ? ORDER BY waits LIMIT 1", plain(last))
			if err != nil || on == "" {
				last = ""
				return err
			}
			more := 0
			got := []run.Run(nil)
			switch on := run.Resource(on); {
			case skip != nil && skip(on):
			case on.Shared():
				got, more, err = t.wakeAll(on)
			default:
				got, err = t.wakeOne(on)
			}
			if err != nil {
				return err
			}
			woken = append(woken, got...)
			if more > 0 { // the rest of it with the next call
				return nil
			}
			last = run.Resource(on)
		}
		return nil
	})
	if err != nil {
		return nil, after, err
	}
	return woken, last, nil
}

// SetAsked puts a run off whose condition said wait, until dueAt, and calls
// done when that is durable; at is when it was asked first. It wakes nobody:
// the caller, who took what the run needs before it asked, wakes those who
// wait for it when it gives it back. A run that is not queued, or has been
// started since it was read, gives run.ErrStale.
func (l *Ledger) SetAsked(r *run.Run, at, dueAt time.Time, done func(error)) {
	l.writer.submit(&op{what: "put off", done: done, apply: func(t *tx) error {
		n, err := t.change(`UPDATE runs SET ready = 0, waits = NULL, reason = ?, asked_at = coalesce(asked_at, ?), due_at = ?
			WHERE id = ? AND state = 'queued' AND attempts = ?`, string(run.ReasonCondition), at, dueAt, r.ID, r.Attempts)
		if err != nil {
			return fmt.Errorf("run %d: %w", r.ID, err)
		}
		if n == 0 {
			return stale(r.ID, "put off")
		}
		return nil
	}})
}
