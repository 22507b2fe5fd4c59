package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/poold/poold/internal/run"
)

// readersMost is how many queries run at once; the others wait.
const readersMost = 4

// readers are the connections that only read. Each is opened when it is first
// needed.
type readers struct {
	path string
	idle chan *conn // nil: to be opened
	gone chan struct{}
	once sync.Once
}

func newReaders(path string) *readers {
	r := &readers{path: path, idle: make(chan *conn, readersMost), gone: make(chan struct{})}
	for range readersMost {
		r.idle <- nil
	}
	return r
}

// do lends a connection to f.
func (r *readers) do(ctx context.Context, what string, f func(*conn) error) error {
	select {
	case <-r.gone:
		return closed(what)
	default:
	}
	var c *conn
	select {
	case c = <-r.idle:
	case <-r.gone:
		return closed(what)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	defer func() { r.idle <- c }()
	if c == nil {
		var err error
		if c, err = openReader(r.path); err != nil {
			return fmt.Errorf("%s: open ledger to read: %w", what, err)
		}
	}
	if err := f(c); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func openReader(path string) (*conn, error) {
	c, err := openConn(path)
	if err != nil {
		return nil, err
	}
	for _, pragma := range []string{"busy_timeout = 5000", "query_only = ON", "temp_store = MEMORY", "cache_size = -1024"} {
		if err := c.script(context.Background(), "PRAGMA "+pragma); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

// close waits for the queries under way and closes every connection.
func (r *readers) close() {
	r.once.Do(func() {
		close(r.gone)
		for range readersMost {
			if c := <-r.idle; c != nil {
				_ = c.close()
			}
		}
	})
}

// refuse marks an error as a refusal: the operation wrote nothing that has to
// be undone, or is undone by its savepoint.
func refuse(err error) error { return refusal{err} }

type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// stale refuses an operation on a run that is no longer in the state that it
// is meant for.
func stale(id int64, what string) error {
	return refuse(fmt.Errorf("%s run %d: %w", what, id, run.ErrStale))
}
