// Package durable measures whole lives of runs, each step of them on the disk.
package durable

import (
	"github.com/poold/poold/bench/suite"
)

const about = "A run is enqueued, started and finished through dispatcher and ledger, with 64\n" +
	"workers of a job type that does nothing. Each of 64 callers waits until its run\n" +
	"is on the disk before it enqueues the next one; a worker waits until the start is.\n" +
	"(`go test -run '^$' -bench 'Lifecycle|Batch' ./internal/dispatch`)"

// Suite is the measurement.
func Suite() suite.Suite {
	return suite.Suite{
		Name: "durable", Title: "Durable lifecycles", About: about,
		Modules: []string{"modernc.org/sqlite"},
		Groups: []suite.Group{{
			Name: "One by one", About: "The disk's own limit is a third of its flushes a second: a lifecycle has three.",
			Rounds: 5, Quick: 2,
			Figures: []suite.Figure{{Unit: "lifecycles/s", Higher: true}},
			Rows: []suite.Row{
				{Name: "poold, 64 callers", Measure: poold("Lifecycle")},
				{Name: "poold, one batch", Measure: poold("Batch")},
				{Name: "SQLite alone, INSERT and two UPDATEs, committed one by one", Measure: bareSQLite},
				{Name: "the disk, 4 KiB and fsync, three times", Measure: syncs},
			},
			Asks: []suite.Ask{
				{Want: 12_000},
				{Over: "SQLite alone, INSERT and two UPDATEs, committed one by one"},
			},
		}},
	}
}
