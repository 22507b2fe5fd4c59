package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// runCols are the columns that scanRun reads.
const runCols = `id, job, pool, def, state, reason, trigger, arg, batch, priority,
	exclusive, parent, scheduled_at, due_at, expires_at, enqueued_at, started_at,
	finished_at, asked_at, attempts, tries, exit_code, signal, error, host,
	output_bytes, count, until, waits`

// scanRun reads one row; what its definition knows is added by complete.
func scanRun(v []driver.Value) (r run.Run, def int64) {
	return run.Run{
		ID: number(v[0]), Job: text(v[1]), Pool: text(v[2]),
		State: run.State(text(v[4])), Reason: run.Reason(text(v[5])), Trigger: run.Trigger(text(v[6])),
		Arg: text(v[7]), Batch: text(v[8]), Priority: int(number(v[9])),
		Exclusive: number(v[10]) != 0, Parent: number(v[11]),
		ScheduledAt: instant(v[12]), DueAt: instant(v[13]), ExpiresAt: instant(v[14]),
		EnqueuedAt: instant(v[15]), StartedAt: instant(v[16]), FinishedAt: instant(v[17]), AskedAt: instant(v[18]),
		Attempts: int(number(v[19])), Tries: int(number(v[20])),
		ExitCode: optional(v[21]), Signal: text(v[22]), Error: text(v[23]), Host: text(v[24]),
		OutputBytes: number(v[25]), Count: max(1, int(number(v[26]))), Until: instant(v[27]), Waits: text(v[28]),
	}, number(v[3])
}

// definitions are the definitions that runs were created with, by the ids of
// their rows, as far as they were needed.
type definitions struct {
	mu   sync.Mutex
	byID map[int64]*jobs.Definition
}

func newDefinitions() *definitions { return &definitions{byID: map[int64]*jobs.Definition{}} }

func (d *definitions) add(id int64, def *jobs.Definition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.byID) >= cacheMost {
		clear(d.byID)
	}
	d.byID[id] = def
}

func (d *definitions) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.byID)
}

// get returns a definition; every run of it shares the value.
func (d *definitions) get(ctx context.Context, c *conn, id int64) (*jobs.Definition, error) {
	d.mu.Lock()
	def := d.byID[id]
	d.mu.Unlock()
	if def != nil {
		return def, nil
	}
	body, err := one(ctx, c, text, "SELECT body FROM definitions WHERE id = ?", id)
	if err != nil {
		return nil, fmt.Errorf("read definition %d: %w", id, err)
	}
	def = new(jobs.Definition)
	if err := json.Unmarshal([]byte(body), def); err != nil {
		return nil, fmt.Errorf("read definition %d: %w", id, err)
	}
	d.add(id, def)
	return def, nil
}

// runsOf runs a query whose first columns are runCols and returns its runs,
// each with its definition.
func (l *Ledger) runsOf(ctx context.Context, c *conn, sql string, args ...any) ([]run.Run, error) {
	var runs []run.Run
	var defs []int64
	err := c.query(ctx, sql, args, func(v []driver.Value) error {
		r, def := scanRun(v)
		runs, defs = append(runs, r), append(defs, def)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range runs {
		def, err := l.defs.get(ctx, c, defs[i])
		if err != nil {
			return nil, err
		}
		runs[i].Def, runs[i].Type, runs[i].Slots = def, def.Type, def.Slots
	}
	return runs, nil
}

// listing drops the definitions, which listings do without.
func listing(runs []run.Run) []run.Run {
	for i := range runs {
		runs[i].Def = nil
	}
	return runs
}
