package output

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// A command that prints nothing leaves its file as it got it. Such a file is
// kept for the next command instead of being removed: to make a file and to
// remove it again can cost more than the command itself. It is renamed to
// where the next attempt's output belongs, and back:
//
//	DIR/spare/17.log  <->  DIR/000123/123456.2.log
//
// So every attempt has its file, under its own name, from its start. No child
// gets a file that held another attempt's bytes, or that anybody else has
// open: born tells whether the file is as it was when it was handed out, and
// unshared whether somebody has it open. The first is asked when the file
// comes back, and both when it goes out again.

// spare is an empty file for the next attempt.
type spare struct {
	file  *os.File
	path  string
	owner owner
	born  born // as it was when it came back
	busy  bool // somebody had it open when it was to go out
}

const (
	spareFolder = "spare"
	mostSpares  = 32
)

// ours is the owner of files that were given to nobody else.
var ours = owner{-1, -1}

// born is a file's state when it was handed out. Whatever changes a file, its
// bytes, owner, mode or names, changes its ctime.
type born struct {
	dev, ino   uint64
	ctime      unix.Timespec
	mode       uint32
	uid, gid   uint32
	size       int64
	singleName bool
}

func bornOf(f *os.File) (born, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return born{}, err
	}
	return born{
		dev: uint64(st.Dev), ino: st.Ino, ctime: st.Ctim, //nolint:unconvert // narrower on some machines
		mode: st.Mode, uid: st.Uid, gid: st.Gid, size: st.Size, singleName: st.Nlink == 1,
	}, nil
}

// untouched tells whether nothing was done to an empty file meanwhile.
func (b born) untouched(f *os.File) bool {
	now, err := bornOf(f)
	return err == nil && now == b && b.size == 0 && b.singleName
}

// unshared tells whether no other open file, in no process, is the same file:
// the kernel grants a write lease only then. Descriptors that were inherited
// from this one are not seen.
func unshared(f *os.File) bool {
	fd := f.Fd()
	if _, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		return false
	}
	_, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK)
	return err == nil
}

// takeSpare moves a spare file to path; nil when there is none that fits.
func (s *Store) takeSpare(who owner, path string) *os.File {
	for range mostSpares {
		sp, ok := s.popSpare(who)
		if !ok {
			return nil
		}
		free := unshared(sp.file)
		switch {
		case !sp.born.untouched(sp.file), !free && sp.busy:
			s.dropSpare(sp)
		case !free:
			// A child that is just being started still has all that is open
			// here. What is busy once more was left to some process.
			sp.busy = true
			s.pushSpare(sp)
			return nil
		default:
			return s.handOut(sp, path)
		}
	}
	return nil
}

func (s *Store) handOut(sp spare, path string) *os.File {
	err := renameNew(sp.path, path)
	if errors.Is(err, unix.ENOENT) { // the first of a thousand runs, or the spare is gone
		err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), renameNew(sp.path, path))
	}
	if err != nil {
		s.dropSpare(sp)
		return nil
	}
	return sp.file
}

func renameNew(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
}

// keepSpare takes an attempt's empty file out of the way, for the next one. It
// tells whether it has, and does not if the file is not as it was born. The
// caller has closed its own descriptor, which a child may have inherited: it
// would not show otherwise that the child still has it.
func (s *Store) keepSpare(path string, who owner, was born) bool {
	f, err := openPlain(path, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return false
	}
	sp := spare{file: f, path: s.sparePath(), owner: who}
	if was.untouched(f) && s.moveAway(path, sp.path) == nil {
		if sp.born, err = bornOf(f); err == nil {
			s.pushSpare(sp)
			return true
		}
	}
	f.Close()
	return false
}

func (s *Store) moveAway(path, to string) error {
	err := unix.Rename(path, to) // os.Rename looks first what is there
	if err != unix.ENOENT {
		return err
	}
	if err := os.Mkdir(filepath.Dir(to), 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return unix.Rename(path, to)
}

func (s *Store) sparePath() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastSpare++
	return filepath.Join(s.dir, spareFolder, strconv.Itoa(s.lastSpare)+".log")
}

// popSpare takes the oldest spare of an owner out of the stock.
func (s *Store) popSpare(who owner) (spare, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.spares, func(sp spare) bool { return sp.owner == who })
	if i < 0 {
		return spare{}, false
	}
	sp := s.spares[i]
	s.spares = slices.Delete(s.spares, i, i+1)
	return sp, true
}

// pushSpare puts a spare into the stock. When that is full, the oldest goes.
func (s *Store) pushSpare(sp spare) {
	s.mu.Lock()
	out := sp
	if !s.closed {
		s.spares, out = append(s.spares, sp), spare{}
		if len(s.spares) > mostSpares {
			out, s.spares = s.spares[0], s.spares[1:]
		}
	}
	s.mu.Unlock()
	if out.file != nil {
		s.dropSpare(out)
	}
}

func (s *Store) dropSpare(sp spare) {
	_ = os.Remove(sp.path)
	sp.file.Close()
}

// dropSpares removes the stock, and what an earlier daemon has left of its own.
func (s *Store) dropSpares() {
	s.mu.Lock()
	spares := s.spares
	s.spares = nil
	s.mu.Unlock()
	for _, sp := range spares {
		sp.file.Close()
	}
	folder := filepath.Join(s.dir, spareFolder)
	left, err := filepath.Glob(filepath.Join(folder, "[0-9]*.log"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	if err == nil {
		_ = os.Remove(folder) // stays if something else is in it
	}
}
