package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"time"

	"github.com/poold/poold/internal/jobs"
)

// tx is one transaction of the writer, and what it will have changed of the
// things that are kept in memory.
type tx struct {
	ledger  *Ledger
	conn    *conn
	cache   *txCache
	counts  map[string]PoolCount // changes by the operations before
	current map[string]PoolCount // changes by this operation
	batches map[string]*batchRow // read, and to be written at the end
	ends    map[string]latest    // of jobs, to be written at the end
	ended   []jobEnd             // by this operation
}

func newTx(w *writer) *tx {
	return &tx{
		ledger: w.ledger, conn: w.conn, cache: w.cache,
		counts: map[string]PoolCount{}, current: map[string]PoolCount{},
	}
}

// mark begins an operation; restore takes back what it changed in memory.
func (t *tx) mark() int {
	for pool, c := range t.current {
		t.counts[pool] = t.counts[pool].plus(c)
	}
	clear(t.current)
	t.gatherEnds()
	return t.cache.changes
}

func (t *tx) restore(mark int) {
	clear(t.current)
	t.ended = t.ended[:0]
	if t.cache.changes != mark {
		t.forget()
	}
}

// flush writes what was gathered while the operations ran.
func (t *tx) flush() error {
	t.mark()
	for _, b := range t.batches {
		if err := t.storeBatch(b); err != nil {
			return err
		}
	}
	return t.storeEnds()
}

// committed makes the changes visible that are kept in memory.
func (t *tx) committed() { t.ledger.counts.add(t.counts) }

// forget drops what memory has of rows that are rolled back, whose ids may be
// given again.
func (t *tx) forget() {
	t.cache.forget()
	t.ledger.defs.forget()
}

// count changes how many runs of a pool are queued and running.
func (t *tx) count(pool string, queued, running int) {
	if queued != 0 || running != 0 {
		t.current[pool] = t.current[pool].plus(PoolCount{Queued: queued, Running: running})
	}
}

// queued is how many runs wait in the pool, as this operation sees it.
func (t *tx) queued(pool string) int {
	return t.ledger.counts.of(pool).Queued + t.counts[pool].Queued + t.current[pool].Queued
}

func (t *tx) exec(sql string, args ...any) error {
	_, _, err := t.conn.exec(context.Background(), sql, args...)
	return err
}

// change runs a statement and returns how many rows it changed.
func (t *tx) change(sql string, args ...any) (int64, error) {
	n, _, err := t.conn.exec(context.Background(), sql, args...)
	return n, err
}

// insert runs a statement and returns the id of the row it added.
func (t *tx) insert(sql string, args ...any) (int64, error) {
	_, id, err := t.conn.exec(context.Background(), sql, args...)
	return id, err
}

// query calls row for each row of the answer.
func (t *tx) query(sql string, args []any, row func([]driver.Value) error) error {
	return t.conn.query(context.Background(), sql, args, row)
}

// txCache is what the writer remembers of the database from one transaction to
// the next. After a rollback it is forgotten whole, and read again.
type txCache struct {
	changes int                        // rises with each addition
	byDef   map[*jobs.Definition]int64 // ids of definitions
	byHash  map[string]int64
	minute  int64 // of the last row of clock; -1: unknown
}

// cacheMost bounds the definitions kept: each reload brings new values.
const cacheMost = 10_000

func newTxCache() *txCache {
	c := &txCache{}
	c.forget()
	return c
}

func (c *txCache) forget() {
	c.byDef, c.byHash, c.minute = map[*jobs.Definition]int64{}, map[string]int64{}, -1
}

// definition returns the id of the stored definition, storing it if it is new.
// A definition must not be changed once runs were created with it.
func (t *tx) definition(def *jobs.Definition) (int64, error) {
	if id, ok := t.cache.byDef[def]; ok {
		return id, nil
	}
	hash, err := def.Hash()
	if err != nil {
		return 0, refuse(err)
	}
	id, ok := t.cache.byHash[hash]
	if !ok {
		if id, err = t.storeDefinition(def, hash); err != nil {
			return 0, fmt.Errorf("store definition of job %q: %w", def.Name, err)
		}
	}
	if len(t.cache.byDef) >= cacheMost {
		clear(t.cache.byDef)
	}
	t.cache.changes++
	t.cache.byDef[def], t.cache.byHash[hash] = id, id
	t.ledger.defs.add(id, def)
	return id, nil
}

func (t *tx) storeDefinition(def *jobs.Definition, hash string) (int64, error) {
	id, err := pick(t, number, "SELECT id FROM definitions WHERE hash = ?", hash)
	if err != nil || id != 0 {
		return id, err
	}
	body, err := def.Canonical()
	if err != nil {
		return 0, err
	}
	return t.insert("INSERT INTO definitions (hash, job, body) VALUES (?, ?, ?)", hash, def.Name, string(body))
}

// noteTime keeps the clock table: the first run of each minute, and the first
// after the clock was set, is written down there.
func (t *tx) noteTime(id int64, now time.Time) error {
	minute := now.Truncate(time.Minute).UnixNano()
	if t.cache.minute == minute {
		return nil
	}
	if t.cache.minute == -1 {
		last, err := pick(t, number, "SELECT at FROM clock ORDER BY id DESC LIMIT 1")
		if err != nil {
			return fmt.Errorf("read the last minute: %w", err)
		}
		if t.cache.minute = last; last == minute {
			return nil
		}
	}
	if minute < t.cache.minute {
		t.ledger.stepped.Store(onceStepped)
	}
	if err := t.exec("INSERT INTO clock (id, at) VALUES (?, ?)", id, minute); err != nil {
		return fmt.Errorf("note the minute: %w", err)
	}
	t.cache.changes++
	t.cache.minute = minute
	return nil
}

// knownDefinitions are those that an operation may refer to without looking.
func (c *txCache) knownDefinitions() map[int64]bool {
	known := map[int64]bool{}
	for id := range maps.Values(c.byHash) {
		known[id] = true
	}
	for id := range maps.Values(c.byDef) {
		known[id] = true
	}
	return known
}

// pick returns the first column of the only row; the zero value where there is
// none.
func pick[T any](t *tx, as func(driver.Value) T, sql string, args ...any) (T, error) {
	return one(context.Background(), t.conn, as, sql, args...)
}
