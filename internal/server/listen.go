package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxSocketPath is what the kernel takes; its own error would only say
// "invalid argument".
const maxSocketPath = 107

// Listen takes the socket at the path: its folder is made if it is missing,
// and a socket that nobody answers at any more is replaced. The owner and the
// group may connect.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("listen at %s: the path has %d characters, and a socket's may have %d", path, len(path), maxSocketPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the group must reach the socket
		return nil, fmt.Errorf("make the socket's folder: %w", err)
	}
	if err := clearStale(ctx, path); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o660); err != nil { // the group may connect
		return nil, errors.Join(fmt.Errorf("set the socket's mode: %w", err), ln.Close())
	}
	return ln, nil
}

// clearStale removes a socket that a daemon left behind. Anything else at the
// path stays: it was not ours.
func clearStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen at %s: it is there already and is no socket; move it away or choose another --socket", path)
	}
	dialer := net.Dialer{Timeout: 2 * time.Second}
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("listen at %s: another daemon answers there; stop it or choose another --socket", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("listen at %s: see whether it is in use: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the socket left behind: %w", err)
	}
	return nil
}
