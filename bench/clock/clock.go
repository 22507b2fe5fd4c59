// Package clock measures schedulers: what it costs that a job is due, and to
// load many jobs.
package clock

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/poold/poold/bench/suite"
)

const about = `poold's scheduler beside the runners of robfig/cron v3 and of gocron v2, each in a
process of its own, with 10 and with 100,000 jobs. Ten are due each second, the
others on the first of July (a quick run has 20,000). The clock is virtual (` + "`testing/synctest`" + `): no time
passes between two seconds, so that what is counted is the CPU time of what is
due and nothing else. It ends when a due run is handed to what would execute it:
an empty function there, a queue that counts here. That poold's runs are on the
disk by then is measured above.`

const fewJobs, manyJobs = 10, 100_000

// Suite is the measurement.
func Suite() suite.Suite {
	return suite.Suite{
		Name: "scheduler", Title: "The scheduler", About: about,
		Modules: []string{"github.com/robfig/cron/v3", "github.com/go-co-op/gocron/v2"},
		Alone:   map[string]suite.Alone{"load": load},
		Groups:  []suite.Group{fires(), loads()},
	}
}

const moreToDo = "It decides from the job's watermark up to now (what was missed, local times that a change of the clock\n" +
	"repeats or leaves out, splay, pauses) and makes a run with a key; the others call a function."

var peers = []string{"robfig/cron", "gocron"}

func rowOf(who string, jobs int) string { return who + ", " + text(jobs) }

func text(jobs int) string {
	if jobs == manyJobs {
		return "100,000 jobs"
	}
	return fmt.Sprint(jobs, " jobs")
}

func fires() suite.Group {
	g := suite.Group{
		Name: "A due run", Rounds: 3, Quick: 1,
		Figures: []suite.Figure{{Unit: "µs of CPU a run"}},
		Asks: []suite.Ask{{
			Row: rowOf("poold", manyJobs), Over: rowOf("poold", fewJobs), Want: 1.5,
		}},
	}
	for _, jobs := range []int{fewJobs, manyJobs} {
		for _, who := range append([]string{"poold"}, peers...) {
			g.Rows = append(g.Rows, suite.Row{Name: rowOf(who, jobs), Measure: func(ctx context.Context, r *suite.Round) error {
				n := min(jobs, r.Pick(manyJobs, manyJobs/5, 1000))
				cost, err := fireOf(ctx, r, who, n, r.Pick(1000, 300, 20))
				r.Note("", cost)
				return err
			}})
		}
		for _, peer := range peers {
			g.Asks = append(g.Asks, suite.Ask{
				Row: rowOf("poold", jobs), Over: rowOf(peer, jobs), Bound: moreToDo,
				Plot: "a due run: " + peer + ", " + text(jobs),
			})
		}
	}
	return g
}

// firePrefix is how the line of a measurement begins.
const firePrefix = "µs of a run"

// fireOf runs the measurement, which is in a test.
func fireOf(ctx context.Context, r *suite.Round, who string, jobs, seconds int) (cost float64, err error) {
	cmd := exec.CommandContext(ctx, r.Binary("clock.test"), "-test.run", "^TestFire$")
	cmd.Env = append(os.Environ(), "TMPDIR="+r.Work, fmt.Sprintf("MEASURE=%s %d %d", who, jobs, seconds))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("measure a due run: %w: %s", err, out)
	}
	_, value, _ := strings.Cut(string(out), firePrefix)
	if _, err := fmt.Sscan(value, &cost); err != nil {
		return 0, fmt.Errorf("measure a due run: it says %q", out)
	}
	return cost, nil
}

func loads() suite.Group {
	g := suite.Group{
		Name: "Loading 100,000 jobs",
		About: "All but ten are due once a day, at one of its minutes. poold reads and checks YAML files of them,\n" +
			"each with a command of its own, and gives them to the scheduler; the others are handed the\n" +
			"expressions, and functions. What is left is the live memory of the loaded jobs; the peak is that\n" +
			"of the whole process.",
		Rounds: 3, Quick: 1,
		Figures: []suite.Figure{{Name: "time", Unit: "s"}, {Name: "left", Unit: "MB"}, {Name: "peak resident", Unit: "MB"}},
		Asks: []suite.Ask{
			{Figure: "time", Want: 3, Bound: "A profile: a third is the parser of YAML, a fifth the garbage collector; the rest\n" +
				"lays defaults below each job and checks it."},
			{Figure: "left", Want: 100, Bound: "Of 1,000 bytes a job 750 are its definition, with its texts, and 200 its place in the scheduler."},
		},
	}
	for _, who := range append([]string{"poold"}, peers...) {
		g.Rows = append(g.Rows, suite.Row{Name: who, Measure: func(ctx context.Context, r *suite.Round) error {
			got, err := r.Alone(ctx, "load", who, strconv.Itoa(r.Pick(manyJobs, manyJobs/5, 1000)))
			if err != nil {
				return err
			}
			r.Note("time", got["time"])
			r.Note("left", got["left"])
			r.Note("peak resident", got["peak"])
			return nil
		}})
	}
	return g
}

// expression is when job i is due: each second, or at a minute of a day, which
// is any or the first of July.
func expression(i int, day string) string {
	if i < fewJobs {
		return "* * * * * *"
	}
	return fmt.Sprintf("0 %d %d %s", i%60, i/60%24, day)
}

const (
	anyDay = "* * *"
	oneDay = "1 7 *" // no day on which a measurement takes place
)
