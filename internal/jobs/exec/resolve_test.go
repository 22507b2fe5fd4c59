package exec

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/secret"
	"github.com/poold/poold/internal/proc"
)

// resolved resolves settings for a task with an argument and an occurrence.
func resolved(t *testing.T, s Settings, change func(*jobs.Task)) (proc.Spec, error) {
	t.Helper()
	task, _ := newTask(t, s)
	task.Ledger = "L1"
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	task.ScheduledAt = time.Date(2026, 1, 2, 3, 4, 5, 0, berlin)
	if change != nil {
		change(&task)
	}
	return testResolver(t).Resolve(task)
}

func testResolver(t *testing.T) *Resolver {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "db"), []byte("pass {arg} ${env:A}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return NewResolver(secret.Source{Credentials: dir, Getenv: func(name string) (string, bool) {
		return "token", name == "TOKEN"
	}})
}

func mustResolve(t *testing.T, s Settings, change func(*jobs.Task)) proc.Spec {
	t.Helper()
	spec, err := resolved(t, s, change)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestEnvironmentIsExactlyTheTable(t *testing.T) {
	t.Setenv("POOLD_LEAK", "from the daemon")
	self, err := proc.LookupUser(strconv.Itoa(os.Geteuid()))
	if err != nil {
		t.Skip("the test's own user has no account:", err)
	}
	spec := mustResolve(t, Settings{Command: []string{"env"}}, func(t *jobs.Task) { t.Arg = "a b" })
	want := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + self.Home, "USER=" + self.Name, "LOGNAME=" + self.Name, "SHELL=" + self.Shell,
		"LANG=C.UTF-8",
		"POOLD_LEDGER=L1", "POOLD_JOB=test", "POOLD_RUN_ID=7", "POOLD_ATTEMPT=2",
		"POOLD_SCHEDULED_AT=2026-01-02T03:04:05+01:00", "POOLD_ARG=a b",
	}
	if diff := cmp.Diff(want, spec.Env); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	if want := []string{"POOLD_LEDGER=L1", "POOLD_RUN_ID=7", "POOLD_ATTEMPT=2"}; !slices.Equal(spec.Marker, want) {
		t.Errorf("marker %q, want %q", spec.Marker, want)
	}
	if spec.Umask != 0o022 || spec.Stdin != "" || spec.User != nil || spec.Nice != 0 {
		t.Errorf("defaults are wrong: %+v", spec)
	}
}

func TestLaterVariablesReplaceEarlierOnes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("PATH=/file\nTZ=UTC\nLANG=C\nPOOLD_ARG=forged\nB=file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Settings{Command: []string{"env"}, EnvFile: file, Env: map[string]string{"LANG": "de_DE.UTF-8", "B": "env", "A": ""}}
	spec := mustResolve(t, s, func(t *jobs.Task) { t.TimeZone, t.Arg, t.ScheduledAt = "Asia/Tokyo", "real", time.Time{} })
	for _, want := range []string{"PATH=/file", "TZ=UTC", "LANG=de_DE.UTF-8", "B=env", "A=", "POOLD_ARG=real", "POOLD_SCHEDULED_AT="} {
		if !slices.Contains(spec.Env, want) {
			t.Errorf("no %q in %q", want, spec.Env)
		}
	}
	seen := map[string]bool{}
	for _, e := range spec.Env {
		key, _, _ := strings.Cut(e, "=")
		if seen[key] {
			t.Errorf("%s twice in %q", key, spec.Env)
		}
		seen[key] = true
	}
}

func TestTheJobsZoneIsInTheEnvironment(t *testing.T) {
	spec := mustResolve(t, Settings{Command: []string{"env"}}, func(t *jobs.Task) { t.TimeZone = "Asia/Tokyo" })
	if !slices.Contains(spec.Env, "TZ=Asia/Tokyo") {
		t.Errorf("no TZ in %q", spec.Env)
	}
}

func TestPlaceholdersAreReplacedOnceAndOnlyWhereTheyMayBe(t *testing.T) {
	s := Settings{
		Command: []string{"a", "<{arg}>", "{run_id}{scheduled_at}", "$HOME"},
		Env:     map[string]string{"X": "{arg}|{run_id}", "S": "${cred:db}|{arg}", "E": "$${cred:db}"},
		Stdin:   "in {arg} ${env:TOKEN}\n",
	}
	for _, arg := range []string{"plain", "{run_id}", "$(reboot)", "${file:/etc/shadow}", "${cred:db}", "$${", "'; rm -rf / #", "a\nB=c", ""} {
		spec := mustResolve(t, s, func(t *jobs.Task) { t.Arg = arg })
		wantArgv := []string{"a", "<" + arg + ">", "72026-01-02T03:04:05+01:00", "$HOME"}
		if diff := cmp.Diff(wantArgv, spec.Argv); diff != "" {
			t.Errorf("argument %q: want -, got +\n%s", arg, diff)
		}
		for _, want := range []string{"X=" + arg + "|7", "S=pass {arg} ${env:A}|" + arg, "E=${cred:db}", "POOLD_ARG=" + arg} {
			if !slices.Contains(spec.Env, want) {
				t.Errorf("argument %q: no %q in %q", arg, want, spec.Env)
			}
		}
		if want := "in " + arg + " token\n"; spec.Stdin != want {
			t.Errorf("argument %q: stdin %q, want %q", arg, spec.Stdin, want)
		}
	}
}

func TestShellIsOneWordForItsInterpreter(t *testing.T) {
	spec := mustResolve(t, Settings{Shell: "echo 'a b'"}, nil)
	if want := []string{"/bin/sh", "-c", "echo 'a b'"}; !slices.Equal(spec.Argv, want) {
		t.Errorf("got %q, want %q", spec.Argv, want)
	}
	spec = mustResolve(t, Settings{Shell: "x", Interpreter: []string{"/bin/bash", "-euc"}}, nil)
	if want := []string{"/bin/bash", "-euc", "x"}; !slices.Equal(spec.Argv, want) {
		t.Errorf("got %q, want %q", spec.Argv, want)
	}
}

func TestFolderIsHomeOrRoot(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, dir, home, want string }{
		{"dir comes first, there or not", "/no/such", home, "/no/such"},
		{"home comes next", "", home, home},
		{"a home that is not there is passed over", "", "/nonexistent", "/"},
		{"a home that is a file is passed over", "", file, "/"},
		{"no home is the root", "", "", "/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := folder(tt.dir, tt.home); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatCannotBeResolvedIsExplained(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(bad, []byte("A=1\nhunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		s    Settings
		want string
	}{
		{"a missing credential", Settings{Env: map[string]string{"PW": "x${cred:none}"}}, "env.PW: ${cred:none}: no such credential"},
		{"a missing variable", Settings{Stdin: "${env:NONE}"}, "stdin: ${env:NONE}: not set"},
		{"a value that cannot be passed", Settings{Env: map[string]string{"A": "${file:/proc/self/environ}"}}, "env.A: "},
		{"a missing file of variables", Settings{EnvFile: "/no/such"}, "env_file /no/such: no such file"},
		{"a bad line in it", Settings{EnvFile: bad}, "env_file " + bad + ":2: no = in the line"},
		{"an unknown user", Settings{User: "no-such-user"}, `user: look up user "no-such-user": no such user`},
		{"an unknown group", Settings{Group: "no-such-group"}, `group: look up group "no-such-group": no such group`},
		{"settings that were never checked", Settings{Dir: "here"}, `settings: "here" is not an absolute path`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.s.Command = []string{"true"}
			_, err := resolved(t, tt.s, nil)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v\nwant %q", err, tt.want)
			}
		})
	}
}

func TestWhomToRunAs(t *testing.T) {
	root := &proc.User{Name: "root", UID: 0, GID: 0, Home: "/root"}
	poold := &proc.User{Name: "poold", UID: 991, GID: 991}
	backup := &proc.User{Name: "backup", UID: 34, GID: 34}
	grouped := &proc.User{Name: "poold", UID: 991, GID: 4}
	tests := []struct {
		name       string
		user, self *proc.User
		want       string
	}{
		{"root becomes anybody", backup, root, "backup"},
		{"root may be named", root, root, "root"},
		{"one's own name changes nothing", poold, poold, "nobody else"},
		{"another user needs root", backup, poold, "running as user backup needs root, and the daemon runs as poold"},
		{"root needs root", root, poold, "running as user root needs root"},
		{"another group needs root", grouped, poold, "running with group 4 needs root"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			as, who, err := testResolver(t).mayBecome(tt.user, tt.self)
			got := "nobody else"
			switch {
			case err != nil:
				got = err.Error()
			case as != nil:
				got = as.Name
			}
			if !strings.HasPrefix(got, tt.want) || err == nil && who != tt.user {
				t.Errorf("got %q as %v, want %q", got, who, tt.want)
			}
		})
	}
}

func TestAskKeepsTheSurroundings(t *testing.T) {
	task, _ := newTask(t, Settings{Command: []string{"job"}, Dir: "/srv", Env: map[string]string{"A": "${env:TOKEN}"}, Stdin: "text", Umask: "077"})
	task.Arg = "x y"
	spec, err := testResolver(t).ResolveAsk(task, []string{"{arg}", "{arg}"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"{arg}", "x y"}; !slices.Equal(spec.Argv, want) {
		t.Errorf("argv %q, want %q", spec.Argv, want)
	}
	if spec.Dir != "/srv" || spec.Umask != 0o077 || spec.Stdin != "" || !slices.Contains(spec.Env, "A=token") {
		t.Errorf("surroundings are not the job's: %+v", spec)
	}
	task.With = nil
	if spec, err = testResolver(t).ResolveAsk(task, []string{"true"}); err != nil || spec.Umask != 0o022 {
		t.Errorf("without settings: %+v, %v", spec, err)
	}
}

func TestACommandOfNoRunHasNoMarker(t *testing.T) {
	spec := mustResolve(t, Settings{Command: []string{"a"}}, func(t *jobs.Task) { t.Run = 0 })
	if spec.Marker != nil {
		t.Errorf("marker %q would match other commands of no run", spec.Marker)
	}
}

func BenchmarkResolve(b *testing.B) {
	with, err := json.Marshal(Settings{Command: []string{"/bin/echo", "{arg}"}, Env: map[string]string{"A": "x", "B": "{arg}"}})
	if err != nil {
		b.Fatal(err)
	}
	r := NewResolver(secret.System())
	task := jobs.Task{Ledger: "L1", Job: "bench", Run: 1, Attempt: 1, Arg: "x", With: with}
	for b.Loop() {
		if _, err := r.Resolve(task); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSettingsThatWereCheckedStayApart(t *testing.T) {
	r := testResolver(t)
	for range 2 {
		for i := range 2 * mostChecked {
			task, _ := newTask(t, Settings{Command: []string{"job", "{arg}", fmt.Sprint(i)}})
			task.Arg = fmt.Sprint("arg", i)
			spec, err := r.Resolve(task)
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{"job", task.Arg, fmt.Sprint(i)}; !slices.Equal(spec.Argv, want) {
				t.Fatalf("got %v, want %v", spec.Argv, want)
			}
		}
	}
	if len(r.checked) > mostChecked {
		t.Errorf("%d are kept", len(r.checked))
	}
	wrong, _ := newTask(t, Settings{})
	for range 2 {
		if _, err := r.Resolve(wrong); err == nil {
			t.Error("settings without a command were taken")
		}
	}
}
