package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
)

// What holds for a job where nothing is written.
const (
	defaultType       = "exec"
	defaultGrace      = 5 * time.Minute
	defaultMaxAge     = 24 * time.Hour
	defaultMaxRuns    = 10
	defaultEvery      = time.Minute
	defaultStopAfter  = 30 * time.Second
	defaultBackoff    = 10 * time.Second
	defaultMaxBackoff = 10 * time.Minute
	defaultOutputMax  = 16 << 20
)

// jobBuild is a job on its way from nodes to a definition.
type jobBuild struct {
	*loader
	path path
	key  *node
	n    *node // what the job and defaults: say together
	raw  rawJob
	def  *jobs.Definition

	table     schedule.Schedule
	blackouts *schedule.Blackouts
}

// defaults takes `defaults:` apart into what is laid below every job and what
// is laid below the settings of a type, and checks both on their own: no job
// may ever use them.
func (l *loader) defaults() {
	n := l.main.Defaults
	p := path{"defaults"}
	if n == nil || !l.decoder.expect(n, p, mapping, "a mapping of job keys") {
		return
	}
	n = n.asFallback()
	base := *n
	base.pairs, base.index = nil, nil
	jobKeys := l.decoder.fieldsOf(reflect.TypeFor[rawJob]())
	for _, entry := range n.pairs {
		name := entry.key.text
		t, isType := l.options.Types.Lookup(name)
		_, isJobKey := jobKeys[name]
		switch {
		case name == "with":
			l.report.at(entry.key, p.key(name), "settings belong to a type", "write defaults: {exec: {…}}")
		case isType && !isJobKey:
			value := entry.value.orAt(entry.key)
			if l.decoder.decode(value, p.key(name), reflect.ValueOf(t.Settings()).Elem()) {
				l.config.typeBase[name] = value
			}
		case isJobKey:
			base.pairs = append(base.pairs, entry)
		default:
			l.refuseDefault(entry.key, p, jobKeys)
		}
	}
	l.config.base = &base
	b := &jobBuild{loader: l, path: p, key: &base, n: &base}
	b.decode()
	b.fill()
	l.checkDefaults(b)
}

// checkDefaults checks what `defaults:` says as if it were a job, unless that
// has to wait. It then comes before all jobs that wait for the same.
func (l *loader) checkDefaults(b *jobBuild) {
	l.undecided = nil
	if b.mustWait() {
		l.undecided = b
		return
	}
	b.checkAlone()
}

// retryDefaults checks `defaults:` when there may be what it waits for.
func (l *loader) retryDefaults() {
	if l.undecided != nil {
		l.checkDefaults(l.undecided)
	}
}

func (l *loader) refuseDefault(key *node, p path, jobKeys map[string][]int) {
	known := l.options.Types.Names()
	for name := range jobKeys {
		known = append(known, name)
	}
	message, hint := l.unknownKey(p, key.text, known)
	l.report.at(key, p.key(key.text), message, hint)
}

// job builds the definition of a job.
func (l *loader) job(p path, key, n *node) {
	if n.null || n.kind != mapping {
		l.decoder.decode(n, p, reflect.ValueOf(&rawJob{}).Elem())
		return
	}
	b := &jobBuild{loader: l, path: p, key: key, n: under(n, l.config.base)}
	b.decode()
	b.fill()
	if b.mustWait() {
		l.waiting = append(l.waiting, b)
		return
	}
	b.finish()
}

// mustWait says whether the job refers to what a file that is yet to be read may
// define.
func (b *jobBuild) mustWait() bool {
	return b.def.NotDuring != nil || b.needsPool() && !b.isDefined("pools", b.def.Pool)
}

// needsPool says whether the job fits only some pools. The default one is always
// there, and one worker is never too much.
func (b *jobBuild) needsPool() bool { return b.def.Pool != DefaultPool || b.def.Slots > 1 }

// waitingJobs builds the jobs that waited for all files to be read.
func (l *loader) waitingJobs() {
	if l.undecided != nil {
		l.undecided.checkAlone()
	}
	for i, b := range l.waiting {
		l.waiting[i] = nil
		b.finish()
	}
	slices.SortStableFunc(l.config.warnings, l.report.compareLines)
}

// finish checks the job and adds it to the configuration.
func (b *jobBuild) finish() {
	b.checkAlone()
	b.with()
	b.args()
	b.keep()
}

// decode decodes the job's keys.
func (b *jobBuild) decode() {
	b.decoder.decode(b.n, b.path, reflect.ValueOf(&b.raw).Elem())
}

// fill makes the definition, every default filled in.
func (b *jobBuild) fill() {
	r := &b.raw
	b.def = &jobs.Definition{
		Name:        b.key.text,
		Description: r.Description,
		Type:        or(r.Type, defaultType),
		Args:        r.Args,
		Schedule:    r.Schedule,
		TimeZone:    or(r.TimeZone, ""),
		DST:         r.DST,
		Jitter:      r.Jitter,
		Splay:       r.Splay,
		Overlap:     r.Overlap,
		Grace:       or(r.Grace, schedule.Duration(defaultGrace)),
		StartWithin: r.StartWithin,
		Pool:        or(r.Pool, DefaultPool),
		Slots:       or(r.Slots, 1),
		Locks:       r.Locks,
		Priority:    r.Priority,
		Timeout:     r.Timeout,
		Exit:        r.Exit,
		After:       r.After,
		Output:      jobs.Output{Max: or(r.Output.Max, defaultOutputMax)},
		Enabled:     or(r.Enabled, true),
		DefinedAt:   b.key.where(),
	}
	b.fillWords()
	b.fillGroups()
	b.notDuring()
}

// fillWords fills in the choices that nobody made.
func (b *jobBuild) fillWords() {
	d := b.def
	if d.Overlap == "" {
		d.Overlap = jobs.OverlapAllow
		if len(d.Schedule) > 0 {
			d.Overlap = jobs.OverlapSkip
		}
	}
	if d.DST.Gap == "" {
		d.DST.Gap = schedule.GapRunAfter
	}
	if d.DST.Fold == "" {
		d.DST.Fold = schedule.FoldOnce
	}
	if d.After.Match == "" && len(d.After.Upstream()) > 0 {
		d.After.Match = jobs.MatchAny
	}
}

// fillGroups fills in the groups of keys.
func (b *jobBuild) fillGroups() {
	r, d := &b.raw, b.def
	d.CatchUp = jobs.CatchUp{Policy: r.CatchUp.Policy}
	switch d.CatchUp.Policy {
	case "":
		d.CatchUp.Policy = jobs.CatchUpNone
	case jobs.CatchUpLatest, jobs.CatchUpAll:
		d.CatchUp.MaxAge = or(r.CatchUp.MaxAge, schedule.Duration(defaultMaxAge))
		d.CatchUp.MaxRuns = or(r.CatchUp.MaxRuns, defaultMaxRuns)
	}
	if r.Condition != nil {
		d.Condition = &jobs.Condition{
			Command: r.Condition.Command, Wait: r.Condition.Wait,
			Every: or(r.Condition.Every, schedule.Duration(defaultEvery)),
		}
	}
	d.Stop = jobs.Stop{Signal: r.Stop.Signal, After: or(r.Stop.After, schedule.Duration(defaultStopAfter)), Mode: r.Stop.Mode}
	if d.Stop.Signal == "" {
		d.Stop.Signal = "TERM"
	}
	if d.Stop.Mode == "" {
		d.Stop.Mode = jobs.StopTree
	}
	d.Retry = jobs.Retry{Attempts: or(r.Retry.Attempts, 1), Backoff: or(r.Retry.Backoff, schedule.Duration(defaultBackoff))}
	d.Retry.MaxBackoff = or(r.Retry.MaxBackoff, max(d.Retry.Backoff, schedule.Duration(defaultMaxBackoff)))
}

// with decodes and checks the settings of the job's type.
func (b *jobBuild) with() {
	t, ok := b.options.Types.Lookup(b.def.Type)
	if !ok {
		names := b.options.Types.Names()
		b.fail(fmt.Sprintf("there is no type %s", quoted(b.def.Type)), didYouMean(b.def.Type, names, ""), "type")
		return
	}
	if written := b.n.get("with"); written != nil && written.null {
		return // reported as an empty section
	}
	n := under(b.raw.With, b.config.typeBase[b.def.Type])
	p := b.path.key("with")
	settings, isComplete := t.Settings(), true
	if n != nil {
		b.n = b.n.with("with", n)
		isComplete = b.decoder.decode(n, p, reflect.ValueOf(settings).Elem())
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		b.fail(fmt.Sprintf("encode the settings: %v", err), "", "with")
		return
	}
	if isComplete {
		if b.def.With = b.settled.find(b.def.Type, raw); b.def.With != nil {
			return
		}
		b.def.With = raw
	}
	problems := t.Check(raw)
	b.reportProblems(n, problems, isComplete)
	if isComplete && len(problems) == 0 {
		b.settled.add(b.def.Type, raw)
	}
}

// settled keeps the settings that were found good last: jobs that have the same
// share them, and they are checked once.
type settled [256]struct {
	kind string
	with json.RawMessage
}

// find returns settings that are equal and good, or nil.
func (s *settled) find(kind string, with json.RawMessage) json.RawMessage {
	if known := s[s.place(with)]; known.kind == kind && bytes.Equal(known.with, with) {
		return known.with
	}
	return nil
}

func (s *settled) add(kind string, with json.RawMessage) {
	known := &s[s.place(with)]
	known.kind, known.with = kind, with
}

func (s *settled) place(with json.RawMessage) uint64 {
	return maphash.Bytes(seed, with) % uint64(len(s))
}

// reportProblems records what a type found. Where not all settings could be
// decoded, what it says is missing may just be wrong: then only what it says
// of settings that are there counts.
func (b *jobBuild) reportProblems(n *node, problems []jobs.Problem, isComplete bool) {
	for _, problem := range problems {
		p := append(b.path.key("with"), problem.Path...)
		switch {
		case n == nil:
			b.report.at(b.key, p, problem.Message, problem.Hint)
		case isComplete:
			b.report.at(n.at(problem.Path...), p, problem.Message, problem.Hint)
		case len(problem.Path) > 0 && n.has(problem.Path...):
			b.report.check(n.at(problem.Path...), p, problem.Message, problem.Hint)
		}
	}
}

// with returns a copy of a mapping in which a key has another value.
func (n *node) with(key string, value *node) *node {
	own := n.without(key)
	own.pairs = append(own.pairs, pair{&node{file: value.file, line: value.line, column: value.column, text: key}, value})
	return own
}

// keep adds the job to the configuration.
func (b *jobBuild) keep() {
	name, c := b.def.Name, b.config
	c.Jobs[name] = b.def
	b.share()
	if b.blackouts != nil {
		c.blackouts[name] = b.blackouts
	}
	if b.n.has("after") {
		b.following[name] = b
	}
	b.warn()
}

// fail records an error at what the steps lead to within the job.
func (b *jobBuild) fail(message, hint string, steps ...any) {
	b.report.check(b.place(steps), append(b.path[:len(b.path):len(b.path)], steps...), message, hint)
}

// place returns the node that an error about the steps is shown at. A list of
// one item may be written as the item itself.
func (b *jobBuild) place(steps []any) *node {
	if !b.n.has(steps[:min(1, len(steps))]...) {
		return b.key
	}
	return b.n.at(steps...)
}

// absFile makes a path within the configuration independent of the working
// folder: it is relative to the folder of the file it is written in.
func absFile(n *node, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(n.file.path), name)
}
