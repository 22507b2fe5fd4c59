// Package durable measures whole lives of runs, each step of them on the disk.
package durable

import (
	"context"
	"errors"
	"time"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
)

const about = `A run of a job that does nothing is enqueued, started and finished, by 64 workers,
with every step on the disk before it counts.

- poold: dispatcher and ledger in one process, SQLite with ` + "`synchronous=FULL`" + `
  (` + "`go test -run '^$' -bench 'Lifecycle|Batch' ./internal/dispatch`" + `). What has
  ended stays as history.
- River: one client with its own batching of what has ended, fetching as often as it
  is quickest (its default is ten times a second, 640 jobs/s on 64 workers); on
  SQLite in WAL mode with ` + "`synchronous=FULL`" + ` and the one connection that its
  documentation asks for; on PostgreSQL on loopback with the durability that
  ` + "`initdb`" + ` sets, through 32 connections. What has ended stays as history.
- asynq: Redis on loopback with ` + "`appendonly yes`" + ` and ` + "`appendfsync always`" + `. What has
  ended is deleted. One server takes one task after the other, with a flush for
  each; eight servers of eight workers are the quickest way to use it here.`

const (
	alone      = "SQLite alone, INSERT and two UPDATEs, committed one by one"
	onSQLite   = "River on SQLite"
	onPostgres = "River on PostgreSQL"
	oneServer  = "asynq, one server"
	manyServer = "asynq, eight servers"
)

// oneWriter is what a profile of poold's benchmark says.
const oneWriter = "Of poold's side, the ledger's one writer takes 35 µs of CPU for a life and waits 16 µs for the disk,\n" +
	"so that it ends at 20,000 lives/s on the machine this was written on; each keeps its row and its history."

// peers are the servers that peers need.
type peers struct {
	postgres postgres
	redis    redis
}

// Suite is the measurement.
func Suite() suite.Suite {
	var p peers
	return suite.Suite{
		Name: "durable", Title: "Durable lifecycles", About: about,
		Modules:  []string{"modernc.org/sqlite", "github.com/riverqueue/river", "github.com/hibiken/asynq"},
		Programs: []string{"postgres", "redis-server"},
		Groups:   []suite.Group{p.oneByOne(), p.inBulk()},
	}
}

var needsPostgres, needsRedis = []string{"postgres", "initdb"}, []string{"redis-server"}

func (p *peers) oneByOne() suite.Group {
	return suite.Group{
		Name: "One by one", About: "64 callers enqueue. Each waits until its run is on the disk before it enqueues the next one.\n" +
			"The disk's own limit is a third of its flushes: a life by itself has three.",
		Rounds: 6, Quick: 1, Open: p.open, Close: p.close,
		Figures: []suite.Figure{{Unit: "lifecycles/s", Higher: true}},
		Rows: []suite.Row{
			{Name: "poold", Measure: poold("Lifecycle")},
			{Name: onSQLite, Measure: riverOnSQLite(way{jobs: 2500, cooldown: time.Millisecond})},
			{Name: onPostgres, Needs: needsPostgres, Measure: p.riverOnPostgres(way{jobs: 5000, cooldown: 5 * time.Millisecond})},
			{Name: oneServer, Needs: needsRedis, Measure: p.asynq(1, 3000)},
			{Name: manyServer, Needs: needsRedis, Measure: p.asynq(8, 10_000)},
			{Name: alone, Measure: bareSQLite},
			{Name: "the disk, 4 KiB and fsync, three times", Measure: syncs},
		},
		Asks: []suite.Ask{
			{Want: 12_000},
			{Over: onSQLite, Want: 5, Plot: "durable lifecycles: River on SQLite"},
			{Over: onPostgres, Want: 5, Plot: "durable lifecycles: River on PostgreSQL"},
			{Over: oneServer, Want: 5},
			{Over: manyServer, Want: 5, Plot: "durable lifecycles: asynq, eight servers", Bound: oneWriter + " Redis appends to one file and deletes what has ended."},
			{Over: alone},
		},
	}
}

func (p *peers) inBulk() suite.Group {
	return suite.Group{
		Name: "In bulk", About: "All are enqueued by one call: a batch of poold's, River's `InsertManyFast`. asynq has no such call.",
		Rounds: 5, Quick: 1, Open: p.open, Close: p.close,
		Figures: []suite.Figure{{Unit: "lifecycles/s", Higher: true}},
		Rows: []suite.Row{
			{Name: "poold", Measure: poold("Batch")},
			{Name: onSQLite, Measure: riverOnSQLite(way{jobs: 5000, bulk: true, cooldown: time.Millisecond})},
			{Name: onPostgres, Needs: needsPostgres, Measure: p.riverOnPostgres(way{jobs: 20_000, bulk: true, cooldown: time.Millisecond})},
		},
		Asks: []suite.Ask{
			{Over: onSQLite, Want: 5},
			{Over: onPostgres, Want: 5, Bound: oneWriter + " River copies the bulk in with one statement, and starts and\n" +
				"finishes dozens of jobs with one."},
		},
	}
}

// open prepares the servers that can be had here.
func (p *peers) open(ctx context.Context, r *rig.Rig) error {
	var err error
	if rig.Missing(needsPostgres) == "" {
		err = p.postgres.create(ctx, r)
	}
	if rig.Missing(needsRedis) == "" {
		err = errors.Join(err, p.redis.create(r))
	}
	return err
}

func (p *peers) close() error { return errors.Join(p.postgres.remove(), p.redis.remove()) }
