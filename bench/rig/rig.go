// Package rig is what suites measure with: a folder on the disk with the
// binaries, daemons, and servers of peers.
package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Rig is where everything is, and how much is to be measured.
type Rig struct {
	Work    string // a folder on the disk, with the binaries poold and dispatch.test
	Sockets string // a folder with a short name: a socket's path is short
	Size    Size
}

// Size is how much is measured.
type Size int

// Full is for the record; Quick for a look, in two minutes for all suites;
// Smoke only shows that everything works, in seconds.
const (
	Full Size = iota
	Quick
	Smoke
)

// Pick is one of three amounts of work, by the size.
func (r *Rig) Pick(full, quick, smoke int) int { return [...]int{full, quick, smoke}[r.Size] }

// Binary is the path of something that run.sh has built.
func (r *Rig) Binary(name string) string { return filepath.Join(r.Work, name) }

// File writes a file in the work folder and returns its path.
func (r *Rig) File(name, body string) (string, error) {
	path := filepath.Join(r.Work, name)
	return path, os.WriteFile(path, []byte(body), 0o600)
}

// Folder makes an empty folder in the work folder and returns its path.
func (r *Rig) Folder(name string) (string, error) {
	path := filepath.Join(r.Work, name)
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	return path, os.MkdirAll(path, 0o755) //nolint:gosec // servers of other users work in it
}

// Numbers are n lines, from 1 on.
func Numbers(n int) string {
	var lines strings.Builder
	for i := range n {
		fmt.Fprintln(&lines, i+1)
	}
	return lines.String()
}

// Wait lets a time pass, unless ctx ends.
func Wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// places are where Debian keeps commands apart from the path.
var places = []string{"/usr/lib/postgresql/*/bin", "/usr/sbin", "/sbin"}

// Find is the path of a command, or "".
func Find(command string) string {
	if path, err := exec.LookPath(command); err == nil {
		return path
	}
	for _, place := range places {
		found, _ := filepath.Glob(filepath.Join(place, command))
		if len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return ""
}

// Missing is the first of some commands that is not there, or "".
func Missing(commands []string) string {
	for _, c := range commands {
		if Find(c) == "" {
			return c
		}
	}
	return ""
}

// Memory reads a figure of a process's memory, in MB: VmRSS is now, VmHWM the
// most there was.
func Memory(pid int, field string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the memory of a process: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kb * 1024 / 1e6, err
		}
	}
	return 0, fmt.Errorf("read the memory of a process: no %s", field)
}
