package sqlite

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// oldestSQLite is the first version without the defect by which resetting the
// write-ahead log could damage a database.
const oldestSQLite = "3.51.3"

// lockDir takes the state folder for this process. The lock goes with the
// process, however it ends; the pid in the file is only for the message.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock the state folder: %w", err)
	}
	err = flock(f)
	if errors.Is(err, unix.EWOULDBLOCK) {
		_ = f.Close()
		return nil, fmt.Errorf("another poold (pid %s) uses %s; stop it, or give this one its own --state-dir",
			holder(f.Name()), dir)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock the state folder %s: %w", dir, err)
	}
	if err := writePID(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock the state folder %s: %w", dir, err)
	}
	return f, nil
}

// A lock whose holder is dead is waited for this long, and asked for this often.
const (
	deadHolderWait  = 2 * time.Second
	deadHolderEvery = 5 * time.Millisecond
)

// flock locks the file, without waiting for a holder that lives. A daemon that
// was killed while it started a command is survived for a moment by that child,
// which has the lock until it has become the command. Whoever gets the lock can
// therefore find every command by its environment.
func flock(f *os.File) error {
	for waited := time.Duration(0); ; waited += deadHolderEvery {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || waited >= deadHolderWait {
			return err
		}
		pid, convErr := strconv.Atoi(holder(f.Name()))
		if convErr != nil || !errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			return err
		}
		time.Sleep(deadHolderEvery)
	}
}

// holder is the pid in a lock file.
func holder(path string) string {
	raw, _ := os.ReadFile(path)
	pid, err := strconv.Atoi(string(bytes.TrimSpace(raw)))
	if err != nil || pid <= 0 {
		return "unknown"
	}
	return strconv.Itoa(pid)
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// openWriter opens the connection that writes. The file is made here, since
// SQLite's own would be readable by everyone.
func openWriter(ctx context.Context, path string) (*conn, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	c, err := openConn(path)
	if err != nil {
		return nil, err
	}
	if err := prepareWriter(ctx, c); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func prepareWriter(ctx context.Context, c *conn) error {
	if err := checkVersion(ctx, c); err != nil {
		return err
	}
	for _, pragma := range []string{
		"busy_timeout = 5000",
		"page_size = 4096",
		"journal_mode = WAL",
		"synchronous = FULL",
		"wal_autocheckpoint = 4000",
		"journal_size_limit = 67108864",
		"foreign_keys = OFF",
		"temp_store = MEMORY",
		"cache_size = -4096",
	} {
		if err := c.script(ctx, "PRAGMA "+pragma); err != nil {
			return fmt.Errorf("set %s: %w", pragma, err)
		}
	}
	return nil
}

func checkVersion(ctx context.Context, c *conn) error {
	have, err := one(ctx, c, text, "SELECT sqlite_version()")
	if err != nil {
		return fmt.Errorf("ask for the version of SQLite: %w", err)
	}
	if olderVersion(have, oldestSQLite) {
		return fmt.Errorf("this poold is built with SQLite %s, which can damage its database; build it with %s or newer",
			have, oldestSQLite)
	}
	return nil
}

// olderVersion compares versions of numbers and dots.
func olderVersion(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range bs {
		var x int
		if i < len(as) {
			x, _ = strconv.Atoi(as[i])
		}
		if y, _ := strconv.Atoi(bs[i]); x != y {
			return x < y
		}
	}
	return false
}

// migrate brings the schema up to date, one numbered file after another, each
// in a transaction of its own.
func migrate(ctx context.Context, c *conn) error {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return fmt.Errorf("list migrations: %w", err)
	}
	at, err := one(ctx, c, number, "PRAGMA user_version")
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if at > int64(len(files)) {
		return fmt.Errorf("its schema has version %d, and this poold knows none above %d: "+
			"it was written by a newer poold; install that one again, or restore a backup from before the upgrade",
			at, len(files))
	}
	for n := at; n < int64(len(files)); n++ {
		body, err := migrationFiles.ReadFile(files[n])
		if err != nil {
			return fmt.Errorf("read migration %s: %w", files[n], err)
		}
		if err := migrateOne(ctx, c, string(body), n+1); err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", n+1, err)
		}
	}
	return nil
}

func migrateOne(ctx context.Context, c *conn, body string, version int64) error {
	err := c.script(ctx, "BEGIN IMMEDIATE;\n"+body+"\nPRAGMA user_version = "+strconv.FormatInt(version, 10)+";\nCOMMIT;")
	if err != nil {
		_ = c.script(ctx, "ROLLBACK")
	}
	return err
}

// meta returns a random identity that was made once, now if there is none.
func meta(ctx context.Context, c *conn, key string) (string, error) {
	_, _, err := c.exec(ctx, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING", key, rand.Text())
	if err != nil {
		return "", fmt.Errorf("make the ledger's identity: %w", err)
	}
	id, err := one(ctx, c, text, "SELECT value FROM meta WHERE key = ?", key)
	if err != nil {
		return "", fmt.Errorf("read the ledger's identity: %w", err)
	}
	return id, nil
}

// one returns the first column of the only row, converted; the zero value
// where there is none.
func one[T any](ctx context.Context, c *conn, as func(driver.Value) T, query string, args ...any) (T, error) {
	var got T
	err := c.query(ctx, query, args, func(v []driver.Value) error {
		got = as(v[0])
		return nil
	})
	return got, err
}
