package proc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// StartError says, to an operator, why a command could not be started.
type StartError struct {
	Message string // what is wrong, naming the file or setting
	Hint    string // the way out, or empty
	Err     error  // the cause, or nil
}

// Error is the message with the hint.
func (e *StartError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// Unwrap returns the cause, such as syscall.ENOENT.
func (e *StartError) Unwrap() error { return e.Err }

// explain turns what the kernel said into what an operator can act on. The
// kernel gives one number for many causes, so this looks after the fact; a
// guess that is not confirmed stays the kernel's own words.
func explain(spec Spec, path string, err error) error {
	e := &StartError{Err: err}
	e.Message, e.Hint = cause(spec, path, err)
	if e.Message == "" {
		e.Message = fmt.Sprintf("start %s: %v", path, err)
	}
	return e
}

func cause(spec Spec, path string, err error) (message, hint string) {
	var step *stepError
	switch {
	case errors.As(err, &step):
		return causeOfStep(step)
	case errors.Is(err, syscall.EPERM):
		return causeOfEPERM(spec)
	case errors.Is(err, syscall.E2BIG):
		return path + ": its arguments and environment are too long", "pass long input through stdin or a file"
	case errors.Is(err, syscall.EAGAIN):
		return fmt.Sprintf("start %s: no more processes allowed", path), "raise TasksMax= or ulimit -u, or run fewer at once"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Sprintf("start %s: too many open files", path), "raise LimitNOFILE= or ulimit -n, or run fewer at once"
	case errors.Is(err, syscall.ENOMEM):
		return fmt.Sprintf("start %s: out of memory", path), "run fewer at once"
	case errors.Is(err, syscall.ETXTBSY):
		return path + " is open for writing", "wait until whatever writes it is done; install programs by renaming them into place"
	}
	if message, hint := causeInDir(spec); message != "" {
		return message, hint
	}
	return causeInFile(spec, path, err)
}

func causeOfStep(step *stepError) (message, hint string) {
	switch {
	case errors.Is(step.err, errNoPidfd):
		return step.Error(), "Linux 5.4 or later is needed"
	case strings.HasPrefix(step.step, "set nice"):
		return step.Error(), "only root may go below the daemon's own priority"
	case strings.HasPrefix(step.step, "set umask"):
		return step.Error(), "allow the unshare system call, or use the daemon's own umask"
	case errors.Is(step.err, syscall.EMFILE), errors.Is(step.err, syscall.ENFILE):
		return step.Error(), "raise LimitNOFILE= or ulimit -n, or run fewer at once"
	}
	return step.Error(), ""
}

func causeOfEPERM(spec Spec) (message, hint string) {
	if spec.User == nil || isSelf(spec.User) || os.Geteuid() == 0 {
		return "", ""
	}
	return fmt.Sprintf("may not run as user %s: the daemon itself runs as uid %d", spec.User.Name, os.Geteuid()),
		"run the daemon as root, or leave user out"
}

// causeInDir looks for what is wrong with the working folder.
func causeInDir(spec Spec) (message, hint string) {
	if spec.Dir == "" {
		return "", ""
	}
	info, err := os.Stat(spec.Dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Sprintf("dir %s does not exist", spec.Dir), "create it, or change dir"
	case err != nil:
		return fmt.Sprintf("dir %v", err), ""
	case !info.IsDir():
		return fmt.Sprintf("dir %s is not a folder", spec.Dir), "change dir"
	}
	if at := blockedAt(spec.User, spec.Dir); at != "" {
		return fmt.Sprintf("dir %s: user %s may not enter %s", spec.Dir, userName(spec.User), at), "change its mode, or dir"
	}
	return "", ""
}

// causeInFile looks for what is wrong with the program itself.
func causeInFile(spec Spec, path string, err error) (message, hint string) {
	seen := path
	if !filepath.IsAbs(path) {
		seen = filepath.Join(spec.Dir, path)
	}
	info, statErr := os.Stat(seen)
	switch {
	case errors.Is(statErr, os.ErrNotExist), errors.Is(statErr, syscall.ENOTDIR):
		return path + " does not exist", "check the path"
	case statErr != nil:
		return "", ""
	case info.IsDir():
		return path + " is a folder, not a program", "name a file in it"
	case !info.Mode().IsRegular():
		return path + " is not a regular file", "name a program"
	case errors.Is(err, syscall.EACCES):
		return causeOfEACCES(spec, path, seen, info)
	case errors.Is(err, syscall.ENOENT):
		return causeOfInterpreter(path, seen)
	case errors.Is(err, syscall.ENOEXEC):
		return causeOfENOEXEC(path, seen)
	}
	return "", ""
}

func causeOfEACCES(spec Spec, path, seen string, info os.FileInfo) (message, hint string) {
	if info.Mode()&0o111 == 0 {
		return path + " is not executable", "chmod +x " + path
	}
	if at := blockedAt(spec.User, seen); at != "" {
		what := "enter"
		if at == filepath.Clean(seen) {
			what = "execute"
		}
		return fmt.Sprintf("%s: user %s may not %s %s", path, userName(spec.User), what, at), "change its owner or mode"
	}
	if in := interpreter(seen); in != "" {
		return fmt.Sprintf("%s: permission denied for it or its interpreter %s", path, in), "check their modes, and that the file system is not mounted noexec"
	}
	return path + ": permission denied", "check that the file system is not mounted noexec"
}

func causeOfInterpreter(path, seen string) (message, hint string) {
	in := interpreter(seen)
	switch {
	case strings.HasSuffix(in, "\r"):
		return path + ": its first line ends in a carriage return", "convert it to Unix line ends: sed -i 's/\\r$//' " + path
	case in != "":
		return fmt.Sprintf("%s: its interpreter %s does not exist", path, in), "install it, or change the #! line"
	}
	return path + ": the loader it was built for does not exist", "ldd " + path + " names it; install what it needs"
}

func causeOfENOEXEC(path, seen string) (message, hint string) {
	head := firstBytes(seen)
	switch {
	case len(head) == 0:
		return path + " is empty", ""
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return path + " was built for another kind of machine", "file " + path + " says which"
	}
	return path + " has no #! line", "begin it with #!/bin/sh or the like"
}

// interpreter is the program that a #! line names, with a carriage return
// that has crept in; empty without such a line.
func interpreter(path string) string {
	line, ok := bytes.CutPrefix(firstBytes(path), []byte("#!"))
	if !ok {
		return ""
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	name, _, _ := strings.Cut(strings.Trim(string(line), " \t"), " ")
	return name
}

func firstBytes(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	head, err := bufio.NewReaderSize(f, 256).Peek(256)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return head
}

func userName(u *User) string {
	if u == nil {
		return fmt.Sprintf("with uid %d", os.Geteuid())
	}
	return u.Name
}
