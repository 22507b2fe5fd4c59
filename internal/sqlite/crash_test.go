package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/poold/poold/internal/run"
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LEDGER_TEST_CRASH"); dir != "" {
		if err := work(dir, os.Getenv("LEDGER_TEST_ROUND")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// work takes runs through their lives until it is killed, and says what the
// ledger has acknowledged only once it has.
func work(dir, round string) error {
	ctx := context.Background()
	l, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(what, key string, id int64) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%s %s %d\n", what, key, id)
	}
	for worker := range 8 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%s-%d-%d", round, worker, i)
				live(ctx, l, key, say)
			}
		}()
	}
	select {}
}

func live(ctx context.Context, l *Ledger, key string, say func(what, key string, id int64)) {
	got, err := l.Enqueue(ctx, []run.Submission{{Def: job("a"), Runs: []run.New{{Key: key}}}}, time.Now())
	if err != nil {
		return
	}
	r := got[0].Runs[0]
	say("queued", key, r.ID)
	begun := time.Now()
	answer := make(chan error, 1)
	l.Start(run.Start{Run: &r, At: begun}, func(err error) { answer <- err })
	if <-answer != nil {
		return
	}
	say("running", key, r.ID)
	r.Attempts, r.StartedAt = 1, begun
	e := run.End{Run: &r, From: run.Running, Next: run.Next{State: run.Succeeded}, Finished: time.Now()}
	e.Attempt = &run.Attempt{Number: 1, StartedAt: begun, FinishedAt: e.Finished, Outcome: "succeeded"}
	if _, err := finishRun(l, e); err == nil {
		say("succeeded", key, r.ID)
	}
}

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	said := map[string]string{} // by key: the last state that was acknowledged
	idOf := map[string]int64{}
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LEDGER_TEST_CRASH="+dir, fmt.Sprintf("LEDGER_TEST_ROUND=%d", round))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		quota := 50 + rand.IntN(400) // kill it in the midst of work, not of its start
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var what, key string
			var id int64
			if _, err := fmt.Sscan(lines.Text(), &what, &key, &id); err != nil {
				break // a line cut short by the kill
			}
			said[key], idOf[key] = what, id
			if n == quota {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		checkAcknowledged(t, dir, said, idOf)
	}
	if len(said) < 100 {
		t.Errorf("only %d runs were tried", len(said))
	}
}

func checkAcknowledged(t *testing.T, dir string, said map[string]string, idOf map[string]int64) {
	t.Helper()
	l, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	if got, err := one(t.Context(), l.writer.conn, text, "PRAGMA integrity_check"); err != nil || got != "ok" {
		t.Fatalf("integrity: %q, %v", got, err)
	}
	rank := func(state string) int { return strings.Index("queued running succeeded", state) }
	for key, what := range said {
		r, err := l.Run(t.Context(), idOf[key])
		if err != nil || rank(string(r.State)) < rank(what) {
			t.Errorf("%s was %s, and is %s, %v", key, what, r.State, err)
		}
		again := enqueue(t, l, job("a"), run.New{Key: key}, time.Now())
		if again.ID != idOf[key] {
			t.Errorf("%s is run %d and run %d", key, idOf[key], again.ID)
		}
	}
	counts, err := l.Runs(t.Context(), run.Filter{States: []run.State{run.Queued}})
	if err != nil || l.Counts()["default"].Queued != len(counts) {
		t.Errorf("counted %d queued, and there are %d, %v", l.Counts()["default"].Queued, len(counts), err)
	}
}
