package jobs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
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

// CheckArg says whether the job takes arg: it must match `args.match` as a
// whole; without a match, the type's own rule holds.
func (d *Definition) CheckArg(r Registry, arg string) error {
	if d.Args != nil && d.Args.Match != "" {
		re, err := regexp.Compile(`\A(?:` + d.Args.Match + `)\z`)
		if err != nil {
			return fmt.Errorf("job %q: args.match: %w", d.Name, err)
		}
		if !re.MatchString(arg) {
			return fmt.Errorf("job %q takes no argument %q: it does not match %s", d.Name, arg, d.Args.Match)
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
		return fmt.Errorf("job %q takes no argument %q: %w", d.Name, arg, err)
	}
	return nil
}
