package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
)

// loader is the state of one load.
type loader struct {
	options Options
	report  *report
	decoder *decoder
	config  *Config
	total   int // bytes read

	top     *node // of the main file, without its jobs
	main    rawMain
	sources []*source

	exprs     map[string]parsed
	settled   settled
	doubted   map[string][]schedule.Doubt
	zones     map[string]zoneResult
	definedIn map[string]map[string]spot // by section and name
	following map[string]*jobBuild       // jobs with after:

	calendarSections []*node
	undecided        *jobBuild   // defaults:, where they wait, too
	waiting          []*jobBuild // for what may be defined in a later file
}

// spot is a line of a file.
type spot struct {
	file *source
	line int
}

type parsed struct {
	expr schedule.Expr
	err  error
}

type zoneResult struct {
	zone *time.Location
	err  error
}

func newLoader(o Options) *loader {
	l := &loader{
		options:   o,
		report:    newReport(),
		exprs:     map[string]parsed{},
		doubted:   map[string][]schedule.Doubt{},
		zones:     map[string]zoneResult{},
		definedIn: map[string]map[string]spot{},
		following: map[string]*jobBuild{},
		config: &Config{
			Path:          o.Path,
			Registry:      o.Types,
			Pools:         map[string]Pool{},
			Jobs:          map[string]*jobs.Definition{},
			sources:       map[string]*source{},
			tables:        map[tableKey]*timetable{},
			typeBase:      map[string]*node{},
			blackouts:     map[string]*schedule.Blackouts{},
			Calendars:     map[string]schedule.Calendar{},
			calendarTexts: map[string]string{},
		},
	}
	l.decoder = &decoder{report: l.report, unknown: l.unknownKey, fieldsBy: map[reflect.Type]map[string][]int{}}
	return l
}

// read reads and decodes all files, and builds what is in each before it goes on
// to the next. It reports whether there is something to go on with: no file is
// missing and none has mistakes in its syntax.
func (l *loader) read() bool {
	top := l.open(l.options.Path, true)
	if top == nil {
		return false
	}
	defer top.file.pack()
	l.decoder.decode(withoutExtras(top), nil, reflect.ValueOf(&l.main).Elem())
	l.top = top.without("jobs")
	top = nil // its jobs are let go one by one
	l.judge(func() {
		l.settings()
		l.zone()
		l.retention()
	})
	sections := l.main.rawIncluded
	l.main.rawIncluded = rawIncluded{}
	l.build(&sections, l.defaults)
	complete := true
	for i, pattern := range l.main.Include {
		complete = l.include(i, pattern) && complete
	}
	l.config.Digest = digest(l.sources)
	return complete
}

// judge does what finds mistakes of meaning while files are still to be read.
func (l *loader) judge(do func()) {
	l.report.judging = true
	defer func() { l.report.judging = false }()
	do()
}

// build builds what a file defines, as far as it can be without the files that
// follow. The sections are empty then: nothing else is to hold on to the nodes.
func (l *loader) build(r *rawIncluded, defaults func()) {
	l.judge(func() {
		if r.Pools != nil {
			l.named("pools", r.Pools, l.pool)
		}
		if r.Calendars != nil {
			l.calendarSections = append(l.calendarSections, r.Calendars)
		}
		defaults()
		if jobs := r.Jobs; jobs != nil {
			*r = rawIncluded{}
			l.named("jobs", jobs, l.job)
		}
	})
}

// open reads and parses one file. It returns nil where that cannot be done.
func (l *loader) open(name string, main bool) *node {
	l.report.order[name] = len(l.report.order)
	s, e := readSource(name, main)
	if s != nil {
		l.sources = append(l.sources, s)
		l.config.sources[name] = s
		l.config.Files = append(l.config.Files, s.path)
		l.total += len(s.data)
	}
	if e != nil {
		l.report.add(*e)
		return nil
	}
	return parseSource(s, l.report)
}

// include reads the files of one pattern. It reports whether all could be.
func (l *loader) include(i int, pattern string) bool {
	at := l.top.get("include").at(i)
	p := path{"include"}
	if l.top.get("include").kind == list {
		p = p.index(i)
	}
	if pattern == "" {
		l.report.at(at, p, "an empty pattern", "name files, such as conf.d/*.yaml")
		return true
	}
	main := l.sources[0]
	names, err := main.included(pattern)
	if err != nil {
		l.report.wrap(at, p, err)
		return true
	}
	l.config.patterns = append(l.config.patterns, absPattern(main, pattern))
	complete := true
	for _, name := range names {
		abs, err := filepath.Abs(name)
		switch {
		case err == nil && abs == main.path:
			l.report.at(at, p, fmt.Sprintf("%s includes itself", name), "remove it")
			continue
		case err == nil && slices.Contains(l.config.Files, abs):
			continue // a second pattern means it, too
		case len(l.sources) > maxFiles || l.total > maxTotal:
			l.report.at(at, p, fmt.Sprintf("more than %d files or %d MiB are included", maxFiles, maxTotal>>20), "include fewer")
			return false
		}
		complete = l.includeFile(name, at, p) && complete
	}
	return complete
}

// includeFile reads one included file. A missing one is reported at the place
// that names it.
func (l *loader) includeFile(name string, at *node, p path) bool {
	before := len(l.report.errors)
	top := l.open(name, false)
	if top == nil {
		if e := &l.report.errors[len(l.report.errors)-1]; len(l.report.errors) > before && e.Line == 0 {
			*e = Error{
				File: at.file.name, Line: at.line, Column: at.column, Key: p.String(),
				Message: e.File + ": " + e.Message, Hint: e.Hint,
			}
		}
		return false
	}
	defer top.file.pack()
	var sections rawIncluded
	l.decoder.decode(withoutExtras(top), nil, reflect.ValueOf(&sections).Elem())
	top = nil // its jobs are let go one by one
	l.build(&sections, l.retryDefaults)
	return true
}

// absPattern makes a pattern independent of the working folder.
func absPattern(main *source, pattern string) string {
	if filepath.IsAbs(pattern) {
		return filepath.Clean(pattern)
	}
	return filepath.Join(escapeGlob(filepath.Dir(main.path)), pattern)
}

// withoutExtras drops the top-level x-… keys, which are a home for anchors.
func withoutExtras(top *node) *node {
	own := *top
	own.pairs, own.index = nil, nil
	for _, p := range top.pairs {
		if !strings.HasPrefix(p.key.text, "x-") {
			own.pairs = append(own.pairs, p)
		}
	}
	return &own
}

// digest is over the names and the bytes of all files.
func digest(sources []*source) string {
	sum := sha256.New()
	for _, s := range sources {
		fmt.Fprintf(sum, "%q %x\n", s.path, s.sum)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// named calls use for every named entry of a section: the first of each name in
// all files, and only those whose names are sound. It lets go of each when it
// was used, so that the nodes of a section never live as long as what is built.
func (l *loader) named(section string, n *node, use func(p path, key, value *node)) {
	if !l.decoder.expect(n, path{section}, mapping, "a mapping of names") {
		return
	}
	defined := l.definedIn[section]
	if defined == nil {
		defined = make(map[string]spot, len(n.pairs))
		l.definedIn[section] = defined
	}
	entries := slices.Clone(n.pairs) // n may be shared by an alias
	for i, entry := range entries {
		entries[i] = pair{}
		name, p := entry.key.text, path{section, entry.key.text}
		if message, hint := checkName(name); message != "" {
			l.report.at(entry.key, p, message, hint)
			continue
		}
		if first, taken := defined[name]; taken {
			l.report.at(entry.key, p, fmt.Sprintf("is defined twice, first at %s", first.where()), "rename or remove one")
			continue
		}
		defined[name] = spot{entry.key.file, entry.key.line}
		use(p, entry.key, entry.value.orAt(entry.key))
	}
}

// where gives the place as FILE:LINE.
func (s spot) where() string { return fmt.Sprintf("%s:%d", s.file.name, s.line) }

// isDefined says whether any file that has been read has an entry of that name,
// sound or not.
func (l *loader) isDefined(section, name string) bool {
	_, ok := l.definedIn[section][name]
	return ok
}

// unknownKey explains a key that nothing knows.
func (l *loader) unknownKey(p path, key string, known []string) (message, hint string) {
	if slices.Contains(reserved(), l.pattern(p.key(key))) {
		return "is not built yet in this version", "remove it"
	}
	if len(p) == 0 && slices.Contains(mainOnly(), key) {
		return "belongs into the main file, " + l.options.Path, "move it there"
	}
	if name, _, glued := strings.Cut(key, ":"); glued && nearest(name, known) == name {
		return "unknown key", "put a blank after the colon"
	}
	isJob := len(p) == 2 && p[0] == "jobs"
	if isJob && nearest(key, known) == "" && l.isSetting(key) {
		return "unknown key", "it is a setting of the job's type: write it below with:"
	}
	return "unknown key", didYouMean(key, known, "`")
}

// mainOnly lists the keys that included files cannot hold.
func mainOnly() []string { return []string{"daemon", "time_zone", "retention", "include", "defaults"} }

// isSetting says whether any type has a setting of that name.
func (l *loader) isSetting(key string) bool {
	for _, name := range l.options.Types.Names() {
		t, _ := l.options.Types.Lookup(name)
		if _, ok := l.decoder.settingsOf(t)[key]; ok {
			return true
		}
	}
	return false
}

// settingsOf returns the keys that a type knows.
func (d *decoder) settingsOf(t jobs.Type) map[string][]int {
	settings := reflect.TypeOf(t.Settings())
	if settings.Kind() == reflect.Pointer && settings.Elem().Kind() == reflect.Struct {
		return d.fieldsOf(settings.Elem())
	}
	return nil
}

// pattern gives a path the form in which reserved keys are listed: * for names,
// and what stands in defaults: as it would stand in a job.
func (l *loader) pattern(p path) string {
	own := slices.Clone(p)
	if len(own) > 1 && own[0] == "defaults" {
		own = slices.Concat(path{"jobs", "*"}, own[1:])
		if name, ok := own[2].(string); ok && len(own) > 3 {
			if _, isType := l.options.Types.Lookup(name); isType {
				own[2] = "with"
			}
		}
	}
	if len(own) > 1 && (own[0] == "jobs" || own[0] == "pools") {
		own[1] = "*"
	}
	return own.String()
}
