package sqlite

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/poold/poold/internal/run"
)

func TestOpenRefusesAFolderThatIsInUse(t *testing.T) {
	dir := t.TempDir()
	l := openIn(t, dir)
	_, err := Open(t.Context(), Options{Dir: dir})
	want := fmt.Sprintf("another poold (pid %d) uses %s", os.Getpid(), dir)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	openIn(t, dir)
}

func TestOpenWaitsForTheLockOfAHolderThatIsDead(t *testing.T) {
	dir := t.TempDir()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(lock, dead.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	child := time.AfterFunc(30*time.Millisecond, func() { _ = lock.Close() }) // it becomes the command
	defer child.Stop()
	openIn(t, dir)
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	dir := t.TempDir()
	l := openIn(t, dir)
	if err := l.writer.conn.script(t.Context(), "PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and leaves the folder free
		_, err := Open(t.Context(), Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "version 99") || !strings.Contains(err.Error(), "newer poold") {
			t.Errorf("got %v", err)
		}
	}
}

func TestOpenRefusesWhatIsNoDatabase(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ledger.db"), []byte(strings.Repeat("no database ", 1000)), 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "ledger.db") {
		t.Errorf("got %v, want it to name the file", err)
	}
}

func TestOpenTakesAnyPathAndKeepsItPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?c=d&e%20f#g", "ünder")
	l := openIn(t, dir)
	for name, want := range map[string]fs.FileMode{"": 0o750, "ledger.db": 0o640, "ledger.db-wal": 0o640} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got&^want != 0 {
			t.Errorf("%q: got mode %o, want %o", name, got, want)
		}
	}
	id, host := l.ID(), l.HostID()
	if id == "" || host == "" || id == host {
		t.Errorf("got ids %q and %q", id, host)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if again := openIn(t, dir); again.ID() != id || again.HostID() != host {
		t.Errorf("got other ids when opened again")
	}
}

func TestWriterHasTheSettingsThatItsPromisesNeed(t *testing.T) {
	l := open(t)
	for pragma, want := range map[string]int64{
		"synchronous": 2, "page_size": 4096, "wal_autocheckpoint": 4000, "journal_size_limit": 64 << 20, "foreign_keys": 0,
	} {
		got, err := one(t.Context(), l.writer.conn, number, "PRAGMA "+pragma)
		if err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", pragma, got, err, want)
		}
	}
	mode, err := one(t.Context(), l.writer.conn, text, "PRAGMA journal_mode")
	if err != nil || mode != "wal" {
		t.Errorf("got journal mode %q, %v", mode, err)
	}
	err = l.reader.do(t.Context(), "write", func(c *conn) error {
		_, _, err := c.exec(t.Context(), "DELETE FROM runs")
		return err
	})
	if err == nil {
		t.Error("a reader can write")
	}
}

func TestCloseEmptiesTheWriteAheadLog(t *testing.T) {
	dir := t.TempDir()
	l := openIn(t, dir)
	enqueue(t, l, job("a"), run.New{}, at(0))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "ledger.db-wal")); err == nil && info.Size() > 0 {
		t.Errorf("%d bytes are left in the log", info.Size())
	}
}

func TestOlderVersion(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"3.51.2", "3.51.3", true},
		{"3.51.3", "3.51.3", false},
		{"3.51.10", "3.51.3", false},
		{"3.9.0", "3.51.3", true},
		{"4.0", "3.51.3", false},
		{"3.51", "3.51.3", true},
	} {
		if got := olderVersion(c.a, c.b); got != c.want {
			t.Errorf("olderVersion(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
