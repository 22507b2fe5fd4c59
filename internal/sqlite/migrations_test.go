package sqlite

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// A ledger remembers how many migrations it has had, not which: two of one
// number, or a gap, would change what is done to ledgers that exist.
func TestMigrationsAreNumberedWithoutAGap(t *testing.T) {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range files {
		if want := fmt.Sprintf("migrations/%04d_", i+1); !strings.HasPrefix(name, want) {
			t.Errorf("%s is the %d. migration; begin its name with %s", name, i+1, want)
		}
	}
}
