package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// supervisor tells systemd how the daemon is. Without systemd it does nothing.
type supervisor struct{ log *slog.Logger }

func (s supervisor) say(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		s.log.Warn("tell systemd", "state", state, "err", err)
	}
}

// ready says that the daemon works, and with what.
func (s supervisor) ready(status string) { s.say(sd.SdNotifyReady + "\nSTATUS=" + status) }

// status says in one line what the daemon is doing.
func (s supervisor) status(status string) { s.say("STATUS=" + status) }

// reloading says that a reload has begun; ready ends it. The time stamp is
// what systemd from 253 on tells reloads apart by.
func (s supervisor) reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		s.say(sd.SdNotifyReloading)
		return
	}
	s.say(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", sd.SdNotifyReloading, now.Nano()/int64(time.Microsecond)))
}

// stopping says that the daemon has begun to stop.
func (s supervisor) stopping() { s.say(sd.SdNotifyStopping) }

// watch keeps the watchdog quiet while alive says that the daemon works, until
// ctx is done.
func (s supervisor) watch(ctx context.Context, alive func(context.Context) error) error {
	every, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("read WATCHDOG_USEC: %w", err)
	}
	if every == 0 {
		return nil
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		if err := alive(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the daemon does not answer itself", "err", err)
		} else {
			s.say(sd.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
