package exec

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/secret"
	"github.com/poold/poold/internal/proc"
)

// defaultPath is the one that systemd gives to services.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// The variables that poold itself sets. The first ones mark the processes of
// an attempt.
const (
	varLedger      = "POOLD_LEDGER"
	varRunID       = "POOLD_RUN_ID"
	varAttempt     = "POOLD_ATTEMPT"
	varJob         = "POOLD_JOB"
	varScheduledAt = "POOLD_SCHEDULED_AT"
	varArg         = "POOLD_ARG"
)

func ownVariables() []string {
	return []string{varLedger, varRunID, varAttempt, varJob, varScheduledAt, varArg}
}

// environment is a list of variables in which a later value takes the place
// of an earlier one.
type environment struct {
	list []string // KEY=VALUE
	at   map[string]int
}

func (e *environment) set(key, value string) {
	if e.at == nil {
		e.at = make(map[string]int, 16)
	}
	if i, ok := e.at[key]; ok {
		e.list[i] = key + "=" + value
		return
	}
	e.at[key] = len(e.list)
	e.list = append(e.list, key+"="+value)
}

// environ is everything that a command finds in its environment.
func environ(s *Settings, t jobs.Task, who *proc.User, r *secret.Reader) ([]string, error) {
	var e environment
	e.set("PATH", defaultPath)
	e.set("HOME", who.Home)
	e.set("USER", who.Name)
	e.set("LOGNAME", who.Name)
	e.set("SHELL", who.Shell)
	e.set("LANG", "C.UTF-8")
	if t.TimeZone != "" {
		e.set("TZ", t.TimeZone)
	}
	if err := e.addFile(s.EnvFile); err != nil {
		return nil, err
	}
	if err := e.addSettings(s.Env, t, r); err != nil {
		return nil, err
	}
	if t.Ledger != "" {
		e.set(varLedger, t.Ledger)
	}
	e.set(varJob, t.Job)
	e.set(varRunID, strconv.FormatInt(t.Run, 10))
	e.set(varAttempt, strconv.Itoa(t.Attempt))
	e.set(varScheduledAt, t.ScheduledText())
	e.set(varArg, t.Arg)
	return e.list, nil
}

func (e *environment) addFile(path string) error {
	if path == "" {
		return nil
	}
	raw, err := secret.ReadFile(path)
	if err != nil {
		return fmt.Errorf("env_file %s: %w", path, err)
	}
	vars, err := parseEnvFile(string(raw))
	if err != nil {
		return fmt.Errorf("env_file %s:%w", path, err)
	}
	for _, v := range vars {
		e.set(v.key, v.value)
	}
	return nil
}

func (e *environment) addSettings(env map[string]string, t jobs.Task, r *secret.Reader) error {
	for _, key := range slices.Sorted(maps.Keys(env)) {
		value, err := expand(env[key], t, r)
		if err != nil {
			return fmt.Errorf("env.%s: %w", key, err)
		}
		if strings.ContainsRune(value, 0) {
			return fmt.Errorf("env.%s: the value holds a zero byte; pass binary data through stdin or a file", key)
		}
		e.set(key, value)
	}
	return nil
}

// expand replaces references and placeholders in one pass.
func expand(text string, t jobs.Task, r *secret.Reader) (string, error) {
	tmpl, err := secret.Parse(text)
	if err != nil {
		return "", err
	}
	return r.Expand(tmpl, t.Expand)
}

// marker is what the processes of an attempt are recognised by. What belongs
// to no run, such as a command that lists arguments, may run several times at
// once and is known by its session and parents alone.
func marker(t jobs.Task) []string {
	if t.Ledger == "" || t.Run == 0 {
		return nil
	}
	return []string{
		varLedger + "=" + t.Ledger,
		varRunID + "=" + strconv.FormatInt(t.Run, 10),
		varAttempt + "=" + strconv.Itoa(t.Attempt),
	}
}
