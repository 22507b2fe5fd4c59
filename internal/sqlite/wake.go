package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/poold/poold/internal/run"
)

// wakeMost is how many runs one Wake makes ready.
const wakeMost = 1000

// Hold holds a ready run back until the resource is free, and calls done when
// that is durable. Since the run leaves the ready ones, one waiter of each of
// the free resources, those others that it needs and nobody has, is woken in
// its place: a waiter of one that is taken would only send the next in a
// circle. A run that is not queued and ready gives run.ErrStale.
func (l *Ledger) Hold(r *run.Run, on run.Resource, free []run.Resource, done func(woken []run.Run, err error)) {
	var woken []run.Run
	l.writer.submit(&op{
		what: "hold",
		done: func(err error) { done(woken, err) },
		apply: func(t *tx) error {
			woken = nil
			var reason run.Reason
			if strings.HasPrefix(string(on), "lock:") {
				reason = run.ReasonLock
			}
			n, err := t.change("UPDATE runs SET ready = 0, waits = ?, reason = coalesce(?, reason) WHERE id = ? AND ready = 1",
				string(on), string(reason), r.ID)
			if err != nil {
				return fmt.Errorf("run %d: %w", r.ID, err)
			}
			if n == 0 {
				return stale(r.ID, "hold")
			}
			for _, res := range free {
				got, err := t.wakeOne(res)
				if err != nil {
					return err
				}
				woken = append(woken, got...)
			}
			return nil
		},
	})
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

// makeReady lets a held run go. Its reason goes with what it waited for.
func (t *tx) makeReady(id int64) (run.Run, error) {
	err := t.exec(`UPDATE runs SET ready = 1, waits = NULL, reason = nullif(reason, 'lock') WHERE id = ?`, id)
	if err != nil {
		return run.Run{}, fmt.Errorf("make run %d ready: %w", id, err)
	}
	return t.byID(id)
}

// Wake makes those ready who wait for the resource: the best of each pool, or,
// with all, a thousand of them. More is how many would still be woken by
// another call; without all it is 0.
func (l *Ledger) Wake(ctx context.Context, on run.Resource, all bool) (woken []run.Run, more int, err error) {
	err = l.writer.do(ctx, "wake who waits for "+string(on), false, func(t *tx) error {
		var err error
		if woken, more = nil, 0; !all {
			woken, err = t.wakeOne(on)
			return err
		}
		var ids []int64
		err = t.query("SELECT id FROM runs INDEXED BY runs_waits WHERE waits = ? LIMIT ?", []any{string(on), wakeMost},
			func(v []driver.Value) error {
				ids = append(ids, number(v[0]))
				return nil
			})
		if err != nil {
			return err
		}
		for _, id := range ids {
			r, err := t.makeReady(id)
			if err != nil {
				return err
			}
			woken = append(woken, r)
		}
		if len(ids) == wakeMost {
			left, err := pick(t, number,
				"SELECT count(*) FROM runs INDEXED BY runs_waits WHERE waits = ?", string(on))
			more = int(left)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return woken, more, nil
}

// WakeAll makes one waiter of each resource in each pool ready, and all of a
// shared resource, as a new daemon must, which cannot know what the old one was about to do. Resources
// that skip names are left alone.
func (l *Ledger) WakeAll(ctx context.Context, skip func(run.Resource) bool) error {
	last := run.Resource("")
	for {
		var on run.Resource
		err := l.reader.do(ctx, "look what is waited for", func(c *conn) error {
			const next = "SELECT waits FROM runs INDEXED BY runs_waits WHERE waits > ? ORDER BY waits LIMIT 1"
			var err error
			got, err := one(ctx, c, text, next, plain(last))
			on = run.Resource(got)
			return err
		})
		if err != nil || on == "" {
			return err
		}
		last = on
		if skip != nil && skip(on) {
			continue
		}
		for more := 1; more > 0; {
			if _, more, err = l.Wake(ctx, on, on.Shared()); err != nil {
				return err
			}
		}
	}
}

// SetAsked puts a run off whose condition said wait, until dueAt, and calls
// done when that is durable; at is when it was asked first. It wakes nobody:
// the caller, who took what the run needs before it asked, wakes those who
// wait for it when it gives it back. A run that is not queued gives
// run.ErrStale.
func (l *Ledger) SetAsked(r *run.Run, at, dueAt time.Time, done func(error)) {
	l.writer.submit(&op{what: "put off", done: done, apply: func(t *tx) error {
		n, err := t.change(`UPDATE runs SET ready = 0, waits = NULL, reason = ?, asked_at = coalesce(asked_at, ?), due_at = ?
			WHERE id = ? AND state = 'queued'`, string(run.ReasonCondition), at, dueAt, r.ID)
		if err != nil {
			return fmt.Errorf("run %d: %w", r.ID, err)
		}
		if n == 0 {
			return stale(r.ID, "put off")
		}
		return nil
	}})
}
