package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// soon is how long after a step of the clock its consequences may take: far
// less than the half minute after which the scheduler looks at the clock in any
// case. The machine is emulated and slow.
const soon = 8 * time.Second

// test is the story, in order. Each part begins where the one before it ended.
func test() error {
	if err := os.WriteFile("/state/config.yaml", []byte(program), 0o600); err != nil {
		return err
	}
	if err := os.Setenv("POOLD_SOCKET", "/run/poold.sock"); err != nil {
		return err
	}
	if err := setClock(time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)); err != nil { // no battery
		return err
	}
	daemon, err := start()
	if err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		do   func(daemon **exec.Cmd) error
	}{
		{"a clock that begins in 1970 is put right", putRight},
		{"a step of 8 minutes forward loses nothing", eightForward},
		{"a step of 6 minutes back keeps the beat and repeats no fixed time", sixBack},
		{"a clock that was wrong by years is put right", wrongByYears},
		{"the machine sleeps for half an hour", suspended},
		{"the daemon is killed and the clock is set meanwhile", killed},
	} {
		began := time.Now()
		err := part.do(&daemon)
		fmt.Printf("vm-test: %5.1f s  %s: %s\n", time.Since(began).Seconds(), part.name, verdict(err))
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

func verdict(err error) string {
	if err != nil {
		return "FAILED"
	}
	return "ok"
}

func putRight(**exec.Cmd) error {
	if err := setClock(day("12:00:52")); err != nil {
		return err
	}
	if err := beats(); err != nil {
		return err
	}
	return has("minutely", day("12:01:00"), 1)
}

func eightForward(**exec.Cmd) error {
	before, err := rows("minutely")
	if err != nil {
		return err
	}
	if err := setClock(time.Now().Round(0).Add(8 * time.Minute)); err != nil {
		return err
	}
	if err := beats(); err != nil {
		return err
	}
	took, err := eventually(soon, func() error { return decided("minutely", before, day("12:02:00"), 8) })
	if err != nil {
		return err
	}
	fmt.Println("vm-test: decided", took, "after the step")
	if err := decided("made_up", nil, day("12:02:00"), 8); err != nil {
		return err
	}
	return has("at_1204", day("12:04:00"), 1)
}

func sixBack(**exec.Cmd) error {
	if err := setClock(day("12:03:05")); err != nil { // it was about 12:09
		return err
	}
	if err := beats(); err != nil {
		return err
	}
	if err := setClock(day("12:03:56")); err != nil { // so that nobody waits a minute
		return err
	}
	if err := has("minutely", day("12:04:00"), 2); err != nil {
		return err
	}
	return has("at_1204", day("12:04:00"), 1)
}

func wrongByYears(**exec.Cmd) error {
	if err := setClock(time.Date(2031, 1, 1, 12, 30, 3, 0, time.UTC)); err != nil {
		return err
	}
	if err := beats(); err != nil {
		return err
	}
	if err := setClock(day("12:20:54")); err != nil {
		return err
	}
	if err := beats(); err != nil {
		return err
	}
	// Once as one of the five years of missed ones, once on time.
	return has("at_1221", day("12:21:00"), 2)
}

func suspended(daemon **exec.Cmd) error {
	before, err := rows("minutely")
	if err != nil {
		return err
	}
	pid := (*daemon).Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	if err := setClock(day("12:51:30")); err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		return err
	}
	if err := beats(); err != nil {
		return err
	}
	if err := decided("minutely", before, day("12:22:00"), 30); err != nil {
		return err
	}
	return madeUp(day("12:22:00"), day("12:51:00"), 10)
}

func killed(daemon **exec.Cmd) error {
	before, err := rows("minutely")
	if err != nil {
		return err
	}
	if err := (*daemon).Process.Kill(); err != nil {
		return err
	}
	_ = (*daemon).Wait()
	if err := setClock(day("13:01:30")); err != nil {
		return err
	}
	if *daemon, err = start(); err != nil {
		return err
	}
	if err := beats(); err != nil {
		return err
	}
	return decided("minutely", before, day("12:52:00"), 10)
}

// beats waits for a run of the job beat that was due after now and started
// within two seconds.
func beats() error {
	now := time.Now().Round(0)
	_, err := eventually(soon, func() error {
		list, err := rows("beat")
		if err != nil {
			return err
		}
		for _, r := range list {
			if r.State == "succeeded" && r.ScheduledAt.After(now) && r.StartedAt != nil && r.StartedAt.Sub(*r.ScheduledAt) < 2*time.Second {
				return nil
			}
		}
		return fmt.Errorf("the beat stopped at %v; the last rows are %v", now.UTC(), list[max(0, len(list)-3):])
	})
	return err
}

// has waits until the job has so many rows that stand for a moment, and for no
// more.
func has(job string, at time.Time, want int) error {
	_, err := eventually(soon, func() error {
		list, err := rows(job)
		if err != nil {
			return err
		}
		n := covering(list, at)
		if n != want {
			return fmt.Errorf("job %s has %d rows for %v, want %d: %v", job, n, at, want, list)
		}
		return nil
	})
	return err
}

// decided says whether the moments from one on, a minute apart, each have one
// row among those that were not there before.
func decided(job string, before []row, first time.Time, moments int) error {
	list, err := rows(job)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(r row) bool {
		return slices.ContainsFunc(before, func(b row) bool { return b.ID == r.ID })
	})
	for i := range moments {
		at := first.Add(time.Duration(i) * time.Minute)
		if n := covering(list, at); n != 1 {
			return fmt.Errorf("job %s has %d rows for %v, want 1: %v", job, n, at, list)
		}
	}
	return nil
}

// covering counts the rows that stand for a moment.
func covering(list []row, at time.Time) (n int) {
	for _, r := range list {
		last := *r.ScheduledAt
		if r.Until != nil {
			last = *r.Until
		}
		if !at.Before(*r.ScheduledAt) && !at.After(last) {
			n++
		}
	}
	return n
}

// madeUp waits until that many of the minutes from first to last have been made
// up for.
func madeUp(first, last time.Time, runs int) error {
	_, err := eventually(soon, func() error {
		list, err := rows("made_up")
		if err != nil {
			return err
		}
		n := 0
		for _, r := range list {
			if r.Trigger == "catch_up" && r.State == "succeeded" && !r.ScheduledAt.Before(first) && !r.ScheduledAt.After(last) {
				n++
			}
		}
		if n != runs {
			return fmt.Errorf("%d runs were made up for, want %d: %v", n, runs, list)
		}
		return nil
	})
	return err
}
