package proc

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Stop is the ladder by which processes are ended: Signal, After, KILL.
type Stop struct {
	Signal syscall.Signal // first; 0 means TERM
	After  time.Duration  // how long all may take before KILL
	Tree   bool           // the whole tree, not the main process alone
}

// Stopped is what a ladder did.
type Stopped struct {
	Killed []Found // outlived the first signal and were killed
	Left   []Found // live still; KILL had no effect
	Err    error   // the table of processes could not be read
}

// killFor is how long a process may take to die of KILL; longer, and it hangs
// in the kernel or is another user's. killMost is for all rounds together,
// against processes that fork and hosts that crawl.
const (
	killFor  = time.Second
	killMost = 5 * time.Second
)

// Stop ends the process by the ladder and returns when it has ended, with its
// whole tree if so asked. When ctx is done, KILL comes at once. Stop takes no
// longer than After and a second, or five while new processes keep appearing.
func (p *Process) Stop(ctx context.Context, s Stop) Stopped {
	p.pin.RLock()
	defer p.pin.RUnlock()
	if p.reaped {
		return Stopped{}
	}
	if s.Signal == 0 {
		s.Signal = unix.SIGTERM
	}
	if !s.Tree {
		return p.stopMain(ctx, s)
	}
	return p.tree.clone().stop(ctx, s)
}

// Sweep ends what the main process left behind, by the ladder. It is for
// after Wait; without Tree it does nothing. With Orphans it is cheap where
// nothing was left behind. What others run on the process's behalf, at or a
// container engine, is then not looked for, Marker or not.
func (p *Process) Sweep(ctx context.Context, s Stop) Stopped {
	if !s.Tree || p.leftNothing() {
		return Stopped{}
	}
	return p.Stop(ctx, s)
}

// leftNothing tells for certain that the main process has ended and that no
// descendant of it is alive.
func (p *Process) leftNothing() bool {
	return p.Ended() && p.orphans.none(p.tree.since)
}

func (p *Process) stopMain(ctx context.Context, s Stop) Stopped {
	main, ok := readEntry(p.Pid)
	if !ok || main.zombie {
		return Stopped{}
	}
	main.wake(s.Signal)
	if s.Signal != unix.SIGKILL && p.endsWithin(ctx, s.After) {
		return Stopped{}
	}
	if p.Ended() {
		return Stopped{}
	}
	main.signal(unix.SIGKILL)
	out := Stopped{Killed: []Found{main.found()}}
	if !p.endsWithin(context.Background(), killFor) {
		out.Left = out.Killed
	}
	return out
}

func (p *Process) endsWithin(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.Done():
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// clone lets several ladders run on one tree without sharing what they learn.
func (t *tree) clone() *tree {
	c := *t
	c.known = make(map[int]uint64, len(t.known))
	for pid, start := range t.known {
		c.known[pid] = start
	}
	return &c
}

// stop runs the ladder on all members.
func (t *tree) stop(ctx context.Context, s Stop) Stopped {
	if s.Signal != unix.SIGKILL {
		gone, err := t.ask(ctx, s)
		if gone || err != nil {
			return Stopped{Err: err}
		}
	}
	return t.kill()
}

// kill repeats KILL until nobody is left: whoever forks faster than a table
// is read meets the next round.
func (t *tree) kill() Stopped {
	var out Stopped
	counted := make(map[int]uint64)
	began := time.Now()
	deadline := began.Add(killFor)
	for empty := 0; empty < 2; {
		// At first sight, not when the table was read: a process that forks
		// and ends would be gone by then.
		members, _, err := t.scan(func(e entry) { e.signal(unix.SIGKILL) })
		if err != nil {
			out.Err = err
			return out
		}
		if len(members) == 0 {
			empty++
			continue
		}
		empty = 0
		t.send(members, unix.SIGKILL)
		for _, m := range members {
			if counted[m.pid] != m.start {
				counted[m.pid] = m.start
				out.Killed = append(out.Killed, m.found())
				deadline = time.Now().Add(killFor)
			}
		}
		if now := time.Now(); now.After(deadline) || now.Sub(began) > killMost {
			out.Left = foundAll(members)
			return out
		}
		round := time.Now().Add(100 * time.Millisecond)
		for _, m := range members {
			m.waitGone(context.Background(), round)
		}
	}
	return out
}

// send signals all members: those in the leader's group at one instant, so
// that none forks past it, the others one by one. Stopped processes are let
// go on, to receive it.
func (t *tree) send(members []entry, sig unix.Signal) {
	if t.leader != 0 {
		_ = unix.Kill(-t.leader, sig)
		_ = unix.Kill(-t.leader, unix.SIGCONT)
	}
	for _, m := range members {
		if !t.leads(m) {
			m.wake(sig)
		}
	}
}

// leads tells whether a member is still in the leader's group, and so was when
// the group was signalled: whoever has left it does not come back.
func (t *tree) leads(m entry) bool {
	if t.leader == 0 || m.group != t.leader {
		return false
	}
	now, ok := readEntry(m.pid)
	return !ok || now.start != m.start || now.group == t.leader
}

// String is what an operator reads in a log.
func (s Stopped) String() string {
	return fmt.Sprintf("%d killed, %d left", len(s.Killed), len(s.Left))
}
