package proc

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// stubborn prints its pid, then outlives every signal but KILL.
const stubborn = `trap "" TERM HUP INT; echo $$; while :; do sleep 600; done`

func marked(script string, id string) Spec {
	s := sh(script)
	s.Marker = []string{"POOLD_LEDGER=test", "POOLD_RUN_ID=" + id}
	s.Env = append(s.Env, s.Marker...)
	return s
}

func TestStopEndsAPoliteProcess(t *testing.T) {
	for _, tree := range []bool{false, true} {
		p, next := lines(t, sh(`trap "echo bye; exit 3" TERM; echo up; while :; do sleep 600 & wait; done`))
		next()
		got := p.Stop(t.Context(), Stop{After: time.Minute, Tree: tree})
		if len(got.Killed) != 0 || len(got.Left) != 0 {
			t.Errorf("tree %v: %v", tree, got)
		}
		if e := wait(t, p); e.Code != 3 {
			t.Errorf("tree %v: exit %+v", tree, e)
		}
	}
}

func TestStopSendsTheSignalAskedFor(t *testing.T) {
	p, next := lines(t, sh(`trap "exit 9" USR1; echo up; while :; do sleep 600 & wait; done`))
	next()
	p.Stop(t.Context(), Stop{Signal: unix.SIGUSR1, After: time.Minute, Tree: true})
	if e := wait(t, p); e.Code != 9 {
		t.Errorf("exit %+v", e)
	}
}

func TestStopKillsWhatIgnoresTheSignal(t *testing.T) {
	for _, tree := range []bool{false, true} {
		p, next := lines(t, sh(stubborn))
		next()
		began := time.Now()
		got := p.Stop(t.Context(), Stop{After: 200 * time.Millisecond, Tree: tree})
		if took := time.Since(began); took < 200*time.Millisecond || took > 3*time.Second {
			t.Errorf("tree %v: took %v", tree, took)
		}
		if len(got.Killed) == 0 || len(got.Left) != 0 {
			t.Errorf("tree %v: %v", tree, got)
		}
		if e := wait(t, p); e.Signal != "KILL" {
			t.Errorf("tree %v: exit %+v", tree, e)
		}
	}
}

func TestASignalLostBetweenForkAndExecIsSentAgain(t *testing.T) {
	// Each child meets the signal while it is still a shell with a handler,
	// told by the fifo that the handler ran, and only then becomes a sleep.
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	script := `trap "exit 5" TERM
		(trap "met=1" TERM; echo up; while [ -z "$met" ]; do sleep 0.01; done; trap - TERM; : > ` + fifo + `; exec sleep 600) &
		wait`
	p, next := lines(t, sh(script))
	next()
	stopped := make(chan Stopped)
	go func() { stopped <- p.Stop(t.Context(), Stop{After: time.Minute, Tree: true}) }()
	if _, err := os.ReadFile(fifo); err != nil {
		t.Fatal(err)
	}
	if got := <-stopped; len(got.Killed) != 0 || len(got.Left) != 0 {
		t.Error(got)
	}
}

func TestStopWakesAStoppedProcess(t *testing.T) {
	for _, tree := range []bool{false, true} {
		p, next := lines(t, sh(`trap "exit 4" TERM; echo up; kill -STOP $$; while :; do sleep 600 & wait; done`))
		next()
		p.Stop(t.Context(), Stop{After: time.Minute, Tree: tree})
		if e := wait(t, p); e.Code != 4 && e.Signal != "TERM" {
			t.Errorf("tree %v: exit %+v", tree, e)
		}
	}
}

func TestStopOfADoneContextKillsAtOnce(t *testing.T) {
	p, next := lines(t, sh(stubborn))
	next()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Stop(ctx, Stop{After: time.Hour, Tree: true})
	if e := wait(t, p); e.Signal != "KILL" {
		t.Errorf("exit %+v", e)
	}
}

func stubbornFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "stubborn")
	if err := os.WriteFile(file, []byte(stubborn), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestStopReachesEveryDescendant(t *testing.T) {
	file := stubbornFile(t)
	for name, script := range map[string]string{
		"a child in the background": `sh -c '` + stubborn + `' & wait`,
		"a child under setsid":      `setsid sh -c '` + stubborn + `' & wait`,
		"a double fork under setsid and nohup, the parents gone": `
			(setsid nohup sh -c '` + stubborn + `' 2>/dev/null &) & wait; sleep 600`,
		"a job of a shell with job control": `
			exec bash -c "set -m; env -i PATH=/bin:/usr/bin sh ` + file + ` & wait"`,
		"one that cleared its environment and has a session of its own": `
			setsid env -i PATH=/bin:/usr/bin sh -c '` + stubborn + `' & wait`,
		"a grandchild of one that cleared its environment": `
			setsid env -i PATH=/bin:/usr/bin sh -c "sh ` + file + ` & wait" & wait`,
	} {
		t.Run(name, func(t *testing.T) {
			p, next := lines(t, marked(script, t.Name()))
			pid := pidLine(t, next)
			got := p.Stop(t.Context(), Stop{After: 100 * time.Millisecond, Tree: true})
			if lives(pid) || lives(p.Pid) {
				t.Errorf("lives on: main %v, descendant %v", lives(p.Pid), lives(pid))
			}
			if len(got.Killed) == 0 || len(got.Left) != 0 {
				t.Error(got)
			}
		})
	}
}

func TestSweepReachesWhatTheMainProcessLeft(t *testing.T) {
	file := stubbornFile(t)
	for name, script := range map[string]string{
		"in its group":                      `sh -c '` + stubborn + `' &`,
		"forked twice, under setsid, nohup": `(setsid nohup sh -c '` + stubborn + `' 2>/dev/null &)`,
		"without environment, in its session": `
			exec bash -c "set -m; env -i PATH=/bin:/usr/bin sh ` + file + ` &"`,
	} {
		t.Run(name, func(t *testing.T) {
			p, next := lines(t, marked(script, t.Name()))
			pid := pidLine(t, next)
			wait(t, p)
			began := time.Now()
			got := p.Sweep(t.Context(), Stop{After: 50 * time.Millisecond, Tree: true})
			if lives(pid) || len(got.Killed) == 0 || len(got.Left) != 0 {
				t.Errorf("alive %v, %v", lives(pid), got)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestStopLeavesOthersAlone(t *testing.T) {
	other, next := lines(t, marked(stubborn, "2"))
	next()
	p, next := lines(t, marked(stubborn, "1"))
	next()
	p.Stop(t.Context(), Stop{Tree: true})
	wait(t, p)
	if !lives(other.Pid) {
		t.Error("another run's process was killed")
	}
}

func TestAStrangerWithoutEnvironmentHoldsNothingUp(t *testing.T) {
	p, next := lines(t, marked(stubborn, "1"))
	next()
	stranger := start(t, Spec{Argv: []string{"/bin/sleep", "600"}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := p.Stop(ctx, Stop{Tree: true}); len(got.Left) != 0 {
		t.Error(got)
	}
	if !lives(stranger.Pid) {
		t.Error("the stranger was killed")
	}
}

func TestATrapMayTidyUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tidied")
	p, next := lines(t, sh(`trap "setsid sh -c 'sleep 0.2; echo done > `+file+`'; exit" TERM; echo up; while :; do sleep 600 & wait; done`))
	next()
	p.Stop(t.Context(), Stop{After: time.Minute, Tree: true})
	if data, err := os.ReadFile(file); err != nil || string(data) != "done\n" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestStopWinsAgainstProcessesThatKeepForking(t *testing.T) {
	// Each ignores TERM, starts its successor in a session of its own and
	// ends: no process found in the table lives long.
	dir := t.TempDir()
	script := filepath.Join(dir, "hydra")
	body := "#!/bin/sh\ntrap '' TERM\necho up\nsetsid " + script + " &\nsetsid sleep 600 &\nexit\n"
	if err := os.WriteFile(script, []byte(body), 0o755); err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprint(t.Name(), os.Getpid())
	p, next := lines(t, marked("exec "+script, id))
	t.Cleanup(func() { // also when the test fails
		found, _ := FindMarked([]string{"POOLD_RUN_ID=" + id})
		StopFound(context.Background(), found, Stop{Signal: unix.SIGKILL, Tree: true})
	})
	for range 5 {
		next()
	}
	got := p.Stop(t.Context(), Stop{After: 50 * time.Millisecond, Tree: true})
	found, err := FindMarked([]string{"POOLD_RUN_ID=" + id})
	if err != nil || len(found) != 0 || len(got.Left) != 0 {
		t.Errorf("%d found after %v, %v", len(found), got, err)
	}
}

func TestAReusedPidIsNotHit(t *testing.T) {
	p, next := lines(t, sh(stubborn))
	next()
	e, ok := readEntry(p.Pid)
	if !ok {
		t.Fatal("not in the table")
	}
	earlier := e
	earlier.start--
	earlier.signal(unix.SIGKILL)
	if !earlier.waitGone(t.Context(), time.Now()) {
		t.Error("an earlier owner of the pid counts as alive")
	}
	if e.waitGone(t.Context(), time.Now()) || !lives(p.Pid) {
		t.Error("a signal for an earlier owner of the pid reached this one")
	}
	if e.pollGone(t.Context(), time.Now()) || !earlier.pollGone(t.Context(), time.Now()) {
		t.Error("polling disagrees")
	}
}

func TestFoundProcessesAreStoppedWithTheirTrees(t *testing.T) {
	mark := []string{"POOLD_LEDGER=" + t.Name()}
	spec := sh(`setsid sh -c '` + stubborn + `' & sh -c '` + stubborn + `' & wait`)
	spec.Env = append(spec.Env, mark[0], "POOLD_RUN_ID=7")
	p, next := lines(t, spec)
	pids := []int{p.Pid, pidLine(t, next), pidLine(t, next)}

	found, err := FindMarked(mark, "POOLD_RUN_ID", "POOLD_ATTEMPT")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 3 || found[0].PID != p.Pid {
		t.Fatalf("found %+v, want %v and their children, oldest first", found, pids)
	}
	if diff := cmp.Diff(map[string]string{"POOLD_RUN_ID": "7"}, found[0].Env); diff != "" {
		t.Error(diff)
	}
	got := StopFound(t.Context(), found[:1], Stop{After: 50 * time.Millisecond, Tree: true})
	if len(got.Left) != 0 || len(got.Killed) < 2 {
		t.Error(got)
	}
	for _, pid := range pids {
		if lives(pid) {
			t.Errorf("%d lives", pid)
		}
	}
}

func TestFoundProcessesMayBeStoppedAlone(t *testing.T) {
	mark := []string{"POOLD_LEDGER=" + t.Name()}
	spec := sh(`sh -c '` + stubborn + `' & wait`)
	spec.Env = append(spec.Env, mark...)
	p, next := lines(t, spec)
	child := pidLine(t, next)
	found, err := FindMarked(mark)
	if err != nil || len(found) == 0 || found[0].PID != p.Pid {
		t.Fatalf("found %+v, %v", found, err)
	}
	StopFound(t.Context(), found[:1], Stop{After: time.Minute})
	if lives(p.Pid) || !lives(child) {
		t.Errorf("main lives %v, child lives %v", lives(p.Pid), lives(child))
	}
}

func TestAnEmptyMarkerFindsNothing(t *testing.T) {
	if found, err := FindMarked(nil); err == nil || len(found) != 0 {
		t.Errorf("found %d, %v", len(found), err)
	}
	if got := StopFound(t.Context(), nil, Stop{}); len(got.Killed) != 0 {
		t.Error(got)
	}
	if carries([]string{"A=1"}, nil) || (&tree{}).marked([]string{"A=1"}) {
		t.Error("an empty marker matches")
	}
}

func TestTheTableIsReadWhateverACommandIsCalled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a) Z (b c")
	if err := os.Symlink("/bin/sleep", path); err != nil {
		t.Fatal(err)
	}
	p := start(t, Spec{Argv: []string{path, "600"}})
	e, ok := readEntry(p.Pid)
	want := entry{pid: p.Pid, ppid: os.Getpid(), group: p.Pid, session: p.Pid, start: e.start, image: e.image, command: "a) Z (b c"}
	if diff := cmp.Diff(want, e, cmp.AllowUnexported(entry{})); !ok || diff != "" {
		t.Error(diff)
	}
}

func TestAProcessThatLeavesTheGroupAsItIsSignalledIsReached(t *testing.T) {
	p, next := lines(t, marked(`setsid sh -c 'echo $$; exec sleep 600' & wait`, "leaves"))
	child, ok := readEntry(pidLine(t, next))
	if !ok || child.group == p.Pid {
		t.Fatalf("the child is %+v", child)
	}
	child.group = p.Pid // as it was when the table was read
	p.tree.clone().send([]entry{child}, unix.SIGTERM)
	if !child.waitGone(t.Context(), time.Now().Add(5*time.Second)) {
		t.Error("it never got the signal")
	}
}
