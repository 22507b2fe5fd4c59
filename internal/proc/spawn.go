package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errNoPidfd means that the kernel cannot do what this package rests on.
var errNoPidfd = errors.New("this kernel has no pidfd")

// stepError is a step between fork and exec that is not the exec itself.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// spawn starts path and returns its pid and a pidfd that the runtime's poller
// waits on.
func spawn(path string, spec Spec) (int, *os.File, error) {
	null, err := devNull()
	if err != nil {
		return 0, nil, &stepError{"open /dev/null", err}
	}
	in, out := null, null
	if spec.Stdin != "" {
		if in, err = textFile(spec.Stdin); err != nil {
			return 0, nil, &stepError{"prepare standard input", err}
		}
		defer in.Close()
	}
	if spec.Output != nil {
		out = spec.Output
	}
	if err := keepToOurselves(); err != nil {
		return 0, nil, &stepError{"close stray descriptors", err}
	}
	pidfd := -1
	attr := &syscall.ProcAttr{
		Dir:   spec.Dir,
		Env:   spec.Env,
		Files: []uintptr{in.Fd(), out.Fd(), out.Fd()},
		Sys: &syscall.SysProcAttr{
			// A session of its own, as cron does: no terminal reaches the
			// job, and shells with job control stay within the tree.
			Setsid:     true,
			PidFD:      &pidfd,
			Credential: credential(spec.User),
		},
	}
	pid, err := spec.Orphans.start(func() (int, error) { return onThread(path, spec, attr) })
	runtime.KeepAlive(out)
	if err != nil {
		return 0, nil, err
	}
	if pidfd < 0 {
		abandon(pid, spec.Orphans)
		return 0, nil, &stepError{"start process", errNoPidfd}
	}
	if err := unix.SetNonblock(pidfd, true); err != nil { // so that the poller takes it
		unix.Close(pidfd)
		abandon(pid, spec.Orphans)
		return 0, nil, &stepError{"watch process", err}
	}
	return pid, os.NewFile(uintptr(pidfd), "pidfd"), nil
}

// devNull is one open /dev/null for all children.
var devNull = sync.OnceValues(func() (*os.File, error) { return os.OpenFile(os.DevNull, os.O_RDWR, 0) })

// onThread calls forkExec on a thread that is fit for it. What a child
// inherits from its thread and can be put back is put back afterwards, so
// that any thread of the runtime will do; a nice value cannot be lowered
// again by everyone, and takes its thread with it.
//
// The kernel gives a child to the thread that starts it, and orphans to our
// first one. That one starts no children that it would keep, so that its list
// of children is short however many run.
func onThread(path string, spec Spec, attr *syscall.ProcAttr) (int, error) {
	if spec.Nice != 0 {
		return elsewhere(func() (int, error) {
			runtime.LockOSThread() // never unlocked: the runtime then ends the thread
			return forkExec(path, spec, attr)
		})
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if unix.Gettid() != os.Getpid() {
		return forkExec(path, spec, attr)
	}
	return elsewhere(func() (int, error) { // cannot come to the thread that we hold
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		return forkExec(path, spec, attr)
	})
}

// elsewhere calls f on another goroutine.
func elsewhere(f func() (int, error)) (pid int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pid, err = f()
	}()
	<-done
	return pid, err
}

// forkExec sets what a child inherits from its thread, starts the child, and
// puts all but the nice value back.
func forkExec(path string, spec Spec, attr *syscall.ProcAttr) (int, error) {
	restore, err := setUmask(spec.Umask)
	if err != nil {
		return 0, &stepError{fmt.Sprintf("set umask %04o", spec.Umask), err}
	}
	defer restore()
	if spec.Nice != 0 {
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, spec.Nice); err != nil {
			return 0, &stepError{fmt.Sprintf("set nice %d", spec.Nice), err}
		}
	}
	// A mask that we were started with would be the child's as well.
	var mask unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, &mask); err != nil {
		return 0, &stepError{"clear signal mask", err}
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil) }()
	// golang.org/issue/22315: a fork elsewhere in this process may hold a
	// freshly written program open for writing until its own exec.
	for pause := time.Millisecond; ; pause *= 2 {
		pid, err := syscall.ForkExec(path, spec.Argv, attr)
		if err != syscall.ETXTBSY || pause > 300*time.Millisecond {
			return pid, err
		}
		time.Sleep(pause)
	}
}

// setUmask sets the mask of the calling thread only, until restore is called.
// The thread keeps a mask and a working folder of its own afterwards, equal to
// everybody's: nothing in this process may change those later.
func setUmask(mask int) (restore func(), err error) {
	// Of no effect on a thread that has its own already.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		if now, ok := currentUmask(); ok && now == mask {
			return func() {}, nil // containers may forbid unshare; nothing is to be changed
		}
		return nil, err
	}
	before := unix.Umask(mask)
	return func() { unix.Umask(before) }, nil
}

func currentUmask() (int, bool) {
	n, err := strconv.ParseInt(statusField("Umask"), 8, 32)
	return int(n), err == nil
}

// keepToOurselves sees to it that a child inherits neither descriptors that
// we were started with nor signals that are ignored in this process.
func keepToOurselves() error {
	heedInherited()
	for n := syscall.Signal(1); n <= lastSignal; n++ {
		if signal.Ignored(n) {
			heed(n)
		}
	}
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	open, err := os.ReadDir("/proc/self/fd") // before Linux 5.11
	for _, e := range open {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return err
}

const lastSignal = 64

// heedInherited stops ignoring what whoever started us ignored, as nohup
// does. The kernel is asked once: os/signal knows what is ignored later.
var heedInherited = sync.OnceFunc(func() {
	mask, err := strconv.ParseUint(statusField("SigIgn"), 16, 64)
	for n := 1; err == nil && n <= lastSignal; n++ {
		if mask&(1<<(n-1)) == 0 {
			continue
		}
		heed(syscall.Signal(n))
		if n == 32 || n == 33 {
			_ = sigactionSet(n, &sigaction{})
		}
	}
})

// heed stops ignoring a signal. The runtime resets handled signals in a child,
// but not ignored ones. A handler that feeds nobody ignores as well.
func heed(sig syscall.Signal) { signal.Notify(make(chan os.Signal, 1), sig) }

// sigaction is what the kernel knows of a signal; zero is the default action.
// The mask's place differs between machines, and is zero here.
type sigaction struct {
	handler uintptr
	_       [3]uint64
}

// sigactionSet sets it. The runtime does so for all signals but 32 and 33,
// which it leaves to the C library; that one ignores them in whatever its
// posix_spawn starts, as under make.
func sigactionSet(sig int, act *sigaction) error {
	const maskSize = 8
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(act)), 0, maskSize, 0, 0) //nolint:gosec // the kernel reads it, no more
	if errno != 0 {
		return errno
	}
	return nil
}

// statusField is one value of the calling thread's status, or empty.
func statusField(name string) string {
	data, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(data) {
		if value, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// textFile is a file in memory, open for reading, that holds text.
func textFile(text string) (*os.File, error) {
	const noexecSeal = 0x8 // Linux 6.3; older kernels refuse the flag
	fd, err := unix.MemfdCreate("stdin", unix.MFD_CLOEXEC|noexecSeal)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate("stdin", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, err
	}
	w := os.NewFile(uintptr(fd), "stdin")
	defer w.Close()
	if _, err := io.WriteString(w, text); err != nil {
		return nil, err
	}
	// Opened anew for reading: a child must not write to it, and starts at 0.
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
}

// abandon ends a child that cannot be looked after.
func abandon(pid int, o *Orphans) {
	_ = unix.Kill(pid, unix.SIGKILL)
	_ = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	o.reap(pid)
}
