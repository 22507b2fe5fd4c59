package report

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
)

// fact is a line of the table of what was measured on.
type fact struct{ Name, Value string }

func machine(work string, all []suite.Measured) []fact {
	facts := []fact{
		{"processor", fmt.Sprintf("%s, %d in use", cpu(), runtime.GOMAXPROCS(0))},
		{"kernel", kernel()},
		{"file system", fileSystem(work)},
		{"Go", runtime.Version()},
	}
	seen := map[string]bool{}
	for _, s := range all {
		for _, m := range s.Modules {
			if !seen[m] {
				facts = append(facts, fact{m, moduleVersion(m)})
			}
			seen[m] = true
		}
		for _, p := range s.Programs {
			if !seen[p] {
				facts = append(facts, fact{p, programVersion(p)})
			}
			seen[p] = true
		}
	}
	return facts
}

func cpu() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

// fileSystem names the kind of the file system that a path is on.
func fileSystem(path string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return "unknown"
	}
	names := map[uint64]string{
		unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.TMPFS_MAGIC: "tmpfs: in memory, nothing below is durable",
	}
	if name, ok := names[uint64(s.Type)]; ok {
		return name
	}
	return fmt.Sprintf("type %#x", s.Type)
}

func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "unknown"
}

// programVersion is the first line that a program says of itself.
func programVersion(name string) string {
	path := rig.Find(name)
	if path == "" {
		return "not there"
	}
	out, err := exec.Command(path, "--version").CombinedOutput() //nolint:noctx // it ends at once
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil || line == "" {
		return "unknown"
	}
	return line
}
