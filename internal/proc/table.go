package proc

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// entry is one process as /proc shows it. Pid and start together are its
// identity: a pid that is used again has another start.
type entry struct {
	pid, ppid      int
	group, session int
	start          uint64 // clock ticks since boot
	zombie         bool
	image          string // differs after an exec; not readable of everyone
	command        string
}

// kernelThreads is the parent of all kernel threads.
const kernelThreads = 2

// table yields all processes but ourselves, pid 1 and kernel threads: nothing
// of those is ever stopped. The highest pids come first: they are mostly the
// newest, and a process that forks and ends is met before it has.
func table() (iter.Seq[entry], error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	self := os.Getpid()
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid != self && pid > kernelThreads {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return func(yield func(entry) bool) {
		for _, pid := range slices.Backward(pids) {
			if e, ok := readEntry(pid); ok && e.ppid != kernelThreads && !yield(e) {
				return
			}
		}
	}, nil
}

// readEntry reads one process; false when it is gone.
func readEntry(pid int) (entry, bool) {
	data, err := readProc(pid, "stat", 4096)
	if err != nil {
		return entry{}, false
	}
	// The command stands in parentheses and may hold any byte, others too.
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return entry{}, false
	}
	f := bytes.Fields(data[end+1:])
	if len(f) < 26 {
		return entry{}, false
	}
	num := func(i int) int {
		n, _ := strconv.Atoi(string(f[i])) // the kernel writes numbers here
		return n
	}
	start, err := strconv.ParseUint(string(f[19]), 10, 64)
	if err != nil {
		return entry{}, false
	}
	return entry{
		pid: pid, ppid: num(1), group: num(2), session: num(3), start: start,
		// A first thread that has ended while others go on looks like a zombie.
		zombie:  (f[0][0] == 'Z' || f[0][0] == 'X') && num(17) <= 1,
		image:   string(f[25]), // the address of the stack, chosen anew by each exec
		command: string(data[open+1 : end]),
	}, true
}

// readEnviron lists the environment a process was started with; false when it
// is gone or not ours to read.
func readEnviron(pid int) ([]string, bool) {
	data, err := readProc(pid, "environ", 8<<20)
	if err != nil {
		return nil, false
	}
	data = bytes.TrimRight(data, "\x00")
	if len(data) == 0 {
		return nil, true
	}
	return strings.Split(string(data), "\x00"), true
}

// readProc reads a small file of a process with plain system calls: tables
// are read often, and os.File would register each with the poller.
func readProc(pid int, name string, most int) ([]byte, error) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	data := make([]byte, 0, 4096)
	for len(data) < most {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := unix.Read(fd, data[len(data):cap(data)])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return data, err
		}
		data = data[:len(data)+n]
	}
	return data, nil
}
