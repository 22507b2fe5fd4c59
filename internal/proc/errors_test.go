package proc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestStartErrorsSayWhatToDo(t *testing.T) {
	dir := t.TempDir()
	file := func(name, body string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(body), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := file("plain", "#!/bin/sh\n", 0o644)
	for name, test := range map[string]struct {
		spec Spec
		want string
		is   error
	}{
		"no command":         {Spec{}, "there is no command; name a program", nil},
		"an empty command":   {Spec{Argv: []string{""}}, "there is no command", nil},
		"a zero byte":        {Spec{Argv: []string{"/bin/echo", "a\x00b"}}, "a zero byte", syscall.EINVAL},
		"a zero byte in env": {Spec{Argv: []string{"/bin/echo"}, Env: []string{"A=\x00"}}, "a zero byte", syscall.EINVAL},
		"a missing program":  {Spec{Argv: []string{"/nope/x"}}, "/nope/x does not exist; check the path", syscall.ENOENT},
		"nothing in PATH":    {Spec{Argv: []string{"nope"}, Env: []string{"PATH=/bin"}}, "no nope in PATH=/bin; give its full path", syscall.ENOENT},
		"a relative PATH":    {Spec{Argv: []string{"plain"}, Dir: dir, Env: []string{"PATH=.::"}}, "no plain in PATH=.::", syscall.ENOENT},
		"not executable":     {Spec{Argv: []string{plain}}, plain + " is not executable; chmod +x", syscall.EACCES},
		"dull in PATH":       {Spec{Argv: []string{"plain"}, Env: []string{"PATH=" + dir}}, plain + " is not executable; chmod +x", syscall.EACCES},
		"a folder":           {Spec{Argv: []string{dir}}, "is a folder, not a program", syscall.EACCES},
		"no #! line":         {Spec{Argv: []string{file("bare", "echo hi\n", 0o755)}}, "has no #! line; begin it with #!/bin/sh", syscall.ENOEXEC},
		"an empty file":      {Spec{Argv: []string{file("empty", "", 0o755)}}, "is empty", syscall.ENOEXEC},
		"another machine":    {Spec{Argv: []string{file("elf", "\x7fELF\x01\x02\x03", 0o755)}}, "another kind of machine", syscall.ENOEXEC},
		"no interpreter":     {Spec{Argv: []string{file("noint", "#!/usr/bin/nope -x\n", 0o755)}}, "its interpreter /usr/bin/nope does not exist", syscall.ENOENT},
		"a CR LF script":     {Spec{Argv: []string{file("crlf", "#!/bin/sh\r\necho\r\n", 0o755)}}, "ends in a carriage return", syscall.ENOENT},
		"no dir":             {Spec{Argv: []string{"/bin/true"}, Dir: dir + "/none"}, "none does not exist; create it", syscall.ENOENT},
		"dir is a file":      {Spec{Argv: []string{"/bin/true"}, Dir: plain}, "is not a folder; change dir", syscall.ENOTDIR},
		"long arguments":     {Spec{Argv: []string{"/bin/true", strings.Repeat("x", 1<<20)}}, "too long; pass long input", syscall.E2BIG},
		"relative to dir":    {Spec{Argv: []string{"./plain"}, Dir: dir}, "./plain is not executable", syscall.EACCES},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Start(test.spec)
			var e *StartError
			if !errors.As(err, &e) {
				t.Fatalf("started %v, got %T %v", p, err, err)
			}
			if !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %q (%v)\nwant %q (%v)", err, e.Err, test.want, test.is)
			}
		})
	}
}

func TestStartErrorsForAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root starts processes as somebody else")
	}
	nobody := &User{Name: "nobody", UID: 65534, GID: 65534}
	open := t.TempDir()
	for dir := open; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	shut := filepath.Join(open, "shut")
	if err := os.Mkdir(shut, 0o700); err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(shut, "prog")
	mine := filepath.Join(open, "mine")
	for _, path := range []string{inside, mine} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		spec Spec
		want string
	}{
		"a folder above is shut": {Spec{Argv: []string{inside}}, "user nobody may not enter " + shut},
		"the program is shut":    {Spec{Argv: []string{mine}}, "user nobody may not execute " + mine},
		"the folder is shut":     {Spec{Argv: []string{"/bin/true"}, Dir: shut}, "dir " + shut + ": user nobody may not enter " + shut},
	} {
		t.Run(name, func(t *testing.T) {
			test.spec.User = nobody
			_, err := Start(test.spec)
			if err == nil || !strings.Contains(err.Error(), test.want) || !errors.Is(err, syscall.EACCES) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
