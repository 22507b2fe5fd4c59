// Package config turns YAML files into a validated Config, says what differs
// between two of them, and watches the files.
//
// A load goes through these steps, and touches nothing but the files it reads:
//
//  1. The main file is read, then those its include: names. Each is parsed
//     into nodes that know their file, line and column and keep the source
//     text, the case of keys and missing values. Mistakes in the syntax of
//     any file end the load here.
//  2. The nodes are decoded into raw values, strictly. Job by job, what
//     defaults: holds is laid below the job's own nodes first: mappings merge
//     key by key, all else replaces. The jobs of a file are built as soon as it
//     is parsed, so that nodes of one file at a time are in memory; only those
//     that refer to what no file has defined yet wait for the last one.
//  3. Defaults are filled in, after decoding, so that a missing value never
//     looks like a zero. The settings of the daemon itself then yield to the
//     environment and to flags.
//  4. What refers to something else is checked: pools, types, upstream jobs,
//     schedules, zones.
//
// Every mistake of the steps 2 to 4 is reported, not only the first, and each
// with its place, unless a file has mistakes in its syntax. Load either returns a Config without any mistake or none at
// all; a Config is never changed afterwards.
package config

import (
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
)

// Unlimited is the size of a pool that starts every run at once.
const Unlimited = math.MaxInt

// DefaultPool is the pool of a job that names none. It is there even if the
// configuration does not define it.
const DefaultPool = "default"

// Config is a whole configuration, valid and with every default filled in.
type Config struct {
	Path      string   // of the main file, as it was given
	Files     []string // all files that were read, absolute, the main one first
	Digest    string   // of the names and bytes of all files, and of the rules of all zones
	Daemon    Daemon
	TimeZone  string // as written; empty: the host's
	Zone      *time.Location
	Retention Retention
	Pools     map[string]Pool
	Calendars map[string]schedule.Calendar
	Jobs      map[string]*jobs.Definition
	Registry  jobs.Registry

	warnings      []Error
	patterns      []string // of include:, absolute
	blackouts     map[string]*schedule.Blackouts
	calendarTexts map[string]string
	sources       map[string]*source // by name
	tables        map[tableKey]*timetable
	rules         map[string]string // of each zone that is used, by name; "" is the host's
	base          *node             // of defaults:, the keys of jobs
	typeBase      map[string]*node  // of defaults:, the settings of types
}

// timetable is a schedule, shared by all jobs that have it, and the texts it is
// written in. There may be very many jobs: what is kept of each besides its
// definition is found by what the definition says.
type timetable struct {
	schedule.Schedule
	texts []string
}

// tableKey tells schedules apart.
type tableKey struct {
	zone  string // empty: the top-level one
	dst   schedule.DST
	texts string
}

func keyOf(def *jobs.Definition) tableKey {
	return tableKey{def.TimeZone, def.DST, strings.Join(def.Schedule, "\n")}
}

// Daemon is what only a restart changes. A flag wins over the environment,
// that over the file, and that over the default.
type Daemon struct {
	StateDir     string // absolute
	Socket       string // absolute
	Listen       string // reserved; always empty
	Log          Log
	DrainTimeout schedule.Duration
	Watch        WatchSettings
}

// Log says what is logged and in which form.
type Log struct {
	Level  LogLevel
	Format LogFormat
}

// WatchSettings says whether changed files are loaded without being asked, and
// how long they must have been left alone by then.
type WatchSettings struct {
	Enabled bool
	Settle  schedule.Duration
}

// LogLevel is the least level that is logged.
type LogLevel string

// Values lists what a log level may be.
func (LogLevel) Values() []string { return []string{"debug", "info", "warn", "error"} }

// LogFormat is the form of log lines: "auto" is coloured on a terminal and
// plain under journald.
type LogFormat string

// Values lists what a log format may be.
func (LogFormat) Values() []string { return []string{"auto", "text", "json"} }

// Retention bounds the history. Whichever bound is reached first holds.
type Retention struct {
	Age        schedule.Duration
	Runs       int64
	Output     jobs.Size
	KeepPerJob int // runs of each job that stay whatever their age
}

// Options says what to load and against what.
type Options struct {
	Path  string            // of the main file
	Types jobs.Registry     // the job types there are
	Flags map[string]string // settings from flags, such as "daemon.socket"; only those given

	Euid func() int // whose defaults apply; nil: this process's
	CPUs int        // for the size of the default pool; 0: as many as there are
}

// Load reads and checks a configuration. Its error is of type Errors.
func Load(o Options) (*Config, error) {
	if o.Euid == nil {
		o.Euid = os.Geteuid
	}
	if o.CPUs <= 0 {
		o.CPUs = runtime.NumCPU()
	}
	l := newLoader(o)
	if !l.read() {
		return nil, l.report.sorted()
	}
	l.report.judging = true
	l.defaultPool()
	l.calendars()
	l.waitingJobs()
	l.upstream()
	if err := l.report.sorted(); err != nil {
		return nil, err
	}
	l.rules()
	return l.config, nil
}

// ZonesChanged lists the zones whose rules the host has new ones of, since tzdata
// was updated or the host's own zone was set. A load takes them up.
func (c *Config) ZonesChanged() []string {
	var changed []string
	for name, rules := range c.rules {
		if zone, err := schedule.LoadZone(name); err == nil && schedule.Rules(zone) != rules {
			changed = append(changed, zone.String())
		}
	}
	slices.Sort(changed)
	return changed
}

// Timetable returns the schedule of a job, in its own zone or the top-level
// one. That of a job which has none, or does not exist, is empty.
func (c *Config) Timetable(job string) schedule.Schedule {
	if def, ok := c.Jobs[job]; ok {
		return c.tables[keyOf(def)].Schedule
	}
	return schedule.Schedule{}
}

// Hash returns the hash of a job's definition, or "".
func (c *Config) Hash(job string) string {
	def, ok := c.Jobs[job]
	if !ok {
		return ""
	}
	hash, err := def.Hash()
	if err != nil {
		panic(err) // its settings were made by json.Marshal, all else are values of our own
	}
	return hash
}

// Warnings lists what is allowed and yet hardly meant.
func (c *Config) Warnings() []Error { return slices.Clone(c.warnings) }

// JobNames lists all jobs, sorted.
func (c *Config) JobNames() []string { return slices.Sorted(maps.Keys(c.Jobs)) }

// PoolNames lists all pools, sorted.
func (c *Config) PoolNames() []string { return slices.Sorted(maps.Keys(c.Pools)) }

// Watched lists what the configuration depends on, for a Watcher: its files and
// the patterns of its include:, absolute, all of them as patterns.
func (c *Config) Watched() []string {
	all := slices.Clone(c.patterns)
	for _, file := range c.Files {
		all = append(all, escapeGlob(file))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
