package exec

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/secret"
	"github.com/poold/poold/internal/proc"
)

// Resolver turns a task and its settings into a command that can be started.
// It starts nothing and changes nothing, but reads what the settings refer
// to: accounts, secrets, the file of variables. Whoever starts commands has
// one. It may be used by several callers at once.
type Resolver struct {
	secrets secret.Source

	mu      sync.Mutex
	self    *proc.User           // who we are; known after the first use
	checked map[string]*Settings // by their JSON; never changed
}

// NewResolver returns a resolver that reads secrets from the given source.
func NewResolver(secrets secret.Source) *Resolver { return &Resolver{secrets: secrets} }

// Resolve gives the command of the task's settings, without its output.
func (r *Resolver) Resolve(t jobs.Task) (proc.Spec, error) {
	s, err := r.settings(t.With)
	if err != nil {
		return proc.Spec{}, err
	}
	reader := secret.NewReader(r.secrets)
	spec, err := r.surroundings(s, t, reader)
	if err != nil {
		return proc.Spec{}, err
	}
	spec.Argv = s.argv(t)
	if spec.Stdin, err = expand(s.Stdin, t, reader); err != nil {
		return proc.Spec{}, fmt.Errorf("stdin: %w", err)
	}
	return spec, nil
}

// mostChecked bounds how many settings are kept.
const mostChecked = 256

// settings decodes and checks what the runs of a job have in common, once.
func (r *Resolver) settings(with json.RawMessage) (*Settings, error) {
	r.mu.Lock()
	known := r.checked[string(with)]
	r.mu.Unlock()
	if known != nil {
		return known, nil
	}
	s, err := decode(with)
	if err != nil {
		return nil, err
	}
	if problems := s.check(); len(problems) > 0 {
		return nil, fmt.Errorf("settings: %s", problems[0].Message)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.checked == nil || len(r.checked) >= mostChecked {
		r.checked = make(map[string]*Settings)
	}
	r.checked[string(with)] = &s
	return &s, nil
}

// ResolveAsk gives another command in the surroundings of the task's job: its
// user, folder and environment, but with nothing on standard input.
func (r *Resolver) ResolveAsk(t jobs.Task, command []string) (proc.Spec, error) {
	s, err := decode(t.With)
	if err != nil {
		return proc.Spec{}, err
	}
	spec, err := r.surroundings(&s, t, secret.NewReader(r.secrets))
	if err != nil {
		return proc.Spec{}, err
	}
	spec.Argv = words(command, t)
	return spec, nil
}

// surroundings is everything but the command and its input.
func (r *Resolver) surroundings(s *Settings, t jobs.Task, reader *secret.Reader) (proc.Spec, error) {
	as, who, err := r.account(s)
	if err != nil {
		return proc.Spec{}, err
	}
	env, err := environ(s, t, who, reader)
	if err != nil {
		return proc.Spec{}, err
	}
	mask, err := umask(s.Umask)
	if err != nil {
		return proc.Spec{}, fmt.Errorf("umask: %w", err)
	}
	return proc.Spec{
		Env: env, Dir: folder(s.Dir, who.Home), User: as,
		Umask: mask, Nice: s.Nice, Marker: marker(t),
	}, nil
}

// argv is the command with its arguments filled in.
func (s *Settings) argv(t jobs.Task) []string {
	if len(s.Command) > 0 {
		return words(s.Command, t)
	}
	if len(s.Interpreter) == 0 {
		return []string{"/bin/sh", "-c", s.Shell}
	}
	return append(append(make([]string, 0, len(s.Interpreter)+1), s.Interpreter...), s.Shell)
}

// words replaces the placeholders in all words but the first.
func words(command []string, t jobs.Task) []string {
	argv := make([]string, len(command))
	for i, word := range command {
		if i > 0 {
			word = t.Expand(word)
		}
		argv[i] = word
	}
	return argv
}

// folder is where the command starts. An account's home need not exist: that
// of a system account often does not.
func folder(dir, home string) string {
	if dir != "" {
		return dir
	}
	if info, err := os.Stat(home); err == nil && info.IsDir() {
		return home
	}
	return "/"
}

// account returns whom to run as, nil for the daemon's own user, and whose
// name, home and shell the command finds in its environment.
func (r *Resolver) account(s *Settings) (as, who *proc.User, err error) {
	self := r.whoWeAre()
	if s.User == "" && s.Group == "" {
		return nil, self, nil
	}
	user := *self
	if s.User != "" {
		found, err := proc.LookupUser(s.User)
		if err != nil {
			return nil, nil, fmt.Errorf("user: %w", err)
		}
		user = *found
	}
	if s.Group != "" {
		group, err := proc.LookupGroup(s.Group)
		if err != nil {
			return nil, nil, fmt.Errorf("group: %w", err)
		}
		user.GID = group.GID
	}
	return r.mayBecome(&user, self)
}

// mayBecome says early and in words what the kernel would refuse.
func (r *Resolver) mayBecome(user, self *proc.User) (as, who *proc.User, err error) {
	switch {
	case self.UID == 0:
		return user, user, nil
	case user.UID != self.UID:
		return nil, nil, fmt.Errorf("running as user %s needs root, and the daemon runs as %s; run it as root, or leave user out", user.Name, self.Name)
	case user.GID != self.GID:
		return nil, nil, fmt.Errorf("running with group %d needs root, and the daemon runs as %s; run it as root, or leave group out", user.GID, self.Name)
	}
	return nil, user, nil
}

// whoWeAre is the account of this process. One that has no entry, as in many
// containers, still has its numbers.
func (r *Resolver) whoWeAre() *proc.User {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.self != nil {
		return r.self
	}
	uid := strconv.Itoa(os.Geteuid())
	u, err := proc.LookupUser(uid)
	if err != nil || u.UID != uint32(os.Geteuid()) {
		u = &proc.User{Name: uid, UID: uint32(os.Geteuid()), Home: "/", Shell: "/bin/sh"}
	}
	u.GID = uint32(os.Getegid())
	r.self = u
	return u
}
