package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// defaultPath stands in for an environment without PATH; it is systemd's.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// errNotFound means that no folder of PATH has the command.
var errNotFound = errors.New("command not found")

// resolve finds the file to execute and refuses what no kernel would take.
func resolve(spec Spec) (string, error) {
	if len(spec.Argv) == 0 || spec.Argv[0] == "" {
		return "", &StartError{Message: "there is no command", Hint: "name a program to run"}
	}
	for _, s := range append(append([]string{spec.Dir}, spec.Argv...), spec.Env...) {
		if strings.ContainsRune(s, 0) {
			return "", &StartError{Message: "a zero byte in the command, its environment or its folder", Hint: "pass binary data through a file or standard input", Err: syscall.EINVAL}
		}
	}
	name := spec.Argv[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	search := searchPath(spec.Env)
	path, err := lookIn(search, name)
	switch {
	case err == nil:
		return path, nil
	case path != "":
		return "", &StartError{Message: path + " is not executable", Hint: "chmod +x " + path, Err: syscall.EACCES}
	}
	return "", &StartError{Message: fmt.Sprintf("no %s in PATH=%s", name, search), Hint: "give its full path, or set PATH in env", Err: errors.Join(err, syscall.ENOENT)}
}

// searchPath is the PATH the command itself will see.
func searchPath(env []string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			return v
		}
	}
	return defaultPath
}

// lookIn finds an executable in the absolute folders of a PATH. Relative and
// empty ones would let the working folder decide what runs. With an error it
// returns the first file of that name that is not executable, if any.
func lookIn(search, name string) (string, error) {
	var dull string
	for _, dir := range filepath.SplitList(search) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Mode()&0o111 != 0 {
			return path, nil
		}
		if dull == "" {
			dull = path
		}
	}
	return dull, errNotFound
}

// blockedAt returns the first folder above path, or path itself, that the
// user may not search or execute; empty when mode bits forbid nothing.
func blockedAt(u *User, path string) string {
	if !filepath.IsAbs(path) {
		return ""
	}
	at := "/"
	parts := strings.Split(filepath.Clean(path), "/")
	for _, part := range parts[1:] {
		if !mayExecute(u, at) {
			return at
		}
		at = filepath.Join(at, part)
	}
	if !mayExecute(u, at) {
		return at
	}
	return ""
}

// mayExecute judges by mode bits whether the user may search a folder or
// execute a file.
func mayExecute(u *User, path string) bool {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return true // something else is wrong with it
	}
	if u == nil {
		return unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS) == nil
	}
	folder := st.Mode&unix.S_IFMT == unix.S_IFDIR
	switch {
	case u.UID == 0:
		return folder || st.Mode&0o111 != 0
	case st.Uid == u.UID:
		return st.Mode&0o100 != 0
	case st.Gid == u.GID || containsID(u.Groups, st.Gid):
		return st.Mode&0o010 != 0
	}
	return st.Mode&0o001 != 0
}

func containsID(ids []uint32, id uint32) bool {
	for _, have := range ids {
		if have == id {
			return true
		}
	}
	return false
}
