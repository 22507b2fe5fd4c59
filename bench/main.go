// Command bench measures poold beside the limits of the machine and beside
// other tools, in rounds that take turns, so that what else the machine does
// meets all of them. It is called by run.sh, which builds what it needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/poold/poold/bench/bigledger"
	"github.com/poold/poold/bench/clock"
	"github.com/poold/poold/bench/durable"
	"github.com/poold/poold/bench/held"
	"github.com/poold/poold/bench/memory"
	"github.com/poold/poold/bench/naps"
	"github.com/poold/poold/bench/pools"
	"github.com/poold/poold/bench/report"
	"github.com/poold/poold/bench/requests"
	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/spawn"
	"github.com/poold/poold/bench/suite"
)

// suites are the chapters of the report, in its order.
func suites() []suite.Suite {
	return []suite.Suite{
		pools.Suite(),
		durable.Suite(),
		clock.Suite(),
		held.Suite(),
		naps.Suite(),
		spawn.Suite(),
		requests.Suite(),
		memory.Suite(),
		bigledger.Suite(),
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	work := flag.String("work", ".cache/bench", "folder with the binaries, for all files")
	quick := flag.Bool("quick", false, "measure less, print the report and write nothing")
	smoke := flag.Bool("smoke", false, "measure next to nothing, to see that everything works")
	only := flag.String("only", "", "measure these suites, by name with commas between, print and write nothing")
	alone := flag.String("alone", "", "measure one thing of a suite in this process; for bench itself")
	flag.Parse()
	if *alone != "" {
		return suite.RunAlone(ctx, suites(), *alone, flag.Args())
	}
	chosen, err := choose(suites(), *only)
	if err != nil {
		return err
	}
	r := rig.Rig{}
	switch {
	case *smoke:
		r.Size = rig.Smoke
	case *quick:
		r.Size = rig.Quick
	}
	if r.Work, err = filepath.Abs(*work); err != nil {
		return err
	}
	if r.Sockets, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(r.Sockets)
	return measure(ctx, &r, chosen, r.Size == rig.Full && *only == "")
}

// choose returns the suites of some names; all of them for none.
func choose(all []suite.Suite, names string) ([]suite.Suite, error) {
	var chosen []suite.Suite
	var known []string
	for _, s := range all {
		if err := s.Check(); err != nil {
			return nil, err
		}
		known = append(known, s.Name)
		if names == "" || slices.Contains(strings.Split(names, ","), s.Name) {
			chosen = append(chosen, s)
		}
	}
	for name := range strings.SplitSeq(names, ",") {
		if names != "" && !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no suite %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// measure measures, prints the report, and writes it down where that is asked
// for. What failed is in the report and in the error.
func measure(ctx context.Context, on *rig.Rig, chosen []suite.Suite, write bool) error {
	began := time.Now()
	rep := report.Report{Rig: on}
	var failed error
	for i := range chosen {
		from := time.Now()
		m, err := chosen[i].Measure(ctx, on, say)
		say("%s: took %s", chosen[i].Name, time.Since(from).Round(time.Second))
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			return failed
		}
		rep.Suites = append(rep.Suites, m)
	}
	rep.Took = time.Since(began)
	text, err := rep.Markdown()
	if err != nil {
		return errors.Join(failed, err)
	}
	fmt.Print(text)
	if !write {
		return failed
	}
	return errors.Join(failed, document("docs/benchmarks.md", text), document("docs/img/benchmarks.svg", rep.Plot()))
}

// document writes a file that is part of the documentation.
func document(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // for all to read
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644) //nolint:gosec // for all to read
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
