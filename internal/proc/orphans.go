package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
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
// thread are enough: the kernel gives orphans to that one, and the threads
// that start children end at once and leave them to it.
//
// A parent must also reap. Children that nobody here has started are reaped
// when they have ended, except those in our own session: every child that
// Start makes leads a session of its own, so these are os/exec's. All callers
// of Start in one process must therefore give the same Orphans.
type Orphans struct {
	session int

	mu       sync.Mutex   // held while children are listed and while any is reaped
	starting int          // children on their way into known
	known    map[int]bool // main processes, until they are reaped
	left     bool         // an ended child could not be reaped yet
}

// AdoptOrphans makes this process adopt what its children leave behind. It
// fails where the kernel does not list a process's children. Run is to be
// called next.
func AdoptOrphans() (*Orphans, error) {
	if _, err := ownChildren(); err != nil {
		return nil, fmt.Errorf("adopt orphans: list own children: %w", err)
	}
	session, err := unix.Getsid(0)
	if err != nil {
		return nil, fmt.Errorf("adopt orphans: ask for the session: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("adopt orphans: %w", err)
	}
	return &Orphans{session: session, known: map[int]bool{}}, nil
}

// reapPause is how long the ended may wait to be reaped: they come in crowds.
const reapPause = time.Second

// Run reaps orphans that have ended, until ctx is done.
func (o *Orphans) Run(ctx context.Context) error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	defer signal.Stop(ended)
	for {
		if !o.reapAll() {
			select {
			case <-ctx.Done():
				return nil
			case <-ended:
			}
		}
		pause := time.NewTimer(reapPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
}

// reapAll reaps what has ended, and tells whether some of it is left.
func (o *Orphans) reapAll() (left bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left = false
	o.noneLocked(^uint64(0))
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
	return o.noneLocked(since)
}

// looks is how often the children are listed before the answer is unknown.
const looks = 5

func (o *Orphans) noneLocked(since uint64) bool {
	// What an orphan leaves behind is listed at its end, which may come after
	// the list was read and before the orphan is looked at. So only a list
	// with nothing new in it is an answer.
	settled := map[int]bool{}
	for range looks {
		pids, err := ownChildren()
		if err != nil {
			return false
		}
		news := false
		for _, pid := range pids {
			if o.known[pid] || settled[pid] {
				continue
			}
			if o.livesLocked(pid, since) {
				return false
			}
			news, settled[pid] = true, true
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

// ownChildren lists the children of our first thread.
func ownChildren() ([]int, error) {
	self := strconv.Itoa(os.Getpid())
	data, err := readProc(os.Getpid(), "task/"+self+"/children", 64<<20)
	if err != nil {
		return nil, err
	}
	var pids []int
	for field := range bytes.FieldsSeq(data) {
		pid, err := strconv.Atoi(string(field))
		if err != nil {
			return nil, errors.New("the list of children is garbled")
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
