package clock

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/robfig/cron/v3"

	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/daemon"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/scheduler"
)

// runner is a scheduler with jobs. Each run that is due adds to a count.
type runner interface {
	start()
	stop()
}

// newRunner makes a runner with so many jobs, ten of which are due each second,
// and the others on a day.
func newRunner(ctx context.Context, who string, jobs int, day string, due *atomic.Int64) (runner, error) {
	switch who {
	case "poold":
		return newPoold(ctx, jobs, day, due)
	case "robfig/cron":
		return newRobfig(jobs, day, due)
	case "gocron":
		return newGocron(jobs, day, due)
	}
	return nil, fmt.Errorf("no runner %q", who)
}

// poold is poold's scheduler, on a ledger that is empty and keeps nothing.
type poold struct {
	*scheduler.Scheduler
	due   *atomic.Int64
	ended chan struct{}
	end   context.CancelFunc
}

func newPoold(ctx context.Context, jobs int, day string, due *atomic.Int64) (*poold, error) {
	dir, err := os.MkdirTemp("", "jobs")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := writeConfig(dir, day, jobs); err != nil {
		return nil, err
	}
	c, err := config.Load(config.Options{
		Path: filepath.Join(dir, "config.yaml"), Types: daemon.Types(slog.New(slog.DiscardHandler), "", nil),
	})
	if err != nil {
		return nil, err
	}
	p := &poold{due: due, ended: make(chan struct{})}
	p.Scheduler, err = scheduler.New(ctx, scheduler.Options{
		Ledger: p, Queue: p, Log: slog.New(slog.DiscardHandler), Host: "bench", BootID: "bench",
	})
	if err != nil {
		return nil, err
	}
	p.Apply(ctx, scheduler.Program{Jobs: c.Jobs, Timetable: c.Timetable})
	return p, nil
}

// jobsOfFile is how many jobs are in one file: it may have 4 MiB.
const jobsOfFile = 10_000

// writeConfig writes a configuration of so many jobs into a folder.
func writeConfig(dir, day string, jobs int) error {
	main := "time_zone: UTC\ninclude: [part*.yaml]\n"
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(main), 0o600); err != nil {
		return err
	}
	for first := 0; first < jobs; first += jobsOfFile {
		var text strings.Builder
		text.WriteString("jobs:\n")
		for i := first; i < min(first+jobsOfFile, jobs); i++ {
			fmt.Fprintf(&text, "  job-%06d: {schedule: %q, with: {command: [/usr/bin/do, --number, \"%d\"]}}\n", i, expression(i, day), i)
		}
		name := fmt.Sprintf("part%03d.yaml", first/jobsOfFile)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text.String()), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (p *poold) start() {
	ctx, end := context.WithCancel(context.Background())
	p.end = end
	go func() {
		defer close(p.ended)
		_ = p.Run(ctx)
	}()
}

func (p *poold) stop() {
	p.end()
	<-p.ended
}

// Enqueue counts the runs.
func (p *poold) Enqueue(_ context.Context, subs []run.Submission, _ time.Time) ([]run.Submitted, error) {
	for i := range subs {
		p.due.Add(int64(len(subs[i].Runs)))
	}
	return make([]run.Submitted, len(subs)), nil
}

// Watermarks are none.
func (*poold) Watermarks(context.Context) (map[string]run.Watermark, error) { return nil, nil }

// SetWatermarks keeps nothing.
func (*poold) SetWatermarks(context.Context, map[string]run.Watermark) error { return nil }

// DeleteWatermarks has nothing to delete.
func (*poold) DeleteWatermarks(context.Context, []string) error { return nil }

type robfig struct{ *cron.Cron }

func newRobfig(jobs int, day string, due *atomic.Int64) (robfig, error) {
	c := cron.New(cron.WithSeconds(), cron.WithLocation(time.UTC))
	for i := range jobs {
		if _, err := c.AddFunc(expression(i, day), func() { due.Add(1) }); err != nil {
			return robfig{}, err
		}
	}
	return robfig{c}, nil
}

func (r robfig) start() { r.Start() }
func (r robfig) stop()  { <-r.Stop().Done() }

type goCron struct{ gocron.Scheduler }

func newGocron(jobs int, day string, due *atomic.Int64) (goCron, error) {
	s, err := gocron.NewScheduler(gocron.WithLocation(time.UTC))
	if err != nil {
		return goCron{}, err
	}
	for i := range jobs {
		if _, err := s.NewJob(gocron.CronJob(expression(i, day), true), gocron.NewTask(func() { due.Add(1) })); err != nil {
			return goCron{}, err
		}
	}
	return goCron{s}, nil
}

func (g goCron) start() { g.Start() }
func (g goCron) stop()  { _ = g.Shutdown() }
