package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a story waits for anything.
const patience = 20 * time.Second

// storyDaemon is the daemon of one script, if it has started one.
type storyDaemon struct {
	cmd   *exec.Cmd
	ended chan error
}

type daemonKey struct{}

// setUpStory gives a script a daemon of its own: its configuration is
// $WORK/config.yaml, its state $WORK/state, its log $WORK/daemon.log. The socket
// has a short path, as there is little room for one.
func setUpStory(env *testscript.Env) error {
	dir, err := os.MkdirTemp("", "poold")
	if err != nil {
		return err
	}
	d := &storyDaemon{}
	env.Values[daemonKey{}] = d
	env.Setenv("POOLD_SOCKET", filepath.Join(dir, "p.sock"))
	env.Setenv("S", dir) // a folder with a short path
	env.Setenv("TZ", "UTC")
	log := filepath.Join(env.WorkDir, "daemon.log")
	env.Defer(func() {
		d.end()
		if text, err := os.ReadFile(log); err == nil && env.T().(testing.TB).Failed() {
			env.T().Log("the end of the daemon's log:\n" + tail(string(text), 60))
		}
		_ = os.RemoveAll(dir)
	})
	return nil
}

func storyCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"daemon":      daemonCommand,
		"exits":       exitsCommand,
		"http-server": httpServerCommand,
		"json":        jsonCommand,
		"refused":     refusedCommand,
		"until":       untilCommand,
		"waitlog":     waitlogCommand,
	}
}

// daemonCommand is
//
//	daemon start [ARG…]   starts `poold serve` and waits until it answers
//	daemon stop           lets it end, as systemd does
//	daemon kill           ends it as a power cut does
//	daemon hup            sends SIGHUP
func daemonCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: daemon start [ARG…] | stop | kill | hup")
	}
	d := ts.Value(daemonKey{}).(*storyDaemon)
	if args[0] == "start" {
		d.start(ts, args[1:])
		return
	}
	if d.cmd == nil {
		ts.Fatalf("daemon %s: there is none", args[0])
	}
	switch args[0] {
	case "stop":
		ts.Check(d.cmd.Process.Signal(syscall.SIGTERM))
		select {
		case err := <-d.ended:
			d.cmd = nil
			ts.Check(err)
		case <-time.After(patience):
			ts.Fatalf("the daemon has not stopped after %v", patience)
		}
	case "kill":
		ts.Check(d.cmd.Process.Kill())
		<-d.ended
		d.cmd = nil
	case "hup":
		ts.Check(d.cmd.Process.Signal(syscall.SIGHUP))
	default:
		ts.Fatalf("daemon %s: unknown", args[0])
	}
}

func (d *storyDaemon) start(ts *testscript.TestScript, args []string) {
	if d.cmd != nil {
		ts.Fatalf("the daemon is running already")
	}
	work := ts.Getenv("WORK")
	log, err := os.OpenFile(filepath.Join(work, "daemon.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	defer log.Close()
	args = append([]string{"serve", "--config", filepath.Join(work, "config.yaml"), "--state-dir", filepath.Join(work, "state")}, args...)
	d.cmd = storyCmd(ts, "poold", args...)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	ts.Check(d.cmd.Start())
	d.ended = make(chan error, 1)
	go func(cmd *exec.Cmd) { d.ended <- cmd.Wait() }(d.cmd)
	attempt(ts, "the daemon does not answer", func() error {
		select {
		case err := <-d.ended:
			d.cmd = nil
			ts.Fatalf("the daemon ended: %v", err)
		default:
		}
		return storyCmd(ts, "poold", "status").Run()
	})
}

// end ends the daemon and what it runs: the second signal lets it wait for
// nothing.
func (d *storyDaemon) end() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	last := time.After(patience)
	for {
		select {
		case <-d.ended:
			return
		case <-again.C:
			_ = d.cmd.Process.Signal(syscall.SIGTERM)
		case <-last:
			_ = d.cmd.Process.Kill()
		}
	}
}

// exitsCommand is
//
//	exits STATUS COMMAND ARG…   runs a command that must exit with the status
func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got, ended := 0, (*exec.ExitError)(nil)
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		got = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// untilCommand is
//
//	until [!] [-m REGEXP] [-j PATH VALUE] COMMAND ARG…
//
// It runs a command again and again until it succeeds (with !: fails), and
// until its output matches, and is a JSON document with that value.
func untilCommand(ts *testscript.TestScript, neg bool, args []string) {
	var match *regexp.Regexp
	var path, value string
	for len(args) > 0 {
		switch {
		case args[0] == "!":
			neg, args = !neg, args[1:]
			continue
		case args[0] == "-m" && len(args) > 1:
			match, args = regexp.MustCompile("(?m)"+args[1]), args[2:]
			continue
		case args[0] == "-j" && len(args) > 2:
			path, value, args = args[1], args[2], args[3:]
			continue
		}
		break
	}
	if len(args) == 0 {
		ts.Fatalf("usage: until [!] [-m REGEXP] [-j PATH VALUE] COMMAND ARG…")
	}
	attempt(ts, "until "+strings.Join(args, " "), func() error {
		var stdout, stderr bytes.Buffer
		cmd := storyCmd(ts, args[0], args[1:]...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		said := stdout.String() + stderr.String()
		switch {
		case (err != nil) != neg:
			return fmt.Errorf("%v\n%s", err, said)
		case match != nil && !match.MatchString(stdout.String()):
			return fmt.Errorf("nothing matches %v in\n%s", match, said)
		case path != "":
			if err := checkJSON(stdout.Bytes(), path, value); err != nil {
				return fmt.Errorf("%w\n%s", err, said)
			}
		}
		_, _ = ts.Stdout().Write(stdout.Bytes())
		_, _ = ts.Stderr().Write(stderr.Bytes())
		return nil
	})
}

// waitlogCommand is
//
//	waitlog REGEXP   waits until the daemon's log matches
func waitlogCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitlog REGEXP")
	}
	match := regexp.MustCompile("(?m)" + args[0])
	attempt(ts, "waitlog "+args[0], func() error {
		text, err := os.ReadFile(filepath.Join(ts.Getenv("WORK"), "daemon.log"))
		if err == nil && !match.Match(text) {
			err = errors.New("nothing matches in the daemon's log")
		}
		return err
	})
}

// httpServerCommand is
//
//	http-server   starts a web server and puts its address into $HTTP
//
// Of /status/N the answer has that status, of anything else 200; it names the
// method and the path.
func httpServerCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: http-server")
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code, ok := strings.CutPrefix(r.URL.Path, "/status/"); ok {
			if n, err := strconv.Atoi(code); err == nil && n >= 200 && n < 600 {
				w.WriteHeader(n)
			}
		}
		fmt.Fprintf(w, "%s %s\n", r.Method, r.URL.Path)
	}))
	ts.Defer(s.Close)
	ts.Setenv("HTTP", s.URL)
}

// attempt tries until it works.
func attempt(ts *testscript.TestScript, what string, try func() error) {
	last := time.Now().Add(patience)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(last) {
			ts.Fatalf("%s: after %v: %v", what, patience, err)
		}
		time.Sleep(pause)
	}
}

// storyCmd is a command with the environment of the script.
func storyCmd(ts *testscript.TestScript, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = ts.MkAbs(".")
	for _, key := range []string{
		"HOME", "NO_COLOR", "PATH", "S", "STATE_DIRECTORY", "TMPDIR", "TZ", "WORK", "XDG_RUNTIME_DIR", "XDG_STATE_HOME",
		"POOLD_CONFIG", "POOLD_LISTEN", "POOLD_LOG_FORMAT", "POOLD_LOG_LEVEL", "POOLD_SOCKET", "POOLD_STATE_DIR", "JOURNAL_STREAM",
	} {
		if value := ts.Getenv(key); value != "" {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	return cmd
}
