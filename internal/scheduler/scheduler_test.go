package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
	"github.com/poold/poold/internal/sqlite"
)

// host is a scheduler on a real ledger; nothing takes the runs up.
type host struct {
	t      *testing.T
	dir    string
	boot   string
	ledger *sqlite.Ledger
	s      *Scheduler
	prog   Program
	zone   *time.Location
	stop   context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	paused map[string]bool
	broken error // what Enqueue fails with
	mute   bool  // Enqueue works, and says that it failed
}

// Enqueue passes on to the ledger, unless it is broken.
func (h *host) Enqueue(ctx context.Context, subs []run.Submission, now time.Time) ([]run.Submitted, error) {
	h.mu.Lock()
	broken, mute := h.broken, h.mute
	h.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	done, err := h.ledger.Enqueue(ctx, subs, now)
	if mute && err == nil {
		return nil, errors.New("the answer is lost")
	}
	return done, err
}

func (h *host) pause(job string, paused bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paused[job] = paused
}

func (h *host) breakLedger(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken = err
}

func (h *host) loseAnswers(mute bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mute = mute
}

func every(name, expr string, change ...func(*jobs.Definition)) *jobs.Definition {
	def := &jobs.Definition{
		Name: name, Type: "test", Pool: "p", Enabled: true, Overlap: jobs.OverlapAllow,
		Schedule: []string{expr}, Grace: schedule.Duration(5 * time.Minute), CatchUp: jobs.CatchUp{Policy: jobs.CatchUpNone},
	}
	for _, f := range change {
		f(def)
	}
	return def
}

func newHost(t *testing.T, defs ...*jobs.Definition) *host {
	t.Helper()
	h := &host{
		t: t, dir: memoryDir(t), boot: "boot-1", paused: map[string]bool{},
		zone: time.UTC,
	}
	h.define(defs...)
	h.open()
	t.Cleanup(h.close)
	return h
}

// memoryDir is a folder in memory, where there is one: a day of rows is written
// to disk again and again otherwise.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "poold")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (h *host) define(defs ...*jobs.Definition) {
	h.prog = Program{Jobs: map[string]*jobs.Definition{}, Timetable: func(job string) schedule.Schedule {
		return timetable(h.prog.Jobs[job], h.zone)
	}}
	for _, def := range defs {
		h.prog.Jobs[def.Name] = def
	}
}

func (h *host) open() {
	h.t.Helper()
	var err error
	if h.ledger, err = sqlite.Open(context.Background(), sqlite.Options{Dir: h.dir}); err != nil {
		h.t.Fatal(err)
	}
	h.s, err = New(context.Background(), Options{
		Ledger: h.ledger, Queue: h, Log: slog.New(slog.DiscardHandler), Host: "h", BootID: h.boot,
		Paused: func(job string) bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.paused[job]
		},
		Arguments: func(_ context.Context, def *jobs.Definition) ([]string, error) {
			if def.Args.File == "missing" {
				return nil, errors.New("no such file")
			}
			time.Sleep(10 * time.Second) // a slow command; virtual
			return []string{"x", "y"}, nil
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.s.Apply(context.Background(), h.prog)
	ctx, stop := context.WithCancel(context.Background())
	h.stop, h.ended = stop, make(chan struct{})
	go func() {
		defer close(h.ended)
		if err := h.s.Run(ctx); err != nil {
			h.t.Error(err)
		}
	}()
}

func (h *host) close() {
	if h.ledger == nil {
		return
	}
	h.stop()
	<-h.ended
	if err := h.ledger.Close(); err != nil {
		h.t.Error(err)
	}
	h.ledger = nil
}

func (h *host) wait(d time.Duration) {
	time.Sleep(d) // virtual: in a bubble
	synctest.Wait()
}

// rows tells the job's rows, oldest first.
func (h *host) rows(job string) []string {
	h.t.Helper()
	list, err := h.ledger.Runs(context.Background(), run.Filter{Job: job, Oldest: true})
	if err != nil {
		h.t.Fatal(err)
	}
	var rows []string
	for _, r := range list {
		row := fmt.Sprintf("%s %s %s %s", r.ScheduledAt.Format("02T15:04:05"), r.State, r.Trigger, r.Reason)
		if r.Count > 1 {
			row += fmt.Sprintf(" ×%d", r.Count)
		}
		if r.Arg != "" {
			row += " arg " + r.Arg
		}
		rows = append(rows, strings.TrimSpace(row))
	}
	return rows
}

func TestADayOfAPerMinuteJobHasEveryMinuteOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, every("j", "* * * * *"), every("quarter", "@every 15m"), every("daily", "30 2 * * *"))
		h.wait(24 * time.Hour)
		for job, want := range map[string]int{"j": 1440, "quarter": 96, "daily": 1} {
			rows := h.rows(job)
			if len(rows) != want {
				t.Errorf("job %s has %d rows, want %d", job, len(rows), want)
			}
			if slices.Sort(rows); len(slices.Compact(rows)) != want {
				t.Errorf("job %s was enqueued twice for one moment", job)
			}
		}
	})
}

func TestARestartMissesAndRepeatsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble begins at midnight UTC
		h := newHost(t, every("j", "0 * * * *"))
		h.wait(90 * time.Minute)
		for range 5 { // within one hour
			h.close()
			h.open()
			h.wait(time.Minute)
		}
		if diff := cmp.Diff([]string{"01T01:00:00 queued schedule"}, h.rows("j")); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		h.close()
		time.Sleep(3 * time.Hour)
		h.open()
		h.wait(time.Second)
		want := []string{"01T01:00:00 queued schedule", "01T02:00:00 skipped schedule missed ×3"}
		if diff := cmp.Diff(want, h.rows("j")); diff != "" {
			t.Errorf("rows after three hours down (-want +got):\n%s", diff)
		}
	})
}

func TestAJobThatIsNewOrChangedHasMissedNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := func(d *jobs.Definition) {
			d.CatchUp = jobs.CatchUp{Policy: jobs.CatchUpAll, MaxAge: schedule.Duration(24 * time.Hour), MaxRuns: 10}
		}
		h := newHost(t, every("same", "0 * * * *", all), every("changed", "0 * * * *", all), every("gone", "0 * * * *", all))
		h.wait(time.Minute)
		h.close()
		time.Sleep(5 * time.Hour)
		h.define(every("same", "0 * * * *", all), every("changed", "30 * * * *", all), every("new", "0 * * * *", all))
		h.open()
		h.wait(time.Minute)
		if got := len(h.rows("same")); got != 5 {
			t.Errorf("the job that stayed has %d rows, want 5", got)
		}
		for _, job := range []string{"changed", "new", "gone"} {
			if got := h.rows(job); len(got) != 0 {
				t.Errorf("job %s: %v, want none", job, got)
			}
		}
		h.define(every("gone", "0 * * * *", all)) // it is back
		h.s.Apply(context.Background(), h.prog)
		h.wait(time.Minute)
		if got := h.rows("gone"); len(got) != 0 {
			t.Errorf("the job that came back: %v, want none", got)
		}
	})
}

func TestRebootRunsOnceForEachBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, every("j", "@reboot"))
		h.wait(time.Second)
		h.close()
		h.open()
		h.wait(time.Second)
		if got := h.rows("j"); len(got) != 1 {
			t.Errorf("in the first boot: %v, want one", got)
		}
		h.close()
		h.boot = "boot-2"
		h.open()
		h.wait(time.Second)
		if got := h.rows("j"); len(got) != 2 {
			t.Errorf("in the second boot: %v, want two", got)
		}
		h.define(every("j", "@reboot"), every("added", "@reboot"))
		h.s.Apply(context.Background(), h.prog)
		h.wait(time.Second)
		if got := h.rows("added"); len(got) != 0 {
			t.Errorf("a job that was added after the boot: %v, want none", got)
		}
	})
}

func TestPausedAndDisabledJobsSayWhyTheyDidNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, every("j", "* * * * *"), every("off", "* * * * *", func(d *jobs.Definition) { d.Enabled = false }))
		h.pause("j", true)
		h.wait(3 * time.Minute)
		h.pause("j", false)
		h.wait(time.Minute)
		want := []string{"01T00:01:00 skipped schedule paused ×3", "01T00:04:00 queued schedule"}
		if diff := cmp.Diff(want, h.rows("j")); diff != "" {
			t.Errorf("paused (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"01T00:01:00 skipped schedule disabled ×4"}, h.rows("off")); diff != "" {
			t.Errorf("disabled (-want +got):\n%s", diff)
		}
	})
}

func TestArgumentsAreListedBesideTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(
			t, every("tick", "* * * * *"),
			every("files", "*/2 * * * *", func(d *jobs.Definition) { d.Args = &jobs.Args{File: "slow"} }),
			every("lost", "*/2 * * * *", func(d *jobs.Definition) { d.Args = &jobs.Args{File: "missing"} }),
			every("list", "*/2 * * * *", func(d *jobs.Definition) { d.Args = &jobs.Args{List: []string{"a", "b"}} }),
		)
		h.wait(2*time.Minute + time.Second)
		if got := h.rows("files"); len(got) != 0 {
			t.Errorf("while they are listed: %v", got)
		}
		if got := h.rows("tick"); len(got) != 2 {
			t.Errorf("another job waited for them: %v", got)
		}
		h.wait(20 * time.Second)
		for job, want := range map[string][]string{
			"files": {"01T00:02:00 queued schedule  arg x", "01T00:02:00 queued schedule  arg y"},
			"list":  {"01T00:02:00 queued schedule  arg a", "01T00:02:00 queued schedule  arg b"},
			"lost":  {"01T00:02:00 failed schedule start"},
		} {
			if diff := cmp.Diff(want, h.rows(job)); diff != "" {
				t.Errorf("job %s (-want +got):\n%s", job, diff)
			}
		}
		h.wait(2 * time.Minute)
		if got := h.rows("files"); len(got) != 4 {
			t.Errorf("the next occurrence: %v", got)
		}
	})
}

func TestWhatTheLedgerCouldNotTakeIsDecidedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, every("j", "* * * * *"))
		h.wait(90 * time.Second)
		h.breakLedger(errors.New("disk full"))
		h.wait(2 * time.Minute)
		h.breakLedger(nil)
		h.wait(2 * time.Second)
		want := []string{"01T00:01:00 queued schedule", "01T00:02:00 queued schedule", "01T00:03:00 queued schedule"}
		if diff := cmp.Diff(want, h.rows("j")); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
}

// The clock cannot go back in a bubble, so these look at it themselves.
func TestAClockThatIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, every("minutely", "* * * * *"), every("fixed", "5 0 * * *"))
		h.stop()
		<-h.ended
		midnight := time.Now().Truncate(24 * time.Hour).UTC()
		look := func(minute int) {
			t.Helper()
			h.s.tick(context.Background(), midnight.Add(time.Duration(minute)*time.Minute))
		}
		for _, minute := range []int{1, 4, 5, 6} {
			look(minute)
		}
		for _, minute := range []int{0, 1, 2, 3, 4, 5, 6, 7} { // six minutes back
			look(minute)
		}
		if got := len(h.rows("fixed")); got != 1 {
			t.Errorf("the job at a fixed time has %d rows, want 1:\n%s", got, strings.Join(h.rows("fixed"), "\n"))
		}
		if got := h.rows("minutely"); len(got) != 6+7 {
			t.Errorf("the minutely job lost its beat: %d rows\n%s", len(got), strings.Join(got, "\n"))
		}
		for year := range 3 { // the clock is wrong by years, then put right
			look((year + 1) * 365 * 24 * 60)
		}
		before := len(h.rows("fixed"))
		for _, minute := range []int{24 * 60, 24*60 + 4, 24*60 + 5} {
			look(minute)
		}
		if got := h.rows("fixed"); len(got) != before+1 {
			t.Errorf("put right, the job at a fixed time is silent: %v", got)
		}
	})
}

// A time with a monotonic reading cannot be seen to go back. In a bubble no
// time has one, so this is outside.
func TestTheSchedulerGoesByTheWallClock(t *testing.T) {
	h := newHost(t, every("hourly", "0 * * * *"))
	h.stop()
	<-h.ended
	for what, at := range map[string]time.Time{
		"the watermark of a new job": h.s.jobs["hourly"].mark.At,
		"the last look":              h.s.last,
	} {
		if strings.Contains(at.String(), "m=") {
			t.Errorf("%s is %v, with a monotonic reading", what, at)
		}
	}
}

func TestAJobThatCannotBeRecordedHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := func(d *jobs.Definition) { d.Args = &jobs.Args{List: []string{"x"}} }
		h := newHost(t, every("barred", "1 0 * * *", lines), every("other", "1 0 * * *"), every("third", "1 0 * * *"))
		// A batch of another job has taken the name of the occurrence's.
		taken := run.Submission{
			Def: every("stranger", "@reboot"), Runs: []run.New{{State: run.Queued}}, Batch: true,
			BatchKey: run.OccurrenceKey("barred", time.Now().UTC().Truncate(24*time.Hour).Add(time.Minute), 0),
		}
		if _, err := h.ledger.Enqueue(context.Background(), []run.Submission{taken}, time.Now()); err != nil {
			t.Fatal(err)
		}
		h.wait(61 * time.Second)
		for _, name := range []string{"other", "third"} {
			if got := h.rows(name); len(got) != 1 {
				t.Errorf("job %s has %d rows, want 1: %v", name, len(got), got)
			}
		}
	})
}
