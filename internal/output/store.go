// Package output keeps what attempts print: one file per attempt, capped,
// followed while it grows, and pruned.
//
// The files are plain, for less and grep:
//
//	DIR/000123/123456.2.log      run 123456, attempt 2; a folder per 1000 runs
//	DIR/000123/123456.2.log.cut  what was dropped of it, if anything
//	DIR/spare/17.log             an empty file, for the next attempt
//
// A child writes directly to its file, so the cap cannot be kept by counting.
// Instead the middle of a file that has outgrown it is punched out: the file
// keeps its logical size, its first and last bytes stay in their places, and
// the disk gets the rest back. This is how nobody shows zeros for bytes that
// were there:
//
//  1. The range about to be dropped is written to the .cut file.
//  2. The range is punched out.
//  3. A reader reads the bytes first and the .cut file afterwards; bytes
//     within the range are thrown away, and a note stands in for them.
//
// The range is never guessed from the file's holes or zeros: those may be the
// job's own. It begins at a fixed place and only ever grows, until the job
// truncates its output: then it is forgotten.
package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Store is a folder of output files. Its methods may be called concurrently.
type Store struct {
	// Warn is told when caps cannot be kept: once, if the file system cannot
	// punch holes at all. It may be nil; it is to be set before the first
	// Sink is used.
	Warn func(message string, err error)

	dir  string
	quit chan struct{}
	warn sync.Once

	mu         sync.Mutex
	spares     []spare // oldest first
	lastSpare  int
	capped     map[*Sink]struct{} // open, with a file and a cap
	watching   bool
	complained string
	closed     bool
	watchers   sync.WaitGroup
}

// Open opens the folder and makes it if need be. It starts nothing.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open output folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open output folder: %w", err)
	}
	s := &Store{
		dir:    dir,
		quit:   make(chan struct{}),
		capped: make(map[*Sink]struct{}),
	}
	spreadFolders(dir)
	s.dropSpares()
	return s, nil
}

// spreadFolders asks ext4 to lay the folders in dir far from each other on the
// disk. Without a journal it does not use an inode again for minutes, and
// whoever makes a file looks past all that were freed lately nearby. A hint:
// other file systems refuse it, and that is all right.
func spreadFolders(dir string) {
	const topDir = 0x00020000 // FS_TOPDIR_FL; chattr +T
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil && flags&topDir == 0 {
		_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags|topDir))
	}
}

// Close stops keeping caps and waits for whoever did. Files stay readable,
// and open sinks writable.
func (s *Store) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.quit)
	}
	s.mu.Unlock()
	s.watchers.Wait()
	s.dropSpares()
	return nil
}

// Path is where the output of an attempt is, or would be.
func (s *Store) Path(run int64, attempt int) string {
	return filepath.Join(s.folder(run), fmt.Sprintf("%d.%d.log", run, attempt))
}

const (
	runsPerFolder = 1000
	cutSuffix     = ".cut"
)

func (s *Store) folder(run int64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%06d", run/runsPerFolder))
}

// parseName takes the run and the attempt out of the name of a file or of its
// companion; false for anything else.
func parseName(name string) (run int64, attempt int, ok bool) {
	base := strings.TrimSuffix(name, cutSuffix)
	runText, rest, found := strings.Cut(strings.TrimSuffix(base, ".log"), ".")
	run, err1 := strconv.ParseInt(runText, 10, 64)
	attempt, err2 := strconv.Atoi(rest)
	if !found || err1 != nil || err2 != nil || run < 0 || attempt < 0 {
		return 0, 0, false
	}
	return run, attempt, base == fmt.Sprintf("%d.%d.log", run, attempt)
}

// create opens the file of an attempt for appending. One that is there
// already belongs to the same attempt, begun before a restart; old says so.
func (s *Store) create(run int64, attempt int) (f *os.File, old bool, err error) {
	path := s.Path(run, attempt)
	const common = os.O_WRONLY | os.O_APPEND
	for try := 0; ; try++ {
		f, err := os.OpenFile(path, common|os.O_CREATE|os.O_EXCL, 0o640)
		switch {
		case err == nil:
			return f, false, nil
		case errors.Is(err, fs.ErrNotExist) && try < 3: // pruning may take the empty folder away
			if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
				return nil, false, fmt.Errorf("create output file: %w", err)
			}
		case errors.Is(err, fs.ErrExist):
			f, err := openPlain(path, common)
			return f, true, err
		default:
			return nil, false, fmt.Errorf("create output file: %w", err)
		}
	}
}
