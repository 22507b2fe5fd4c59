package rig

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Server is a peer's server that runs on a loopback port, with its data on the
// disk of the work folder. As root it runs as the unprivileged user that its
// Debian package made: PostgreSQL refuses root. It has a password: others on
// the machine could have it run commands otherwise. It ends when it is stopped,
// and when this process ends without stopping it.
type Server struct {
	Port     int
	Password string

	name string
	dir  string // its data
	as   *syscall.Credential
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	said strings.Builder
}

// NewServer prepares a server of a name, with an empty folder. It does not
// start it.
func (r *Rig) NewServer(name, username string) (*Server, error) {
	s := &Server{name: name, Password: rand.Text()}
	var err error
	if s.as, err = credential(username); err != nil {
		return nil, err
	}
	if s.dir, err = r.Folder(name); err != nil {
		return nil, err
	}
	if s.as == nil {
		return s, os.Chmod(s.dir, 0o700)
	}
	if !s.mayEnter(s.dir) {
		if s.dir, err = elsewhere(r.Work, name); err != nil {
			return nil, err
		}
	}
	return s, errors.Join(os.Chmod(s.dir, 0o700), os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid)))
}

// credential is that of a user to run as; none unless this is root.
func credential(username string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nobody to become
	}
	u, err := user.Lookup(username)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// mayEnter asks as the server's user: a folder in root's home is not for it.
func (s *Server) mayEnter(dir string) bool {
	cmd := exec.Command("test", "-x", dir) //nolint:noctx // it ends at once
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd.Run() == nil
}

// elsewhere makes a folder that all may enter, on the same disk.
func elsewhere(work, name string) (string, error) {
	const shared = "/var/tmp"
	var here, there syscall.Stat_t
	if err := errors.Join(syscall.Stat(work, &here), syscall.Stat(shared, &there)); err != nil {
		return "", err
	}
	if here.Dev != there.Dev {
		return "", fmt.Errorf("the server's user may not enter %s, and %s is on another file system; clone to where all may enter", work, shared)
	}
	return os.MkdirTemp(shared, "poold-bench-"+name+"-")
}

// Dir is the server's folder; a name in it.
func (s *Server) Dir(name string) string { return filepath.Join(s.dir, name) }

// Command is a command run as the server's user in its folder.
func (s *Server) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, Find(name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + s.dir, "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

// File writes a file of the server's user into its folder.
func (s *Server) File(name, body string) (string, error) {
	path := s.Dir(name)
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil || s.as == nil {
		return path, err
	}
	return path, os.Chown(path, int(s.as.Uid), int(s.as.Gid))
}

// FreePort chooses the port to listen on.
func (s *Server) FreePort() error {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return err
	}
	s.Port = l.Addr().(*net.TCPAddr).Port
	return l.Close()
}

// startsWithin is how long a server may take to answer.
const startsWithin = 30 * time.Second

// Start starts the server and waits until answers says that it does. SIGINT is
// to end it.
func (s *Server) Start(ctx context.Context, cmd *exec.Cmd, answers func(context.Context) error) error {
	s.cmd, s.done = cmd, make(chan struct{})
	s.said.Reset()
	cmd.Stdout, cmd.Stderr = &s.said, &s.said
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
	cmd.SysProcAttr.Setpgid = true // ^C is for us; we stop it then
	started := make(chan error)
	go func() {
		// Pdeathsig is sent when this thread ends, not the process.
		runtime.LockOSThread()
		defer close(s.done)
		started <- cmd.Start()
		if cmd.Process != nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		s.cmd = nil
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	if err := s.await(ctx, answers); err != nil {
		return errors.Join(fmt.Errorf("wait for %s: %w", s.name, err), s.Stop(), errors.New(s.lastWords()))
	}
	return nil
}

func (s *Server) await(ctx context.Context, answers func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startsWithin)
	defer cancel()
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-s.done:
			return errors.New("it has ended")
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// Stop ends the server, if it runs, and waits for its end.
func (s *Server) Stop() error {
	if s == nil || s.cmd == nil {
		return nil
	}
	defer func() { s.cmd = nil }()
	select {
	case <-s.done:
		return fmt.Errorf("%s had ended by itself:\n%s", s.name, s.lastWords())
	default:
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(startsWithin):
		_ = s.cmd.Process.Kill()
		<-s.done
		return fmt.Errorf("stop %s: it was killed, it did not end", s.name)
	}
}

// lastWords is the end of what the server said.
func (s *Server) lastWords() string {
	said := s.said.String()
	return said[max(0, len(said)-1000):]
}

// Remove stops the server and removes its data.
func (s *Server) Remove() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.Stop(), os.RemoveAll(s.dir))
}
