// Command vm is the init of the virtual machine that run.sh starts. It runs
// poold, sets the clock of the machine, as NTP, an operator or a suspended
// laptop would, and checks what the ledger says of it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if filepath.Base(os.Args[0]) == "true" { // the command of every job
		return
	}
	err := mountAll()
	if err == nil {
		err = test()
	}
	if err != nil {
		fmt.Println("vm-test: FAILED:", err)
	} else {
		fmt.Println("vm-test: all is well")
	}
	time.Sleep(200 * time.Millisecond) // for the console
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func mountAll() error {
	for _, m := range []struct{ kind, dir string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"},
	} {
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	return nil
}

// program is the configuration. Two jobs follow elapsed time, the others fixed
// times of day, which the steps pass over, forwards and backwards.
const program = `
time_zone: UTC
daemon: {state_dir: /state, socket: /run/poold.sock, watch: {enabled: false}, log: {format: text}}
defaults: {overlap: allow}
jobs:
  beat:     {schedule: "*/5 * * * * *", grace: 1s, with: {command: [/bin/true]}}
  minutely: {schedule: "* * * * *", grace: 1m, with: {command: [/bin/true]}}
  made_up:  {schedule: "* * * * *", grace: 1m, catch_up: {policy: all, max_runs: 10}, with: {command: [/bin/true]}}
  at_1204:  {schedule: "4 12 * * *", grace: 1m, catch_up: {policy: latest}, with: {command: [/bin/true]}}
  at_1221:  {schedule: "21 12 * * *", grace: 1m, with: {command: [/bin/true]}}
`

// row is a run as poold runs --json lists it.
type row struct {
	ID          int64      `json:"id"`
	State       string     `json:"state"`
	Reason      *string    `json:"reason"`
	Trigger     string     `json:"trigger"`
	ScheduledAt *time.Time `json:"scheduled_at"`
	StartedAt   *time.Time `json:"started_at"`
	Count       *int       `json:"count"`
	Until       *time.Time `json:"until"`
}

func (r row) String() string {
	text := fmt.Sprintf("%d %s %s", r.ID, r.State, r.Trigger)
	if r.ScheduledAt != nil {
		text += " " + r.ScheduledAt.Format(time.RFC3339)
	}
	if r.Reason != nil {
		text += " " + *r.Reason
	}
	if r.Count != nil {
		text += fmt.Sprintf(" ×%d", *r.Count)
	}
	return text
}

// rows lists the runs of a job, oldest first.
func rows(job string) ([]row, error) {
	out, err := exec.CommandContext(context.Background(), "/poold", "runs", "--job", job, "--limit", "0", "--json").Output()
	if err != nil {
		return nil, fmt.Errorf("poold runs: %w", err)
	}
	var list struct{ Runs []row }
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, err
	}
	slices.SortFunc(list.Runs, func(a, b row) int { return int(a.ID - b.ID) })
	return list.Runs, nil
}

func setClock(to time.Time) error {
	ts := unix.NsecToTimespec(to.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	return nil
}

// day is the time of day of the date on which all happens.
func day(clock string) time.Time {
	at, err := time.Parse(time.DateTime, "2026-03-10 "+clock)
	if err != nil {
		panic(err)
	}
	return at
}

// start starts the daemon and waits until it answers.
func start() (*exec.Cmd, error) {
	daemon := exec.CommandContext(context.Background(), "/poold", "serve", "--config", "/state/config.yaml")
	daemon.Stdout, daemon.Stderr = os.Stdout, os.Stderr
	if err := daemon.Start(); err != nil {
		return nil, err
	}
	_, err := eventually(20*time.Second, func() error { return exec.CommandContext(context.Background(), "/poold", "status").Run() })
	return daemon, err
}

// eventually tries until there is no error, and returns how long that took. Its
// patience is that of the monotonic clock.
func eventually(patience time.Duration, try func() error) (took time.Duration, err error) {
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if err = try(); err == nil || time.Since(began) > patience {
			return time.Since(began).Round(100 * time.Millisecond), err
		}
	}
}
