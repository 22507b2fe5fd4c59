package proc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// adopt makes the test adopt orphans until its end.
func adopt(t testing.TB) *Orphans {
	t.Helper()
	o, err := AdoptOrphans()
	if err != nil {
		t.Skipf("this kernel cannot: %v", err)
	}
	t.Cleanup(func() {
		o.reapAll()
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); err != nil {
			t.Error(err)
		}
	})
	return o
}

// end waits until a process is a zombie or gone.
func end(t *testing.T, pid int) {
	t.Helper()
	e, ok := readEntry(pid)
	if ok && !e.waitGone(t.Context(), time.Now().Add(20*time.Second)) {
		t.Fatalf("process %d still runs", pid)
	}
}

func isThere(pid int) bool {
	_, ok := readEntry(pid)
	return ok
}

func TestNothingIsLeftOfATreeThatEndedWhole(t *testing.T) {
	o := adopt(t)
	for name, script := range map[string]string{
		"no children":                        `:`,
		"children that were waited for":      `sleep 0.01 & sleep 0.01 & wait`,
		"a session of its own that it ended": `setsid -w sh -c 'sleep 0.01'`,
	} {
		t.Run(name, func(t *testing.T) {
			spec := marked(script, "whole")
			spec.Orphans = o
			p := start(t, spec)
			if e := wait(t, p); e.Code != 0 {
				t.Fatalf("exit %+v", e)
			}
			if !p.leftNothing() {
				t.Error("it is not known that nothing is left")
			}
		})
	}
}

func TestAnOrphanThatHasEndedIsReapedInPassing(t *testing.T) {
	o := adopt(t)
	spec := marked(`setsid sh -c 'echo $$' &`, "ended")
	spec.Orphans = o
	p, next := lines(t, spec)
	pid := pidLine(t, next)
	wait(t, p)
	end(t, pid)
	if !p.leftNothing() || isThere(pid) {
		t.Error("an ended orphan counts as left, or is still there")
	}
}

func TestWhatIsLeftIsSweptByWhoeverAdoptsOrphans(t *testing.T) {
	o := adopt(t)
	file := filepath.Join(t.TempDir(), "stubborn")
	if err := os.WriteFile(file, []byte(stubborn), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"in its group":                         `sh -c '` + stubborn + `' & sleep 0.1`,
		"forked twice, under setsid and nohup": `(setsid nohup sh -c '` + stubborn + `' 2>/dev/null &)`,
		"the child of one that has ended":      `setsid sh -c 'sh ` + file + ` & exit' & wait`,
		"polite":                               `setsid sh -c 'echo $$; exec sleep 600' & :`,
	} {
		t.Run(name, func(t *testing.T) {
			spec := marked(script, "swept")
			spec.Orphans = o
			p, next := lines(t, spec)
			pid := pidLine(t, next)
			wait(t, p)
			if p.leftNothing() {
				t.Error("it is not seen that something is left")
			}
			p.Sweep(t.Context(), Stop{After: 100 * time.Millisecond, Tree: true})
			if lives(pid) {
				t.Error("what was left lives on")
			}
			if o.reapAll(); isThere(pid) {
				t.Error("what was left was not reaped")
			}
		})
	}
}

func TestAnOrphanThatIsOlderIsNobodysAnyMore(t *testing.T) {
	o := adopt(t)
	spec := marked(`setsid sh -c 'echo $$; exec sleep 600' &`, "older")
	spec.Orphans = o
	p, next := lines(t, spec)
	pid := pidLine(t, next)
	wait(t, p)
	if err := p.Close(); err != nil { // as with stop.mode process
		t.Fatal(err)
	}
	old, _ := readEntry(pid)
	defer old.signal(unix.SIGKILL)

	spec = marked(":", "younger")
	spec.Orphans = o
	younger := start(t, spec)
	for wait(t, younger); younger.tree.since <= old.start; wait(t, younger) { // start times are coarse
		younger = start(t, spec)
	}
	if !younger.leftNothing() {
		t.Error("an older orphan is taken for one of this process")
	}
	if !lives(pid) {
		t.Error("the older orphan was ended")
	}
}

func TestOrphansThatEndAreReapedInTheBackground(t *testing.T) {
	o := adopt(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	spec := sh(`setsid sh -c 'echo $$; read line < ` + fifo + `' &`)
	spec.Orphans = o
	p, next := lines(t, spec)
	pid := pidLine(t, next)
	wait(t, p)
	p.Close()
	if err := os.WriteFile(fifo, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	end(t, pid)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(20 * time.Second); isThere(pid); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it is still a zombie")
		}
	}
}

func TestOthersChildrenAreNotReaped(t *testing.T) {
	o := adopt(t)
	cmd := exec.Command("/bin/sh", "-c", "exit 7")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end(t, cmd.Process.Pid)
	o.reapAll()
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("got %v", err)
	}
}

func TestAChildIsNotReapedBeforeItIsKnown(t *testing.T) {
	o := adopt(t)
	spec := sh("exit 5")
	spec.Orphans = o
	p := start(t, spec)
	wait(t, p)
	listed(t, p.Pid)
	// As it stands between the child's end and the return of its start.
	delete(o.known, p.Pid)
	o.starting++
	if !o.reapAll() || !isThere(p.Pid) {
		t.Error("a child that may be on its way was reaped")
	}
	o.starting--
	if o.reapAll() || isThere(p.Pid) {
		t.Error("an orphan was not reaped")
	}
}

// listed waits until a child is our first thread's: until the thread that
// started it is gone.
func listed(t *testing.T, pid int) {
	t.Helper()
	for late := time.Now().Add(20 * time.Second); time.Now().Before(late); runtime.Gosched() {
		pids, err := ownChildren()
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(pids, pid) {
			return
		}
	}
	t.Fatalf("the child %d is never listed", pid)
}

func TestAttemptsSideBySideLeaveEachOtherAlone(t *testing.T) {
	o := adopt(t)
	long := marked("exec sleep 600", "long")
	long.Orphans = o
	bystander := start(t, long)
	var attempts sync.WaitGroup
	for worker := range 8 {
		attempts.Go(func() {
			for i := range 10 {
				script := `exit 3`
				if i%3 == 0 {
					script = `(setsid nohup sleep 600 2>/dev/null &); exit 3`
				}
				spec := marked(script, fmt.Sprint(worker, "-", i))
				spec.Orphans = o
				p, err := Start(spec)
				if err != nil {
					t.Error(err)
					return
				}
				if e, err := p.Wait(t.Context()); err != nil || e.Code != 3 {
					t.Errorf("exit %+v, %v", e, err)
				}
				if s := p.Sweep(t.Context(), Stop{After: time.Minute, Tree: true}); s.Err != nil || len(s.Left) > 0 {
					t.Errorf("sweep: %+v", s)
				}
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	attempts.Wait()
	if !lives(bystander.Pid) {
		t.Error("an attempt that had nothing to do with it was ended")
	}
	o.reapAll()
	pids, err := ownChildren()
	if err != nil || len(pids) != 1 || pids[0] != bystander.Pid {
		t.Errorf("children are %v, %v; want the bystander %d alone", pids, err, bystander.Pid)
	}
	if len(o.known) != 1 {
		t.Errorf("known are %v", o.known)
	}
}

func TestOrphansOfPid1(t *testing.T) {
	if os.Getpid() == 1 {
		t.Skip("this is it")
	}
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", os.Args[0], "-test.v", "-test.run", "Orphan|Left|Whole|SideBySide")
	out, err := cmd.CombinedOutput()
	if err != nil && strings.Contains(string(out), "unshare: ") {
		t.Skipf("no namespaces here: %s", out)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestAttemptsSideBySide") {
		t.Errorf("%v\n%s", err, out)
	}
}

func BenchmarkStartWaitSweepWithOrphans(b *testing.B) {
	benchmarkLife(b, adopt(b))
}
