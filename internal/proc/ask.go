package proc

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// asking is the first rung of the ladder: a signal, and a while to heed it.
//
// Everyone gets the signal once. Whoever appears while the main process
// lives gets none: it may be what a trap does to tidy up. When the main
// process ends, what has appeared since is asked too, as it was left behind.
//
// There is one exception. A child that was just forked still has its parent's
// handlers, and drops a signal when it execs: a shell's `sleep 600` would
// outlive a TERM that met it too early. It is asked again after the exec.
type asking struct {
	tree  *tree
	sig   unix.Signal
	asked map[int]asked
}

type asked struct {
	start uint64
	image string
	fresh bool // forked, and not yet another program than its parent
}

// Between two looks at the table while members live.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 2 * time.Second
)

// ask sends the first signal and waits until all members are gone.
func (t *tree) ask(ctx context.Context, s Stop) (gone bool, err error) {
	deadline := time.Now().Add(s.After)
	members, err := t.alive()
	if err != nil || len(members) == 0 {
		return err == nil, err
	}
	a := asking{tree: t, sig: s.Signal, asked: make(map[int]asked)}
	t.send(members, s.Signal)
	a.note(members)
	main := t.main(members)
	// A table is not read in one instant, so that a process may move past
	// the reader: only twice nothing is nothing.
	for pause, empty := firstPause, 0; empty < 2; pause = min(2*pause, lastPause) {
		round := time.Now().Add(pause)
		if round.After(deadline) {
			round = deadline
		}
		waitAll(ctx, main, members, round)
		if members, err = t.alive(); err != nil {
			return false, err
		}
		if len(members) == 0 {
			empty++
			continue
		}
		empty = 0
		if ctx.Err() != nil || !time.Now().Before(deadline) {
			return false, nil //nolint:nilerr // out of time is an answer: it did not end
		}
		had := main != nil
		main = t.main(members)
		a.again(members, had && main == nil)
	}
	return true, nil
}

// main is the main process among the members, or nil.
func (t *tree) main(members []entry) *entry {
	for i, m := range members {
		if m.pid == t.leader {
			return &members[i]
		}
	}
	return nil
}

// waitAll waits for the main process as long as there is one, else for all.
func waitAll(ctx context.Context, main *entry, members []entry, deadline time.Time) {
	if main != nil {
		main.waitGone(ctx, deadline)
		return
	}
	for _, m := range members {
		if !m.waitGone(ctx, deadline) {
			return
		}
	}
}

// note remembers whom the signal went to, and in what shape they were.
func (a *asking) note(members []entry) {
	images := make(map[int]string, len(members))
	for _, m := range members {
		images[m.pid] = m.image
	}
	for _, m := range members {
		image, ok := images[m.ppid]
		a.asked[m.pid] = asked{m.start, m.image, ok && image == m.image}
	}
}

// again asks those that lost the signal, and with left those that never got it.
func (a *asking) again(members []entry, left bool) {
	var lost []entry
	for _, m := range members {
		was, ok := a.asked[m.pid]
		ok = ok && was.start == m.start
		if !ok && left || ok && was.fresh && was.image != m.image {
			m.wake(a.sig)
			lost = append(lost, m)
		}
	}
	a.note(lost)
}
