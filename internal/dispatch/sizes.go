package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/pool"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// OnShrink says what a shrink does with the attempts above the new size.
type OnShrink string

// The ways to shrink.
const (
	Finish     OnShrink = "finish"      // they go on to their end
	Requeue    OnShrink = "requeue"     // the newest that may start again are stopped and queued again
	StopNewest OnShrink = "stop_newest" // stopped, and canceled
	StopOldest OnShrink = "stop_oldest"
)

// Values lists the ways to shrink.
func (OnShrink) Values() []string { return []string{"finish", "requeue", "stop_newest", "stop_oldest"} }

// Unlimited is the size of a pool without a bound.
const Unlimited = pool.Unlimited

// Pool is what the configuration says of a pool.
type Pool struct {
	Name       string
	Workers    int
	QueueLimit int
	OnShrink   OnShrink
	Windows    []Window
	Rate       time.Duration // one start in so much time; 0: no limit
	Per        Per
	Entry      string // identifies the pool's own entry in the file
}

// Window changes the size of a pool from each of its moments on.
type Window struct {
	At      schedule.Schedule
	Workers int
}

// Hand is a size that an operator gave a pool. It holds until Until, if that is
// set, or until the pool's own entry in the file changes.
type Hand struct {
	Workers  int
	OnShrink OnShrink // empty: as the pool says
	Until    time.Time
	Entry    string
}

// Pause is why nothing new is started, and until when (zero: until resumed).
type Pause struct {
	Since  time.Time
	Until  time.Time
	Reason string
	By     string
	Drain  bool
	Entry  string // of a pool's: its entry in the file then; when that changes, the pause ends
}

// over says whether the pause has ended by itself.
func (p Pause) over(now time.Time) bool { return !p.Until.IsZero() && !p.Until.After(now) }

// SizeBy says what gave a pool its size.
type SizeBy string

// What gives a pool its size.
const (
	SizeByHand   SizeBy = "hand"
	SizeByWindow SizeBy = "window"
	SizeByFile   SizeBy = "file"
	SizeAtFirst  SizeBy = "first" // it had none before
)

// inForce is the size that holds for the pool now: the operator's, else that of
// the window begun last, else the configured one.
func inForce(p Pool, hand *Hand, now time.Time) (workers int, by SizeBy) {
	if hand != nil && (hand.Until.IsZero() || hand.Until.After(now)) {
		return hand.Workers, SizeByHand
	}
	workers, by = p.Workers, SizeByFile
	var begun time.Time
	for _, w := range p.Windows {
		if last, ok := w.At.Last(now); ok && last.At.After(begun) {
			begun, workers, by = last.At, w.Workers, SizeByWindow
		}
	}
	return workers, by
}

// nextChange is when the size may change by itself, or the zero time.
func nextChange(p Pool, hand *Hand, now time.Time) time.Time {
	var next time.Time
	earlier := func(at time.Time) {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if hand != nil {
		earlier(hand.Until)
	}
	for _, w := range p.Windows {
		if occ, ok := w.At.Next(now); ok {
			earlier(occ.At)
		}
	}
	return next
}

// SetHand gives a pool a size by hand.
func (d *Dispatcher) SetHand(name string, h Hand) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.feeds[name]
	if !ok {
		return fmt.Errorf("pool %q: %w", name, run.ErrNotFound)
	}
	if h.Entry == "" {
		h.Entry = f.spec.Entry
	}
	if h.Entry != f.spec.Entry {
		return nil // the file has changed since: the file holds
	}
	d.hands[name] = h
	d.resizeLocked(f, time.Now())
	poke(d.ripen)
	return nil
}

// ResetHand gives a pool the size of the file again.
func (d *Dispatcher) ResetHand(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.feeds[name]
	if !ok {
		return fmt.Errorf("pool %q: %w", name, run.ErrNotFound)
	}
	delete(d.hands, name)
	d.resizeLocked(f, time.Now())
	return nil
}

// retime lets windows, sizes by hand and timed pauses begin and end, and
// returns when the next does.
func (d *Dispatcher) retime(now time.Time) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := now.Add(longestWait)
	sooner := func(at time.Time) {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	for _, f := range d.feeds {
		d.resizeLocked(f, now)
		sooner(nextChange(f.spec, d.handLocked(f.name), now))
	}
	d.endPausesLocked(now, sooner)
	return next
}

func (d *Dispatcher) handLocked(name string) *Hand {
	if h, ok := d.hands[name]; ok {
		return &h
	}
	return nil
}

// resizeLocked makes the pool as large as it should be now.
func (d *Dispatcher) resizeLocked(f *feed, now time.Time) {
	hand := d.handLocked(f.name)
	size, by := inForce(f.spec, hand, now)
	byHand := by == SizeByHand
	f.byHand = byHand
	if size == f.size && f.sized {
		return
	}
	mode := f.spec.OnShrink
	if byHand && hand.OnShrink != "" {
		mode = hand.OnShrink
	}
	if f.sized {
		d.o.Log.Info("pool resized", "pool", f.name, "from", sizeText(f.size), "to", sizeText(size))
	} else {
		by = SizeAtFirst
	}
	shrinks := size < f.size
	f.size, f.sized = size, true
	f.pool.Resize(size, pool.Finish)
	d.o.Resized(f.name, size, by, now)
	if shrinks {
		d.stopSurplusLocked(f, mode)
	}
	poke(f.wake)
}

func sizeText(n int) any {
	if n == Unlimited {
		return "unlimited"
	}
	return n
}

// stopSurplusLocked stops just enough attempts above the size, by the mode.
func (d *Dispatcher) stopSurplusLocked(f *feed, mode OnShrink) {
	cause := jobs.ErrShrunk
	running := d.runningLocked(f)
	switch mode {
	case StopNewest:
		slices.Reverse(running)
	case StopOldest:
	case Requeue:
		cause = jobs.ErrRequeued
		slices.Reverse(running)
	default:
		return
	}
	surplus := -f.size
	for _, t := range running {
		surplus += t.weight(f.size)
	}
	for _, t := range running {
		if surplus <= 0 {
			return
		}
		if mode == Requeue && !t.run.Def.Retry.Restartable() {
			continue
		}
		if t.stopped == nil {
			t.stopped = cause
		}
		t.stop(cause)
		surplus -= t.weight(f.size)
	}
}

// weight is how many workers of a pool of that size the run takes.
func (t *task) weight(size int) int { return max(1, min(int(t.run.Slots), max(size, 1))) }

// runningLocked lists the feed's attempts that may be stopped, oldest first. One
// whose start is not recorded yet is among them.
func (d *Dispatcher) runningLocked(f *feed) []*task {
	var running []*task
	for _, t := range d.tasks {
		if t.feed == f && t.stop != nil && t.stopped == nil {
			running = append(running, t)
		}
	}
	slices.SortFunc(running, func(a, b *task) int {
		if c := a.since.Compare(b.since); c != 0 {
			return c
		}
		return cmp.Compare(a.run.ID, b.run.ID)
	})
	return running
}

// PausePool lets nothing new start in the pool. With p.Drain it is draining
// until nothing runs.
func (d *Dispatcher) PausePool(name string, p Pause) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.feeds[name]
	if !ok {
		return fmt.Errorf("pool %q: %w", name, run.ErrNotFound)
	}
	if p.Entry == "" {
		p.Entry = f.spec.Entry
	}
	if p.Entry != f.spec.Entry {
		return nil // the file has changed since: the file holds
	}
	d.hushed[name] = p
	d.pauseLocked(f)
	poke(d.ripen)
	return nil
}

// ResumePool ends a pause or drain of the pool.
func (d *Dispatcher) ResumePool(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.feeds[name]
	if !ok {
		return fmt.Errorf("pool %q: %w", name, run.ErrNotFound)
	}
	delete(d.hushed, name)
	d.pauseLocked(f)
	return nil
}

// PauseHost lets nothing new start in any pool.
func (d *Dispatcher) PauseHost(p Pause) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paused = &p
	for _, f := range d.feeds {
		d.pauseLocked(f)
	}
	poke(d.ripen)
}

// ResumeHost ends a pause of the host; pools paused one by one stay so.
func (d *Dispatcher) ResumeHost() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paused = nil
	for _, f := range d.feeds {
		d.pauseLocked(f)
	}
}

// PauseJob holds the job's queued runs back; its occurrences are the
// scheduler's to skip.
func (d *Dispatcher) PauseJob(name string, p Pause) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pausedJobs[name] = p
	poke(d.ripen)
}

// ResumeJob lets the job's held runs go.
func (d *Dispatcher) ResumeJob(name string) {
	d.mu.Lock()
	delete(d.pausedJobs, name)
	d.mu.Unlock()
	d.wake(run.PausedResource(name), true)
}

// pauseLocked makes the pool rest or work as its own pause and the host's say.
func (d *Dispatcher) pauseLocked(f *feed) {
	if _, hushed := d.hushed[f.name]; hushed || d.paused != nil || d.closing || !d.going {
		f.pool.Pause()
		return
	}
	f.pool.Resume()
}

// endPausesLocked ends the pauses whose time is up.
func (d *Dispatcher) endPausesLocked(now time.Time, sooner func(time.Time)) {
	if d.paused != nil {
		if d.paused.over(now) {
			d.paused = nil
		} else {
			sooner(d.paused.Until)
		}
	}
	for name, p := range d.hushed {
		if p.over(now) {
			delete(d.hushed, name)
		} else {
			sooner(p.Until)
		}
	}
	for name, p := range d.pausedJobs {
		if p.over(now) {
			delete(d.pausedJobs, name)
			go d.wake(run.PausedResource(name), true)
		} else {
			sooner(p.Until)
		}
	}
	for _, f := range d.feeds {
		d.pauseLocked(f)
	}
}

// AwaitIdle returns when nothing runs in the pool (or, with an empty name, in
// any pool), or ctx is done.
func (d *Dispatcher) AwaitIdle(ctx context.Context, name string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if d.runningIn(name) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (d *Dispatcher) runningIn(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, t := range d.tasks {
		if t.claimed && (name == "" || t.feed.name == name) {
			n++
		}
	}
	return n
}
