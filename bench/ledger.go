package main

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // the same engine as the ledger's
)

var perSecond = regexp.MustCompile(`(?m)^Benchmark(\w+?)(?:-\d+)?\s.*?([\d.]+) lifecycles/s`)

// lifecycles measures dispatcher and ledger, by their benchmark.
func (b *bench) lifecycles() error {
	cmd := exec.CommandContext(b.ctx, filepath.Join(b.work, "dispatch.test"), "-test.run", "^$",
		"-test.bench", "^Benchmark(Lifecycle|Batch)$", "-test.benchtime", fmt.Sprintf("%dx", b.size.lifecycles))
	cmd.Env = append(os.Environ(), "TMPDIR="+b.work)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("measure lifecycles: %w\n%s", err, out)
	}
	found := perSecond.FindAllStringSubmatch(string(out), -1)
	if len(found) != 2 {
		return fmt.Errorf("measure lifecycles: no figures in %q", out)
	}
	for _, f := range found {
		n, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return fmt.Errorf("measure lifecycles: %w", err)
		}
		b.results.add("lifecycles "+f[1], n)
	}
	return nil
}

// bareInserts measures the least that durable lifecycles take without
// gathering: an INSERT and two UPDATEs of one small row, each committed.
func (b *bench) bareInserts() error {
	path := filepath.Join(b.work, "bare.db")
	defer os.Remove(path)
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return fmt.Errorf("measure bare commits: %w", err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	const table = "CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT, state TEXT, at INTEGER)"
	if _, err := db.ExecContext(b.ctx, table); err != nil {
		return fmt.Errorf("measure bare commits: %w", err)
	}
	began := time.Now()
	for i := range b.size.commits {
		for _, statement := range []string{
			"INSERT INTO runs (id, job, state, at) VALUES (?, 'job', 'queued', 1)",
			"UPDATE runs SET state = 'running', at = 2 WHERE id = ?",
			"UPDATE runs SET state = 'succeeded', at = 3 WHERE id = ?",
		} {
			if _, err := db.ExecContext(b.ctx, statement, i+1); err != nil {
				return fmt.Errorf("measure bare commits: %w", err)
			}
		}
	}
	b.results.add("bare lifecycles", float64(b.size.commits)/time.Since(began).Seconds())
	return nil
}

// syncs measures how often a second the disk takes 4 KiB for good.
func (b *bench) syncs() error {
	f, err := os.CreateTemp(b.work, "sync")
	if err != nil {
		return fmt.Errorf("measure fsync: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	began := time.Now()
	for range b.size.commits {
		if _, err := f.Write(page); err != nil {
			return fmt.Errorf("measure fsync: %w", err)
		}
		if err := f.Sync(); err != nil {
			return fmt.Errorf("measure fsync: %w", err)
		}
	}
	b.results.add("fsync", float64(b.size.commits)/time.Since(began).Seconds())
	return nil
}
