package main

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/poold/poold/internal/api"
)

// supervisor takes what a daemon tells systemd.
type supervisor struct {
	t    *testing.T
	conn *net.UnixConn
}

func newSupervisor(t *testing.T, path string) *supervisor {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &supervisor{t, conn}
}

// hear waits until the daemon has said the line.
func (s *supervisor) hear(line string) {
	s.t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			s.t.Fatalf("the daemon did not say %s: %v", line, err)
		}
		for said := range strings.SplitSeq(string(buf[:n]), "\n") {
			if said == line {
				return
			}
		}
	}
}

// With a drain_timeout above WatchdogSec, systemd would kill a daemon that is
// silent while it waits for its last runs.
func TestSystemdHearsFromADaemonThatDrains(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	h.write("config.yaml", strings.ReplaceAll(`jobs: {last: {with: {shell: "until test -e go; do sleep 0.02; done", dir: DIR}}}`, "DIR", h.dir))
	systemd := newSupervisor(t, h.path("notify"))
	h.daemon = h.command("serve", "--config", h.path("config.yaml"), "--state-dir", h.path("state"), "--socket", h.path("p.sock"))
	h.daemon.Env = append(h.daemon.Env, "NOTIFY_SOCKET="+h.path("notify"), "WATCHDOG_USEC=300000")
	h.daemon.Stdout, h.daemon.Stderr = h.log, h.log
	if err := h.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	systemd.hear("READY=1")
	systemd.hear("WATCHDOG=1")
	h.poold("", "run", "last")
	h.await(10*time.Second, "the run is running", func() bool {
		runs, err := h.client.Runs(t.Context(), api.RunsQuery{State: api.StateRunning})
		return err == nil && len(runs) == 1
	})
	if err := h.daemon.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	systemd.hear("STOPPING=1")
	for range 5 {
		systemd.hear("WATCHDOG=1")
	}
	if err := os.WriteFile(h.path("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.daemon.Wait(); err != nil {
		t.Errorf("the daemon stopped with %v", err)
	}
	h.daemon = nil
}
