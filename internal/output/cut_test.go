package output

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func contextWithin(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

var noteText = regexp.MustCompile(`\n\[… (\d+) bytes dropped …\]\n`)

// checkCapped checks that got is text with its middle replaced by one note
// that counts right.
func checkCapped(t *testing.T, got, text string, most int) {
	t.Helper()
	at := noteText.FindStringSubmatchIndex(got)
	if at == nil {
		t.Fatalf("no note in %d bytes", len(got))
	}
	head, tail := got[:at[0]], got[at[1]:]
	dropped, err := strconv.Atoi(got[at[2]:at[3]])
	if err != nil || len(head)+dropped+len(tail) != len(text) {
		t.Errorf("%d + %d dropped + %d bytes of %d", len(head), dropped, len(tail), len(text))
	}
	if !strings.HasPrefix(text, head) || !strings.HasSuffix(text, tail) {
		t.Error("what is left is not the first and the last of what was printed")
	}
	if len(head) < most/2 || len(tail) < most/2 {
		t.Errorf("kept %d and %d bytes, want at least %d each", len(head), len(tail), most/2)
	}
	if strings.ContainsRune(got, 0) {
		t.Error("zeros are shown")
	}
}

func TestPlanDropsWholeBlocksOfTheMiddle(t *testing.T) {
	for name, test := range map[string]struct {
		have       cut
		size, most int64
		want       cut
	}{
		"nothing below the cap":          {cut{}, 100000, 100000, cut{}},
		"nothing for less than a block":  {cut{}, 102000, 100000, cut{}},
		"the middle":                     {cut{}, 200000, 100000, cut{53248, 147456}},
		"more of the middle":             {cut{53248, 147456}, 300000, 100000, cut{53248, 249856}},
		"nothing new":                    {cut{53248, 147456}, 200001, 100000, cut{53248, 147456}},
		"a cap smaller than a block":     {cut{}, 100000, 1, cut{0, 98304}},
		"more than a cap can be counted": {cut{}, 1 << 62, 1 << 20, cut{1 << 19, 1<<62 - 1<<19}},
	} {
		t.Run(name, func(t *testing.T) {
			got, grown := plan(test.have, test.size, test.most)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(cut{})); diff != "" || grown != (got != test.have) {
				t.Error(grown, diff)
			}
		})
	}
}

func TestAWriterIsCapped(t *testing.T) {
	s := open(t)
	text := numbered(100000)
	k := s.Sink(1, 1, 100000)
	for line := range strings.Lines(text) {
		if _, err := io.WriteString(k, line); err != nil {
			t.Fatal(err)
		}
	}
	if disk := onDisk(t, s.Path(1, 1)); disk > 130000 {
		t.Errorf("%d bytes on disk before Close", disk)
	}
	n, err := k.Close()
	if n != int64(len(text)) || err != nil {
		t.Errorf("Close says %d, %v", n, err)
	}
	checkCapped(t, read(t, s, 1, 1), text, 100000)
	if disk := onDisk(t, s.Path(1, 1)); disk > 110000 {
		t.Errorf("%d bytes on disk", disk)
	}
	tail, err := s.Tail(1, 1, 3)
	if want := text[len(text)-48:]; string(tail) != want || err != nil {
		t.Errorf("tail %q, %v", tail, err)
	}
}

func TestAChildThatPrintsMuchStaysSmallOnDisk(t *testing.T) {
	s := open(t)
	k := s.Sink(1, 1, 1<<20)
	command(t, k, "echo begin; head -c 67108864 /dev/zero | tr '\\0' x; echo; echo end")
	n, err := k.Close()
	if want := int64(64<<20 + 11); n != want || err != nil {
		t.Errorf("Close says %d, want %d, %v", n, want, err)
	}
	if disk := onDisk(t, s.Path(1, 1)); disk > 1<<20+2*block {
		t.Errorf("%d bytes on disk", disk)
	}
	r, err := s.Reader(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Size != n || r.Dropped < n-1<<20-2*block || r.Dropped > n-1<<20 {
		t.Errorf("size %d, dropped %d", r.Size, r.Dropped)
	}
	got := read(t, s, 1, 1)
	checkCapped(t, got, "begin\n"+strings.Repeat("x", 64<<20)+"\nend\n", 1<<20)
	tail, err := s.Tail(1, 1, 1)
	if err != nil || string(tail) != "end\n" {
		t.Errorf("tail %q, %v", tail, err)
	}
	// The line before is longer than the part that is left of it.
	tail, err = s.Tail(1, 1, 3)
	if err != nil || !strings.HasSuffix(string(tail), "x\nend\n") || len(tail) > tailMost+100 {
		t.Errorf("tail of %d bytes, %v", len(tail), err)
	}
}

func TestTheCapIsKeptWhileAChildRuns(t *testing.T) {
	s := open(t)
	k := s.Sink(1, 1, 1<<20)
	// The child prints, then waits for us to say that the file has shrunk.
	f, err := k.File()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(numbered(1 << 20)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := contextWithin(t, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for onDisk(t, s.Path(1, 1)) > 1<<20+4*block {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("still %d bytes on disk", onDisk(t, s.Path(1, 1)))
		}
	}
	// Somebody else, as after a restart, sees the same.
	other, err := Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	checkCapped(t, read(t, other, 1, 1), numbered(1<<20), 1<<20)
	k.Close()
}

func TestAJobsOwnZerosAndHolesAreItsOutput(t *testing.T) {
	s := open(t)
	k := s.Sink(1, 1, 0)
	command(t, k, "echo a; head -c 20000 /dev/zero; echo b; truncate -s 100000 /proc/self/fd/1; echo c")
	k.Close()
	want := "a\n" + strings.Repeat("\x00", 20000) + "b\n" + strings.Repeat("\x00", 100000-20004) + "c\n"
	if got := read(t, s, 1, 1); got != want {
		t.Errorf("read %d bytes, want %d", len(got), len(want))
	}
	k = s.Sink(2, 1, 1<<20)
	command(t, k, "truncate -s 100000 /proc/self/fd/1; echo c")
	k.Close()
	if got := read(t, s, 2, 1); got != strings.Repeat("\x00", 100000)+"c\n" {
		t.Errorf("read %d bytes below the cap", len(got))
	}
}

func TestAJobThatTruncatesItsOutputBeginsAnew(t *testing.T) {
	s := open(t)
	k := s.Sink(1, 1, 20000)
	io.WriteString(k, numbered(10000))
	command(t, k, "truncate -s 0 /proc/self/fd/1; echo anew")
	n, err := k.Close()
	if n != 5 || err != nil {
		t.Errorf("Close says %d, %v", n, err)
	}
	if got := read(t, s, 1, 1); got != "anew\n" {
		t.Errorf("read %.60q", got)
	}
	if _, err := os.Stat(s.Path(1, 1) + cutSuffix); !os.IsNotExist(err) {
		t.Errorf("the note stays: %v", err)
	}
}

func TestTruncatedToNothingLeavesNoFile(t *testing.T) {
	s := open(t)
	k := s.Sink(1, 1, 20000)
	io.WriteString(k, numbered(10000))
	command(t, k, "truncate -s 0 /proc/self/fd/1")
	k.Close()
	if use, err := s.Usage(); use != 0 || err != nil {
		t.Errorf("usage %d, %v", use, err)
	}
}

func TestAFileDeletedUnderneathIsNoError(t *testing.T) {
	s := open(t)
	k := s.Sink(1, 1, 20000)
	io.WriteString(k, "x")
	if err := s.Remove(1); err != nil {
		t.Fatal(err)
	}
	command(t, k, "head -c 1000000 /dev/zero")
	if n, err := k.Close(); n != 1000001 || err != nil {
		t.Errorf("Close says %d, %v", n, err)
	}
	if use, err := s.Usage(); use != 0 || err != nil {
		t.Errorf("usage %d, %v", use, err)
	}
}

func TestFollowAcrossACut(t *testing.T) {
	s := open(t)
	text := numbered(50000)
	printed(t, s, 1, 1, 65536, text)
	done := make(chan struct{})
	close(done)
	var got strings.Builder
	if _, err := s.Follow(t.Context(), &got, 1, 1, From{}, done); err != nil {
		t.Fatal(err)
	}
	checkCapped(t, got.String(), text, 65536)

	got.Reset()
	if _, err := s.Follow(t.Context(), &got, 1, 1, From{Offset: 100000}, done); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.String(), "\n[… ") {
		t.Errorf("from within the hole: %.40q", got.String())
	}
}

func TestFollowBeginsAgainAfterATruncation(t *testing.T) {
	s := open(t)
	k := s.Sink(1, 1, 0)
	io.WriteString(k, "a long line\n")
	r, w := io.Pipe()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := s.Follow(t.Context(), w, 1, 1, From{}, done)
		w.CloseWithError(err)
	})
	if _, err := io.ReadFull(r, make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
	command(t, k, "echo anew > /proc/self/fd/1")
	buf := make([]byte, 5)
	if _, err := io.ReadFull(r, buf); err != nil || string(buf) != "anew\n" {
		t.Errorf("%q, %v", buf, err)
	}
	close(done)
	if rest, err := io.ReadAll(r); len(rest) != 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	wg.Wait()
	k.Close()
}

func TestAReaderNeverSeesZerosWhileTheMiddleIsPunched(t *testing.T) {
	s := open(t)
	k := s.Sink(1, 1, 65536)
	done := make(chan struct{})
	go func() {
		defer close(done)
		line := strings.Repeat("x", 99) + "\n"
		for range 40000 {
			io.WriteString(k, line)
		}
	}()
	for reads := 0; ; reads++ {
		r, err := s.Reader(1, 1)
		if err == nil {
			data, err := io.ReadAll(r)
			r.Close()
			if err != nil {
				t.Fatal(err)
			}
			if i := strings.IndexByte(string(data), 0); i >= 0 {
				t.Fatalf("read %d shows a zero at %d of %d", reads, i, len(data))
			}
		}
		select {
		case <-done:
			k.Close()
			return
		default:
		}
	}
}

func TestACapThatCannotBeKeptIsSaidOnce(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root mounts a file system without holes")
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "ramfs", 0, ""); err != nil {
		t.Skipf("mount ramfs: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var said []string
	s.Warn = func(message string, err error) { said = append(said, fmt.Sprint(message, err)) }
	text := numbered(10000)
	for run := range int64(3) {
		printed(t, s, run, 1, 20000, text)
		if got := read(t, s, run, 1); got != text {
			t.Errorf("read %d bytes, wrote %d", len(got), len(text))
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "not capped") {
		t.Errorf("said %q", said)
	}
}
