package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Sink takes the output of one attempt. It makes the file with the first
// byte, or for a child. Its methods may be called concurrently.
type Sink struct {
	store   *Store
	run     int64
	attempt int
	max     int64

	mu     sync.Mutex
	file   *os.File
	owner  *owner
	born   born  // as the file was when a child got it; zero: not to be kept
	cut    cut   // what is dropped so far
	seen   int64 // the size when it was last looked at
	closed bool
}

type owner struct{ uid, gid int }

// Sink returns the sink of an attempt. The attempt may keep most bytes; 0
// means as many as it prints. Nothing is created yet.
func (s *Store) Sink(run int64, attempt int, most int64) *Sink {
	return &Sink{store: s, run: run, attempt: attempt, max: most}
}

// Write appends p. The cap holds when it returns.
func (k *Sink) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.openLocked(forUs); err != nil {
		return 0, err
	}
	n, err := k.file.Write(p)
	if err != nil {
		return n, fmt.Errorf("write output: %w", err)
	}
	k.seen += int64(n)
	// One trim for each sixteenth of the cap that was written, not for each line.
	if k.max > 0 && k.seen-k.cut.end > k.max/2+max(k.max/16, block) {
		_, err = k.trimLocked()
	}
	return n, err
}

// File returns the file, for a child to write to directly. It is in append
// mode. It belongs to the Sink: Close closes it, after the child was started.
func (k *Sink) File() (*os.File, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.openLocked(forChild); err != nil {
		return nil, err
	}
	if k.max > 0 {
		k.store.watch(k)
	}
	return k.file, nil
}

// Chown makes the file belong to somebody else, now or when it is created:
// a job may open its own standard output by name only if it owns it.
func (k *Sink) Chown(uid, gid int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.owner = &owner{uid, gid}
	if k.file == nil {
		return nil
	}
	return k.chownLocked()
}

// Close ends the attempt's output and returns how many bytes were written,
// dropped ones included; a job that truncates its output begins anew. If there
// are none, no file is left. A second Close returns fs.ErrClosed.
func (k *Sink) Close() (written int64, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return 0, fs.ErrClosed
	}
	k.closed = true
	if k.file == nil {
		return 0, nil
	}
	k.store.unwatch(k)
	written, err = k.sizeLocked()
	if written == 0 && err == nil {
		return 0, k.putAwayLocked()
	}
	if err == nil && k.max > 0 {
		_, err = k.trimLocked()
	}
	return written, errors.Join(err, k.file.Close())
}

// putAwayLocked closes an empty file and leaves nothing of it in its place.
func (k *Sink) putAwayLocked() error {
	err := k.file.Close()
	if err == nil && k.store.keepSpare(k.path(), k.ownerLocked(), k.born) {
		return nil
	}
	return errors.Join(err, removeBoth(k.path()))
}

// Detach lets go of the file and leaves it as it is, for a child that goes on
// writing to it: a Sink of the same attempt takes it up again later.
func (k *Sink) Detach() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return fs.ErrClosed
	}
	k.closed = true
	if k.file == nil {
		return nil
	}
	k.store.unwatch(k)
	return k.file.Close()
}

func (k *Sink) path() string { return k.store.Path(k.run, k.attempt) }

// Whom a file is opened for. Only one that a child gets can come back empty.
const (
	forUs    = false
	forChild = true
)

func (k *Sink) openLocked(child bool) error {
	if k.closed {
		return fmt.Errorf("write output: %w", fs.ErrClosed)
	}
	if k.file != nil {
		return nil
	}
	err := k.createLocked(child)
	if err == nil && child && k.seen == 0 && k.cut == (cut{}) {
		k.born, err = bornOf(k.file)
	}
	if err != nil && k.file != nil {
		err = errors.Join(err, k.file.Close())
		k.file = nil
	}
	return err
}

// createLocked makes the attempt's file, or takes up the one that is there.
func (k *Sink) createLocked(child bool) (err error) {
	if child {
		if k.file = k.store.takeSpare(k.ownerLocked(), k.path()); k.file != nil {
			return nil
		}
	}
	var old bool
	if k.file, old, err = k.store.create(k.run, k.attempt); err != nil {
		return err
	}
	if old {
		if k.seen, err = k.sizeLocked(); err == nil {
			k.cut, err = readCut(k.path(), k.seen)
		}
	}
	if err == nil && k.owner != nil {
		err = k.chownLocked()
	}
	return err
}

func (k *Sink) ownerLocked() owner {
	if k.owner == nil {
		return ours
	}
	return *k.owner
}

func (k *Sink) chownLocked() error {
	if err := k.file.Chown(k.owner.uid, k.owner.gid); err != nil {
		return fmt.Errorf("give output file to uid %d: %w", k.owner.uid, err)
	}
	return nil
}

func (k *Sink) sizeLocked() (int64, error) {
	info, err := k.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("measure output: %w", err)
	}
	return info.Size(), nil
}

// trim keeps the cap and tells whether the file grows fast.
func (k *Sink) trim() (fast bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.file == nil || k.closed || k.max == 0 {
		return false, nil
	}
	grown, err := k.trimLocked()
	return grown > k.max, err
}

// trimLocked keeps the cap and tells by how much the file has grown.
func (k *Sink) trimLocked() (grown int64, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(k.file.Fd()), &st); err != nil {
		return 0, fmt.Errorf("measure output: %w", err)
	}
	grown, k.seen = st.Size-k.seen, st.Size
	// A file that was deleted has no name to keep a note beside, nor a reader
	// to come.
	named := st.Nlink > 0
	if st.Size < k.cut.end { // the job truncated it
		k.cut = cut{}
		if named {
			if err := removeIfThere(k.path() + cutSuffix); err != nil {
				return grown, err
			}
		}
	}
	next, ok := plan(k.cut, st.Size, k.max)
	if !ok {
		return grown, nil
	}
	return grown, k.dropLocked(next, named)
}

// dropLocked drops a range that includes what was dropped before: a job that
// truncates and refills its file between two looks has put bytes there again.
func (k *Sink) dropLocked(next cut, named bool) error {
	var full error
	if named {
		err := writeCut(k.path(), next)
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			full, err = err, nil // room first, for the note as well
		}
		if err != nil {
			return err
		}
	}
	if err := punch(k.file, next.start, next.end); err != nil {
		return k.cannotPunch(err, named)
	}
	k.cut = next
	if full != nil {
		return writeCut(k.path(), next)
	}
	return nil
}

// cannotPunch takes the note back and gives the cap up for this sink.
func (k *Sink) cannotPunch(err error, named bool) error {
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("drop the middle of output: %w", err)
	}
	k.max = 0
	k.store.unsupported(err)
	if !named {
		return nil
	}
	if k.cut != (cut{}) {
		return writeCut(k.path(), k.cut)
	}
	return removeIfThere(k.path() + cutSuffix)
}

func removeBoth(path string) error {
	return errors.Join(removeIfThere(path), removeIfThere(path+cutSuffix))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove output: %w", err)
	}
	return nil
}
