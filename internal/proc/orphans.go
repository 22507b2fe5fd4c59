package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Orphans makes this process the parent of what its children leave behind: a
// descendant whose own parent has ended becomes our child, instead of that of
// pid 1. So when a main process has ended, one look at our own children tells
// that nothing of its tree is left, and Sweep need not read the whole table of
// processes.
//
// That holds because a living descendant of an ended process is our child, or
// has an ancestor that is, and because a parent's end and the move of its
// children to us are one step for whoever looks. The children of our first
// thread are enough: the kernel gives orphans to that one, and main processes
// stay with the threads that started them. So the look costs as much as there
// are orphans, not as there are children.
//
// A parent must also reap. Children that nobody here has started are reaped
// when they have ended, except those in our own session: every child that
// Start makes leads a session of its own, so these are os/exec's. All callers
// of Start in one process must therefore give the same Orphans.
type Orphans struct {
	session int
	first   *os.File      // lists the children of our first thread
	wake    chan struct{} // has one after a start

	mu       sync.Mutex   // held while children are listed and while any is reaped
	starting int          // children on their way into known
	known    map[int]bool // main processes, until they are reaped
	left     bool         // an ended child could not be reaped yet
}

// AdoptOrphans makes this process adopt what its children leave behind. It
// fails where the kernel does not list a process's children. Run is to be
// called next.
func AdoptOrphans() (*Orphans, error) {
	pid := os.Getpid()
	first, err := os.Open(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, fmt.Errorf("adopt orphans: list own children: %w", err)
	}
	session, err := unix.Getsid(0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	if err != nil {
		first.Close()
		return nil, fmt.Errorf("adopt orphans: %w", err)
	}
	return &Orphans{session: session, first: first, wake: make(chan struct{}, 1), known: map[int]bool{}}, nil
}

// reapPause is how long the ended may wait to be reaped.
const reapPause = time.Second

// Run reaps orphans that have ended, until ctx is done. While we have
// children it looks every second: a signal for each child that ends would cost
// far more where commands are short. Without children it sleeps.
func (o *Orphans) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.wake:
		}
		for o.hasChildren() {
			pause := time.NewTimer(reapPause)
			select {
			case <-ctx.Done():
				pause.Stop()
				return nil
			case <-pause.C:
			}
			o.reapAll()
		}
	}
}

// hasChildren says whether there is, or may soon be, a child that Start made
// or that was left to us.
func (o *Orphans) hasChildren() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.starting > 0 || len(o.known) > 0 {
		return true
	}
	pids, err := ownChildren()
	return err != nil || slices.ContainsFunc(pids, func(pid int) bool {
		e, ok := readEntry(pid)
		return ok && e.session != o.session
	})
}

// reapAll reaps what has ended, and tells whether some of it is left.
func (o *Orphans) reapAll() (left bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left = false
	// Also what was let go while it ran, which is not our first thread's.
	o.noneLocked(ownChildren, ^uint64(0))
	return o.left
}

// none tells for certain that none of our children is an orphan that started
// at that time or later. It reaps those that have ended.
func (o *Orphans) none(since uint64) bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.noneLocked(o.firstChildren, since)
}

// looks is how often the children are listed before the answer is unknown.
const looks = 5

func (o *Orphans) noneLocked(list func() ([]int, error), since uint64) bool {
	// What an orphan leaves behind is listed at its end, which may come after
	// the list was read and before the orphan is looked at. So only a list
	// with nothing new in it is an answer.
	var settled []int
	for range looks {
		pids, err := list()
		if err != nil {
			return false
		}
		news := false
		for _, pid := range pids {
			if o.known[pid] || slices.Contains(settled, pid) {
				continue
			}
			if o.livesLocked(pid, since) {
				return false
			}
			news, settled = true, append(settled, pid)
		}
		if !news {
			return true
		}
	}
	return false
}

// livesLocked tells whether a child is an orphan that lives and may matter.
func (o *Orphans) livesLocked(pid int, since uint64) bool {
	e, ok := readEntry(pid)
	if !ok || e.session == o.session {
		return false
	}
	if !e.zombie {
		return e.start >= since
	}
	if o.starting > 0 { // it may be that one
		o.left = true
		return false
	}
	reapEnded(pid)
	return false
}

// start calls f, which starts a child, and knows that child from then on.
func (o *Orphans) start(f func() (int, error)) (int, error) {
	if o == nil {
		return f()
	}
	o.mu.Lock()
	o.starting++
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
	pid, err := f()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.starting--
	if err == nil {
		o.known[pid] = true
	}
	return pid, err
}

// reap reaps a main process if it has ended; one that has not is an orphan
// from then on.
func (o *Orphans) reap(pid int) {
	if o == nil {
		reapEnded(pid)
		return
	}
	// Under the lock: who is reaped leaves the list of children, and whoever
	// reads that list would miss the next one.
	o.mu.Lock()
	defer o.mu.Unlock()
	reapEnded(pid)
	delete(o.known, pid)
}

// reapEnded reaps one child if it has ended.
func reapEnded(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err != unix.EINTR {
			return
		}
	}
}

// firstChildren lists the children of our first thread: all orphans are there.
func (o *Orphans) firstChildren() ([]int, error) {
	data := make([]byte, 0, 512)
	for {
		n, err := o.first.ReadAt(data[len(data):cap(data)], int64(len(data)))
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return parsePids(data)
		}
		if err != nil {
			return nil, err
		}
		data = slices.Grow(data, cap(data))
	}
}

// ownChildren lists the children of all our threads.
func ownChildren() ([]int, error) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, t := range threads {
		data, err := readProc(os.Getpid(), "task/"+t.Name()+"/children", 64<<20)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			continue // it has ended, and left its children to our first thread
		}
		if err != nil {
			return nil, err
		}
		of, err := parsePids(data)
		if err != nil {
			return nil, err
		}
		pids = append(pids, of...)
	}
	return pids, nil
}

func parsePids(list []byte) ([]int, error) {
	var pids []int
	for field := range bytes.FieldsSeq(list) {
		pid, err := strconv.Atoi(string(field))
		if err != nil {
			return nil, errors.New("the list of children is garbled")
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
