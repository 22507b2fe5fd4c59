// Package suite says what a measurement is, takes it in rounds, and judges
// what came out.
//
// A [Suite] is one subject, a chapter of the report. It has groups. The rows
// of a [Group] do the same work in different ways and take turns: each round
// runs all of them, beginning with another one each time, so that whatever
// else the machine does meets all of them alike. A row notes the figures it
// measured. An [Ask] says what a figure has to be, or what it has to be beside
// the same figure of another row.
//
// A suite is a package of this module with a function that returns its value;
// main lists them. Whatever a suite builds between rounds hangs from its own
// type, whose methods are the functions below.
package suite

import (
	"context"

	"github.com/poold/poold/bench/rig"
)

// Suite is one subject that is measured.
type Suite struct {
	Name  string // one word, for -only
	Title string // the heading in the report
	About string // what is measured, and how to do it by hand; Markdown

	// Modules and Programs are the peers whose versions the report names: the
	// paths of modules of this build, and commands that know --version.
	Modules, Programs []string

	// Alone are the measurements that need a process of their own, for its
	// memory or its CPU time; a row runs one with [Round.Alone].
	Alone map[string]Alone

	Groups []Group
}

// Alone measures something in a process of its own. What it notes arrives at
// the row that asked for it, and so do the process's CPU time in seconds as
// "cpu" and its peak memory in MB as "peak".
type Alone func(ctx context.Context, args []string, note func(name string, v float64)) error

// Group is rows that are compared.
type Group struct {
	Name  string // unique in its suite, and the heading in the report
	About string // Markdown

	// Rounds are how many there are in full, and Quick in a quick run. The
	// shortest run, which only shows that everything works, has one.
	Rounds, Quick int

	// Open prepares what the rows share, before the first round, and Close
	// takes it down, after the last one or after a failed Open. Both may be nil.
	Open  func(context.Context, *rig.Rig) error
	Close func() error

	Figures []Figure
	Rows    []Row // poold's first
	Asks    []Ask
}

// Figure is what rows measure.
type Figure struct {
	Name   string // as noted; "" when there is just one
	Unit   string // as in "ns a task"
	Higher bool   // more is better; less is, otherwise
}

// Row is one way to do the group's work.
type Row struct {
	Name string

	// Needs are the commands without which it cannot be measured, as
	// [rig.Find] finds them; the report then says so.
	Needs []string

	// Measure does it once, and notes each figure that it measured. Its work
	// is to be cut by [rig.Rig.Pick]: a full run has 20 minutes for all
	// suites, a quick one two.
	Measure func(context.Context, *Round) error
}

// Ask is what is asked of a figure.
type Ask struct {
	Row    string // "" is the group's first
	Figure string // "" is the group's first

	// Over and Minus name another row to compare with: the ratio of the
	// medians, or their difference. With neither, the figure itself is judged.
	Over, Minus string

	// Want is the most that it may be, or the least where more is better. 0
	// asks for nothing: the comparison is shown, and where poold is behind,
	// the report says so.
	Want float64

	// Bound says what bounds it, by a measurement, for when it is missed or
	// poold is behind. Markdown; one or two sentences.
	Bound string

	// Plot is the label of this ratio in the plot of the main ones, which
	// shows those that have one.
	Plot string
}
