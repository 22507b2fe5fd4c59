package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/proc"
	"github.com/poold/poold/internal/schedule"
)

func code(n int) *int { return &n }

func TestOutcomeIsHowTheMainProcessEnded(t *testing.T) {
	tests := []struct {
		name string
		s    Settings
		want jobs.Outcome
	}{
		{"status 0 is a success", Settings{Command: []string{"true"}}, jobs.Outcome{OK: true, ExitCode: code(0)}},
		{"another status is a failure", Settings{Shell: "exit 3"}, jobs.Outcome{Reason: "exit", ExitCode: code(3), Error: "exit status 3"}},
		{"a status above 128 is a status", Settings{Shell: "exit 137"}, jobs.Outcome{Reason: "exit", ExitCode: code(137), Error: "exit status 137"}},
		{"a signal is a signal", Settings{Shell: "kill -KILL $$"}, jobs.Outcome{Reason: "signal", Signal: "KILL", Error: "killed by signal KILL"}},
		{
			"a missing program is not started",
			Settings{Command: []string{"/no/such"}},
			jobs.Outcome{Reason: "start", Error: "/no/such does not exist; check the path"},
		},
		{
			"a missing folder is not started",
			Settings{Command: []string{"true"}, Dir: "/no/such"},
			jobs.Outcome{Reason: "start", Error: "dir /no/such does not exist; create it, or change dir"},
		},
		{
			"a secret that cannot be read is not started",
			Settings{Command: []string{"true"}, Env: map[string]string{"A": "${file:/no/such}"}},
			jobs.Outcome{Reason: "start", Error: "env.A: ${file:/no/such}: no such file or directory"},
		},
		{
			"settings that cannot be read are not started",
			Settings{},
			jobs.Outcome{Reason: "start", Error: "settings: there is nothing to run"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			task, _ := newTask(t, tt.s)
			if diff := cmp.Diff(tt.want, run(t, task)); diff != "" {
				t.Errorf("want -, got +\n%s", diff)
			}
		})
	}
}

func TestOutcomeOfOneThatWasToldToStop(t *testing.T) {
	tests := []struct {
		name string
		exit proc.Exit
		want jobs.Outcome
	}{
		{"status 0 is no success then", proc.Exit{}, jobs.Outcome{Reason: "exit", ExitCode: code(0), Error: "exit status 0 after it was told to stop", Stopped: true}},
		{"a core dump is told", proc.Exit{Code: -1, Signal: "ABRT", CoreDumped: true}, jobs.Outcome{Reason: "signal", Signal: "ABRT", Error: "killed by signal ABRT (core dumped)", Stopped: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, outcome(tt.exit, true)); diff != "" {
				t.Errorf("want -, got +\n%s", diff)
			}
		})
	}
}

func TestTheChildFindsExactlyItsEnvironment(t *testing.T) {
	t.Setenv("POOLD_LEAK", "from the daemon")
	task, out := newTask(t, Settings{Command: []string{"env"}, Env: map[string]string{"B": "two words", "NL": "a\nb"}})
	task.Arg = "$(reboot) ${file:/etc/shadow}"
	if got := run(t, task); !got.OK {
		t.Fatalf("%+v", got)
	}
	spec, err := New(Options{}).resolve.Resolve(task)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Join(spec.Env, "\n")+"\n", out.text()); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func TestAnArgumentIsNeverACommand(t *testing.T) {
	const arg = "$(touch pwned); `id` {run_id} ' \" \\ *"
	got := shell(t, `printf '%s\n' "$POOLD_ARG"`, func(_ *Settings, task *jobs.Task) { task.Arg = arg })
	if got != arg+"\n" {
		t.Errorf("got %q, want the argument as it is", got)
	}
}

func TestStreamsFolderInputAndMask(t *testing.T) {
	dir := openFolder(t)
	got := shell(t, `echo out; echo err >&2; pwd; cat; umask`, func(s *Settings, _ *jobs.Task) {
		s.Dir, s.Stdin, s.Umask = dir, "in $x\n", "0077"
	})
	if want := "out\nerr\n" + dir + "\nin $x\n0077\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := shell(t, "cat; umask; nice", func(s *Settings, _ *jobs.Task) { s.Nice = 7 }); got != "0022\n7\n" {
		t.Errorf("got %q, want no input, the default umask and nice 7", got)
	}
}

func TestAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	nobody, err := proc.LookupUser("nobody")
	if err != nil {
		t.Skip(err)
	}
	as := func(s *Settings, _ *jobs.Task) { s.User, s.Group = "nobody", "daemon" }
	got := shell(t, `id -un; id -gn; echo $HOME $USER; pwd`, as)
	if want := fmt.Sprintf("nobody\ndaemon\n%s nobody\n%s\n", nobody.Home, folder("", nobody.Home)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// A shell opens /dev/stdout anew, and the first time empties it.
	got = shell(t, `echo gone; echo direct > /dev/stdout; echo more >> /dev/stderr`, as)
	if want := "direct\nmore\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTimeoutStopsTheWholeTreeByTheLadder(t *testing.T) {
	ready := newPipe(t)
	task, out := newTask(t, Settings{Shell: `
		trap 'echo told; sleep 60' TERM
		setsid sh -c 'trap "" TERM HUP; echo up > ` + ready.path + `; exec sleep 60' > ` + ready.path + ` 2>&1 &
		exec 3> ` + ready.path + `
		while :; do sleep 60 & wait $!; done`})
	task.Stop.After = schedule.Duration(300 * time.Millisecond)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan jobs.Outcome, 1)
	go func() { done <- New(Options{}).Run(ctx, task) }()
	if got := ready.line(t); got != "up" {
		t.Fatalf("got %q", got)
	}
	began := time.Now()
	cancel(jobs.ErrTimeout)
	got := <-done
	if took := time.Since(began); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("the ladder took %v", took)
	}
	want := jobs.Outcome{Reason: "signal", Signal: "KILL", Error: "killed by signal KILL", Stopped: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	ready.closed(t)
	if got := out.text(); !strings.Contains(got, "told\n") {
		t.Errorf("output %q: the signal did not come before KILL", got)
	}
}

func TestTheSignalOfTheLadderIsTheJobs(t *testing.T) {
	ready := newPipe(t)
	task, _ := newTask(t, Settings{Shell: `trap 'exit 0' USR1; echo up > ` + ready.path + `; while :; do sleep 60 & wait $!; done`})
	task.Stop.Signal = "USR1"
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan jobs.Outcome, 1)
	go func() { done <- New(Options{}).Run(ctx, task) }()
	ready.line(t)
	cancel(jobs.ErrCanceled)
	got := <-done
	if got.OK || got.ExitCode == nil || *got.ExitCode != 0 {
		t.Errorf("got %+v, want status 0 that is no success", got)
	}
}

func TestModeTreeClearsAwayWhatIsLeft(t *testing.T) {
	left, dir := newPipe(t), openFolder(t)
	task, out := newTask(t, Settings{Dir: dir, Shell: `
		mkfifo up
		(setsid nohup sh -c 'trap "" TERM HUP; echo up > up; exec sleep 60' > ` + left.path + ` 2>&1 &)
		read x < up; echo $x; exit 5`})
	task.Stop.After = schedule.Duration(200 * time.Millisecond)
	got := run(t, task)
	if got.ExitCode == nil || *got.ExitCode != 5 || got.Reason != "exit" {
		t.Errorf("got %+v, want the main process's own status", got)
	}
	left.closed(t)
	if got := out.text(); got != "up\n" {
		t.Errorf("output %q: nothing was left behind", got)
	}
}

func TestModeProcessLeavesWhatIsLeft(t *testing.T) {
	left := newPipe(t)
	task, _ := newTask(t, Settings{Shell: `
		exec 3> ` + left.path + `
		(setsid sh -c 'echo $$ >&3; exec sleep 60' &)
		exit 0`})
	task.Stop.Mode = jobs.StopProcess
	if got := run(t, task); !got.OK {
		t.Fatalf("%+v", got)
	}
	var pid int
	if _, err := fmt.Sscan(left.line(t), &pid); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		left.closed(t)
	})
	if !left.open(t) {
		t.Error("what the job left behind is gone")
	}
}

func TestAContextThatIsOverStartsNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "started")
	task, out := newTask(t, Settings{Command: []string{"touch", file}})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(jobs.ErrShutdown)
	got := New(Options{}).Run(ctx, task)
	if got.OK || got.Reason != "start" || !strings.Contains(got.Error, jobs.ErrShutdown.Error()) {
		t.Errorf("got %+v", got)
	}
	for _, path := range []string{file, out.path} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v, want no such file", path, err)
		}
	}
}

func TestOutputThatCannotBeMadeIsAStartFailure(t *testing.T) {
	task, out := newTask(t, Settings{Command: []string{"true"}})
	out.path = "/no/such/folder/output"
	if got := run(t, task); got.Reason != "start" || !strings.HasPrefix(got.Error, "create the output file: ") {
		t.Errorf("got %+v", got)
	}
}

func TestAsk(t *testing.T) {
	task, out := newTask(t, Settings{Shell: "echo the job itself", Env: map[string]string{"A": "b"}, Dir: "/usr"})
	task.Arg = "x"
	got := New(Options{}).Ask(t.Context(), task, []string{"sh", "-c", `echo $A $1; pwd; exit 4`, "sh", "{arg}"})
	want := jobs.Outcome{Reason: "exit", ExitCode: code(4), Error: "exit status 4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	if got := out.text(); got != "b x\n/usr\n" {
		t.Errorf("output %q", got)
	}
	task.With = nil
	if got := New(Options{}).Ask(t.Context(), task, []string{"true"}); !got.OK {
		t.Errorf("without settings: %+v", got)
	}
	if got := New(Options{}).Ask(t.Context(), task, nil); got.Reason != "start" {
		t.Errorf("without a command: %+v", got)
	}
}

func TestLadder(t *testing.T) {
	tests := []struct {
		name string
		in   jobs.Stop
		want proc.Stop
	}{
		{"nothing said is TERM, 30 seconds, tree", jobs.Stop{}, proc.Stop{Signal: syscall.SIGTERM, After: 30 * time.Second, Tree: true}},
		{"what is said holds", jobs.Stop{Signal: "INT", After: schedule.Duration(time.Second), Mode: jobs.StopProcess}, proc.Stop{Signal: syscall.SIGINT, After: time.Second}},
		{"no wait is no wait", jobs.Stop{Signal: "TERM", Mode: jobs.StopTree}, proc.Stop{Signal: syscall.SIGTERM, Tree: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ladder(tt.in); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestNamesAreBounded(t *testing.T) {
	got := names(slices.Repeat([]proc.Found{{PID: 1, Command: "x"}}, 1000))
	if len(got) != mostNames+1 || got[mostNames] != "and 990 more" {
		t.Errorf("got %q", got)
	}
}

func BenchmarkRun(b *testing.B) {
	// The whole of an attempt: settings, start, end, sweep.
	out, err := os.OpenFile(filepath.Join(b.TempDir(), "out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	typ := New(Options{})
	task := jobs.Task{Ledger: "bench", Job: "bench", Run: 1, Attempt: 1, With: []byte(`{"command":["/bin/true"]}`), Output: &sink{file: out}}
	for _, mode := range []jobs.StopMode{jobs.StopTree, jobs.StopProcess} {
		b.Run(string(mode), func(b *testing.B) {
			task.Stop = jobs.Stop{Signal: "TERM", After: schedule.Duration(time.Second), Mode: mode}
			for b.Loop() {
				if got := typ.Run(context.Background(), task); !got.OK {
					b.Fatalf("%+v", got)
				}
			}
		})
	}
}
