package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	s.Warn = func(message string, err error) { t.Errorf("%s: %v", message, err) }
	t.Cleanup(func() { s.Close() })
	return s
}

// printed writes the output of an attempt in one go.
func printed(t *testing.T, s *Store, run int64, attempt int, most int64, text string) int64 {
	t.Helper()
	k := s.Sink(run, attempt, most)
	if _, err := io.WriteString(k, text); err != nil {
		t.Fatal(err)
	}
	n, err := k.Close()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// command runs a shell script that writes to the sink directly.
func command(t *testing.T, k *Sink, script string) {
	t.Helper()
	f, err := k.File()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s *Store, run int64, attempt int) string {
	t.Helper()
	r, err := s.Reader(run, attempt)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func onDisk(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// numbered is n lines of 16 bytes, each with its number.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%015d\n", i)
	}
	return b.String()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	s := open(t)
	text := numbered(20000)
	if n := printed(t, s, 123456, 2, 0, text); n != int64(len(text)) {
		t.Errorf("Close says %d bytes", n)
	}
	if got := read(t, s, 123456, 2); got != text {
		t.Errorf("read %d bytes, wrote %d", len(got), len(text))
	}
	path := filepath.Join(s.dir, "000123", "123456.2.log")
	if s.Path(123456, 2) != path {
		t.Errorf("path %s", s.Path(123456, 2))
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAnAttemptThatPrintsNothingLeavesNoFile(t *testing.T) {
	s := open(t)
	if n, err := s.Sink(1, 1, 0).Close(); n != 0 || err != nil {
		t.Error(n, err)
	}
	k := s.Sink(2, 1, 10)
	command(t, k, "true")
	if n, err := k.Close(); n != 0 || err != nil {
		t.Error(n, err)
	}
	for run := int64(1); run < 3; run++ {
		if _, err := s.Reader(run, 1); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("run %d: %v", run, err)
		}
		if _, err := s.Tail(run, 1, 10); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("run %d: %v", run, err)
		}
	}
}

func TestAClosedSinkTakesNothing(t *testing.T) {
	k := open(t).Sink(1, 1, 0)
	k.Write([]byte("a"))
	k.Close()
	if _, err := k.Write([]byte("b")); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	if _, err := k.File(); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	if _, err := k.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
}

func TestAnAttemptIsTakenUpAfterARestart(t *testing.T) {
	s := open(t)
	k := s.Sink(5, 1, 0)
	if _, err := k.File(); err != nil {
		t.Fatal(err)
	}
	if err := k.Detach(); err != nil { // nothing printed yet, and still there
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Path(5, 1)); err != nil {
		t.Fatal(err)
	}
	printed(t, s, 5, 1, 0, "before\n")
	if n := printed(t, s, 5, 1, 0, "after\n"); n != 13 {
		t.Errorf("Close says %d bytes", n)
	}
	if got := read(t, s, 5, 1); got != "before\nafter\n" {
		t.Errorf("read %q", got)
	}
}

func TestWritersAndChildrenShareAFile(t *testing.T) {
	s := open(t)
	k := s.Sink(1, 1, 0)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { command(t, k, fmt.Sprintf("for i in 1 2 3 4 5; do echo child %d; done", i)) })
		wg.Go(func() {
			for range 5 {
				fmt.Fprintf(k, "writer %d\n", i)
			}
		})
	}
	wg.Wait()
	k.Close()
	count := make(map[string]int)
	for line := range strings.Lines(read(t, s, 1, 1)) {
		count[line]++
	}
	for i := range 4 {
		if count[fmt.Sprintf("child %d\n", i)] != 5 || count[fmt.Sprintf("writer %d\n", i)] != 5 {
			t.Errorf("lines: %v", count)
		}
	}
}

func TestAJobOpensItsOutputByName(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	s := open(t)
	for name, early := range map[string]bool{"before the file exists": true, "afterwards": false} {
		t.Run(name, func(t *testing.T) {
			k := s.Sink(int64(len(name)), 1, 0)
			if early {
				if err := k.Chown(65534, 65534); err != nil {
					t.Fatal(err)
				}
			}
			f, err := k.File()
			if err != nil {
				t.Fatal(err)
			}
			if !early {
				if err := k.Chown(65534, 65534); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("/bin/sh", "-c", "echo a; echo b >> /dev/stdout")
			cmd.Dir = "/"
			cmd.Stdout = f
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
			k.Close()
			if got := read(t, s, int64(len(name)), 1); got != "a\nb\n" {
				t.Errorf("read %q", got)
			}
		})
	}
}

func TestALinkInPlaceOfTheFileIsNotFollowed(t *testing.T) {
	s := open(t)
	victim := filepath.Join(t.TempDir(), "victim")
	for run, plant := range map[int64]func(path string) error{
		1: func(path string) error { return os.Symlink(victim, path) },
		2: func(path string) error { return unix.Mkfifo(path, 0o600) },
		3: func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := s.Path(run, 1)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := plant(path); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sink(run, 1, 0).Write([]byte("x")); err == nil {
			t.Errorf("run %d: written", run)
		}
		if _, err := s.Reader(run, 1); err == nil {
			t.Errorf("run %d: read", run)
		}
	}
	if _, err := os.Stat(victim); err == nil {
		t.Error("the link was followed")
	}
}

func TestTail(t *testing.T) {
	s := open(t)
	long := strings.Repeat("x", 200000)
	for i, test := range []struct {
		name, text string
		lines      int
		want       string
	}{
		{"fewer lines than asked for", "a\nb\n", 5, "a\nb\n"},
		{"as many lines", "a\nb\n", 2, "a\nb\n"},
		{"more lines", "a\nb\nc\n", 2, "b\nc\n"},
		{"a last line without an end", "a\nb\nc", 2, "b\nc"},
		{"empty lines", "a\n\n\n", 2, "\n\n"},
		{"a line longer than what is read at a time", "a\n" + long + "\nb\n", 2, long + "\nb\n"},
		{"no lines", "a\n", 0, ""},
		{"a negative number", "a\n", -1, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			printed(t, s, int64(i), 1, 0, test.text)
			got, err := s.Tail(int64(i), 1, test.lines)
			if err != nil || string(got) != test.want {
				t.Errorf("got %d bytes %.40q, want %d bytes %.40q; %v", len(got), got, len(test.want), test.want, err)
			}
		})
	}
	printed(t, s, 99, 1, 0, strings.Repeat("y", 3<<20))
	if got, err := s.Tail(99, 1, 1); err != nil || len(got) != tailMost {
		t.Errorf("of one endless line: %d bytes, %v", len(got), err)
	}
}

func TestRunsAreListedAndRemoved(t *testing.T) {
	s := open(t)
	for _, run := range []int64{2000, 3, 1999, 1000, 1234567890} {
		printed(t, s, run, 1, 0, numbered(100))
	}
	printed(t, s, 3, 12, 8192, numbered(10000))
	stray := filepath.Join(s.dir, "000001", "notes.txt")
	if err := os.WriteFile(stray, []byte("an operator's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.dir, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	list := func() (runs []int64) {
		for r, err := range s.Runs() {
			if err != nil {
				t.Fatal(err)
			}
			if r.Bytes == 0 || r.Run == 3 && !cmp.Equal(r.Attempts, []int{1, 12}) {
				t.Errorf("%+v", r)
			}
			runs = append(runs, r.Run)
		}
		return runs
	}
	if diff := cmp.Diff([]int64{3, 1000, 1999, 2000, 1234567890}, list()); diff != "" {
		t.Error(diff)
	}
	before, err := s.Usage()
	if err != nil || before < 6*block {
		t.Errorf("usage %d, %v", before, err)
	}
	if err := s.Remove(3, 1000, 1999, 77); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]int64{2000, 1234567890}, list()); diff != "" {
		t.Error(diff)
	}
	if after, _ := s.Usage(); after >= before {
		t.Errorf("usage %d, before %d", after, before)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "000000")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the empty folder stays: %v", err)
	}
	if _, err := os.Stat(stray); err != nil {
		t.Error(err)
	}
}

func TestCreatingAndPruningAtOnce(t *testing.T) {
	s := open(t)
	var wg sync.WaitGroup
	for i := range int64(4) {
		wg.Go(func() {
			for range 100 {
				printed(t, s, i, 1, 0, "x")
				if err := s.Remove(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestFollow(t *testing.T) {
	s := open(t)
	k := s.Sink(1, 1, 0)
	done := make(chan struct{})
	r, w := io.Pipe()
	var next int64
	var err error
	var wg sync.WaitGroup
	wg.Go(func() {
		next, err = s.Follow(t.Context(), w, 1, 1, From{Lines: 10}, done)
		w.Close()
	})
	fmt.Fprintln(k, "first") // no file was there when following began
	buf := make([]byte, 6)
	if _, err := io.ReadFull(r, buf); err != nil || string(buf) != "first\n" {
		t.Fatalf("%q, %v", buf, err)
	}
	fmt.Fprintln(k, "second")
	k.Close()
	close(done)
	rest, _ := io.ReadAll(r)
	wg.Wait()
	if string(rest) != "second\n" || next != 13 || err != nil {
		t.Errorf("rest %q, next %d, %v", rest, next, err)
	}
}

func TestFollowBeginsWhereAsked(t *testing.T) {
	s := open(t)
	printed(t, s, 1, 1, 0, "a\nb\nc\n")
	done := make(chan struct{})
	close(done)
	for _, test := range []struct {
		from From
		want string
	}{
		{From{}, "a\nb\nc\n"},
		{From{Offset: 2}, "b\nc\n"},
		{From{Offset: -1}, ""},
		{From{Lines: 1}, "c\n"},
		{From{Lines: 9}, "a\nb\nc\n"},
	} {
		var got flushed
		next, err := s.Follow(t.Context(), &got, 1, 1, test.from, done)
		if got.String() != test.want || next != 6 || err != nil {
			t.Errorf("%+v: %q, next %d, %v", test.from, got.String(), next, err)
		}
		if got.times != min(1, len(test.want)) {
			t.Errorf("%+v: flushed %d times", test.from, got.times)
		}
	}
	if next, err := s.Follow(t.Context(), io.Discard, 2, 1, From{}, done); next != 0 || err != nil {
		t.Errorf("of nothing: %d, %v", next, err)
	}
}

type flushed struct {
	bytes.Buffer
	times int
}

func (f *flushed) Flush() { f.times++ }

func TestFollowEndsWithItsReaderOrContext(t *testing.T) {
	s := open(t)
	printed(t, s, 1, 1, 0, "a\n")
	r, w := io.Pipe()
	r.Close()
	if _, err := s.Follow(t.Context(), w, 1, 1, From{}, nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	ctx, cancel := contextWithin(t, 50*time.Millisecond)
	defer cancel()
	if _, err := s.Follow(ctx, io.Discard, 1, 1, From{}, nil); !errors.Is(err, ctx.Err()) || err == nil {
		t.Error(err)
	}
}

func TestFoldersAreSpreadWhereTheFileSystemCan(t *testing.T) {
	s := open(t)
	f, err := os.Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	const extents = 0x00080000 // of ext4 alone
	if err != nil || flags&extents == 0 {
		t.Skip("not on ext4")
	}
	if flags&0x00020000 == 0 {
		t.Errorf("the folder's flags are %#x", flags)
	}
	silent(t, s, 1, nil)
	printed(t, s, 2, 1, 0, "x")
	if got := read(t, s, 2, 1); got != "x" {
		t.Errorf("got %q", got)
	}
}
