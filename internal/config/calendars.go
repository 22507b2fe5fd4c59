package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
)

// rawCalendar is a calendar that is not only a list of its days.
type rawCalendar struct {
	Days *node   `json:"days"`
	File *string `json:"file"`
}

// rawNotDuring is a job's not_during that is not only a list of calendars.
type rawNotDuring struct {
	Calendars oneOrMore `json:"calendars"`
	Defer     bool      `json:"defer"`
}

// calendars builds all calendars. What their files hold is part of the
// configuration: a change of it is a change of that.
func (l *loader) calendars() {
	for _, section := range l.calendarSections {
		l.named("calendars", section, l.calendar)
	}
	l.config.Digest = digest(l.sources)
}

// calendar builds one calendar, of entries that stand here or in a file.
func (l *loader) calendar(p path, key, n *node) {
	raw := rawCalendar{}
	if n.kind == mapping && !n.null {
		if !l.decoder.decode(n, p, reflect.ValueOf(&raw).Elem()) {
			return
		}
		p = p.key("days")
	} else {
		raw.Days = n
	}
	c := schedule.Calendar{Name: key.text}
	var text strings.Builder
	if raw.Days != nil {
		var days []string
		if !l.decoder.decode(raw.Days, p, reflect.ValueOf(&days).Elem()) {
			return
		}
		for i, day := range days {
			fmt.Fprintln(&text, day)
			if err := c.Add(day); err != nil {
				l.report.wrap(raw.Days.at(i), p.index(i), err)
			}
		}
	}
	if raw.File != nil {
		l.calendarFile(&c, &text, n.at("file"), path{"calendars", key.text, "file"}, *raw.File)
	}
	if raw.Days == nil && raw.File == nil {
		l.report.at(n, path{"calendars", key.text}, "holds no days", "write days: [2026-12-25, sat..sun] or file: holidays.txt")
	}
	c.Settle()
	l.config.Calendars[key.text], l.config.calendarTexts[key.text] = c, text.String()
}

// calendarFile adds the entries of a file: one a line, and comments from # on.
func (l *loader) calendarFile(c *schedule.Calendar, text *strings.Builder, at *node, p path, name string) {
	if name == "" {
		l.report.at(at, p, "is empty", "name a file of one day or span a line")
		return
	}
	s, e := readSource(absFile(at, name), false)
	if s != nil {
		s.name = name
		l.config.Files = append(l.config.Files, s.path)
		l.sources = append(l.sources, s)
	} else {
		l.config.patterns = append(l.config.patterns, escapeGlob(absFile(at, name)))
	}
	if e != nil && e.Line == 0 {
		l.report.at(at, p, name+": "+e.Message, e.Hint)
		return
	}
	if e != nil {
		e.File = name
		l.report.add(*e)
		return
	}
	for i, line := range strings.Split(strings.TrimPrefix(string(s.data), "\ufeff"), "\n") {
		entry, _, _ := strings.Cut(line, "#")
		if strings.TrimSpace(entry) == "" {
			continue
		}
		fmt.Fprintln(text, strings.TrimSpace(entry))
		if err := c.Add(strings.TrimSpace(entry)); err != nil {
			message, hint := splitHint(err)
			column := 1 + len(entry) - len(strings.TrimLeft(entry, " \t"))
			l.report.add(Error{File: name, Line: i + 1, Column: column, Key: "calendars." + c.Name, Message: message, Hint: hint})
		}
	}
}

// notDuring decodes in which calendars the job does not run.
func (b *jobBuild) notDuring() {
	n := b.raw.NotDuring
	if n == nil {
		return
	}
	p := b.path.key("not_during")
	var raw rawNotDuring
	if n.kind == mapping {
		if !b.decoder.decode(n, p, reflect.ValueOf(&raw).Elem()) {
			return
		}
		if raw.Calendars == nil {
			b.fail("names no calendars", "write {calendars: [holidays], defer: true}", "not_during")
			return
		}
	} else if !b.decoder.decode(n, p, reflect.ValueOf(&raw.Calendars).Elem()) {
		return
	}
	if len(raw.Calendars) > 0 {
		b.def.NotDuring = &jobs.NotDuring{Calendars: raw.Calendars, Defer: raw.Defer}
	}
}

// checkNotDuring checks that the calendars are there, and puts them together.
func (b *jobBuild) checkNotDuring() {
	nd := b.def.NotDuring
	if nd == nil {
		return
	}
	out := &schedule.Blackouts{Zone: b.table.Zone, Defer: nd.Defer}
	for i, name := range nd.Calendars {
		c, ok := b.config.Calendars[name]
		if ok {
			out.Calendars = append(out.Calendars, c)
			continue
		}
		if b.isDefined("calendars", name) {
			continue // its own entry is wrong
		}
		b.fail(fmt.Sprintf("there is no calendar %s", quoted(name)),
			didYouMean(name, slices.Collect(maps.Keys(b.config.Calendars)), ""), b.notDuringItem(i)...)
	}
	b.blackouts = out
}

// notDuringItem leads to the name of a calendar, in any of the ways to write it.
func (b *jobBuild) notDuringItem(i int) []any {
	steps := []any{"not_during"}
	if b.n.has("not_during", "calendars") {
		steps = append(steps, "calendars")
	}
	if b.n.has(append(steps, i)...) {
		steps = append(steps, i)
	}
	return steps
}

// Blackouts returns when the job is not to run, or nil.
func (c *Config) Blackouts(job string) *schedule.Blackouts { return c.blackouts[job] }
