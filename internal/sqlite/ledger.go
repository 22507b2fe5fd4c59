// Package sqlite keeps the ledger of one host in an SQLite database: every run
// that was ever decided on, until retention takes it.
//
// How a change becomes durable:
//
//  1. A caller hands the writer an operation: a function that reads and writes
//     inside a transaction, and a function to call when it is durable.
//  2. The writer, one goroutine with the only connection that writes, takes
//     whatever waits, at most groupMost operations, into one transaction.
//     There is no timer: while one group is on its way to the disk, the next
//     one gathers.
//  3. An operation that refuses (a conflict, a stale state) has written
//     nothing, or is rolled back to its savepoint; the others go on. Where a
//     statement fails, the group is rolled back and its operations are tried
//     again one by one, so that none suffers for another.
//  4. The transaction is committed, with one flush to the disk.
//  5. Only then are the operations' done functions called, in order, on the
//     writer's goroutine. They must not wait for the ledger, but may hand it
//     more operations that nobody waits for.
//
// Operations take effect in the order in which they were handed over. Queries
// have connections of their own, see committed changes only, and neither wait
// for the writer nor hold it up.
//
// The way a run is held back: `ready` is 1 while it may be dispatched, 0 while
// a due time or a resource holds it back. For each resource that runs wait
// for, in each pool, one of them is made ready whenever a run that held it, or
// might have taken it, leaves: so that while anything waits, there is always
// one that is on its way to ask again. It is no worse than any that waits.
//
// So a run that could be ready need not ask where another of its pool waits
// already that goes before it: that one, or one before it, is on its way, and
// each that leaves wakes the next. Of a million runs behind one lock or one
// host, enqueued together or one by one, only the first few are ever ready;
// the rest costs nothing until its turn. place.go decides that, wherever a run
// comes to be queued: enqueued, due, retried, moved to another pool.
//
// What keeps the promise, by the way that a ready run leaves:
//
//   - it starts: it has its locks, and its end wakes the next of each. A limit
//     for each key (run.PerResource) is not held but counted, by the pool, so
//     there the start itself wakes the next (run.Start.Next), or the dispatcher
//     remembers to when the key's time comes.
//   - it is held back by something else: the next of each that it leaves free.
//   - it ends without a start: the next of each. A run that ends while it is
//     held back passes nothing on: it was on no way.
//   - it is put off by its condition: the dispatcher wakes the next of each.
//   - the daemon dies: the next one wakes one of each (WakeAll).
//   - its pool goes, or tells runs apart by other keys: those who waited are
//     judged anew (Rehome, Unlimit).
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/poold/poold/internal/run"
)

// Options are what a Ledger is opened with.
type Options struct {
	Dir  string       // the state folder; the database is ledger.db in it
	Log  *slog.Logger // nil: none
	Host string       // recorded with every start
}

// Ledger is the ledger of one host. Its methods may be called at any time, by
// several goroutines at once.
type Ledger struct {
	o       Options
	lock    *os.File
	writer  *writer
	reader  *readers
	defs    *definitions
	counts  *counts
	moved   atomic.Bool // queued runs were moved to other pools
	per     atomic.Pointer[run.PerKey]
	stepped stepped
	id      string
	hostID  string
}

// Open opens the ledger in the state folder, and makes both where there is
// none. It refuses a folder that another process uses, a database of a newer
// poold, and an SQLite library that is known to damage databases.
func Open(ctx context.Context, o Options) (_ *Ledger, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	l := &Ledger{o: o, defs: newDefinitions(), counts: newCounts()}
	if l.lock, err = lockDir(o.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = l.lock.Close()
		}
	}()
	path := filepath.Join(o.Dir, "ledger.db")
	c, err := openWriter(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	if err := l.load(ctx, c); err != nil {
		_ = c.close()
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	l.reader = newReaders(path)
	l.writer = newWriter(c, l)
	return l, nil
}

// load reads what is kept in memory.
func (l *Ledger) load(ctx context.Context, c *conn) error {
	if err := migrate(ctx, c); err != nil {
		return err
	}
	var err error
	if l.id, err = meta(ctx, c, "ledger"); err != nil {
		return err
	}
	if l.hostID, err = meta(ctx, c, "host"); err != nil {
		return err
	}
	return l.counts.load(ctx, c)
}

// ID returns the random identity of the ledger, made with it.
func (l *Ledger) ID() string { return l.id }

// HostID returns the random identity of the host's state folder.
func (l *Ledger) HostID() string { return l.hostID }

// Close records what was handed over, writes everything into the database
// file and gives the state folder free. Operations after it fail with
// run.ErrClosed.
func (l *Ledger) Close() error {
	if !l.writer.stop() {
		return nil
	}
	l.reader.close()
	err := l.writer.conn.checkpoint()
	return errors.Join(err, l.writer.conn.close(), l.lock.Close())
}

// closed is what operations on a closed ledger fail with.
func closed(what string) error { return fmt.Errorf("%s: %w", what, run.ErrClosed) }
