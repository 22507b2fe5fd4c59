package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// chunk is how much is read at a time.
const chunk = 64 << 10

// tailMost bounds what Tail returns, and how far back it looks.
const tailMost = 1 << 20

// note stands in for what was dropped.
func note(dropped int64) []byte {
	return fmt.Appendf(nil, "\n[… %d bytes dropped …]\n", dropped)
}

// Reader reads the output of an attempt as it was when it was opened, with a
// note in place of what was dropped.
type Reader struct {
	Size    int64 // bytes printed, dropped ones included
	Dropped int64

	cursor cursor
	rest   []byte
	buf    []byte
}

// Reader opens the output of an attempt. If it printed nothing, the error is
// os.ErrNotExist.
func (s *Store) Reader(run int64, attempt int) (*Reader, error) {
	c, err := openCursor(s.Path(run, attempt))
	if err != nil {
		return nil, err
	}
	r := &Reader{cursor: c, buf: make([]byte, chunk)}
	if r.Size, err = c.size(); err == nil {
		var dropped cut
		dropped, err = readCut(c.path, r.Size)
		r.Dropped = dropped.end - dropped.start
	}
	if err != nil {
		return nil, errors.Join(err, c.file.Close())
	}
	return r, nil
}

// Read reads on; see io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.rest) == 0 {
		data, err := r.cursor.next(r.buf, r.Size)
		if err != nil {
			return 0, err
		}
		r.rest = data
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.cursor.file.Close() }

// Tail returns the last lines of an attempt's output, no more than a MiB. If
// it printed nothing, the error is os.ErrNotExist.
func (s *Store) Tail(run int64, attempt, lines int) ([]byte, error) {
	c, err := openCursor(s.Path(run, attempt))
	if err != nil {
		return nil, err
	}
	defer c.file.Close()
	size, err := c.size()
	if err != nil {
		return nil, err
	}
	if c.off, err = c.tailStart(size, lines); err != nil {
		return nil, err
	}
	var out []byte
	buf := make([]byte, chunk)
	for len(out) < 2*tailMost { // more, only if the file is truncated and refilled now
		data, err := c.next(buf, size)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		out = append(out, data...)
	}
	return out, nil
}

// cursor goes through a file that grows and is punched meanwhile.
type cursor struct {
	file *os.File
	path string
	off  int64 // of the next byte
}

func openCursor(path string) (cursor, error) {
	f, err := openPlain(path, os.O_RDONLY)
	return cursor{file: f, path: path}, err
}

func (c *cursor) size() (int64, error) {
	info, err := c.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("read output: %w", err)
	}
	return info.Size(), nil
}

// next returns the bytes at the cursor, or a note, and moves on. At limit and
// at the end of the file it returns io.EOF.
func (c *cursor) next(buf []byte, limit int64) ([]byte, error) {
	for c.off < limit {
		had, err := c.dropped()
		if err != nil {
			return nil, err
		}
		if had.start <= c.off && c.off < had.end {
			n := had.end - c.off
			c.off = had.end
			return note(n), nil
		}
		most := min(int64(len(buf)), limit-c.off)
		if c.off < had.start {
			most = min(most, had.start-c.off)
		}
		n, err := c.file.ReadAt(buf[:most], c.off)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read output: %w", err)
		}
		if n == 0 {
			return nil, io.EOF
		}
		// What was dropped while we read may have been read as zeros.
		now, err := c.dropped()
		if err != nil {
			return nil, err
		}
		if c.off < now.end && c.off+int64(n) > now.start {
			n = int(max(0, now.start-c.off))
		}
		if n > 0 {
			c.off += int64(n)
			return buf[:n], nil
		}
	}
	return nil, io.EOF
}

func (c *cursor) dropped() (cut, error) {
	size, err := c.size()
	if err != nil {
		return cut{}, err
	}
	return readCut(c.path, size)
}

// tailStart is where the last lines of the first size bytes begin. What was
// dropped ends a line, and is not looked through.
func (c *cursor) tailStart(size int64, lines int) (int64, error) {
	hole, err := readCut(c.path, size)
	if err != nil || lines <= 0 {
		return size, err
	}
	buf := make([]byte, chunk)
	for pos, budget := size, int64(tailMost); ; {
		if pos > hole.start && pos <= hole.end {
			if lines--; lines == 0 {
				return hole.end, nil
			}
			pos = hole.start
		}
		if pos == 0 || budget == 0 {
			return pos, nil
		}
		low := max(0, pos-min(chunk, budget))
		if pos > hole.end {
			low = max(low, hole.end)
		}
		n, err := c.file.ReadAt(buf[:pos-low], low)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("read output: %w", err)
		}
		text := buf[:n]
		if low+int64(n) == size { // a line end there begins no further line
			text = bytes.TrimSuffix(text, []byte("\n"))
		}
		for i := bytes.LastIndexByte(text, '\n'); i >= 0; i = bytes.LastIndexByte(text[:i], '\n') {
			if lines--; lines == 0 {
				return low + int64(i) + 1, nil
			}
		}
		budget -= pos - low
		pos = low
	}
}
