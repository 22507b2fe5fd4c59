package clock

import (
	"context"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// load measures how long it takes to load jobs, and what they take then:
// args are whose, and how many.
func load(ctx context.Context, args []string, note func(string, float64)) error {
	jobs, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	var due atomic.Int64
	before := live()
	began := time.Now()
	r, err := newRunner(ctx, args[0], jobs, anyDay, &due)
	if err != nil {
		return err
	}
	note("time", time.Since(began).Seconds())
	note("left", float64(live()-before)/1e6)
	runtime.KeepAlive(r)
	return nil
}

func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what had a cleanup is gone after the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func cpuTime() time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
