package output

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Stored is what is kept of one run.
type Stored struct {
	Run      int64
	Attempts []int // ascending; those that printed something
	Bytes    int64 // on disk, all attempts
}

// Runs yields every run that has output, oldest first: the order in which to
// drop them until enough room is free. Removing runs meanwhile is fine.
func (s *Store) Runs() iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		folders, err := s.folders()
		if err != nil {
			yield(Stored{}, err)
			return
		}
		for _, folder := range folders {
			runs, err := readFolder(folder)
			if err != nil {
				yield(Stored{}, err)
				return
			}
			for _, r := range runs {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// Usage is how many bytes all output takes up on disk.
func (s *Store) Usage() (int64, error) {
	var sum int64
	for r, err := range s.Runs() {
		if err != nil {
			return 0, err
		}
		sum += r.Bytes
	}
	return sum, nil
}

// Remove deletes the output of runs, and folders that are empty then. A run
// without output is no error. Many runs at once cost one look at each folder.
func (s *Store) Remove(runs ...int64) error {
	byFolder := make(map[string][]int64)
	for _, run := range runs {
		byFolder[s.folder(run)] = append(byFolder[s.folder(run)], run)
	}
	var errs []error
	for folder, runs := range byFolder {
		errs = append(errs, removeFrom(folder, runs))
	}
	return errors.Join(errs...)
}

func removeFrom(folder string, runs []int64) error {
	slices.Sort(runs)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove output: %w", err)
	}
	var errs []error
	left := len(entries)
	for _, e := range entries {
		run, _, ok := parseName(e.Name())
		if _, wanted := slices.BinarySearch(runs, run); !ok || !wanted {
			continue
		}
		err := os.Remove(filepath.Join(folder, e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove output: %w", err))
			continue
		}
		left--
	}
	if left == 0 {
		// Somebody may be creating a file in it: then it stays.
		err := os.Remove(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) {
			errs = append(errs, fmt.Errorf("remove output folder: %w", err))
		}
	}
	return errors.Join(errs...)
}

// folders lists our own folders by number; others are left alone.
func (s *Store) folders() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list output: %w", err)
	}
	var numbers []int64
	for _, e := range entries {
		n, err := strconv.ParseInt(e.Name(), 10, 64)
		if err == nil && e.IsDir() && s.folder(n*runsPerFolder) == filepath.Join(s.dir, e.Name()) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	paths := make([]string, len(numbers))
	for i, n := range numbers {
		paths[i] = s.folder(n * runsPerFolder)
	}
	return paths, nil
}

func readFolder(folder string) ([]Stored, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list output: %w", err)
	}
	byRun := make(map[int64]*Stored)
	for _, e := range entries {
		run, attempt, ok := parseName(e.Name())
		var st unix.Stat_t
		if !ok || unix.Lstat(filepath.Join(folder, e.Name()), &st) != nil {
			continue // not ours, or removed meanwhile
		}
		r := byRun[run]
		if r == nil {
			r = &Stored{Run: run}
			byRun[run] = r
		}
		r.Bytes += st.Blocks * 512
		if !slices.Contains(r.Attempts, attempt) {
			r.Attempts = append(r.Attempts, attempt)
		}
	}
	runs := make([]Stored, 0, len(byRun))
	for _, r := range byRun {
		slices.Sort(r.Attempts)
		runs = append(runs, *r)
	}
	slices.SortFunc(runs, func(a, b Stored) int { return cmp.Compare(a.Run, b.Run) })
	return runs, nil
}

// openPlain opens a regular file that is there. It neither follows a link at
// the end of the path nor hangs on a fifo.
func openPlain(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open output file: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file; move it away", path)
	}
	if err == nil {
		err = unix.SetNonblock(int(f.Fd()), false) // a child inherits the file as it is
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open output file: %w", err)
	}
	return f, nil
}
