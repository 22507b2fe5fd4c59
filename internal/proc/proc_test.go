package proc

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const testPath = "PATH=/usr/local/bin:/usr/bin:/bin"

// sh is a Spec that runs a shell script.
func sh(script string) Spec {
	return Spec{Argv: []string{"/bin/sh", "-c", script}, Env: []string{testPath}, Umask: 0o022}
}

func start(t *testing.T, spec Spec) *Process {
	t.Helper()
	p, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop(t.Context(), Stop{Signal: unix.SIGKILL, Tree: true})
		p.Close()
	})
	return p
}

func wait(t *testing.T, p *Process) Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	e, err := p.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// output runs a command to its end and returns what it printed.
func output(t *testing.T, spec Spec) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	spec.Output = f
	wait(t, start(t, spec))
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// lines runs a command and returns a function that waits for its next line.
func lines(t *testing.T, spec Spec) (*Process, func() string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	t.Cleanup(func() { r.Close() })
	r.SetReadDeadline(time.Now().Add(20 * time.Second))
	spec.Output = w
	p := start(t, spec)
	s := bufio.NewScanner(r)
	return p, func() string {
		t.Helper()
		if !s.Scan() {
			t.Fatalf("no more output: %v", s.Err())
		}
		return s.Text()
	}
}

func pidLine(t *testing.T, next func() string) int {
	t.Helper()
	pid, err := strconv.Atoi(next())
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func lives(pid int) bool {
	e, ok := readEntry(pid)
	return ok && !e.zombie
}

func TestWaitReportsHowItEnded(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		want   Exit
	}{
		"success":            {"exit 0", Exit{}},
		"an exit status":     {"exit 42", Exit{Code: 42}},
		"a signal":           {"kill -TERM $$", Exit{Code: -1, Signal: "TERM"}},
		"a signal by number": {"kill -40 $$", Exit{Code: -1, Signal: "40"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, sh(test.script))
			got := wait(t, p)
			got.UserTime, got.SystemTime, got.MaxRSS = 0, 0, 0
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if again := wait(t, p); again.Code != test.want.Code {
				t.Errorf("a second Wait says %+v", again)
			}
		})
	}
}

func TestWaitReportsUse(t *testing.T) {
	e := wait(t, start(t, sh("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")))
	if e.UserTime <= 0 {
		t.Errorf("user time %v after a busy loop", e.UserTime)
	}
	// In the shell itself, and above this process's own peak.
	want := ownPeak() + 20e6
	e = wait(t, start(t, sh(fmt.Sprintf("x=$(head -c %d /dev/zero | tr '\\0' x); :", want))))
	if e.MaxRSS < want {
		t.Errorf("peak memory %d after reading %d bytes into a variable", e.MaxRSS, want)
	}
	if e = wait(t, start(t, sh("exit 0"))); e.MaxRSS != 0 && e.MaxRSS < ownPeak() {
		t.Errorf("peak memory %d cannot be told from our own", e.MaxRSS)
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	p := start(t, sh("exec sleep 600"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Wait(ctx); err != context.Canceled {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestWaitIsNotHeldByAGrandchildWithTheOutput(t *testing.T) {
	p, next := lines(t, sh("sleep 600 & echo $!"))
	pid := pidLine(t, next)
	if e := wait(t, p); e.Code != 0 {
		t.Errorf("exit %+v", e)
	}
	if !lives(pid) {
		t.Fatal("the grandchild ended too, so that this shows nothing")
	}
	p.Sweep(t.Context(), Stop{After: time.Minute})
	if !lives(pid) {
		t.Error("a sweep of the process alone touched what it left behind")
	}
	got := p.Sweep(t.Context(), Stop{After: time.Minute, Tree: true})
	if lives(pid) || len(got.Killed) != 0 {
		t.Errorf("after a sweep by TERM: alive %v, %v", lives(pid), got)
	}
}

func TestCloseLeavesNoZombie(t *testing.T) {
	p := start(t, sh("exit 3"))
	wait(t, p)
	if e, ok := readEntry(p.Pid); !ok || !e.zombie {
		t.Error("the pid was free before Close")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, ok := readEntry(p.Pid); ok {
		t.Error("a zombie is left")
	}
	if got := p.Stop(t.Context(), Stop{Tree: true}); len(got.Killed) != 0 {
		t.Errorf("Stop after Close: %v", got)
	}
}

func TestCloseOfALiveProcessLeavesItRunning(t *testing.T) {
	p, next := lines(t, sh("echo $$; read x; exec sleep 600"))
	pid := pidLine(t, next)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.Wait(t.Context()); err == nil {
		t.Error("Wait after Close has a result")
	}
	unix.Kill(-pid, unix.SIGKILL)
	unix.Wait4(pid, nil, 0, nil)
}

func TestEnvironmentIsExactlyWhatWasGiven(t *testing.T) {
	t.Setenv("LEAK", "1")
	env := []string{"B=2", testPath, "A=x y\nz", "EMPTY="}
	got := output(t, Spec{Argv: []string{"env", "-0"}, Env: env})
	if diff := cmp.Diff(env, strings.Split(strings.TrimRight(got, "\x00"), "\x00")); diff != "" {
		t.Error(diff)
	}
	if got := output(t, Spec{Argv: []string{"/usr/bin/env"}}); got != "" {
		t.Errorf("an empty environment shows %q", got)
	}
}

func TestStandardInput(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16)
	for name, text := range map[string]string{"nothing": "", "a line": "hello\n", "a megabyte": big} {
		t.Run(name, func(t *testing.T) {
			for _, script := range []string{"cat", "cat /dev/stdin"} {
				if got := output(t, Spec{Argv: []string{"/bin/sh", "-c", script}, Env: []string{testPath}, Stdin: text}); got != text {
					t.Errorf("%s: read %d bytes, want %d", script, len(got), len(text))
				}
			}
		})
	}
}

func TestBothStreamsGoToTheOutputInOrder(t *testing.T) {
	if got := output(t, sh("echo a; echo b >&2; echo c")); got != "a\nb\nc\n" {
		t.Errorf("got %q", got)
	}
}

func TestSurroundings(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		script string
		edit   func(*Spec)
		want   string
	}{
		"the working folder":         {"pwd", func(s *Spec) { s.Dir = dir }, dir},
		"a umask":                    {"umask", func(s *Spec) { s.Umask = 0o027 }, "0027"},
		"a umask of nothing":         {"umask", func(s *Spec) { s.Umask = 0 }, "0000"},
		"a nice value":               {"nice", func(s *Spec) { s.Nice = 7 }, "7"},
		"a session of its own":       {"ps -o sid= -p $$ | tr -d ' '; echo $$", nil, "same"},
		"no terminal":                {"(: </dev/tty) 2>/dev/null || echo none", nil, "none"},
		"no descriptors but three":   {"ls /proc/self/fd | tr '\\n' ' '", nil, "0 1 2 3"}, // 3: ls reading
		"no ignored signals":         {"grep SigIgn /proc/self/status | cut -f2", nil, "0000000000000000"},
		"no blocked signals":         {"grep SigBlk /proc/self/status | cut -f2", nil, "0000000000000000"},
		"the command name as argv 0": {"echo $0", func(s *Spec) { s.Argv = []string{"sh", "-c", "echo $0"} }, "sh"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := sh(test.script)
			if test.edit != nil {
				test.edit(&spec)
			}
			got := strings.TrimSpace(output(t, spec))
			if test.want == "same" {
				if f := strings.Fields(got); len(f) != 2 || f[0] != f[1] {
					t.Errorf("session and pid: %q", got)
				}
				return
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if now, _ := currentUmask(); now == 0o027 || now == 0 {
		t.Errorf("our own umask became %04o", now)
	}
}

// TestHelper is not a test: TestNothingIsInherited runs it in a process of
// its own.
func TestHelper(t *testing.T) {
	if os.Getenv("PROC_HELPER") == "" {
		t.Skip("only as a child of TestNothingIsInherited")
	}
	out := output(t, sh("grep -E 'SigIgn|SigBlk' /proc/self/status | cut -f2; ls /proc/self/fd"))
	fmt.Println("HELPER", strings.Join(strings.Fields(out), " "))
}

// ignore ignores a signal, also one that the runtime leaves alone.
func ignore(t *testing.T, sig int) {
	t.Helper()
	one := sigaction{handler: 1}
	if err := sigactionSet(sig, &one); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sigactionSet(sig, &sigaction{}) })
}

func TestNothingIsInherited(t *testing.T) {
	stray, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer stray.Close()
	// A parent that ignores HUP (nohup), USR1 and, as whatever make starts does,
	// signal 32, and leaks descriptor 3.
	ignore(t, 32)
	cmd := exec.Command("/bin/sh", "-c", `trap "" HUP USR1; exec "$0" -test.run '^TestHelper$' -test.v`, os.Args[0])
	cmd.Env = append(os.Environ(), "PROC_HELPER=1")
	cmd.ExtraFiles = []*os.File{stray}
	got, err := cmd.CombinedOutput()
	want := "HELPER 0000000000000000 0000000000000000 0 1 2 3\n"
	if err != nil || !strings.Contains(string(got), want) {
		t.Errorf("%v: got %s\nwant %s", err, got, want)
	}
}

func TestManyChildrenNeedFewThreadsAndLeakNothing(t *testing.T) {
	wait(t, start(t, sh("exit 0"))) // opens what stays open, like the poller
	before := openFiles(t)
	const n = 500
	procs := make([]*Process, n)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				p, err := Start(Spec{Argv: []string{"/bin/sleep", "600"}})
				if err != nil {
					t.Error(err)
					return
				}
				procs[i] = p
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	ended := make(chan Exit, n)
	for _, p := range procs {
		wg.Go(func() {
			e, err := p.Wait(t.Context())
			if err != nil {
				t.Error(err)
			}
			ended <- e
		})
	}
	threads, err := strconv.Atoi(statusField("Threads"))
	if err != nil || threads > 25 {
		t.Errorf("%d live children hold %d threads (%v)", n, threads, err)
	}
	for _, p := range procs {
		wg.Go(func() { p.Stop(t.Context(), Stop{After: time.Minute}) })
	}
	for range n {
		if e := <-ended; e.Signal != "TERM" {
			t.Fatalf("ended by %+v", e)
		}
	}
	wg.Wait()
	for _, p := range procs {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestFailedStartsLeakNoDescriptors(t *testing.T) {
	wait(t, start(t, sh("exit 0")))
	before := openFiles(t)
	for range 50 {
		if _, err := Start(Spec{Argv: []string{"/nonexistent"}, Stdin: "x"}); err == nil {
			t.Fatal("started /nonexistent")
		}
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func TestABusyProgramIsTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prog")
	data, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(Spec{Argv: []string{path}}); err == nil || !strings.Contains(err.Error(), "open for writing") {
		t.Errorf("held open throughout: %v", err)
	}
	timer := time.AfterFunc(30*time.Millisecond, func() { w.Close() })
	defer timer.Stop()
	if e := wait(t, start(t, Spec{Argv: []string{path}})); e.Code != 0 {
		t.Errorf("exit %+v", e)
	}
}

func TestOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		u := &User{Name: "somebody", UID: uint32(os.Geteuid()) + 1, GID: uint32(os.Getegid())}
		_, err := Start(Spec{Argv: []string{"/bin/true"}, User: u})
		if err == nil || !strings.Contains(err.Error(), "run the daemon as root") {
			t.Errorf("got %v", err)
		}
		return
	}
	u := &User{Name: "nobody", UID: 65534, GID: 65534, Groups: []uint32{65534, 4}}
	spec := sh("id -u; id -g; id -G")
	spec.User, spec.Dir = u, "/"
	if diff := cmp.Diff([]string{"65534", "65534", "65534", "4"}, strings.Fields(output(t, spec))); diff != "" {
		t.Error(diff)
	}
}

func TestLookupUser(t *testing.T) {
	root, err := LookupUser("root")
	if err != nil {
		t.Fatal(err)
	}
	if root.UID != 0 || root.Home == "" || root.Shell == "" || !slices.Contains(root.Groups, 0) {
		t.Errorf("root is %+v", root)
	}
	byNumber, err := LookupUser("0")
	if diff := cmp.Diff(root, byNumber); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, name := range []string{"", "no-such-user", "-h", "root:x", "a\nb", "4294967295", "-1"} {
		if u, err := LookupUser(name); err == nil || !strings.Contains(err.Error(), "no such user") {
			t.Errorf("%q: %+v, %v", name, u, err)
		}
	}
	g, err := LookupGroup("root")
	if err != nil || *g != (Group{Name: "root"}) {
		t.Errorf("group root: %+v, %v", g, err)
	}
	if _, err := LookupGroup("no-such-group"); err == nil || !strings.Contains(err.Error(), "no such group") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkStartWaitSweep(b *testing.B) { benchmarkLife(b, nil) }

func benchmarkLife(b *testing.B, o *Orphans) {
	spec := Spec{Argv: []string{"/bin/true"}, Env: []string{"RUN=1"}, Marker: []string{"RUN=1"}, Umask: 0o022, Orphans: o}
	for b.Loop() {
		p, err := Start(spec)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Wait(b.Context()); err != nil {
			b.Fatal(err)
		}
		p.Sweep(b.Context(), Stop{Tree: true})
		p.Close()
	}
}
