package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrUnknownUser and ErrUnknownGroup mean that no source knows the name.
var (
	ErrUnknownUser  = errors.New("no such user")
	ErrUnknownGroup = errors.New("no such group")
)

// User is an account to run as.
type User struct {
	Name   string
	UID    uint32
	GID    uint32
	Groups []uint32 // supplementary, may include GID
	Home   string
	Shell  string
}

// Group is a group to run as.
type Group struct {
	Name string
	GID  uint32
}

// lookupTimeout is how long directory services (LDAP, sssd) may take.
const lookupTimeout = 5 * time.Second

// LookupUser finds an account by name, or else by number. It reads
// /etc/passwd and /etc/group itself and asks getent and id for what other
// sources know: a static binary has no other way to reach those.
func LookupUser(nameOrUID string) (*User, error) {
	line, err := lookupLine("passwd", nameOrUID)
	if err != nil {
		return nil, fmt.Errorf("look up user %q: %w", nameOrUID, err)
	}
	if line == nil {
		return nil, fmt.Errorf("look up user %q: %w; getent passwd lists those there are", nameOrUID, ErrUnknownUser)
	}
	u, err := parseUser(line)
	if err != nil {
		return nil, fmt.Errorf("look up user %q: %w", nameOrUID, err)
	}
	if u.Groups, err = groupsOf(u); err != nil {
		return nil, fmt.Errorf("look up groups of user %q: %w", nameOrUID, err)
	}
	return u, nil
}

// LookupGroup finds a group by name, or else by number, in the same sources
// as LookupUser.
func LookupGroup(nameOrGID string) (*Group, error) {
	line, err := lookupLine("group", nameOrGID)
	if err != nil {
		return nil, fmt.Errorf("look up group %q: %w", nameOrGID, err)
	}
	if line == nil {
		return nil, fmt.Errorf("look up group %q: %w; getent group lists those there are", nameOrGID, ErrUnknownGroup)
	}
	gid, err := parseID(line[2])
	if err != nil {
		return nil, fmt.Errorf("look up group %q: %w", nameOrGID, err)
	}
	return &Group{Name: line[0], GID: gid}, nil
}

// lookupLine finds the fields of a line of /etc/passwd or /etc/group: by
// name, then by number, first in the file, then through getent.
func lookupLine(database, key string) ([]string, error) {
	if key == "" || strings.ContainsAny(key, ":\n\x00") {
		return nil, nil
	}
	lines, err := readLines(database)
	if err != nil {
		return nil, err
	}
	for _, field := range []int{0, 2} {
		i := slices.IndexFunc(lines, func(l []string) bool { return l[field] == key })
		if i >= 0 {
			return lines[i], nil
		}
	}
	out, err := ask("getent", database, "--", key)
	if err != nil || out == "" {
		return nil, err
	}
	line, _, _ := strings.Cut(out, "\n")
	if f := strings.Split(line, ":"); wellFormed(database, f) {
		return f, nil
	}
	return nil, nil
}

func readLines(database string) ([][]string, error) {
	data, err := os.ReadFile("/etc/" + database)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var lines [][]string
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimRight(line, "\n"), ":")
		if wellFormed(database, f) && f[0] != "" && !strings.ContainsAny(f[0][:1], "#+-") {
			lines = append(lines, f)
		}
	}
	return lines, err
}

func wellFormed(database string, fields []string) bool {
	if database == "passwd" {
		return len(fields) >= 7
	}
	return len(fields) >= 3
}

func parseUser(f []string) (*User, error) {
	uid, err := parseID(f[2])
	if err != nil {
		return nil, err
	}
	gid, err := parseID(f[3])
	if err != nil {
		return nil, err
	}
	u := &User{Name: f[0], UID: uid, GID: gid, Home: f[5], Shell: f[6]}
	if u.Shell == "" {
		u.Shell = "/bin/sh" // as passwd(5) has it
	}
	return u, nil
}

// parseID refuses the highest number, which means "leave as it is" in chown
// and setuid.
func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%q is not the number of a user or group", s)
	}
	return uint32(n), nil
}

// groupsOf lists the supplementary groups of a user.
func groupsOf(u *User) ([]uint32, error) {
	if groupsElsewhere() {
		out, err := ask("id", "-G", "--", u.Name)
		if err != nil {
			return nil, err
		}
		if ids := parseIDs(out); len(ids) > 0 {
			return ids, nil
		}
	}
	lines, err := readLines("group")
	ids := []uint32{u.GID}
	for _, f := range lines {
		if len(f) < 4 || !slices.Contains(strings.Split(f[3], ","), u.Name) {
			continue
		}
		if id, err := parseID(f[2]); err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, err
}

func parseIDs(out string) []uint32 {
	var ids []uint32
	for _, s := range strings.Fields(out) {
		if id, err := parseID(s); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// groupsElsewhere tells whether groups may come from more than /etc/group.
func groupsElsewhere() bool {
	data, err := os.ReadFile("/etc/nsswitch.conf")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "group:" && f[0] != "initgroups:" {
			continue
		}
		for _, source := range f[1:] {
			if source != "files" && source != "compat" && source != "systemd" && !strings.HasPrefix(source, "[") {
				return true
			}
		}
	}
	return false
}

// ask returns what a lookup tool prints; empty when it knows nothing or is
// not there.
func ask(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=" + defaultPath, "LC_ALL=C"}
	if path, err := lookIn(defaultPath, name); err == nil {
		cmd.Path, cmd.Err = path, nil
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return string(out), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s %s did not answer within %v; is the directory service up?", name, strings.Join(args, " "), lookupTimeout)
	case errors.As(err, &exit) && exit.ExitCode() > 0, errors.Is(err, exec.ErrNotFound):
		return "", nil
	}
	return "", fmt.Errorf("run %s: %w", name, err)
}

// credential is what the kernel is to be told about the user; nil means that
// there is nothing to change.
func credential(u *User) *syscall.Credential {
	if u == nil || isSelf(u) {
		return nil
	}
	return &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
}

// isSelf tells whether we already are that user and could not change our
// groups anyway.
func isSelf(u *User) bool {
	return os.Geteuid() != 0 && int(u.UID) == os.Geteuid() && int(u.GID) == os.Getegid()
}
