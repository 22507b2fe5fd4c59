package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/template"
	"time"

	"golang.org/x/sys/unix"
)

// results are the figures of all rounds, by name.
type results struct{ all map[string][]float64 }

func newResults() *results { return &results{all: map[string][]float64{}} }

func (r *results) add(name string, v float64) { r.all[name] = append(r.all[name], v) }

func (r *results) median(name string) float64 {
	s := slices.Sorted(slices.Values(r.all[name]))
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 0:
		return (s[n/2-1] + s[n/2]) / 2
	default:
		return s[n/2]
	}
}

// show is the median with the least and the most of a figure.
func (r *results) show(name, format string) string {
	s := slices.Sorted(slices.Values(r.all[name]))
	if len(s) == 0 {
		return "not measured"
	}
	if len(s) == 1 {
		return fmt.Sprintf(format, s[0])
	}
	return fmt.Sprintf(format+" ("+format+" – "+format+")", r.median(name), s[0], s[len(s)-1])
}

// ratio compares two figures round by round, and takes the median.
func (r *results) ratio(a, b string) string {
	over := results{all: map[string][]float64{}}
	for i, v := range r.all[a] {
		if i < len(r.all[b]) {
			over.add("", v/r.all[b][i])
		}
	}
	if len(over.all[""]) == 0 {
		return "not measured"
	}
	return over.show("", "%.2f")
}

const reportText = `# Benchmarks

Measured by ` + "`make bench`" + ` on {{.When}}; run it for the figures of your machine.
{{if .Quick}}This was a quick run: {{end}}each figure is the median of the rounds with (least – most). What is
compared was measured in the same rounds, in turn. Other work on the machine is
part of what is measured.

| | |
|---|---|
| processor | {{.CPU}}, {{.Cores}} in use |
| kernel | {{.Kernel}} |
| file system | {{.FileSystem}} |
| Go | {{.Go}} |
| SQLite | modernc.org/sqlite {{.SQLite}} |

## Durable lifecycles

A run is enqueued, started and finished through dispatcher and ledger, with 64
workers of a job type that does nothing. Each of 64 callers waits until its run
is on the disk before it enqueues the next one; a worker waits until the start is.
(` + "`go test -run '^$' -bench 'Lifecycle|Batch' ./internal/dispatch`" + `)

| | lifecycles/s |
|---|---|
| poold, {{.Size.lifecycles}} runs by 64 callers | {{show "lifecycles Lifecycle" "%.0f"}} |
| poold, one batch of {{.Size.lifecycles}} runs | {{show "lifecycles Batch" "%.0f"}} |
| SQLite alone, INSERT and two UPDATEs, committed one by one | {{show "bare lifecycles" "%.0f"}} |
| the disk: 4 KiB and fsync, three for a lifecycle | {{third "fsync"}} |

poold by 64 callers against SQLite alone: {{ratio "lifecycles Lifecycle" "bare lifecycles"}} times as many. The goal is at least
8,000 on two cores.

## Commands

{{.Size.naps}} times ` + "`sleep 0.1`" + `, by ` + "`poold batch --wait`" + ` (durable, logged, output kept, every
process tree looked after) and by ` + "`xargs -P`" + ` (none of that). "Above ideal" is the
wall time over the measured times of the attempts divided by the workers, as
` + "`poold batch --wait`" + ` prints it; the goal is 1 %.

| workers | poold, s | above ideal, % | xargs -P, s | poold / xargs |
|---|---|---|---|---|
| 10 | {{show "batch 10" "%.2f"}} | {{show "above ideal 10" "%.2f"}} | {{show "xargs 10" "%.2f"}} | {{ratio "batch 10" "xargs 10"}} |
| 20 | {{show "batch 20" "%.2f"}} | {{show "above ideal 20" "%.2f"}} | {{show "xargs 20" "%.2f"}} | {{ratio "batch 20" "xargs 20"}} |

With no overhead at all, {{.Size.naps}} naps take {{.Least10}} s on 10 workers and {{.Least20}} s on 20.

## Memory and start

| | | goal |
|---|---|---|
| resident, {{.Size.idle}} after a start on the shipped config.yaml | {{show "idle memory" "%.1f MB"}} | < 30 MB |
| start with an empty ledger, from exec to READY=1 | {{show "start" "%.0f ms"}} | |
| start with {{.Size.queued}} queued runs ({{show "ledger size" "%.0f MB"}} of ledger) | {{show "reopen" "%.0f ms"}} | < 1 s |
| peak resident after that start, with 4 workers at work | {{show "reopen memory" "%.1f MB"}} | < 64 MB |
`

// report is the document.
func (b *bench) report(quick bool) string {
	text := template.Must(template.New("").Funcs(template.FuncMap{
		"show": b.results.show, "ratio": b.results.ratio,
		"third": b.thirdOf,
	}).Parse(reportText))
	naps := float64(b.size.naps)
	var out strings.Builder
	err := text.Execute(&out, map[string]any{
		"When": time.Now().Format(time.DateOnly), "Quick": quick,
		"CPU": cpu(), "Cores": runtime.GOMAXPROCS(0), "Kernel": kernel(), "FileSystem": fileSystem(b.work),
		"Go": runtime.Version(), "SQLite": moduleVersion("modernc.org/sqlite"),
		"Size": map[string]any{
			"lifecycles": b.size.lifecycles, "naps": b.size.naps, "queued": b.size.queued, "idle": b.size.idle,
		},
		"Least10": fmt.Sprintf("%.1f", naps/100), "Least20": fmt.Sprintf("%.1f", naps/200),
	})
	if err != nil {
		return "bench: write the report: " + err.Error() + "\n"
	}
	return out.String()
}

// thirdOf shows a figure divided by three.
func (b *bench) thirdOf(name string) string {
	third := newResults()
	for _, v := range b.results.all[name] {
		third.add(name, v/3)
	}
	return third.show(name, "%.0f")
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
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return ""
}
