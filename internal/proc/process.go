// Package proc starts child processes and ends them with everything they
// started.
//
// The tree of a process is what Stop and Sweep reach: its session and its
// process group, its descendants by parent links, every process that carries
// the Marker in its environment, and the descendants, groups and sessions of
// all those. A grandchild that was forked twice, called setsid, ignores
// signals or runs under nohup is still in it. One that does all of that and
// also clears its environment is not; only a cgroup holds such a process.
//
// The life of a Process:
//
//  1. Start runs the command as the leader of its own session.
//  2. Wait returns when the main process has ended, whether or not others
//     hold its output open. The process is then a zombie: its pid, group and
//     session stay taken, so that no stranger is mistaken for a part of it.
//  3. Stop, at any time, ends it by the ladder: a signal, a while, KILL.
//     Sweep does that with what the main process left behind.
//  4. Close reaps the zombie. It is to be called once, last.
//
// No thread waits for a child: a pidfd in the runtime's poller does.
package proc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Spec says what to start. Nothing is inherited from the caller but what is
// written here, and its resource limits.
type Spec struct {
	// Argv is the command. An Argv[0] without a slash is looked up in the
	// PATH of Env, where only absolute folders count.
	Argv []string
	// Env is the whole environment, passed on exactly as it is.
	Env []string
	// Dir is the working folder; empty means the caller's.
	Dir string
	// Stdin is the text on standard input; empty means /dev/null.
	Stdin string
	// Output receives standard output and standard error, directly; nil
	// means /dev/null. The caller keeps it and closes it.
	Output *os.File
	// User is whom to run as; nil means as the caller.
	User *User
	// Umask is the file mode creation mask, taken as it is.
	Umask int
	// Nice is the scheduling priority, -20 to 19; 0 leaves the caller's.
	Nice int
	// Marker lists the entries of Env by which the tree is recognised. A
	// tree without a Marker is known by its session and parent links alone.
	Marker []string
	// Orphans lets Sweep know at little cost that nothing is left; may be nil.
	Orphans *Orphans
}

// Exit is how a main process ended, with what it and the children it waited
// for have used.
type Exit struct {
	Code       int    // exit status; -1 when a signal ended it
	Signal     string // "TERM", "KILL"; empty when it exited by itself
	CoreDumped bool
	UserTime   time.Duration
	SystemTime time.Duration
	// MaxRSS is the peak of resident memory in bytes. It is 0 where the
	// child stayed below the caller's own peak: Linux counts the memory of
	// the process that called exec, so nothing below that can be told apart.
	MaxRSS int64
}

// Process is a started child. Its methods may be called concurrently, but
// Close only once and last.
type Process struct {
	// Pid is the process id, also of its group and session.
	Pid int

	tree    *tree
	orphans *Orphans
	pidfd   *os.File
	floor   int64       // our own peak of resident memory when it started
	watched atomic.Bool // somebody waits on the pidfd
	finish  sync.Once   // sets exit and err, and closes done
	done    chan struct{}
	exit    Exit
	err     error

	// pin is held for reading while the pid must not be freed.
	pin    sync.RWMutex
	reaped bool

	mu      sync.Mutex // guards the pidfd's deadline, which ends waits on it
	closing bool
}

// Start starts the command. Every error is a *StartError.
func Start(spec Spec) (*Process, error) {
	path, err := resolve(spec)
	if err != nil {
		return nil, err
	}
	since := ticksSinceBoot()
	pid, pidfd, err := spawn(path, spec)
	if err != nil {
		return nil, explain(spec, path, err)
	}
	p := &Process{
		Pid:     pid,
		orphans: spec.Orphans,
		pidfd:   pidfd,
		floor:   ownPeak(),
		done:    make(chan struct{}),
	}
	p.tree = &tree{leader: pid, markers: markerSets(spec.Marker), since: since}
	return p, nil
}

// Wait returns how the main process ended, or ctx's error if that comes
// first; the process is then still running. It may be called repeatedly.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	// The first who asks waits on the pidfd itself: one goroutine fewer to
	// wake for each child.
	if p.watched.CompareAndSwap(false, true) {
		p.watchUntil(ctx)
	}
	select {
	case <-p.done:
		return p.exit, p.err
	default:
	}
	select {
	case <-p.done:
		return p.exit, p.err
	case <-ctx.Done():
		return Exit{}, ctx.Err()
	}
}

// Done is closed when the main process has ended.
func (p *Process) Done() <-chan struct{} {
	if p.watched.CompareAndSwap(false, true) {
		go p.watch()
	}
	return p.done
}

// Ended tells whether the main process has ended by now.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
	}
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return false
	}
	var ended bool
	err = conn.Control(func(fd uintptr) { ended = p.look(fd) })
	return err == nil && ended
}

// Close lets go of the process: it waits for a Stop or Sweep under way, then
// reaps the zombie. A process that still runs is left running, and Wait
// fails from then on.
func (p *Process) Close() error {
	p.pin.Lock()
	defer p.pin.Unlock()
	if p.reaped {
		return nil
	}
	p.reaped = true
	var err error
	if !p.Ended() {
		err = p.endWaits()
	}
	p.orphans.reap(p.Pid)
	return errors.Join(err, p.pidfd.Close())
}

// endWaits makes all waits fail, and returns when they have.
func (p *Process) endWaits() error {
	p.mu.Lock()
	p.closing = true
	err := p.pidfd.SetReadDeadline(past)
	p.mu.Unlock()
	<-p.Done()
	return err
}

// past is a deadline that ends a wait at once.
var past = time.Unix(1, 0)

// watchUntil waits for the end of the main process, and leaves that to another
// goroutine when ctx is done first.
func (p *Process) watchUntil(ctx context.Context) {
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cut)
		p.setDeadline(past)
	})
	err := p.await()
	if stop() || err == nil {
		p.end(Exit{}, err) // without effect when it has ended
		return
	}
	<-cut
	p.setDeadline(time.Time{})
	go p.watch()
}

// setDeadline sets the deadline of whoever waits on the pidfd, but for the one
// that Close has set.
func (p *Process) setDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		_ = p.pidfd.SetReadDeadline(t)
	}
}

// watch waits for the end of the main process.
func (p *Process) watch() { p.end(Exit{}, p.await()) }

// await returns when the main process has ended, and leaves the zombie.
func (p *Process) await() error {
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(p.look)
}

// look tells whether there is nothing more to wait for. If so, it keeps why.
func (p *Process) look(pidfd uintptr) bool {
	exit, ended, err := peek(int(pidfd), p.floor)
	if ended || err != nil {
		p.end(exit, err)
	}
	return ended || err != nil
}

// end keeps how the main process ended, or why that is not known; the first
// word counts.
func (p *Process) end(exit Exit, err error) {
	p.finish.Do(func() {
		if err != nil {
			err = fmt.Errorf("wait for process %d: %w", p.Pid, err)
		}
		p.exit, p.err = exit, err
		close(p.done)
	})
}

// peek tells whether a child has ended, and how, without reaping it.
func peek(pidfd int, floor int64) (Exit, bool, error) {
	var info unix.Siginfo
	var use unix.Rusage
	for {
		err := unix.Waitid(unix.P_PIDFD, pidfd, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, &use)
		switch err {
		case unix.EINTR:
			continue
		case unix.EAGAIN: // a pidfd in non-blocking mode says so
			return Exit{}, false, nil
		case nil:
		default:
			return Exit{}, false, err
		}
		break
	}
	pid, status := childInfo(&info)
	if pid == 0 {
		return Exit{}, false, nil
	}
	return newExit(info.Code, status, &use, floor), true, nil
}

// childInfo reads si_pid and si_status, which x/sys does not name. They
// follow three ints, padded to the alignment of a pointer.
func childInfo(info *unix.Siginfo) (pid, status int) {
	raw := (*[unsafe.Sizeof(*info)]byte)(unsafe.Pointer(info)) //nolint:gosec // reads the kernel's struct within its size
	const word = unsafe.Sizeof(uintptr(0))
	const at = (12 + word - 1) / word * word
	pid = int(int32(binary.NativeEndian.Uint32(raw[at:])))
	status = int(int32(binary.NativeEndian.Uint32(raw[at+8:])))
	return pid, status
}

// The values of si_code for SIGCHLD.
const (
	cldExited = 1
	cldDumped = 3
)

func newExit(code int32, status int, use *unix.Rusage, floor int64) Exit {
	e := Exit{
		Code:       status,
		UserTime:   time.Duration(use.Utime.Nano()),
		SystemTime: time.Duration(use.Stime.Nano()),
		MaxRSS:     int64(use.Maxrss) * 1024, //nolint:unconvert // 32 bits wide on some machines
	}
	if e.MaxRSS <= floor {
		e.MaxRSS = 0
	}
	if code != cldExited {
		e.Code = -1
		e.Signal = signalName(unix.Signal(status))
		e.CoreDumped = code == cldDumped
	}
	return e
}

// signalName is TERM for SIGTERM, and the number where there is no name.
func signalName(sig unix.Signal) string {
	if name := unix.SignalName(sig); len(name) > 3 {
		return name[3:]
	}
	return fmt.Sprint(int(sig))
}

// ticksSinceBoot is the present in the unit and the clock of entry.start, or
// the beginning of time.
func ticksSinceBoot() uint64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	const perSecond = 100 // on all machines that Go knows
	return uint64(now.Nano()) / uint64(time.Second/perSecond)
}

func ownPeak() int64 {
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	return int64(use.Maxrss) * 1024 //nolint:unconvert // 32 bits wide on some machines
}
