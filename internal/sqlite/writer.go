package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// groupMost is how many operations share one transaction.
const groupMost = 512

// op is one operation on its way to the disk.
type op struct {
	what      string
	apply     func(*tx) error // may run again, in another transaction
	savepoint bool            // it may refuse after it has written
	done      func(error)
	taken     atomic.Bool // by the writer, or by its caller who gave up
	err       error
}

// writer owns the connection that writes.
type writer struct {
	ledger  *Ledger
	conn    *conn
	cache   *txCache
	wake    chan struct{}
	stopped chan struct{}
	commits atomic.Int64
	trouble trouble

	mu     sync.Mutex
	queue  []*op
	spare  []*op
	closed bool
}

func newWriter(c *conn, l *Ledger) *writer {
	w := &writer{
		ledger: l, conn: c, cache: newTxCache(),
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	go w.run()
	return w
}

// do runs an operation and waits until it is durable. When ctx is done first,
// an operation that has not been taken up is given up; one that has is waited
// for, so that the answer is always true.
func (w *writer) do(ctx context.Context, what string, savepoint bool, apply func(*tx) error) error {
	answer := make(chan error, 1)
	o := &op{what: what, apply: apply, savepoint: savepoint, done: func(err error) { answer <- err }}
	w.submit(o)
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
	}
	if o.taken.CompareAndSwap(false, true) {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	return <-answer
}

// submit hands an operation over. It never blocks. On a closed ledger done is
// called on a goroutine of its own, so that it may take the caller's locks.
func (w *writer) submit(o *op) {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		go o.done(closed(o.what))
		return
	}
	w.queue = append(w.queue, o)
	w.mu.Unlock()
	w.poke()
}

func (w *writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// stop records what waits and ends the writer; false if it was stopped before.
func (w *writer) stop() bool {
	w.mu.Lock()
	first := !w.closed
	w.closed = true
	w.mu.Unlock()
	w.poke()
	<-w.stopped
	return first
}

func (w *writer) run() {
	defer close(w.stopped)
	for {
		group, ok := w.take()
		if !ok {
			return
		}
		w.record(group)
		for _, o := range group {
			o.done(o.err)
		}
	}
}

// take waits for operations and takes the first of them.
func (w *writer) take() ([]*op, bool) {
	for {
		w.mu.Lock()
		n := min(len(w.queue), groupMost)
		if n == 0 && w.closed {
			w.mu.Unlock()
			return nil, false
		}
		group := append(w.spare[:0], w.queue[:n]...)
		w.queue = append(w.queue[:0], w.queue[n:]...)
		clear(w.queue[len(w.queue) : len(w.queue)+n])
		w.spare = group
		w.mu.Unlock()
		if group = w.claim(group); len(group) > 0 {
			return group, true
		}
		if n == 0 {
			<-w.wake
		}
	}
}

// claim leaves out the operations whose callers have given up.
func (w *writer) claim(group []*op) []*op {
	kept := group[:0]
	for _, o := range group {
		if o.taken.CompareAndSwap(false, true) {
			kept = append(kept, o)
		}
	}
	return kept
}

// record puts the group into one transaction, or, where a statement fails,
// each of its operations into its own.
func (w *writer) record(group []*op) {
	err := w.transact(group)
	if err == nil {
		return
	}
	var failed *applyError
	if len(group) > 1 && errors.As(err, &failed) {
		for i := range group {
			w.record(group[i : i+1])
		}
		return
	}
	w.trouble.note(err)
	for _, o := range group {
		o.err = fmt.Errorf("%s: %w", o.what, err)
	}
}

// applyError is a statement of an operation that failed, rather than the
// transaction around it.
type applyError struct{ error }

func (e *applyError) Unwrap() error { return e.error }

// transact runs the group in one transaction. When it returns an error,
// nothing of the group is recorded.
func (w *writer) transact(group []*op) error {
	ctx := context.Background()
	t := newTx(w)
	if _, _, err := w.conn.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := t.applyAll(group)
	if err == nil {
		_, _, err = w.conn.exec(ctx, "COMMIT")
	}
	if err != nil {
		// SQLite may have rolled back by itself; then this fails, and is done.
		_, _, _ = w.conn.exec(ctx, "ROLLBACK")
		t.forget()
		return err
	}
	w.commits.Add(1)
	w.trouble.over()
	t.committed()
	return nil
}

func (t *tx) applyAll(group []*op) error {
	for _, o := range group {
		o.err = nil
		if err := t.apply(o); err != nil {
			return err
		}
	}
	return t.flush()
}

// apply runs one operation. Its refusal is its own affair; any other error
// ends the transaction.
func (t *tx) apply(o *op) error {
	mark := t.mark()
	if o.savepoint {
		if err := t.exec("SAVEPOINT op"); err != nil {
			return err
		}
	}
	err := o.apply(t)
	var refused refusal
	if errors.As(err, &refused) {
		o.err = fmt.Errorf("%s: %w", o.what, refused.error)
		t.restore(mark)
		if !o.savepoint {
			return nil
		}
		if err := t.exec("ROLLBACK TO op"); err != nil {
			return err
		}
		return t.exec("RELEASE op")
	}
	if err != nil {
		return &applyError{err}
	}
	if o.savepoint {
		return t.exec("RELEASE op")
	}
	return nil
}
