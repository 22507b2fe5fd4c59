package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAFlagBeatsTheEnvironmentWhichBeatsTheFile(t *testing.T) {
	clearEnv(t)
	dir := inFolder(t, map[string]string{"etc/config.yaml": `
daemon:
  state_dir: state
  socket: file.sock
  log: {level: warn, format: text}
`})
	o := options()
	o.Path = "etc/config.yaml"
	steps := []struct {
		name  string
		apply func()
		want  Daemon
	}{
		{"the file, relative to its folder", func() {}, Daemon{
			StateDir: filepath.Join(dir, "etc/state"), Socket: filepath.Join(dir, "etc/file.sock"), Log: Log{"warn", "text"},
		}},
		{"the environment, relative to the working folder", func() {
			t.Setenv("POOLD_STATE_DIR", "env")
			t.Setenv("POOLD_SOCKET", "/env.sock")
			t.Setenv("POOLD_LOG_LEVEL", "error")
			t.Setenv("POOLD_LOG_FORMAT", "json")
		}, Daemon{StateDir: filepath.Join(dir, "env"), Socket: "/env.sock", Log: Log{"error", "json"}}},
		{"flags", func() {
			o.Flags = map[string]string{"daemon.state_dir": "/flag", "daemon.socket": "flag.sock", "daemon.log.level": "debug"}
		}, Daemon{StateDir: "/flag", Socket: filepath.Join(dir, "flag.sock"), Log: Log{"debug", "json"}}},
	}
	for _, step := range steps {
		step.apply()
		c, err := Load(o)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		got := c.Daemon
		got.DrainTimeout, got.Watch = 0, WatchSettings{}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
	}
}

func TestDefaultPlaces(t *testing.T) {
	tests := []struct {
		name          string
		euid          int
		env           map[string]string
		state, socket string
	}{
		{"root", 0, nil, "/var/lib/poold", "/run/poold/poold.sock"},
		{"root in a session", 0, map[string]string{"XDG_RUNTIME_DIR": "/run/user/0", "XDG_STATE_HOME": "/x"}, "/var/lib/poold", "/run/poold/poold.sock"},
		{"a user", 1000, map[string]string{"XDG_RUNTIME_DIR": "/run/user/1000", "XDG_STATE_HOME": "/home/u/state"}, "/home/u/state/poold", "/run/user/1000/poold/poold.sock"},
		{"a user without a session", 1000, map[string]string{"HOME": "/home/u"}, "/home/u/.local/state/poold", "/run/poold/poold.sock"},
		{"under systemd", 1000, map[string]string{"STATE_DIRECTORY": "/var/lib/poold:/var/lib/x"}, "/var/lib/poold", "/run/poold/poold.sock"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clearEnv(t)
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			inFolder(t, map[string]string{"config.yaml": "jobs: {}\n"})
			o := options()
			o.Euid = func() int { return tt.euid }
			c, err := Load(o)
			if err != nil {
				t.Fatal(err)
			}
			if c.Daemon.StateDir != tt.state || c.Daemon.Socket != tt.socket {
				t.Errorf("got %s and %s, want %s and %s", c.Daemon.StateDir, c.Daemon.Socket, tt.state, tt.socket)
			}
		})
	}
}

func TestWrongSettingsNameWhereTheyComeFrom(t *testing.T) {
	clearEnv(t)
	inFolder(t, map[string]string{"config.yaml": "daemon:\n  state_dir: ''\n  socket: /" + strings.Repeat("s", 120) + "\n"})
	t.Setenv("POOLD_LOG_LEVEL", "loud")
	t.Setenv("POOLD_LISTEN", "127.0.0.1:1")
	o := options()
	o.Flags = map[string]string{"daemon.log.format": "xml"}
	_, err := Load(o)
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		"config.yaml:2:14: daemon.state_dir: is empty; name a path, or remove the key",
		"config.yaml:3:11: daemon.socket: /" + strings.Repeat("s", 120) + " is 121 bytes long, and a unix socket's path has room for 107; choose a shorter path",
		`$POOLD_LOG_LEVEL: daemon.log.level: "loud" is not a choice here; one of debug, info, warn, error`,
		`--log-format: daemon.log.format: "xml" is not a choice here; one of auto, text, json`,
		"$POOLD_LISTEN: daemon.listen: is not built yet in this version; remove it",
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestFind(t *testing.T) {
	clearEnv(t)
	dir := inFolder(t, map[string]string{"config.yaml": ""})
	steps := []struct {
		name, flag, env, want string
		before                func()
	}{
		{name: "the working folder", want: "config.yaml"},
		{name: "the environment", env: "/env.yaml", want: "/env.yaml"},
		{name: "the flag", env: "/env.yaml", flag: "flag.yaml", want: "flag.yaml"},
	}
	for _, step := range steps {
		t.Setenv("POOLD_CONFIG", step.env)
		got, err := Find(step.flag)
		if err != nil || got != step.want {
			t.Errorf("%s: got %q, %v, want %q", step.name, got, err, step.want)
		}
	}
	t.Setenv("POOLD_CONFIG", "")
	if err := os.Remove(filepath.Join(dir, "config.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/etc/poold/config.yaml"); err == nil {
		t.Skip("this host has a configuration")
	}
	if got, err := Find(""); err == nil || !strings.Contains(err.Error(), "--config") {
		t.Errorf("got %q, %v, want an error with a way out", got, err)
	}
}
