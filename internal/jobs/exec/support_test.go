package exec

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
)

// sink is an attempt's output in a folder of the test.
type sink struct {
	t    *testing.T
	path string
	file *os.File
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{t: t, path: filepath.Join(openFolder(t), "output")}
	t.Cleanup(func() {
		if s.file != nil {
			s.file.Close()
		}
	})
	return s
}

func (s *sink) File() (*os.File, error) {
	if s.file != nil {
		return s.file, nil
	}
	var err error
	s.file, err = os.OpenFile(s.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	return s.file, err
}

func (s *sink) Write(p []byte) (int, error) {
	f, err := s.File()
	if err != nil {
		return 0, err
	}
	return f.Write(p)
}

func (s *sink) Chown(uid, gid int) error {
	f, err := s.File()
	if err != nil {
		return err
	}
	return f.Chown(uid, gid)
}

func (s *sink) text() string {
	s.t.Helper()
	raw, err := os.ReadFile(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(raw)
}

// openFolder is a folder that other users may reach, unlike those that
// t.TempDir gives.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "exec")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newTask is a task of a ledger of its own, so that no other test finds its
// processes.
func newTask(t *testing.T, s Settings) (jobs.Task, *sink) {
	t.Helper()
	with, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	out := newSink(t)
	return jobs.Task{
		Ledger: rand.Text(), Job: "test", Run: 7, Attempt: 2, With: with, Output: out,
		Stop: jobs.Stop{Signal: "TERM", After: schedule.Duration(10 * time.Second), Mode: jobs.StopTree},
	}, out
}

// run executes a task to its end.
func run(t *testing.T, task jobs.Task) jobs.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return New(Options{}).Run(ctx, task)
}

// shell runs a script and gives what it printed.
func shell(t *testing.T, script string, change func(*Settings, *jobs.Task)) string {
	t.Helper()
	s := Settings{Shell: script}
	task, out := newTask(t, Settings{})
	if change != nil {
		change(&s, &task)
	}
	with, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	task.With = with
	got := run(t, task)
	if !got.OK {
		t.Fatalf("outcome %+v, output %q", got, out.text())
	}
	return out.text()
}

// pipe is a named pipe by which a test waits for a process: reading ends
// when the last process that has it open for writing is gone.
type pipe struct {
	path string
	file *os.File
}

func newPipe(t *testing.T) *pipe {
	t.Helper()
	path := filepath.Join(openFolder(t), "pipe")
	if err := unix.Mkfifo(path, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &pipe{path: path, file: f}
}

// line waits for a line.
func (p *pipe) line(t *testing.T) string {
	t.Helper()
	p.deadline(t)
	var got []byte
	for b := make([]byte, 1); ; {
		n, err := p.file.Read(b)
		if n == 1 && b[0] == '\n' {
			return string(got)
		}
		if n == 1 {
			got = append(got, b[0])
			continue
		}
		// The end of a pipe that nobody has opened yet looks like its end.
		if err != nil && (err != io.EOF || len(got) > 0) {
			t.Fatalf("read pipe: %v after %q", err, got)
		}
		p.poll(t, 10_000)
	}
}

// closed waits until no process has the pipe open.
func (p *pipe) closed(t *testing.T) {
	t.Helper()
	p.deadline(t)
	var rest bytes.Buffer
	if _, err := rest.ReadFrom(p.file); err != nil {
		t.Fatalf("wait for the end of the processes: %v", err)
	}
}

// open says whether a process has the pipe open for writing.
func (p *pipe) open(t *testing.T) bool {
	t.Helper()
	return p.poll(t, 0)&unix.POLLHUP == 0
}

// poll waits until there is something to read, or the last writer is gone.
func (p *pipe) poll(t *testing.T, millis int) (events int16) {
	t.Helper()
	conn, err := p.file.SyscallConn() // Fd would make the file blocking
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, millis); err != nil && err != unix.EINTR {
			t.Error(err)
		}
		events = fds[0].Revents
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func (p *pipe) deadline(t *testing.T) {
	t.Helper()
	if err := p.file.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
}
