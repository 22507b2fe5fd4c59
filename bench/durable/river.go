package durable

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/poold/poold/bench/suite"
)

// callers and workers are how many enqueue and execute at once, everywhere.
const callers, workers = 64, 64

// way is how River is used.
type way struct {
	jobs     int           // in a full run
	bulk     bool          // inserted by one call
	cooldown time.Duration // between fetches: its default of 100 ms would be its limit
}

type nothing struct{}

// Kind is the name of the job.
func (nothing) Kind() string { return "nothing" }

// done is a worker that does nothing.
type done struct{ river.WorkerDefaults[nothing] }

// Work does it.
func (done) Work(context.Context, *river.Job[nothing]) error { return nil }

// riverOnSQLite measures River on a SQLite file with poold's durability: WAL,
// every commit synced.
func riverOnSQLite(how way) func(context.Context, *suite.Round) error {
	return func(ctx context.Context, r *suite.Round) error {
		dir, err := r.Folder("river")
		if err != nil {
			return err
		}
		db, err := sql.Open("sqlite", filepath.Join(dir, "river.db")+
			"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate")
		if err != nil {
			return err
		}
		defer db.Close()
		db.SetMaxOpenConns(1) // as its documentation says
		return measureRiver(ctx, r, riversqlite.New(db), how)
	}
}

// riverOnPostgres measures River on the PostgreSQL server, started for the
// turn with an empty database.
func (p *peers) riverOnPostgres(how way) func(context.Context, *suite.Round) error {
	return func(ctx context.Context, r *suite.Round) (err error) {
		db, err := p.postgres.start(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.postgres.stop()) }()
		defer db.Close()
		return measureRiver(ctx, r, riverpgxv5.New(db), how)
	}
}

// measureRiver measures the lives of some jobs.
func measureRiver[Tx any](ctx context.Context, r *suite.Round, driver riverdriver.Driver[Tx], how way) error {
	jobs := r.Pick(how.jobs, how.jobs/5, 200)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	known := river.NewWorkers()
	river.AddWorker(known, done{})
	client, err := river.NewClient(driver, &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Workers: known, Logger: quiet,
		FetchCooldown: how.cooldown, JobTimeout: -1,
	})
	if err != nil {
		return err
	}
	// An event comes when the job is recorded as completed.
	ended, cancel := client.SubscribeConfig(&river.SubscribeConfig{
		Kinds: []river.EventKind{river.EventKindJobCompleted}, ChanSize: jobs,
	})
	defer cancel()
	if err := client.Start(ctx); err != nil {
		return err
	}
	began := time.Now()
	if how.bulk {
		err = insertMany(ctx, client, jobs)
	} else {
		err = each(jobs, func() error { _, err := client.Insert(ctx, nothing{}, nil); return err })
	}
	for n := 0; n < jobs && err == nil; n++ {
		select {
		case <-ended:
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(time.Minute):
			err = fmt.Errorf("of %d jobs %d were completed", jobs, n)
		}
	}
	r.Note("", float64(jobs)/time.Since(began).Seconds())
	return errors.Join(err, client.Stop(context.WithoutCancel(ctx)))
}

func insertMany[Tx any](ctx context.Context, client *river.Client[Tx], jobs int) error {
	all := make([]river.InsertManyParams, jobs)
	for i := range all {
		all[i].Args = nothing{}
	}
	_, err := client.InsertManyFast(ctx, all)
	return err
}

// each does something so many times, by all callers at once.
func each(times int, do func() error) error {
	var left atomic.Int64
	left.Store(int64(times))
	errs := make([]error, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for left.Add(-1) >= 0 && errs[i] == nil {
				errs[i] = do()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
