package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Daemon is a poold that runs.
type Daemon struct {
	Ready  time.Duration // from exec until it said READY, as to systemd
	Socket string
	Pid    int
	rig    *Rig
	cmd    *exec.Cmd
}

// readyWithin is how long a daemon may take to start.
const readyWithin = time.Minute

// Start starts a daemon and waits until it is ready. Whoever starts it stops
// it before the next one: they share a socket.
func (r *Rig) Start(config, state string) (*Daemon, error) {
	d := &Daemon{rig: r, Socket: filepath.Join(r.Sockets, "poold.sock")}
	says := filepath.Join(r.Sockets, "notify")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: says, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("listen for READY: %w", err)
	}
	defer os.Remove(says)
	defer notify.Close()
	log, err := os.Create(filepath.Join(r.Work, "poold.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd = exec.Command(r.Binary("poold"), "serve", "--config", config, "--state-dir", state, "--socket", d.Socket) //nolint:noctx // stopped by Stop
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+says, "POOLD_SOCKET="+d.Socket)
	began := time.Now()
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start poold: %w", err)
	}
	d.Pid = d.cmd.Process.Pid
	if err := awaitReady(notify, began.Add(readyWithin)); err != nil {
		said, _ := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("wait until poold is ready: %w; its log is:\n%s", err, said), d.Stop())
	}
	d.Ready = time.Since(began)
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

// Stop ends the daemon and waits for it.
func (d *Daemon) Stop() error {
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stop poold: %w", err)
	}
	if err := d.cmd.Wait(); err != nil {
		return fmt.Errorf("stop poold: %w", err)
	}
	return nil
}

// Do runs a client command and returns what it prints.
func (d *Daemon) Do(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, d.rig.Binary("poold"), append(args, "--socket", d.Socket)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("poold %s: %w: %s", strings.Join(args, " "), err, errs.Bytes())
	}
	return out.Bytes(), nil
}
