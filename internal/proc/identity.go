package proc

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// errGone means that the process has ended and its pid is free or another's.
var errGone = errors.New("process is gone")

// open returns a pidfd of that very process. The pidfd comes first: it is
// one process from then on, and the start read after it cannot be that of an
// earlier owner of the pid.
func (e entry) open() (int, error) {
	fd, err := unix.PidfdOpen(e.pid, unix.PIDFD_NONBLOCK)
	if err == unix.ESRCH {
		return -1, errGone
	}
	if err != nil {
		return -1, err
	}
	if !e.there() {
		unix.Close(fd)
		return -1, errGone
	}
	return fd, nil
}

// there tells whether the pid is still this process's.
func (e entry) there() bool {
	now, ok := readEntry(e.pid)
	return ok && now.start == e.start
}

// signal sends to that process, or to nobody. Whether it helped is seen by
// the next look at the table, so errors (it has ended, it is another user's)
// are not reported here.
func (e entry) signal(sig unix.Signal) {
	fd, err := e.open()
	if err == nil {
		_ = unix.PidfdSendSignal(fd, sig, nil, 0)
		unix.Close(fd)
		return
	}
	// Out of descriptors: a process that must end is worth the instant
	// between the check and the signal.
	if !errors.Is(err, errGone) && e.there() {
		_ = unix.Kill(e.pid, sig)
	}
}

// wake sends the signal and lets a stopped process go on to receive it.
func (e entry) wake(sig unix.Signal) {
	e.signal(sig)
	e.signal(unix.SIGCONT)
}

// waitGone waits until the process has ended, as a zombie or for good, until
// the deadline or until ctx is done; it tells whether the process has ended.
func (e entry) waitGone(ctx context.Context, deadline time.Time) bool {
	fd, err := e.open()
	if errors.Is(err, errGone) {
		return true
	}
	if err != nil {
		return e.pollGone(ctx, deadline)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil || f.SetReadDeadline(deadline) != nil {
		return e.pollGone(ctx, deadline) // the poller is out of room
	}
	defer context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })()
	return conn.Read(ended) == nil
}

// pollGone is waitGone where there is no descriptor to wait on.
func (e entry) pollGone(ctx context.Context, deadline time.Time) bool {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if now, ok := readEntry(e.pid); !ok || now.start != e.start || now.zombie {
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// ended tells whether the process behind a pidfd has ended.
func ended(pidfd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0
}
