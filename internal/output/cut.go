package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// cut is the range [start, end) of a file that was dropped; the zero value is
// none.
type cut struct{ start, end int64 }

// block is what holes are made of; punching less frees nothing.
const block = 4096

// cutFormat is the one line of a .cut file. It is always as long and written in
// one go over the last one, so that no reader sees half of it.
const cutFormat = "%019d %019d\n"

// readCut returns what was dropped of the file at path. A range that the file
// does not reach any more was lost with a truncation, and says nothing.
func readCut(path string, size int64) (cut, error) {
	data, err := os.ReadFile(path + cutSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return cut{}, nil
	}
	if err != nil {
		return cut{}, fmt.Errorf("read what was dropped: %w", err)
	}
	var c cut
	if _, err := fmt.Sscanf(string(data), "%d %d\n", &c.start, &c.end); err != nil {
		return cut{}, nil //nolint:nilerr // lost in a crash; then the file is shown as it is
	}
	if c.start < 0 || c.end <= c.start || c.end > size {
		return cut{}, nil
	}
	return c, nil
}

func writeCut(path string, c cut) error {
	f, err := os.OpenFile(path+cutSuffix, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return fmt.Errorf("note what is dropped: %w", err)
	}
	_, err = f.WriteAt(fmt.Appendf(nil, cutFormat, c.start, c.end), 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("note what is dropped: %w", err)
	}
	return nil
}

// plan says what should be dropped of a file of this size, given what is
// dropped already: the blocks between the first and the last max/2 bytes.
func plan(have cut, size, most int64) (next cut, grown bool) {
	start := (most/2 + block - 1) / block * block
	end := (size - most/2) / block * block
	if end <= start || end <= have.end {
		return have, false
	}
	return cut{start, end}, true
}

// punch gives the blocks of a range back to the disk.
func punch(f *os.File, from, to int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, from, to-from)
		if err != unix.EINTR {
			return err
		}
	}
}
