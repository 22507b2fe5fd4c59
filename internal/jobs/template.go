package jobs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The placeholders that Expand replaces.
const (
	PlaceArg         = "{arg}"
	PlaceRunID       = "{run_id}"
	PlaceScheduledAt = "{scheduled_at}"
)

// placeholders lists them all.
func placeholders() []string { return []string{PlaceArg, PlaceRunID, PlaceScheduledAt} }

// Placeholder returns the first placeholder that s holds, or "".
func Placeholder(s string) string {
	for _, p := range placeholders() {
		if strings.Contains(s, p) {
			return p
		}
	}
	return ""
}

// Expand replaces the placeholders in s by the task's values, in one pass: a
// placeholder inside an argument stays as it is.
func (t Task) Expand(s string) string {
	if Placeholder(s) == "" {
		return s
	}
	return strings.NewReplacer(
		PlaceArg, t.Arg,
		PlaceRunID, strconv.FormatInt(t.Run, 10),
		PlaceScheduledAt, t.ScheduledText(),
	).Replace(s)
}

// ScheduledText is the occurrence's instant as RFC 3339 in the job's zone, or
// empty for a run without one.
func (t Task) ScheduledText() string {
	if t.ScheduledAt.IsZero() {
		return ""
	}
	return t.ScheduledAt.Format(time.RFC3339)
}

// MaxArg is the most bytes of an argument. A command has each in POOLD_ARG, and
// Linux takes no variable of 128 KiB; half of that leaves room for the words
// around {arg}. Longer input belongs in a file that the argument names.
const MaxArg = 64 << 10

// CheckArg says whether the job takes arg: no job takes one that is too long or
// holds a zero byte. It must match `args.match` as a whole; without a match, the
// type's own rule holds.
func (d *Definition) CheckArg(r Registry, arg string) error {
	switch {
	case len(arg) > MaxArg:
		return fmt.Errorf("job %q takes no argument of %d bytes: at most %d; put the text into a file and give its name", d.Name, len(arg), MaxArg)
	case strings.ContainsRune(arg, 0):
		return fmt.Errorf("job %q takes no argument %s: it holds a zero byte", d.Name, Shown(arg))
	}
	if d.Args != nil && d.Args.Match != "" {
		re, err := regexp.Compile(`\A(?:` + d.Args.Match + `)\z`)
		if err != nil {
			return fmt.Errorf("job %q: args.match: %w", d.Name, err)
		}
		if !re.MatchString(arg) {
			return fmt.Errorf("job %q takes no argument %s: it does not match %s", d.Name, Shown(arg), d.Args.Match)
		}
		return nil
	}
	t, ok := r.Lookup(d.Type)
	if !ok {
		return fmt.Errorf("job %q: no type %q", d.Name, d.Type)
	}
	checker, ok := t.(ArgChecker)
	if !ok {
		return nil
	}
	if err := checker.CheckArg(d.With, arg); err != nil {
		return fmt.Errorf("job %q takes no argument %s: %w", d.Name, Shown(arg), err)
	}
	return nil
}

// shownMost is how many bytes of an argument a message or a log line has.
const shownMost = 100

// Shown is an argument in quotes as a message has it: its beginning, where it
// is long.
func Shown(arg string) string { return strconv.Quote(Beginning(arg)) }

// Beginning is an argument as a log line has it.
func Beginning(arg string) string {
	if len(arg) <= shownMost {
		return arg
	}
	cut := shownMost
	for cut > shownMost-utf8.UTFMax && !utf8.RuneStart(arg[cut]) {
		cut--
	}
	return arg[:cut] + "…"
}
