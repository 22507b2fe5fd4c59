package exec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/secret"
)

// Settings is `with:` of a job of type exec.
type Settings struct {
	Command     []string          `json:"command,omitempty"`
	Shell       string            `json:"shell,omitempty"`
	Interpreter []string          `json:"interpreter,omitempty"` // of shell; default: /bin/sh -c
	User        string            `json:"user,omitempty"`        // default: the daemon's
	Group       string            `json:"group,omitempty"`       // default: the user's
	Dir         string            `json:"dir,omitempty"`         // default: HOME, else /
	Env         map[string]string `json:"env,omitempty"`
	EnvFile     string            `json:"env_file,omitempty"`
	Stdin       string            `json:"stdin,omitempty"`
	Umask       string            `json:"umask,omitempty"` // octal; default 0022
	Nice        int               `json:"nice,omitempty"`
}

// decode reads canonical settings. Those of a job of another type, for which
// only a condition is asked, are nil and mean the defaults.
func decode(with json.RawMessage) (Settings, error) {
	var s Settings
	if len(with) == 0 {
		return s, nil
	}
	d := json.NewDecoder(bytes.NewReader(with))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("read settings: %w", err)
	}
	return s, nil
}

// problems collects what Check finds.
type problems []jobs.Problem

func (p *problems) add(message, hint string, path ...any) {
	*p = append(*p, jobs.Problem{Path: path, Message: message, Hint: hint})
}

// check lists everything that is wrong with the settings, in the order of
// their keys.
func (s *Settings) check() []jobs.Problem {
	var p problems
	s.checkWhat(&p)
	s.checkShell(&p)
	s.checkWho(&p)
	s.checkWhere(&p)
	s.checkEnv(&p)
	p.template(s.Stdin, "stdin")
	if _, err := umask(s.Umask); err != nil {
		p.add(err.Error(), `write it in octal, as in "0022"`, "umask")
	}
	if s.Nice < -20 || s.Nice > 19 {
		p.add(fmt.Sprintf("%d is no niceness", s.Nice), "write -20 (first served) to 19 (last served)", "nice")
	}
	return p
}

func (s *Settings) checkWhat(p *problems) {
	switch {
	case len(s.Command) > 0 && s.Shell != "":
		p.add("both command and shell are set", "keep one of them", "shell")
	case len(s.Command) == 0 && s.Shell == "":
		p.add("there is nothing to run", "set command to a list of words, or shell to a string")
	}
	for i, word := range s.Command {
		if i == 0 {
			p.program(word, "command", 0)
		}
		p.noZero(word, "command", i)
		p.noSecret(word, "put it into env, which other users cannot see", "command", i)
	}
}

func (s *Settings) checkShell(p *problems) {
	if place := jobs.Placeholder(s.Shell); place != "" {
		p.add(place+" is not replaced in shell, since an argument could then hold commands",
			fmt.Sprintf(`write "$%s"`, variableOf(place)), "shell")
	}
	p.noZero(s.Shell, "shell")
	p.noSecret(s.Shell, "put it into env and use the variable", "shell")
	for i, word := range s.Interpreter {
		if i == 0 {
			p.program(word, "interpreter", 0)
			continue
		}
		p.noPlace(word, "interpreter", i)
	}
}

// variableOf is the variable that holds what a placeholder stands for.
func variableOf(place string) string {
	switch place {
	case jobs.PlaceArg:
		return "POOLD_ARG"
	case jobs.PlaceRunID:
		return "POOLD_RUN_ID"
	}
	return "POOLD_SCHEDULED_AT"
}

func (s *Settings) checkWho(p *problems) {
	p.account(s.User, "user")
	p.account(s.Group, "group")
}

func (p *problems) account(name, key string) {
	p.noPlace(name, key)
	if strings.ContainsFunc(name, func(r rune) bool { return r == ':' || unicode.IsSpace(r) || unicode.IsControl(r) }) {
		p.add(fmt.Sprintf("%q is no name of a %s", name, key), "write a name or a number", key)
	}
}

func (s *Settings) checkWhere(p *problems) {
	p.path(s.Dir, "dir")
	p.path(s.EnvFile, "env_file")
}

func (s *Settings) checkEnv(p *problems) {
	for _, key := range slices.Sorted(maps.Keys(s.Env)) {
		value := s.Env[key]
		p.noPlace(key, "env", key)
		switch {
		case !validName(key):
			p.add(fmt.Sprintf("%q cannot be the name of a variable", key), "it must not be empty or hold =, blanks or control characters", "env", key)
		case slices.Contains(ownVariables(), key):
			p.add(key+" is set by poold itself", "choose another name", "env", key)
		}
		p.noZero(value, "env", key)
		p.template(value, "env", key)
	}
}

func validName(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return r == '=' || unicode.IsSpace(r) || unicode.IsControl(r)
	})
}

func (p *problems) program(word string, path ...any) {
	if word == "" {
		p.add("the program has no name", "begin with the path of a program", path...)
	}
	if place := jobs.Placeholder(word); place != "" {
		p.add(place+" must not choose the program", "write the program in full; the words after it may hold "+place, path...)
	}
}

func (p *problems) noPlace(s string, path ...any) {
	if place := jobs.Placeholder(s); place != "" {
		p.add(place+" is not replaced here", "it may stand in the words after the program, in env and in stdin", path...)
	}
}

func (p *problems) noZero(s string, path ...any) {
	if strings.ContainsRune(s, 0) {
		p.add("it holds a zero byte", "pass binary data through stdin or a file", path...)
	}
}

func (p *problems) noSecret(s, hint string, path ...any) {
	if ref := secret.Find(s); ref != "" {
		p.add(ref+" is not read here, where any user could see it in the list of processes", hint, path...)
	}
}

func (p *problems) path(s string, path ...any) {
	p.noPlace(s, path...)
	p.noZero(s, path...)
	if s != "" && !filepath.IsAbs(s) && jobs.Placeholder(s) == "" {
		p.add(fmt.Sprintf("%q is not an absolute path", s), "begin it with /", path...)
	}
}

func (p *problems) template(s string, path ...any) {
	if _, err := secret.Parse(s); err != nil {
		*p = append(*p, secret.Problem(err, path...))
	}
}

// defaultUmask lets others read what a job writes, and only the owner change it.
const defaultUmask = 0o022

func umask(text string) (int, error) {
	if text == "" {
		return defaultUmask, nil
	}
	mask, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mask > 0o777 {
		return 0, fmt.Errorf("%q is no umask", text)
	}
	return int(mask), nil
}

// usesArg says whether the command holds the argument.
func (s *Settings) usesArg() bool {
	return len(s.Command) > 1 && slices.ContainsFunc(s.Command[1:], func(word string) bool {
		return strings.Contains(word, jobs.PlaceArg)
	})
}

// checkArg refuses arguments that a program could take for something else.
func (s *Settings) checkArg(arg string) error {
	if strings.ContainsRune(arg, 0) {
		return errors.New("it holds a zero byte")
	}
	if !s.usesArg() {
		return nil
	}
	if strings.HasPrefix(arg, "-") {
		return errors.New("it begins with -, so the command would take it for an option; allow it with args.match, or use $POOLD_ARG instead of {arg}")
	}
	if strings.ContainsFunc(arg, unicode.IsControl) {
		return errors.New("it holds a control character; allow it with args.match, or use $POOLD_ARG instead of {arg}")
	}
	return nil
}
