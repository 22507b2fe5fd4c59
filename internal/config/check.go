package config

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
)

// checkAlone checks what a job says without regard to other jobs or its type.
func (b *jobBuild) checkAlone() {
	b.checkSchedule()
	b.checkNotDuring()
	b.checkPool()
	b.checkLocks()
	b.checkNumbers()
	b.checkExit()
	b.checkCondition()
	if b.n.holdsPlaceholder() {
		b.checkPlaceholders(b.n, nil)
	}
}

// holdsPlaceholder says whether there is a placeholder anywhere. Hardly any job
// has one, and to name the way to each of its values would take long.
func (n *node) holdsPlaceholder() bool {
	if n.kind == scalar {
		return jobs.Placeholder(n.text) != ""
	}
	return slices.ContainsFunc(n.items, (*node).holdsPlaceholder) ||
		slices.ContainsFunc(n.pairs, func(p pair) bool { return p.value.holdsPlaceholder() })
}

// checkSchedule parses the job's expressions and its zone.
func (b *jobBuild) checkSchedule() {
	table := schedule.Schedule{Zone: b.config.Zone, DST: b.def.DST}
	if b.raw.TimeZone != nil {
		zone, err := b.loadZone(b.def.TimeZone)
		switch {
		case b.def.TimeZone == "":
			b.fail("is empty", "name a zone such as Europe/Berlin, or remove the key", "time_zone")
		case err != nil:
			message, hint := splitHint(err)
			b.fail(message, hint, "time_zone")
		default:
			table.Zone = zone
		}
	}
	for i, text := range b.def.Schedule {
		expr, err := b.parse(text)
		if err != nil {
			message, hint := splitHint(err)
			b.fail(message, hint, b.scheduleItem(i)...)
			continue
		}
		table.Exprs = append(table.Exprs, expr)
	}
	b.table = table
}

// share makes the job's schedule the same one for all jobs that have it.
func (b *jobBuild) share() {
	key := keyOf(b.def)
	known := b.config.tables[key]
	if known == nil {
		known = &timetable{b.table, b.def.Schedule}
		b.config.tables[key] = known
	}
	b.def.Schedule = known.texts
}

// scheduleItem leads to an expression, which may stand alone or in a list.
func (b *jobBuild) scheduleItem(i int) []any {
	if n := b.n.get("schedule"); n != nil && n.kind == list {
		return []any{"schedule", i}
	}
	return []any{"schedule"}
}

// parse is schedule.Parse, once per text.
func (l *loader) parse(text string) (schedule.Expr, error) {
	known, ok := l.exprs[text]
	if !ok {
		known.expr, known.err = schedule.Parse(text)
		l.exprs[text] = known
	}
	return known.expr, known.err
}

// checkPool checks that the pool is there and ever large enough. A pool of
// size 0 holds everything back on purpose.
func (b *jobBuild) checkPool() {
	if !b.needsPool() {
		return
	}
	pool, ok := b.config.Pools[b.def.Pool]
	if !ok {
		if !b.isDefined("pools", b.def.Pool) { // else its own entry is wrong
			names := slices.Collect(maps.Keys(b.config.Pools))
			b.fail(fmt.Sprintf("there is no pool %s", quoted(b.def.Pool)), didYouMean(b.def.Pool, names, ""), "pool")
		}
		return
	}
	largest := pool.Largest()
	if b.def.Slots != jobs.AllSlots && largest > 0 && int(b.def.Slots) > largest {
		b.fail(fmt.Sprintf("takes %d workers, and pool %s never has more than %d", b.def.Slots, pool.Name, largest),
			"write all, or enlarge the pool", "slots")
	}
}

func (b *jobBuild) checkLocks() {
	seen := map[string]bool{}
	for i, name := range b.def.Locks {
		switch {
		case name == "" || len(name) > 255 || strings.ContainsFunc(name, unicode.IsControl):
			b.fail("cannot be the name of a lock", "write 1 to 255 characters", "locks", i)
		case seen[name]:
			b.fail(fmt.Sprintf("lock %q is named twice", name), "remove one", "locks", i)
		}
		seen[name] = true
	}
}

// checkNumbers checks bounds.
func (b *jobBuild) checkNumbers() {
	d, r := b.def, &b.raw
	if d.Retry.Attempts < 1 {
		b.fail("must be 1 or more", "1 starts a run once", "retry", "attempts")
	}
	if d.Retry.MaxBackoff < d.Retry.Backoff {
		b.fail(fmt.Sprintf("is below the backoff of %s", d.Retry.Backoff), "raise max_backoff or lower backoff", "retry", "max_backoff")
	}
	if r.CatchUp.MaxRuns != nil && *r.CatchUp.MaxRuns < 1 {
		b.fail("must be 1 or more", "write policy: none to catch up with nothing", "catch_up", "max_runs")
	}
	if r.CatchUp.MaxAge != nil && *r.CatchUp.MaxAge == 0 {
		b.fail("must be above 0s", "write policy: none to catch up with nothing", "catch_up", "max_age")
	}
	if d.Priority > math.MaxInt32 || d.Priority < math.MinInt32 {
		b.fail("is out of range", fmt.Sprintf("%d to %d", math.MinInt32, math.MaxInt32), "priority")
	}
}

// checkExit checks that each exit status has one meaning.
func (b *jobBuild) checkExit() {
	meaning := map[int]string{}
	for _, group := range []struct {
		key   string
		codes []int
	}{{"success", b.def.Exit.Success}, {"skip", b.def.Exit.Skip}, {"no_retry", b.def.Exit.NoRetry}} {
		for i, code := range group.codes {
			switch other, taken := meaning[code]; {
			case code < 0 || code > 255:
				b.fail(fmt.Sprintf("%d is no exit status", code), "0 to 255", "exit", group.key, i)
			case code == 0 && group.key != "success":
				b.fail("status 0 is always a success", "remove it", "exit", group.key, i)
			case taken:
				b.fail(fmt.Sprintf("status %d is in exit.%s already", code, other), "remove one", "exit", group.key, i)
			}
			meaning[code] = group.key
		}
	}
}

func (b *jobBuild) checkCondition() {
	c := b.def.Condition
	switch {
	case c == nil:
	case len(c.Command) == 0 || c.Command[0] == "":
		b.fail("has no command", "write command: [/path/to/program]", "condition", "command")
	case c.Wait > 0 && c.Every == 0:
		b.fail("must be above 0s", "it is how often the command is asked again", "condition", "every")
	}
}

// checkPlaceholders refuses placeholders where nothing replaces them. What
// stands below with: is for the type to check.
func (b *jobBuild) checkPlaceholders(n *node, at path) {
	if len(at) == 1 && at[0] == "with" {
		return
	}
	if len(at) == 3 && at[0] == "condition" && at[1] == "command" && at[2] != 0 {
		return
	}
	if word := jobs.Placeholder(n.text); n.kind == scalar && word != "" {
		b.report.check(n, append(b.path[:len(b.path):len(b.path)], at...), word+" is not replaced here", "it is in a type's command, after the program")
	}
	for i, item := range n.items {
		b.checkPlaceholders(item, at.index(i))
	}
	for _, entry := range n.pairs {
		b.checkPlaceholders(entry.value, at.key(entry.key.text))
	}
}

// args checks the arguments. It comes after with: the type has a say.
func (b *jobBuild) args() {
	a := b.def.Args
	if a == nil {
		return
	}
	if a.File != "" {
		a.File = absFile(b.n.at("args", "file"), a.File)
	}
	b.checkSource(a)
	if a.Match != "" {
		if _, err := regexp.Compile(a.Match); err != nil {
			b.fail(err.Error(), "write a regular expression in Go's syntax", "args", "match")
			return
		}
	}
	if b.def.With == nil {
		return // the settings are wrong, and have their own errors
	}
	for i, arg := range a.List {
		if err := b.def.CheckArg(b.options.Types, arg); err != nil {
			message, hint := splitHint(err)
			b.fail(strings.TrimPrefix(message, "job "+strconv.Quote(b.def.Name)+" "), hint, "args", "list", i)
		}
	}
}

// checkSource checks that the arguments come from one source that has any.
func (b *jobBuild) checkSource(a *jobs.Args) {
	var written []string
	for _, key := range []string{"list", "file", "command"} {
		if b.n.has("args", key) {
			written = append(written, key)
		}
	}
	switch {
	case len(written) > 1:
		b.fail("has several sources: "+strings.Join(written, ", "), "keep one", "args")
	case len(written) == 0 && a.Match == "":
		b.fail("has no source", "write list:, file: or command:", "args")
	case len(written) == 1 && !a.Sourced(), a.List != nil && len(a.List) == 0:
		b.fail("is empty", "remove it, or name what there is", "args", written[0])
	case a.Command != nil && (len(a.Command) == 0 || a.Command[0] == ""):
		b.fail("has no program", "write command: [/path/to/program]", "args", "command")
	}
}

// warnOfSchedule notes expressions that may mean something else than they seem
// to, with the dates on which they are next due.
func (b *jobBuild) warnOfSchedule(note func(message, hint string, steps ...any)) {
	for i, expr := range b.table.Exprs {
		doubts := b.doubts(expr)
		if len(doubts) == 0 {
			continue
		}
		alone := b.table
		alone.Exprs = []schedule.Expr{expr}
		next, _ := alone.Due(time.Now(), time.Now().AddDate(50, 0, 0), 3)
		dates := make([]string, len(next))
		for i, o := range next {
			dates[i] = o.At.Format("Mon 2006-01-02 15:04")
		}
		for _, d := range doubts {
			note(d.Message+"; next on "+strings.Join(dates, ", "), d.Hint, b.scheduleItem(i)...)
		}
	}
}

// doubts is Expr.Doubts, once per text.
func (l *loader) doubts(expr schedule.Expr) []schedule.Doubt {
	known, ok := l.doubted[expr.String()]
	if !ok {
		known = expr.Doubts()
		l.doubted[expr.String()] = known
	}
	return known
}

// warn notes what has no effect, and what is hardly meant.
func (b *jobBuild) warn() {
	note := func(message, hint string, steps ...any) {
		n := b.place(steps)
		if n.fallback {
			return // it is meant for other jobs
		}
		p := append(b.path[:len(b.path):len(b.path)], steps...)
		b.config.warnings = append(b.config.warnings, Error{
			File: n.file.name, Line: n.line, Column: n.column, Key: p.String(), Message: message, Hint: hint,
		})
	}
	if b.def.CatchUp.Policy == jobs.CatchUpNone {
		for _, key := range []string{"max_age", "max_runs"} {
			if b.n.has("catch_up", key) {
				note("has no effect without a policy", "write policy: latest or policy: all", "catch_up", key)
			}
		}
	}
	b.warnOfSchedule(note)
	if len(b.def.Schedule) > 0 {
		return
	}
	for _, key := range []string{"jitter", "splay", "dst", "catch_up", "grace", "not_during"} {
		if b.n.has(key) {
			note("has no effect without a schedule", "", key)
		}
	}
}
