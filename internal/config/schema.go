package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
)

// What follows is the configuration as it is written: pointers where a default
// differs from the zero value, nodes where more than decoding is to be done.
// Defaults are filled in after decoding, never before.

// rawMain is the file that was asked for.
type rawMain struct {
	rawIncluded
	Daemon    *rawDaemon    `json:"daemon"`
	TimeZone  *string       `json:"time_zone"`
	Retention *rawRetention `json:"retention"`
	Include   oneOrMore     `json:"include"`
	Defaults  *node         `json:"defaults"`
}

// rawIncluded is a file that the main one includes.
type rawIncluded struct {
	Pools     *node `json:"pools"`
	Calendars *node `json:"calendars"`
	Jobs      *node `json:"jobs"`
}

type rawDaemon struct {
	StateDir     *string            `json:"state_dir"`
	Socket       *string            `json:"socket"`
	Log          *rawLog            `json:"log"`
	DrainTimeout *schedule.Duration `json:"drain_timeout"`
	Watch        *rawWatch          `json:"watch"`
}

type rawLog struct {
	Level  *LogLevel  `json:"level"`
	Format *LogFormat `json:"format"`
}

type rawWatch struct {
	Enabled *bool              `json:"enabled"`
	Settle  *schedule.Duration `json:"settle"`
}

type rawRetention struct {
	Age        *schedule.Duration `json:"age"`
	Runs       *int64             `json:"runs"`
	Output     *jobs.Size         `json:"output"`
	KeepPerJob *int               `json:"keep_per_job"`
}

type rawPool struct {
	Workers    *poolSize   `json:"workers"`
	QueueLimit *int        `json:"queue_limit"`
	OnShrink   *OnShrink   `json:"on_shrink"`
	Windows    []rawWindow `json:"windows"`
	Rate       *Rate       `json:"rate"`
	Per        *rawPer     `json:"per"`
}

type rawPer struct {
	Key     *PerKey  `json:"key"`
	Workers *keySize `json:"workers"`
	Rate    *Rate    `json:"rate"`
}

type rawWindow struct {
	At      *expression `json:"at"`
	Workers *poolSize   `json:"workers"`
}

type rawJob struct {
	Description string             `json:"description"`
	Type        *string            `json:"type"`
	With        *node              `json:"with"`
	Args        *jobs.Args         `json:"args"`
	Schedule    oneOrMore          `json:"schedule"`
	TimeZone    *string            `json:"time_zone"`
	DST         schedule.DST       `json:"dst"`
	Jitter      schedule.Duration  `json:"jitter"`
	Splay       schedule.Duration  `json:"splay"`
	Overlap     jobs.Overlap       `json:"overlap"`
	CatchUp     rawCatchUp         `json:"catch_up"`
	Grace       *schedule.Duration `json:"grace"`
	StartWithin schedule.Duration  `json:"start_within"`
	NotDuring   *node              `json:"not_during"`
	Condition   *rawCondition      `json:"condition"`
	Pool        *string            `json:"pool"`
	Slots       *jobs.Slots        `json:"slots"`
	Locks       []string           `json:"locks"`
	Priority    int                `json:"priority"`
	Timeout     schedule.Duration  `json:"timeout"`
	Stop        rawStop            `json:"stop"`
	Retry       rawRetry           `json:"retry"`
	Exit        jobs.Exit          `json:"exit"`
	After       jobs.After         `json:"after"`
	Output      rawOutput          `json:"output"`
	Enabled     *bool              `json:"enabled"`
}

type rawCatchUp struct {
	Policy  jobs.CatchUpPolicy `json:"policy"`
	MaxAge  *schedule.Duration `json:"max_age"`
	MaxRuns *int               `json:"max_runs"`
}

type rawCondition struct {
	Command []string           `json:"command"`
	Wait    schedule.Duration  `json:"wait"`
	Every   *schedule.Duration `json:"every"`
}

type rawStop struct {
	Signal jobs.Signal        `json:"signal"`
	After  *schedule.Duration `json:"after"`
	Mode   jobs.StopMode      `json:"mode"`
}

type rawRetry struct {
	Attempts   *int               `json:"attempts"`
	Backoff    *schedule.Duration `json:"backoff"`
	MaxBackoff *schedule.Duration `json:"max_backoff"`
}

type rawOutput struct {
	Max *jobs.Size `json:"max"`
}

// poolSize is a number of workers, or "unlimited".
type poolSize int

// UnmarshalText accepts a number from 0 on, or "unlimited".
func (s *poolSize) UnmarshalText(text []byte) error {
	if string(text) == "unlimited" {
		*s = Unlimited
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || !wholeNumber.Match(text) || n < 0 || n > math.MaxInt32 {
		return fmt.Errorf("%q is not a number of workers; write 0, 1, 2, … or unlimited", text)
	}
	*s = poolSize(n)
	return nil
}

// expression is a schedule.Expr that decodes from its text.
type expression struct{ schedule.Expr }

// UnmarshalText accepts a cron expression.
func (e *expression) UnmarshalText(text []byte) error {
	parsed, err := schedule.Parse(string(text))
	e.Expr = parsed
	return err // it is shown beside the key, nothing is to be added
}

// reserved lists the keys that the contract has and this version does not yet
// know. They are refused rather than ignored: whoever writes them relies on
// them. Whoever builds one removes its line here.
func reserved() []string {
	return []string{
		"access",
		"daemon.listen",
		"jobs.*.expect_every",
		"jobs.*.notify",
		"jobs.*.ping",
		"jobs.*.with.limits",
		"notifiers",
		"pools.*.limits",
		"types",
		"users",
	}
}

var (
	validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	allDigits = regexp.MustCompile(`^[0-9]+$`)
)

// checkName says what is wrong with the name of a job or pool, or nothing.
func checkName(name string) (message, hint string) {
	switch {
	case allDigits.MatchString(name):
		return "a name cannot be all digits", "it would be taken for the number of a run; add a letter"
	case len(name) > 63:
		return fmt.Sprintf("the name is %d characters long", len(name)), "63 are allowed"
	case !validName.MatchString(name):
		return fmt.Sprintf("%s cannot be a name", quoted(name)),
			"names are letters, digits, dot, - and _, and begin with a letter or a digit"
	}
	return "", ""
}
