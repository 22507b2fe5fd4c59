// Command bench measures poold beside the limits of the machine and beside
// other tools, in rounds that take turns, so that what else the machine does
// meets all of them. It is called by run.sh, which builds what it needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// bench is what is measured, how much of it, and what came out.
type bench struct {
	ctx     context.Context // of the whole program, ended by ^C
	work    string          // a folder on the disk, with the binaries
	sockets string          // a folder with a short name
	size    size
	results *results
}

// size is how much is measured.
type size struct {
	rounds     int
	lifecycles int // through dispatcher and ledger
	commits    int // of the bare peers
	naps       int // commands of a tenth of a second
	queued     int // runs that a daemon finds at its start
	idle       time.Duration
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	work := flag.String("work", ".cache/bench", "folder with the binaries, for all files")
	quick := flag.Bool("quick", false, "measure less, print the report and write nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	b := bench{ctx: ctx, results: newResults(), size: size{
		rounds: 5, lifecycles: 30_000, commits: 1000, naps: 1000, queued: 1_000_000, idle: 12 * time.Second,
	}}
	if *quick {
		b.size = size{rounds: 2, lifecycles: 20_000, commits: 300, naps: 200, queued: 50_000, idle: 3 * time.Second}
	}
	var err error
	if b.work, err = filepath.Abs(*work); err != nil {
		return err
	}
	if b.sockets, err = os.MkdirTemp("", "bench"); err != nil { // a socket's path is short
		return err
	}
	defer os.RemoveAll(b.sockets)
	if err := b.measure(); err != nil {
		return err
	}
	report := b.report(*quick)
	fmt.Print(report)
	if *quick {
		return nil
	}
	return os.WriteFile("docs/benchmarks.md", []byte(report), 0o644) //nolint:gosec // a document
}

// measure runs the rounds. What takes turns is in the same round.
func (b *bench) measure() error {
	for round := range b.size.rounds {
		b.say("round %d of %d: lifecycles", round+1, b.size.rounds)
		for _, step := range []func() error{b.lifecycles, b.bareInserts, b.syncs} {
			if err := step(); err != nil {
				return err
			}
		}
	}
	// A daemon's own work has to be heard over that of the others: fewer rounds.
	for round := range (b.size.rounds + 1) / 2 {
		b.say("round %d of %d: commands", round+1, (b.size.rounds+1)/2)
		if err := b.commands(); err != nil {
			return err
		}
	}
	b.say("an idle daemon")
	if err := b.idle(); err != nil {
		return err
	}
	b.say("a daemon that finds %d queued runs", b.size.queued)
	return b.reopen()
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
