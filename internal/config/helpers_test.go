package config

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/poold/poold/internal/jobs"
)

// fakeType is a job type whose settings are those the tests need.
type fakeType struct {
	fresh func() any
	check func(with json.RawMessage) []jobs.Problem
}

func (t fakeType) Settings() any { return t.fresh() }

func (t fakeType) Check(with json.RawMessage) []jobs.Problem {
	if t.check == nil {
		return nil
	}
	return t.check(with)
}

func (fakeType) Run(context.Context, jobs.Task) jobs.Outcome { return jobs.Outcome{OK: true} }

func (fakeType) Held(context.Context, string) ([]jobs.Held, error) { return nil, nil }

// CheckArg refuses what looks like an option, as exec does.
func (fakeType) CheckArg(_ json.RawMessage, arg string) error {
	if strings.HasPrefix(arg, "-") {
		return errors.New("it begins with -; allow it with args.match")
	}
	return nil
}

type execSettings struct {
	Command     []string          `json:"command,omitempty"`
	Shell       string            `json:"shell,omitempty"`
	Interpreter []string          `json:"interpreter,omitempty"`
	User        string            `json:"user,omitempty"`
	Group       string            `json:"group,omitempty"`
	Dir         string            `json:"dir,omitempty"`
	Env         map[string]string `json:"env,omitempty"`
	EnvFile     string            `json:"env_file,omitempty"`
	Stdin       string            `json:"stdin,omitempty"`
	Umask       string            `json:"umask,omitempty"`
	Nice        int               `json:"nice,omitempty"`
}

func checkExec(with json.RawMessage) []jobs.Problem {
	var s execSettings
	if err := json.Unmarshal(with, &s); err != nil {
		return []jobs.Problem{{Message: err.Error()}}
	}
	var problems []jobs.Problem
	if len(s.Command) == 0 && s.Shell == "" {
		problems = append(problems, jobs.Problem{Message: "needs command or shell", Hint: "write command: [program, argument]"})
	}
	if len(s.Command) > 0 && jobs.Placeholder(s.Command[0]) != "" {
		problems = append(problems, jobs.Problem{Path: []any{"command", 0}, Message: "the program cannot come from an argument"})
	}
	return problems
}

type httpSettings struct {
	Method  string            `json:"method,omitempty"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	MaxBody jobs.Size         `json:"max_body,omitempty"`
}

func testTypes() jobs.Registry {
	return jobs.NewRegistry(map[string]jobs.Type{
		"exec": fakeType{fresh: func() any { return &execSettings{} }, check: checkExec},
		"http": fakeType{fresh: func() any { return &httpSettings{} }},
	})
}

// inFolder makes a folder with files the working folder.
func inFolder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	t.Chdir(dir)
	return dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// clearEnv keeps the surroundings of the test out of the settings.
func clearEnv(t testing.TB) {
	t.Helper()
	for _, variable := range overridable() {
		t.Setenv(variable, "")
	}
	for _, variable := range []string{"POOLD_CONFIG", "STATE_DIRECTORY", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"} {
		t.Setenv(variable, "")
	}
}

func options() Options {
	return Options{Path: "config.yaml", Types: testTypes(), Euid: func() int { return 0 }, CPUs: 2}
}

// load loads config.yaml with the given text.
func load(t testing.TB, text string) (*Config, error) {
	t.Helper()
	return loadFiles(t, map[string]string{"config.yaml": text})
}

func loadFiles(t testing.TB, files map[string]string) (*Config, error) {
	t.Helper()
	clearEnv(t)
	inFolder(t, files)
	return Load(options())
}

func mustLoad(t testing.TB, text string) *Config {
	t.Helper()
	c, err := load(t, text)
	if err != nil {
		t.Fatalf("load:\n%v", err)
	}
	return c
}

// errorLines returns the text of a load's errors, one a line.
func errorLines(t testing.TB, files map[string]string) []string {
	t.Helper()
	c, err := loadFiles(t, files)
	if err == nil {
		return nil
	}
	if c != nil {
		t.Error("a load with errors must give no configuration")
	}
	var all Errors
	if !errors.As(err, &all) || len(all) == 0 {
		t.Fatalf("error is %T, not Errors", err)
	}
	return strings.Split(err.Error(), "\n")
}
