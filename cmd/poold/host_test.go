package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/poold/poold/internal/api"
)

// host is a daemon of its own, as a process, with its configuration and its
// state in a folder that goes with the test.
type host struct {
	t      *testing.T
	dir    string
	client *api.Client
	daemon *exec.Cmd
	log    *os.File
}

// newHost makes the folder and writes the configuration. It starts nothing.
func newHost(t *testing.T, config string) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "poold") // short: a socket's path has little room
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, dir: dir, client: api.New(filepath.Join(dir, "p.sock"))}
	h.write("config.yaml", config)
	if h.log, err = os.Create(h.path("daemon.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.kill()
		h.client.Close()
		if text, err := os.ReadFile(h.log.Name()); err == nil && t.Failed() {
			t.Logf("the end of the daemon's log:\n%s", tail(string(text), 40))
		}
		_ = h.log.Close()
		_ = os.RemoveAll(dir)
	})
	return h
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// start starts the daemon and returns when it answers.
func (h *host) start() {
	h.t.Helper()
	h.launch()
	h.await(10*time.Second, "the daemon answers", func() bool {
		_, err := h.client.Status(h.t.Context())
		return err == nil
	})
}

// launch starts the daemon and does not wait for it.
func (h *host) launch() {
	h.t.Helper()
	h.daemon = h.command("serve", "--config", h.path("config.yaml"), "--state-dir", h.path("state"), "--socket", h.path("p.sock"))
	h.daemon.Stdout, h.daemon.Stderr = h.log, h.log
	if err := h.daemon.Start(); err != nil {
		h.t.Fatal(err)
	}
}

// kill ends the daemon as a power cut does.
func (h *host) kill() {
	if h.daemon == nil {
		return
	}
	_ = h.daemon.Process.Kill()
	_ = h.daemon.Wait()
	h.daemon = nil
}

// stop ends the daemon as systemd does.
func (h *host) stop() {
	h.t.Helper()
	if err := h.daemon.Process.Signal(syscall.SIGTERM); err != nil {
		h.t.Fatal(err)
	}
	if err := h.daemon.Wait(); err != nil {
		h.t.Errorf("the daemon stopped with %v", err)
	}
	h.daemon = nil
}

// command is a command line of poold, for this daemon.
func (h *host) command(args ...string) *exec.Cmd {
	cmd := exec.Command("poold", args...)
	cmd.Dir = h.dir
	cmd.Env = append(os.Environ(), "POOLD_SOCKET="+h.path("p.sock"))
	return cmd
}

// poold runs a command that must succeed, and returns what it printed.
func (h *host) poold(stdin string, args ...string) (stdout, stderr string) {
	h.t.Helper()
	cmd := h.command(args...)
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &complaints
	if err := cmd.Run(); err != nil {
		h.t.Fatalf("poold %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), complaints.String())
	}
	return out.String(), complaints.String()
}

// runs lists all runs of a job, newest first.
func (h *host) runs(job string) []api.Run {
	h.t.Helper()
	var list []api.Run
	err := h.client.EachRun(h.t.Context(), api.RunsQuery{Job: job}, 0, func(r api.Run) error {
		list = append(list, r)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// awaitBatch waits for the end of a batch.
func (h *host) awaitBatch(id string, limit time.Duration) api.Batch {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), limit)
	defer cancel()
	for {
		b, err := h.client.Batch(ctx, id, 5*time.Second)
		if err != nil {
			h.t.Fatalf("wait for batch %s: %v; it stands at %+v", id, err, b)
		}
		if b.Done() {
			return b
		}
	}
}

// await asks again and again until the condition holds.
func (h *host) await(limit time.Duration, what string, condition func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), limit)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			h.t.Fatalf("after %v it does not hold that %s", limit, what)
		case <-again.C:
		}
	}
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
