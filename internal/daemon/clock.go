package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// zonesLooked is how often the rules of the zones are looked at. tzdata is
// updated a few times a year, and most often long before the change it brings.
const zonesLooked = 5 * time.Minute

// watchZones reloads when the host has new rules of a zone that is used, until
// ctx is done.
func (d *Daemon) watchZones(ctx context.Context) error {
	look := time.NewTicker(zonesLooked)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		if changed := d.current.Load().ZonesChanged(); len(changed) > 0 {
			d.log.Info("zones have new rules", "zones", changed)
			d.reloadAlone(ctx, byZones)
		}
	}
}

// watchClock makes all look at the clock when it was set, until ctx is done.
// Where the kernel cannot tell, the scheduler sees it within half a minute.
func (d *Daemon) watchClock(ctx context.Context) error {
	d.pullIn(ctx) // it may have been set while no daemon ran
	if err := onClockSet(ctx, d.clockSet); err != nil {
		d.log.Warn("a clock that is set is noticed within half a minute only", "err", err)
	}
	return nil
}

// onClockSet calls set whenever the wall clock was set, until ctx is done. It
// waits on a timer that the kernel cancels then: see TFD_TIMER_CANCEL_ON_SET in
// timerfd_create(2).
func onClockSet(ctx context.Context, set func()) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("watch the clock: %w", err)
	}
	timer := os.NewFile(uintptr(fd), "timerfd")
	defer timer.Close()
	stop := context.AfterFunc(ctx, func() { _ = timer.Close() })
	defer stop()
	buf := make([]byte, 8)
	for {
		if err := armFarAhead(fd); err != nil {
			return fmt.Errorf("watch the clock: %w", err)
		}
		_, err := timer.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ECANCELED):
			set()
		case err != nil:
			return fmt.Errorf("watch the clock: %w", err)
		}
	}
}

// armFarAhead sets the timer to a time that does not come; only its cancelling
// is of interest.
func armFarAhead(fd int) error {
	never := unix.ItimerSpec{Value: unix.Timespec{Sec: 1 << 40}}
	return unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil)
}
