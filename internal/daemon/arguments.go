package daemon

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/poold/poold/internal/jobs"
)

// What listing a job's arguments may take.
const (
	argumentsTimeout = time.Minute
	argumentsMost    = 64 << 20 // bytes
)

// arguments lists a job's arguments from its file or its command, one a line,
// and checks each.
func (d *Daemon) arguments(ctx context.Context, def *jobs.Definition) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, argumentsTimeout, jobs.ErrTimeout)
	defer cancel()
	text, err := d.argumentText(ctx, def)
	if err != nil {
		return nil, err
	}
	cfg := d.current.Load()
	var args []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		arg := strings.TrimSuffix(lines.Text(), "\r")
		if arg == "" {
			continue
		}
		if err := def.CheckArg(cfg.Registry, arg); err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the arguments of job %q: %w", def.Name, err)
	}
	return args, nil
}

func (d *Daemon) argumentText(ctx context.Context, def *jobs.Definition) ([]byte, error) {
	if def.Args.File != "" {
		path := def.Args.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(d.current.Load().Path), path)
		}
		info, err := os.Stat(path)
		if err == nil && (info.Size() > argumentsMost || !info.Mode().IsRegular()) {
			err = fmt.Errorf("%s is no regular file of at most %d bytes", path, argumentsMost)
		}
		if err != nil {
			return nil, fmt.Errorf("args.file of job %q: %w", def.Name, err)
		}
		return os.ReadFile(path)
	}
	out, err := newCapture()
	if err != nil {
		return nil, fmt.Errorf("args.command of job %q: %w", def.Name, err)
	}
	defer out.file.Close()
	outcome := d.current.Load().Registry.Ask(ctx, def.Type, jobs.Task{
		Ledger: d.ledger.ID(), Job: def.Name, TimeZone: def.TimeZone, With: def.With, Stop: def.Stop, Output: out,
	}, def.Args.Command)
	if !outcome.OK {
		return nil, fmt.Errorf("args.command of job %q: %s", def.Name, outcome.Error)
	}
	return out.bytes()
}

// capture keeps what a command prints, in a file without a name.
type capture struct{ file *os.File }

func newCapture() (*capture, error) {
	f, err := os.CreateTemp("", "poold-args-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &capture{f}, nil
}

// Write, File and Chown make it a jobs.Sink.
func (c *capture) Write(p []byte) (int, error) { return c.file.Write(p) }

// File is what the command writes to.
func (c *capture) File() (*os.File, error) { return c.file, nil }

// Chown gives the file to the user of the command.
func (c *capture) Chown(uid, gid int) error { return c.file.Chown(uid, gid) }

func (c *capture) bytes() ([]byte, error) {
	info, err := c.file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > argumentsMost {
		return nil, fmt.Errorf("it printed more than %d bytes", argumentsMost)
	}
	text := make([]byte, info.Size())
	if _, err := c.file.ReadAt(text, 0); err != nil && info.Size() > 0 {
		return nil, err
	}
	return text, nil
}
