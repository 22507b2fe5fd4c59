package bigledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/sqlite"
)

const about = "A ledger of 5,000,000 finished runs of 30 days and 1,000,000 queued ones, of 200 jobs in\n" +
	"10 pools (a fiftieth of that in a quick run): what is asked of it, by the program's own\n" +
	"functions, and how soon a daemon works on it."

// Suite is the measurement.
func Suite() suite.Suite {
	m := &measurement{}
	return suite.Suite{Name: "ledger", Title: "A ledger of years", About: about, Groups: []suite.Group{
		{
			Name:   "Asked of six million runs",
			About:  "Each question of the commands and the API, as its first page; worst is the slowest of " + fmt.Sprint(askTimes) + " times.",
			Rounds: 1, Quick: 1,
			Open: m.open, Close: m.close,
			Figures: []suite.Figure{{Name: "median", Unit: "ms"}, {Name: "worst", Unit: "ms"}},
			Rows:    m.rows(),
			Asks:    []suite.Ask{{Row: slowest, Want: 10, Bound: "Where a job has many queued runs and none of them in the pool that is asked for, each is looked at."}, {Row: p95OfADay, Want: 500}},
		},
		{
			Name: "Work on six million runs", Rounds: 3, Quick: 1,
			About: "From exec of the daemon to READY=1 and to the record of the first start, the peak of its memory by then, " +
				"and for how long removing a day's runs holds writers up at most.",
			Open: m.open, Close: m.remove,
			Figures: []suite.Figure{
				{Name: "ready", Unit: "ms"},
				{Name: "first start", Unit: "ms"},
				{Name: "peak resident", Unit: "MB"},
				{Name: "worst stall", Unit: "ms"},
			},
			Rows: []suite.Row{{Name: "poold", Measure: m.reopen}, {Name: "retention", Measure: m.prune}},
			Asks: []suite.Ask{
				{Figure: "first start", Want: 1000},
				{Figure: "peak resident", Want: 64},
				{Row: "retention", Figure: "worst stall", Want: 100},
			},
		},
	}}
}

// measurement is the ledger and who asks it.
type measurement struct {
	spec   Spec
	dir    string
	ledger *sqlite.Ledger

	median, slowest time.Duration // of the last question, and of all
}

// open makes the ledger, once for both groups.
func (m *measurement) open(ctx context.Context, r *rig.Rig) error {
	if m.dir != "" {
		return nil
	}
	m.spec = Usual(time.Now())
	if share := r.Pick(1, 50, 1000); share > 1 {
		m.spec.Finished, m.spec.Queued = m.spec.Finished/share, m.spec.Queued/share
	}
	m.dir = filepath.Join(r.Work, "bigledger")
	if err := Make(ctx, m.dir, m.spec); err != nil {
		return err
	}
	var err error
	m.ledger, err = sqlite.Open(ctx, sqlite.Options{Dir: m.dir})
	return err
}

func (m *measurement) close() error {
	if m.ledger == nil {
		return nil
	}
	err := m.ledger.Close()
	m.ledger = nil
	return err
}

func (m *measurement) remove() error { return errors.Join(m.close(), os.RemoveAll(m.dir)) }

const (
	slowest   = "the slowest of these"
	p95OfADay = "stats: p95 of all jobs over a day"
	askTimes  = 9
)

// rows are the questions. Their times do not depend on when they are asked, so
// they are made for any moment, and asked for the ledger's.
func (m *measurement) rows() []suite.Row {
	names := Usual(time.Now()).Queries()
	rows := make([]suite.Row, 0, len(names)+1)
	for i, q := range names {
		rows = append(rows, suite.Row{Name: q.Name, Measure: func(ctx context.Context, r *suite.Round) error {
			err := m.ask(ctx, r, m.spec.Queries()[i].Ask)
			m.slowest = max(m.slowest, m.median)
			return err
		}})
	}
	rows = append(rows, suite.Row{Name: slowest, Measure: func(_ context.Context, r *suite.Round) error {
		r.Note("median", m.slowest.Seconds()*1000)
		return nil
	}})
	return append(rows, suite.Row{Name: p95OfADay, Measure: func(ctx context.Context, r *suite.Round) error {
		return m.ask(ctx, r, func(ctx context.Context, l *sqlite.Ledger) error {
			_, err := l.Stats(ctx, nil, m.spec.Now.Add(-24*time.Hour), time.Time{})
			return err
		})
	}})
}

func (m *measurement) ask(ctx context.Context, r *suite.Round, ask func(context.Context, *sqlite.Ledger) error) error {
	took := make([]time.Duration, askTimes)
	for i := range took {
		began := time.Now()
		if err := ask(ctx, m.ledger); err != nil {
			return err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	m.median = took[len(took)/2]
	r.Note("median", m.median.Seconds()*1000)
	r.Note("worst", took[len(took)-1].Seconds()*1000)
	return nil
}

// reopen measures the start of a daemon, until a run has started that waited.
func (m *measurement) reopen(ctx context.Context, r *suite.Round) error {
	config, err := r.File("bigledger.yaml", m.spec.config())
	if err != nil {
		return err
	}
	began := time.Now()
	d, err := r.Start(config, m.dir)
	if err != nil {
		return err
	}
	r.Note("ready", d.Ready.Seconds()*1000)
	memory, err := rig.Memory(d.Pid, "VmHWM")
	if err != nil {
		return errors.Join(err, d.Stop())
	}
	r.Note("peak resident", memory)
	if err := d.Stop(); err != nil {
		return err
	}
	first, err := m.firstStart(ctx, began)
	r.Note("first start", first.Seconds()*1000)
	return err
}

// firstStart is how long after a moment the first run started.
func (m *measurement) firstStart(ctx context.Context, after time.Time) (took time.Duration, err error) {
	l, err := sqlite.Open(ctx, sqlite.Options{Dir: m.dir})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	first := time.Hour
	started := run.Filter{States: []run.State{run.Running, run.Succeeded, run.Failed}, Since: m.spec.Now.Add(-2 * time.Hour)}
	err = l.EachRun(ctx, started, func(r run.Run) error {
		if r.StartedAt.After(after) {
			first = min(first, r.StartedAt.Sub(after))
		}
		return nil
	})
	return first, err
}

// prune measures retention of everything older than the days but one, and how
// long the worst of the writes beside it waits.
func (m *measurement) prune(ctx context.Context, r *suite.Round) (err error) {
	l, err := sqlite.Open(ctx, sqlite.Options{Dir: m.dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	pruned := make(chan error, 1)
	go func() {
		keep := sqlite.Retention{Age: time.Duration(m.spec.Days-1-r.N) * 24 * time.Hour, KeepPerJob: 20}
		_, err := l.Prune(ctx, keep, m.spec.Now, nil)
		pruned <- err
	}()
	worst := time.Duration(0)
	for {
		select {
		case err := <-pruned:
			r.Note("worst stall", worst.Seconds()*1000)
			return err
		default:
		}
		began := time.Now()
		if err := l.DeleteOverride(ctx, "pool_size", "none"); err != nil {
			return err
		}
		worst = max(worst, time.Since(began))
	}
}
