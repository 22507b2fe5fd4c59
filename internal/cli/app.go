package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/term"

	"github.com/poold/poold/internal/api"
)

const systemSocket = "/run/poold/poold.sock"

// app is what all commands of one invocation share.
type app struct {
	stdin  io.Reader
	stdout *result
	stderr io.Writer
	getenv func(string) string
	hooks  Hooks

	socket string // as --socket gives it
	json   bool
	began  bool // a command's own code has been reached
	client *api.Client
	screen screen
	now    func() time.Time
	zone   *time.Location
}

// screen is what standard output is shown on.
type screen struct {
	width  int // 0: it is no terminal, and nothing is cut to fit
	colour bool
}

func newApp(p Process) *app {
	a := &app{
		stdin: p.Stdin, stdout: &result{to: p.Stdout}, stderr: p.Stderr, getenv: p.Getenv, hooks: p.Hooks,
		now: time.Now, zone: time.Local,
	}
	if a.getenv == nil {
		a.getenv = os.Getenv
	}
	if width, ok := terminalWidth(p.Stdout); ok {
		a.screen.width = width
		a.screen.colour = a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
	}
	return a
}

// terminalWidth is how wide the terminal is that f writes to, if it is one.
func terminalWidth(f any) (int, bool) {
	file, ok := f.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	return width, true
}

func isTerminal(f any) bool {
	_, ok := terminalWidth(f)
	return ok
}

// daemon is the client of the daemon.
func (a *app) daemon() *api.Client {
	if a.client == nil {
		a.client = api.New(a.socketPath())
	}
	return a.client
}

// socketPath is where the daemon is looked for.
func (a *app) socketPath() string {
	for _, given := range []string{a.socket, a.getenv("POOLD_SOCKET")} {
		if given != "" {
			return given
		}
	}
	if dir := a.getenv("XDG_RUNTIME_DIR"); dir != "" {
		own := filepath.Join(dir, "poold", "poold.sock")
		if _, err := os.Stat(own); err == nil {
			return own
		}
	}
	return systemSocket
}

func (a *app) close() {
	if a.client != nil {
		a.client.Close()
	}
}

// result is standard output. It remembers what went wrong, so that no command
// is done whose result was lost, as on a full disk.
type result struct {
	to  io.Writer
	err error
}

// Write writes what it can.
func (r *result) Write(p []byte) (int, error) {
	n, err := r.to.Write(p)
	if r.err == nil {
		r.err = err
	}
	return n, err
}

// print writes a line of the result.
func (a *app) print(format string, args ...any) { fmt.Fprintf(a.stdout, format+"\n", args...) }

// emit writes the one document of --json.
func (a *app) emit(document any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}
