package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/exec"
	"github.com/poold/poold/internal/output"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/scheduler"
	"github.com/poold/poold/internal/sqlite"
)

// instant takes the place of exec where time is virtual: it checks settings as
// exec does, and its commands are done at once, or after the time that the test
// gives their job.
type instant struct {
	*exec.Type
	took func(job string, scheduled time.Time) time.Duration
}

// Run succeeds after the time that the job takes.
func (i instant) Run(_ context.Context, t jobs.Task) jobs.Outcome {
	time.Sleep(i.took(t.Job, t.ScheduledAt)) // virtual
	return jobs.Outcome{OK: true}
}

// Held lists nothing.
func (instant) Held(context.Context, string) ([]jobs.Held, error) { return nil, nil }

// serverDay is a day in the life of examples/server.yaml.
type serverDay struct {
	cfg    *config.Config
	ledger *sqlite.Ledger
	mu     sync.Mutex
	sizes  []string // of the pool nightly, with the time of day
}

// slowTick is when, by the clock of the day, one queue-tick takes so long that
// two moments pass meanwhile.
const slowTick = "04:10"

func took(job string, scheduled time.Time) time.Duration {
	switch {
	case job == "queue-tick" && scheduled.In(berlin()).Format("15:04") == slowTick:
		return 150 * time.Second
	case job == "dump":
		return 10 * time.Minute
	}
	return time.Second
}

func berlin() *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return zone
}

// liveThrough lets scheduler, dispatcher and ledger live from shortly before
// the beginning of the day to its end. It is called in a bubble.
func liveThrough(t *testing.T, year int, month time.Month, day int) (d *serverDay, from, until time.Time) {
	t.Helper()
	from = time.Date(year, month, day, 0, 0, 0, 0, berlin()).Add(-30 * time.Second)
	until = time.Date(year, month, day+1, 0, 0, 0, 0, berlin()).Add(-30 * time.Second)
	time.Sleep(time.Until(from))

	registry := jobs.NewRegistry(map[string]jobs.Type{
		"exec": instant{exec.New(exec.Options{Log: slog.New(slog.DiscardHandler)}), took},
	})
	cfg, err := config.Load(config.Options{Path: filepath.Join("../../examples", "server.yaml"), Types: registry})
	if err != nil {
		t.Fatal(err)
	}
	d = &serverDay{cfg: cfg}
	stop := d.open(t, registry)
	time.Sleep(time.Until(until))
	synctest.Wait()
	stop()
	return d, from, until
}

// open starts the parts as the daemon does. The function it returns stops them;
// the ledger stays open until the test ends.
func (d *serverDay) open(t *testing.T, registry jobs.Registry) (stop func()) {
	t.Helper()
	ctx, dir, log := context.Background(), memoryDir(t), slog.New(slog.DiscardHandler)
	ledger, err := sqlite.Open(ctx, sqlite.Options{Dir: dir, Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	d.ledger = ledger
	t.Cleanup(func() { _ = ledger.Close() })
	outputs, err := output.Open(dir + "/output")
	if err != nil {
		t.Fatal(err)
	}
	pools := dispatch.New(dispatch.Options{
		Ledger: ledger, Outputs: sinks{outputs}, Log: log, LedgerID: ledger.ID(), Host: "h", Resized: d.resized,
	})
	if err := pools.Settle(ctx, registry); err != nil {
		t.Fatal(err)
	}
	pools.Apply(dispatchProgram(d.cfg))
	clock, err := scheduler.New(ctx, scheduler.Options{Ledger: ledger, Queue: pools, Log: log, Host: "h", BootID: "this"})
	if err != nil {
		t.Fatal(err)
	}
	clock.Apply(ctx, schedulerProgram(d.cfg))
	running, cancel := context.WithCancel(ctx)
	var loops sync.WaitGroup
	loops.Go(func() { _ = pools.Run(running) })
	loops.Go(func() { _ = clock.Run(running) })
	return func() {
		cancel()
		loops.Wait()
		pools.Close(ctx)
		if err := outputs.Close(); err != nil {
			t.Error(err)
		}
	}
}

// memoryDir is a folder in memory, where there is one: a day is thousands of
// commits, and the disk is not what is tested.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "poold")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (d *serverDay) resized(pool string, workers int, _ dispatch.SizeBy, at time.Time) {
	if pool != "nightly" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sizes = append(d.sizes, fmt.Sprintf("%s %d", at.In(berlin()).Format("15:04"), workers))
}

// rows lists the runs of a job, oldest first.
func (d *serverDay) rows(t *testing.T, job string) []run.Run {
	t.Helper()
	var rows []run.Run
	err := d.ledger.EachRun(t.Context(), run.Filter{Job: job, Oldest: true}, func(r run.Run) error {
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestADayOfATypicalServer(t *testing.T) {
	days := []struct {
		name  string
		year  int
		month time.Month
		day   int
		want  map[string]int // runs that have succeeded
	}{
		{
			"a monday, the first of its month", 2026, time.June, 1,
			map[string]int{
				"hourly": 24, "daily": 1, "monthly": 1, "session-cleanup": 48, "monitor": 288, "queue-tick": 1440 - 2,
				"certificates": 2, "dump": 3, "vacuum": 1, "report": 1, "at-boot": 1,
			},
		},
		{
			"a sunday of 23 hours", 2026, time.March, 29,
			map[string]int{
				"hourly": 23, "daily": 1, "weekly": 1, "session-cleanup": 46, "monitor": 276, "queue-tick": 1380 - 2,
				"certificates": 2, "dump": 3, "vacuum": 1, "at-boot": 1,
			},
		},
		{
			"a sunday of 25 hours", 2026, time.October, 25,
			map[string]int{
				"hourly": 25, "daily": 1, "weekly": 1, "session-cleanup": 50, "monitor": 300, "queue-tick": 1500 - 2,
				"certificates": 2, "dump": 3, "vacuum": 1, "at-boot": 1,
			},
		},
	}
	for _, tt := range days {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, from, until := liveThrough(t, tt.year, tt.month, tt.day)
				got := map[string]int{}
				for _, job := range d.cfg.JobNames() {
					rows := d.rows(t, job)
					if n := count(rows, run.Succeeded); n > 0 {
						got[job] = n
					}
					d.checkMoments(t, job, rows, from, until)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("runs that succeeded (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{"23:59 1", "01:00 3", "06:00 1"}, d.sizes); diff != "" {
					t.Errorf("sizes of the pool nightly (-want +got):\n%s", diff)
				}
				d.checkDump(t)
			})
		})
	}
}

func count(rows []run.Run, state run.State) (n int) {
	for _, r := range rows {
		if r.State == state {
			n++
		}
	}
	return n
}

// checkDump checks that the lines of the dump ran one after another, for their
// lock, and the vacuum after the last.
func (d *serverDay) checkDump(t *testing.T) {
	t.Helper()
	rows := d.rows(t, "dump")
	slices.SortFunc(rows, func(a, b run.Run) int { return a.StartedAt.Compare(b.StartedAt) })
	rows = append(rows, d.rows(t, "vacuum")...)
	for i := 1; i < len(rows); i++ {
		if rows[i].StartedAt.Before(rows[i-1].FinishedAt) {
			t.Errorf("%s %s began before %s %s had ended", rows[i].Job, rows[i].Arg, rows[i-1].Job, rows[i-1].Arg)
		}
	}
}

// checkMoments checks that every moment at which the job was due has a row, and
// nothing else has. The moments are found by walking through the minutes.
func (d *serverDay) checkMoments(t *testing.T, job string, rows []run.Run, from, until time.Time) {
	t.Helper()
	def := d.cfg.Jobs[job]
	if len(def.Schedule) == 0 || def.Schedule[0] == "@reboot" {
		return
	}
	want := walk(def.Schedule[0], from, until)
	got := []string{}
	for _, r := range rows {
		for i := range max(r.Count, 1) { // the moments of a row are a minute apart: they are of queue-tick
			got = append(got, r.ScheduledAt.Add(time.Duration(i)*time.Minute).UTC().Format("01-02T15:04Z"))
		}
	}
	slices.Sort(got)
	got = slices.Compact(got) // the lines of a batch share their moment
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: moments with a row (-want +got):\n%s", job, diff)
	}
}

// walk names the moments of a cron expression, minute by minute. An hour that
// is skipped makes what was due in it due at its end; one that comes twice
// counts twice only for expressions with any hour.
func walk(expr string, from, until time.Time) []string {
	fields := strings.Fields(expr)
	moments := []string{}
	seen := map[string]bool{}
	wall := from.In(berlin())
	for at := from.Truncate(time.Minute).Add(time.Minute); !at.After(until); at = at.Add(time.Minute) {
		before := wall
		wall = at.In(berlin())
		_, was := before.Zone()
		_, is := wall.Zone()
		local := wall.Format("15:04")
		due := fits(fields, wall) && (fields[1] == "*" || !seen[local])
		seen[local] = seen[local] || due
		if is > was && fields[1] != "*" { // the clock went forward: look at what it passed over
			for gone := wall.Add(-time.Duration(is-was) * time.Second); gone.Before(wall); gone = gone.Add(time.Minute) {
				due = due || fits(fields, gone.In(time.FixedZone("", is)))
			}
		}
		if due {
			moments = append(moments, at.UTC().Format("01-02T15:04Z"))
		}
	}
	return moments
}

// fits says whether the wall clock fits all five fields.
func fits(fields []string, at time.Time) bool {
	values := []int{at.Minute(), at.Hour(), at.Day(), int(at.Month()), int(at.Weekday())}
	fields = append(slices.Clone(fields[:4]), strings.ReplaceAll(fields[4], "7", "0")) // sunday
	for i, value := range values {
		if !slices.ContainsFunc(strings.Split(fields[i], ","), func(part string) bool { return fitsPart(part, value) }) {
			return false
		}
	}
	return true
}

func fitsPart(part string, value int) bool {
	if part == "*" {
		return true
	}
	if step, ok := strings.CutPrefix(part, "*/"); ok {
		n, err := strconv.Atoi(step)
		return err == nil && value%n == 0
	}
	first, last, ok := strings.Cut(part, "-")
	if !ok {
		last = first
	}
	low, errLow := strconv.Atoi(first)
	high, errHigh := strconv.Atoi(last)
	return errLow == nil && errHigh == nil && low <= value && value <= high
}
