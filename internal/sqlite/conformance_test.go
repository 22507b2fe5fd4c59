package sqlite

import (
	"testing"

	"github.com/poold/poold/internal/ledgertest"
)

func TestLedgerDoesWhatEveryLedgerMust(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T, dir string) ledgertest.Ledger {
		l, err := Open(t.Context(), Options{Dir: dir, Host: "here"})
		if err != nil {
			t.Fatal(err)
		}
		return l
	})
}
