package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/poold/poold/internal/run"
)

// beatEvery is how often the daemon records that it is alive. After a power cut
// it is known this exactly since when it was down.
const beatEvery = time.Minute

// Who did something, beside the users that speak to the socket.
const (
	actorFile   = "file"
	actorWindow = "window"
	actorSignal = "signal " // and its name
	actorUser   = "user "   // and its name
)

// note records an event. Whatever it tells of has happened already, so that a
// ledger that cannot take it is only complained of.
func (d *Daemon) note(e run.Event, detail any) int64 {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	if detail != nil {
		raw, err := json.Marshal(detail)
		if err != nil {
			d.log.Error("encode an event", "event", e.Kind, "err", err)
		}
		e.Detail = raw
	}
	id, err := d.ledger.AddEvent(context.Background(), e)
	if err != nil && !errors.Is(err, run.ErrClosed) {
		d.log.Error("record an event", "event", e.Kind, "err", err)
	}
	return id
}

// beginLife records the start, and since when the daemon was down: since the
// one before it stopped, or, where that was killed, since its last sign of life.
func (d *Daemon) beginLife(ctx context.Context) error {
	start, stop, alive, err := d.ledger.LastLife(ctx)
	if err != nil {
		return err
	}
	e := run.Event{Kind: run.EventStart, Subject: run.SubjectDaemon, At: d.began, Since: alive}
	life := run.Life{Version: d.o.Version, PID: os.Getpid()}
	switch {
	case stop.ID > start.ID:
		e.Since, life.Clean = stop.At, true
	case start.At.After(alive):
		e.Since = start.At
	}
	d.note(e, life)
	return d.beat(ctx)
}

// endOfSchedule records that no schedule fires from now on.
func (d *Daemon) endOfSchedule() error {
	by, _ := d.stopper.Load().(string)
	d.stopID = d.note(run.Event{Kind: run.EventStop, Subject: run.SubjectDaemon, By: by}, nil)
	return nil
}

// endLife records that everything else has stopped, too.
func (d *Daemon) endLife() {
	if d.stopID == 0 {
		return
	}
	if err := d.ledger.EndEvent(context.Background(), d.stopID, time.Now()); err != nil {
		d.log.Error("record the stop", "err", err)
	}
}

func (d *Daemon) beat(ctx context.Context) error { return d.ledger.Beat(ctx, time.Now()) }

// keepBeating records from time to time that the daemon is alive, until ctx is
// done.
func (d *Daemon) keepBeating(ctx context.Context) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := d.beat(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("record that the daemon is alive", "err", err)
		}
		d.lookAtClock()
	}
}

// leastStep is the step of the clock, or the sleep of the host, that is worth
// an event: less is what keeps a clock right.
const leastStep = time.Second

// lookAtClock records how far the clock was set, and how long the host slept,
// since the last look.
func (d *Daemon) lookAtClock() {
	step, slept, now := d.steps.look(readClocks())
	if step >= leastStep || step <= -leastStep {
		d.log.Warn("the clock was set", "by", step.Round(time.Millisecond))
		d.note(run.Event{Kind: run.EventClock, Subject: run.SubjectDaemon, At: now, Since: now.Add(-step), Until: now}, nil)
	}
	if slept >= leastStep {
		d.log.Info("the host was suspended", "for", slept.Round(time.Second))
		d.note(run.Event{Kind: run.EventSleep, Subject: run.SubjectDaemon, At: now, Since: now.Add(-slept), Until: now}, nil)
	}
}

// clocks are the three clocks of the kernel at one moment: the one that can be
// set, the one that cannot, and that without the time the host slept.
type clocks struct {
	wall        time.Time
	boot, awake time.Duration
}

func readClocks() clocks {
	return clocks{wall: time.Now().Round(0), boot: kernelClock(unix.CLOCK_BOOTTIME), awake: kernelClock(unix.CLOCK_MONOTONIC)}
}

func kernelClock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0 // impossible on the kernels this runs on
	}
	return time.Duration(ts.Nano())
}

// steps tells what the wall clock has done that time has not.
type steps struct {
	mu   sync.Mutex
	last clocks
}

// look returns how far the clock was set, and how long the host slept, since
// the look before.
func (s *steps) look(now clocks) (step, slept time.Duration, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.last
	s.last = now
	if before.wall.IsZero() {
		return 0, 0, now.wall
	}
	passed := now.boot - before.boot
	return now.wall.Sub(before.wall) - passed, passed - (now.awake - before.awake), now.wall
}
