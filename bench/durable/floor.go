package durable

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the same engine as the ledger's

	"github.com/poold/poold/bench/suite"
)

func commits(r *suite.Round) int { return r.Pick(1000, 300, 20) }

// bareSQLite measures the least that durable lifecycles take without
// gathering: an INSERT and two UPDATEs of one small row, each committed.
func bareSQLite(ctx context.Context, r *suite.Round) error {
	dir, err := r.Folder("bare")
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return fmt.Errorf("measure bare commits: %w", err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	const table = "CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT, state TEXT, at INTEGER)"
	if _, err := db.ExecContext(ctx, table); err != nil {
		return fmt.Errorf("measure bare commits: %w", err)
	}
	began := time.Now()
	for i := range commits(r) {
		for _, statement := range []string{
			"INSERT INTO runs (id, job, state, at) VALUES (?, 'job', 'queued', 1)",
			"UPDATE runs SET state = 'running', at = 2 WHERE id = ?",
			"UPDATE runs SET state = 'succeeded', at = 3 WHERE id = ?",
		} {
			if _, err := db.ExecContext(ctx, statement, i+1); err != nil {
				return fmt.Errorf("measure bare commits: %w", err)
			}
		}
	}
	r.Note("", float64(commits(r))/time.Since(began).Seconds())
	return nil
}

// syncs measures how often a second the disk takes 4 KiB for good, three times.
func syncs(_ context.Context, r *suite.Round) error {
	f, err := os.CreateTemp(r.Work, "sync")
	if err != nil {
		return fmt.Errorf("measure fsync: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	began := time.Now()
	for range commits(r) {
		if _, err := f.Write(page); err != nil {
			return fmt.Errorf("measure fsync: %w", err)
		}
		if err := f.Sync(); err != nil {
			return fmt.Errorf("measure fsync: %w", err)
		}
	}
	r.Note("", float64(commits(r))/3/time.Since(began).Seconds())
	return nil
}
