package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// daemon is a poold that runs.
type daemon struct {
	b     *bench
	cmd   *exec.Cmd
	sock  string
	ready time.Duration // from exec until it said READY, as to systemd
}

// readyWithin is how long a daemon may take to start.
const readyWithin = time.Minute

// start starts a daemon and waits until it is ready.
func (b *bench) start(config, state string) (*daemon, error) {
	d := &daemon{b: b, sock: filepath.Join(b.sockets, "poold.sock")}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(b.sockets, "notify"), Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("listen for READY: %w", err)
	}
	defer os.Remove(filepath.Join(b.sockets, "notify"))
	defer notify.Close()
	log, err := os.Create(filepath.Join(b.work, "poold.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd = exec.Command(filepath.Join(b.work, "poold"), "serve", "--config", config, "--state-dir", state, "--socket", d.sock) //nolint:noctx // stopped by stop
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(b.sockets, "notify"), "POOLD_SOCKET="+d.sock)
	began := time.Now()
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start poold: %w", err)
	}
	if err := awaitReady(notify, began.Add(readyWithin)); err != nil {
		said, _ := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("wait until poold is ready: %w; its log is:\n%s", err, said), d.stop())
	}
	d.ready = time.Since(began)
	return d, nil
}

func awaitReady(notify *net.UnixConn, deadline time.Time) error {
	if err := notify.SetReadDeadline(deadline); err != nil {
		return err
	}
	message := make([]byte, 4096)
	for {
		n, err := notify.Read(message)
		if err != nil {
			return err
		}
		if bytes.Contains(message[:n], []byte("READY=1")) {
			return nil
		}
	}
}

// stop ends the daemon and waits for it.
func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stop poold: %w", err)
	}
	if err := d.cmd.Wait(); err != nil {
		return fmt.Errorf("stop poold: %w", err)
	}
	return nil
}

// poold runs a client command and returns what it prints.
func (d *daemon) poold(args ...string) ([]byte, error) {
	cmd := exec.CommandContext(d.b.ctx, filepath.Join(d.b.work, "poold"), append(args, "--socket", d.sock)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("poold %s: %w: %s", strings.Join(args, " "), err, errs.Bytes())
	}
	return out.Bytes(), nil
}

// memory reads a figure of the daemon's memory, in MB: VmRSS is now, VmHWM the
// most there was.
func (d *daemon) memory(field string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the daemon's memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kb * 1024 / 1e6, err
		}
	}
	return 0, fmt.Errorf("read the daemon's memory: no %s", field)
}

// file writes a file in the work folder and returns its path.
func (b *bench) file(name, body string) (string, error) {
	path := filepath.Join(b.work, name)
	return path, os.WriteFile(path, []byte(body), 0o600)
}

func numbers(n int) string {
	var lines strings.Builder
	for i := range n {
		fmt.Fprintln(&lines, i+1)
	}
	return lines.String()
}

// wait lets a time pass, unless ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
