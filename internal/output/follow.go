package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"time"
)

// followEvery is how often a file that is followed is looked at.
const followEvery = 100 * time.Millisecond

// From says where Follow begins.
type From struct {
	Lines  int   // with the last so many lines; 0: at Offset
	Offset int64 // at this byte; -1: at the end
}

// Follow copies the output of an attempt to w, and what is appended to it, until
// done is closed and everything was copied. It waits for a file that is not
// there yet; done must be closed no earlier than the attempt's last byte. If
// w has a Flush method, it is called when there is nothing more for now.
//
// It returns the offset to go on from another time, and nil, ctx's error, or
// that of reading or of writing to w. A job that truncates its output is
// followed from the start again.
func (s *Store) Follow(ctx context.Context, w io.Writer, run int64, attempt int, from From, done <-chan struct{}) (next int64, err error) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	f := follower{w: w, path: s.Path(run, attempt), from: from}
	defer f.close()
	for {
		over := isClosed(done) // asked before the last look, not after it
		if err := f.copy(ctx); err != nil || over {
			return f.cursor.off, err
		}
		select {
		case <-tick.C:
		case <-done:
		case <-ctx.Done():
			return f.cursor.off, ctx.Err()
		}
	}
}

type follower struct {
	w      io.Writer
	path   string
	from   From
	cursor cursor
	buf    []byte
}

// copy copies what is there by now.
func (f *follower) copy(ctx context.Context) error {
	err := f.open()
	if errors.Is(err, fs.ErrNotExist) {
		f.from = From{} // nothing was there before we came
		return nil
	}
	if err != nil {
		return err
	}
	size, err := f.cursor.size()
	if err != nil {
		return err
	}
	if size < f.cursor.off {
		f.cursor.off = 0
	}
	copied := false
	for ctx.Err() == nil {
		data, err := f.cursor.next(f.buf, math.MaxInt64)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if _, err := f.w.Write(data); err != nil {
			return fmt.Errorf("pass output on: %w", err)
		}
		copied = true
	}
	if err := ctx.Err(); err != nil || !copied {
		return err
	}
	return flush(f.w)
}

// open opens the file once and goes to where following begins.
func (f *follower) open() error {
	if f.cursor.file != nil {
		return nil
	}
	c, err := openCursor(f.path)
	if err != nil {
		return err
	}
	size, err := c.size()
	switch {
	case err != nil:
	case f.from.Lines > 0:
		c.off, err = c.tailStart(size, f.from.Lines)
	case f.from.Offset < 0:
		c.off = size
	default:
		c.off = f.from.Offset
	}
	if err != nil {
		return errors.Join(err, c.file.Close())
	}
	f.cursor, f.buf = c, make([]byte, chunk)
	return nil
}

func (f *follower) close() {
	if f.cursor.file != nil {
		f.cursor.file.Close()
	}
}

func flush(w io.Writer) error {
	switch w := w.(type) {
	case interface{ Flush() error }:
		if err := w.Flush(); err != nil {
			return fmt.Errorf("pass output on: %w", err)
		}
	case interface{ Flush() }: // as http.Flusher
		w.Flush()
	}
	return nil
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
