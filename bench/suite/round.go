package suite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/poold/poold/bench/rig"
)

// Round is one turn of one row.
type Round struct {
	*rig.Rig
	N     int // from 0
	suite string
	note  func(figure string, v float64)
}

// Note takes a figure down.
func (r *Round) Note(figure string, v float64) { r.note(figure, v) }

// Measured is a suite with what came out, by group.
type Measured struct {
	Suite
	Results []*Results
}

// Measure measures a suite. A row that fails is left out of further rounds,
// and the results say why; what is returned is the errors of all, or that ctx
// has ended.
func (s *Suite) Measure(ctx context.Context, on *rig.Rig, say func(format string, args ...any)) (Measured, error) {
	m := Measured{Suite: *s}
	var all []error
	for i := range s.Groups {
		g := &s.Groups[i]
		t := turns{suite: s.Name, group: g, rig: on, results: newResults(), say: say}
		m.Results = append(m.Results, t.results)
		if err := t.open(ctx); err != nil {
			all = append(all, err)
		}
		if err := ctx.Err(); err != nil {
			return m, errors.Join(append(all, err)...)
		}
	}
	return m, errors.Join(all...)
}

// turns takes the rounds of one group.
type turns struct {
	suite   string
	group   *Group
	rig     *rig.Rig
	results *Results
	say     func(format string, args ...any)
}

func (t *turns) open(ctx context.Context) (err error) {
	name := t.suite + ": " + t.group.Name
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	for _, row := range t.group.Rows {
		if missing := rig.Missing(row.Needs); missing != "" {
			t.results.absent[row.Name] = "there is no " + missing
		}
	}
	if t.group.Close != nil {
		defer func() { err = errors.Join(err, t.group.Close()) }()
	}
	if t.group.Open != nil {
		t.say("%s: prepare", name)
		if err := t.group.Open(ctx, t.rig); err != nil {
			for _, row := range t.group.Rows {
				t.results.absent[row.Name] = "it could not be prepared"
			}
			return err
		}
	}
	return t.run(ctx, name)
}

func (t *turns) run(ctx context.Context, name string) error {
	var all []error
	rows := t.group.Rows
	rounds := t.rig.Pick(t.group.Rounds, t.group.Quick, 1)
	for n := range rounds {
		t.say("%s: round %d of %d", name, n+1, rounds)
		for i := range rows {
			row := &rows[(n+i)%len(rows)]
			if t.results.absent[row.Name] != "" {
				continue
			}
			if err := t.turn(ctx, n, row); err != nil {
				t.results.absent[row.Name] = "it failed"
				all = append(all, fmt.Errorf("%s: %w", row.Name, err))
			}
			if ctx.Err() != nil {
				return errors.Join(all...)
			}
		}
	}
	return errors.Join(all...)
}

func (t *turns) turn(ctx context.Context, n int, row *Row) error {
	runtime.GC() // the garbage of the row before is not this one's
	return row.Measure(ctx, &Round{
		Rig: t.rig, N: n, suite: t.suite,
		note: func(figure string, v float64) { t.results.note(row.Name, figure, v) },
	})
}

// Alone runs one of the suite's Alone functions in a process of its own, and
// returns what it noted.
func (r *Round) Alone(ctx context.Context, name string, args ...string) (map[string]float64, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"-alone", r.suite + "/" + name}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+r.Work)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("measure %s in a process of its own: %w", name, err)
	}
	figures := map[string]float64{}
	for line := range strings.Lines(string(out)) {
		what, value, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if figures[what], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("measure %s in a process of its own: it says %q", name, line)
		}
	}
	return figures, nil
}

// RunAlone is what that process does: it finds "suite/name" among suites and
// prints what it notes.
func RunAlone(ctx context.Context, suites []Suite, name string, args []string) error {
	of, which, _ := strings.Cut(name, "/")
	for i := range suites {
		measure := suites[i].Alone[which]
		if suites[i].Name != of || measure == nil {
			continue
		}
		out := bufio.NewWriter(os.Stdout)
		note := func(name string, v float64) { fmt.Fprintf(out, "%s\t%g\n", name, v) }
		if err := measure(ctx, args, note); err != nil {
			return err
		}
		if err := noteSelf(note); err != nil {
			return err
		}
		return out.Flush()
	}
	return fmt.Errorf("no suite measures %q alone", name)
}

// noteSelf takes this process's peak from its status: what getrusage calls so
// begins with the memory of the parent.
func noteSelf(note func(string, float64)) error {
	peak, err := rig.Memory(os.Getpid(), "VmHWM")
	if err != nil {
		return err
	}
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return err
	}
	note("peak", peak)
	note("cpu", float64(used.Utime.Nano()+used.Stime.Nano())/1e9)
	return nil
}
