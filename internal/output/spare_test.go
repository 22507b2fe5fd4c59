package output

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// silent is an attempt whose command gets the file, does what use says with
// it, and prints nothing.
func silent(t *testing.T, s *Store, run int64, use func(f *os.File)) identity {
	t.Helper()
	k := s.Sink(run, 1, 1<<20)
	f, err := k.File()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := bornOf(f); err != nil || b.size != 0 {
		t.Fatalf("run %d begins with %d bytes, %v", run, b.size, err)
	}
	is := identify(t, f)
	if _, err := os.Stat(s.Path(run, 1)); err != nil {
		t.Errorf("run %d has no file of its name: %v", run, err)
	}
	if use != nil {
		use(f)
	}
	if n, err := k.Close(); n != 0 || err != nil {
		t.Errorf("run %d: %d bytes, %v", run, n, err)
	}
	if _, err := os.Lstat(s.Path(run, 1)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("run %d has left a file: %v", run, err)
	}
	return is
}

// identity is that of a file: its number may be used again by a later one.
type identity struct {
	number uint64
	made   unix.StatxTimestamp
}

func identify(t *testing.T, f *os.File) identity {
	t.Helper()
	var st unix.Statx_t
	if err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
		t.Fatal(err)
	}
	return identity{st.Ino, st.Btime}
}

func TestAFileThatStaysEmptyServesTheNextAttempt(t *testing.T) {
	s := open(t)
	first := silent(t, s, 1, func(f *os.File) {
		cmd := exec.Command("/bin/true")
		cmd.Stdout = f
		if err := cmd.Run(); err != nil {
			t.Error(err)
		}
	})
	for run := int64(2); run < 3002; run += 500 { // in several folders
		if next := silent(t, s, run, nil); next != first {
			t.Errorf("run %d got a new file", run)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, spareFolder, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAFileThatWasTouchedServesNobodyElse(t *testing.T) {
	var kept *os.File
	var sleeper *exec.Cmd
	for name, use := range map[string]func(t *testing.T, s *Store, f *os.File){
		"left open by a process": func(t *testing.T, _ *Store, f *os.File) {
			sleeper = exec.Command("/bin/sleep", "600")
			sleeper.Stdout = f
			if err := sleeper.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
		},
		"read by somebody": func(t *testing.T, s *Store, _ *os.File) {
			var err error
			if kept, err = os.Open(s.Path(1, 1)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { kept.Close() })
		},
		"linked elsewhere": func(t *testing.T, s *Store, _ *os.File) {
			if err := os.Link(s.Path(1, 1), filepath.Join(s.dir, "kept")); err != nil {
				t.Fatal(err)
			}
		},
		"readable by all": func(t *testing.T, _ *Store, f *os.File) {
			if err := f.Chmod(0o644); err != nil {
				t.Fatal(err)
			}
		},
		"filled and emptied": func(t *testing.T, _ *Store, f *os.File) {
			if _, err := f.WriteString("x"); err != nil {
				t.Fatal(err)
			}
			if err := f.Truncate(0); err != nil {
				t.Fatal(err)
			}
		},
		"replaced": func(t *testing.T, s *Store, _ *os.File) {
			if err := os.Remove(s.Path(1, 1)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.Path(1, 1), nil, 0o640); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			first := silent(t, s, 1, func(f *os.File) { use(t, s, f) })
			for run := int64(2); run < 5; run++ {
				if silent(t, s, run, nil) == first {
					t.Errorf("run %d got the file", run)
				}
			}
		})
	}
}

func TestASpareThatSomebodyOpensIsNotUsed(t *testing.T) {
	s := open(t)
	first := silent(t, s, 1, nil)
	if len(s.spares) != 1 {
		t.Skip("this file system grants no leases")
	}
	f, err := os.Open(s.spares[0].path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if silent(t, s, 2, nil) == first {
		t.Error("the file that is open elsewhere was used")
	}
}

func TestWhatIsPrintedLateIsNobodysOutput(t *testing.T) {
	s := open(t)
	cmd := exec.Command("/bin/sh", "-c", "read line; echo late")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	first := silent(t, s, 1, func(f *os.File) {
		cmd.Stdout = f
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	})
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if silent(t, s, 2, nil) == first {
		t.Error("the file with a line in it was used")
	}
}

func TestASpareFileIsNoHindrance(t *testing.T) {
	s := open(t)
	for name, harm := range map[string]func(path string) error{
		"removed": os.Remove,
		"its folder removed": func(path string) error {
			return os.RemoveAll(filepath.Dir(path))
		},
		"the attempt has a file already": func(string) error {
			return os.WriteFile(s.Path(2, 1), nil, 0o640)
		},
	} {
		t.Run(name, func(t *testing.T) {
			silent(t, s, 1, nil)
			if len(s.spares) != 1 {
				t.Skip("this file system grants no leases")
			}
			if err := harm(s.spares[0].path); err != nil {
				t.Fatal(err)
			}
			silent(t, s, 2, nil)
		})
	}
}

func TestSparesAreFewAndForOneOwner(t *testing.T) {
	s := open(t)
	var sinks []*Sink
	for run := range int64(2 * mostSpares) {
		k := s.Sink(run, 1, 0)
		if _, err := k.File(); err != nil {
			t.Fatal(err)
		}
		sinks = append(sinks, k)
	}
	for _, k := range sinks {
		if _, err := k.Close(); err != nil {
			t.Error(err)
		}
	}
	left, err := os.ReadDir(filepath.Join(s.dir, spareFolder))
	if len(s.spares) > mostSpares || len(left) != len(s.spares) || err != nil {
		t.Errorf("%d spares and %d files, %v", len(s.spares), len(left), err)
	}
	if os.Geteuid() != 0 {
		return
	}
	k := s.Sink(9999, 1, 0)
	if err := k.Chown(65534, 65534); err != nil {
		t.Fatal(err)
	}
	f, err := k.File()
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Uid != 65534 {
		t.Errorf("the file belongs to %d, %v", st.Uid, err)
	}
	if _, err := k.Close(); err != nil {
		t.Error(err)
	}
	f, err = s.Sink(10000, 1, 0).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || int(st.Uid) != os.Geteuid() {
		t.Errorf("the next one belongs to %d, %v", st.Uid, err)
	}
}

func TestSparesOfAnEarlierDaemonAreRemoved(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, spareFolder)
	if err := os.Mkdir(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"1.log", "17.log", "mine.txt"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 || !strings.HasPrefix(left[0].Name(), "mine") {
		t.Errorf("left are %v, %v", left, err)
	}
}
