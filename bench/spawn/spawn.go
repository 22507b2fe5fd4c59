// Package spawn measures how fast commands are started, layer by layer, beside
// the least that the system asks for and beside other tools.
package spawn

import (
	"github.com/poold/poold/bench/suite"
)

const about = "`/bin/true`, two at once unless a row says otherwise. The loop in C (`bench/spawn/loop/loop.c`) forks by `vfork`, executes\n" +
	"and waits, and does nothing else. poold's layers stand on each other: `internal/proc` gives\n" +
	"each command a session, a umask, no descriptors of ours, a pidfd, and sees that nothing of\n" +
	"its tree is left; `jobs/exec` adds settings, environment and output file; the whole daemon\n" +
	"adds dispatch and the ledger, which has each start on the disk before it happens: a worker\n" +
	"waits for that, and more workers wait together, for one flush."

// The rows.
const (
	layerProc   = "poold: internal/proc"
	layerExec   = "poold: jobs/exec"
	layerDaemon = "poold: the whole daemon, 2 workers"
	moreWorkers = "poold: the whole daemon, 8 workers"
	bareGo      = "Go: syscall.ForkExec and wait4"
	bareC       = "C: vfork and execv"
	byXargs     = "xargs -P2"
	byParallel  = "GNU parallel -j2"
)

// Suite is the measurement.
func Suite() suite.Suite {
	return suite.Suite{
		Name: "spawn", Title: "Starting commands", About: about,
		Programs: []string{"gcc", "xargs", "parallel"},
		Alone: map[string]suite.Alone{
			"proc": procAlone, "exec": execAlone, "bare": bareAlone, "crowd": crowdAlone, "os-exec": osExecAlone,
		},
		Groups: []suite.Group{rates(), crowds()},
	}
}

func rates() suite.Group {
	var s shared
	const glibc = "The loader and glibc's start-up take four fifths of the time of all rows but parallel's."
	return suite.Group{
		Name: "Two at once", Rounds: 6, Quick: 1, Open: s.open, Close: s.close,
		Figures: []suite.Figure{{Unit: "commands/s", Higher: true}},
		Rows: []suite.Row{
			{Name: layerProc, Measure: alone("proc")},
			{Name: layerExec, Measure: alone("exec")},
			{Name: layerDaemon, Measure: s.batch("two")},
			{Name: moreWorkers, Measure: s.batch("eight")},
			{Name: bareGo, Measure: alone("bare")},
			{Name: bareC, Needs: []string{"gcc"}, Measure: s.loop},
			{Name: byXargs, Needs: []string{"xargs"}, Measure: xargs},
			{Name: byParallel, Needs: []string{"parallel"}, Measure: parallel},
		},
		Asks: []suite.Ask{
			{Over: bareC, Want: 0.8, Bound: "Go's own ForkExec and wait4, of one thread after the other, are the row \"" + bareGo + "\". What poold adds is a session, a umask, a pidfd, no inherited descriptors, and the look at what is left of the tree."},
			{Over: bareGo},
			{Over: byXargs, Want: 1.1, Bound: glibc, Plot: "starting commands: xargs -P2"},
			{Over: byParallel, Want: 4.5, Plot: "starting commands: GNU parallel"},
			{Row: layerExec, Over: bareC},
			{Row: layerDaemon, Over: bareC, Want: 0.6, Bound: "Each of two workers waits until its start is on the disk, with nobody to share the flush; with the state in memory (`/dev/shm`) the same batch reached 0.6. The ledger's own work takes CPU that the commands want."},
			{Row: moreWorkers, Over: bareC, Want: 0.6, Bound: "Dispatch, ledger and log take CPU that the commands want: some 0.3 ms for each run."},
			{Row: layerDaemon, Over: byXargs, Bound: "xargs keeps no record, no log and no output."},
			{Row: layerDaemon, Over: byParallel, Plot: "commands by the daemon: GNU parallel"},
		},
	}
}

func crowds() suite.Group {
	return suite.Group{
		Name: "500 commands that live", About: "How many threads hold them, and what an end among them costs.",
		Rounds: 3, Quick: 1,
		Figures: []suite.Figure{{Name: "threads", Unit: "threads"}, {Name: "an end", Unit: "µs of CPU"}},
		Rows: []suite.Row{
			{Name: layerProc, Measure: crowd("crowd")},
			{Name: "os/exec", Measure: crowd("os-exec")},
		},
		Asks: []suite.Ask{{Want: 25}, {Over: "os/exec"}},
	}
}
