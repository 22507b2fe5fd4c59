package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// watchClock calls set whenever the wall clock was set, until ctx is done. It
// waits on a timer that the kernel cancels then: see TFD_TIMER_CANCEL_ON_SET in
// timerfd_create(2).
func watchClock(ctx context.Context, set func()) error {
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
