package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets a test start this binary as a program that starts a server and
// dies without a word.
func TestMain(m *testing.M) {
	if os.Getenv("START_AND_DIE") == "" {
		os.Exit(m.Run())
	}
	r := &Rig{Work: os.Getenv("START_AND_DIE")}
	s, err := r.NewServer("sleeper", nobody())
	if err == nil {
		err = s.Start(context.Background(), s.Command(context.Background(), "sleep", "60"), answersAtOnce)
	}
	fmt.Println(s.cmd.Process.Pid, s.dir, err)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func answersAtOnce(context.Context) error { return nil }

// nobody is a user that every Linux has.
func nobody() string {
	u, err := user.LookupId("65534")
	if err != nil {
		return "nobody"
	}
	return u.Username
}

func newServer(t *testing.T) *Server {
	t.Helper()
	s, err := (&Rig{Work: t.TempDir()}).NewServer("server", nobody())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Remove() })
	return s
}

func TestServerRunsUntilItIsStopped(t *testing.T) {
	s := newServer(t)
	asked := 0
	err := s.Start(t.Context(), s.Command(t.Context(), "sleep", "60"), func(context.Context) error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || asked != 3 {
		t.Fatalf("got %v after %d questions", err, asked)
	}
	pid := s.cmd.Process.Pid
	if err := s.Stop(); err != nil || alive(pid) {
		t.Errorf("got %v, alive %v", err, alive(pid))
	}
	if err := s.Stop(); err != nil {
		t.Errorf("stopped again: %v", err)
	}
}

func TestServerIsNotRoot(t *testing.T) {
	s := newServer(t)
	out, err := s.Command(t.Context(), "sh", "-c", "id -u; : >here && ls").CombinedOutput()
	if want := fmt.Sprintf("%d\nhere\n", uidOf(s)); err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

func uidOf(s *Server) int {
	if s.as == nil {
		return os.Geteuid()
	}
	return int(s.as.Uid)
}

func TestServerThatEndsAtOnceSaysWhy(t *testing.T) {
	s := newServer(t)
	err := s.Start(t.Context(), s.Command(t.Context(), "sh", "-c", "echo no such port; exit 3"), func(context.Context) error {
		return errors.New("no answer")
	})
	if err == nil || !strings.Contains(err.Error(), "it has ended") || !strings.Contains(err.Error(), "no such port") {
		t.Errorf("got %v", err)
	}
}

func TestServerThatNobodyWaitsForIsStopped(t *testing.T) {
	s := newServer(t)
	ctx, stop := context.WithCancel(t.Context())
	pid := 0
	err := s.Start(ctx, s.Command(context.Background(), "sleep", "60"), func(context.Context) error {
		pid = s.cmd.Process.Pid
		stop()
		return errors.New("no answer")
	})
	if !errors.Is(err, context.Canceled) || alive(pid) {
		t.Errorf("got %v, alive %v", err, alive(pid))
	}
}

func TestServerEndsWithTheProcessThatStartedIt(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "START_AND_DIE="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	_ = cmd.Wait()
	var pid int
	var dir, failed string
	if _, err := fmt.Sscan(line, &pid, &dir, &failed); err != nil || failed != "<nil>" {
		t.Fatalf("got %q, %v", line, err)
	}
	defer os.RemoveAll(dir) // it had no time to remove it
	for end := time.Now().Add(10 * time.Second); alive(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server outlived the process that had started it")
		}
	}
}

// alive tells a process from one that has ended, though nobody took note.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}
