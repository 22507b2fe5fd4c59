package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// upstream checks what `after:` names: jobs that exist, and no circle of jobs
// that would set each other off forever.
func (l *loader) upstream() {
	if len(l.following) == 0 {
		return
	}
	names, following := l.config.JobNames(), slices.Sorted(maps.Keys(l.following))
	for _, name := range following {
		l.following[name].checkAfter(names)
	}
	w := walk{loader: l, at: map[string]int{}, done: map[string]bool{}}
	for _, name := range following {
		w.from(name)
	}
}

// checkAfter checks the names a job lists.
func (b *jobBuild) checkAfter(names []string) {
	after := b.def.After
	for _, group := range []struct {
		key  string
		jobs []string
	}{{"success", after.Success}, {"failure", after.Failure}, {"any", after.Any}} {
		seen := map[string]bool{}
		for i, name := range group.jobs {
			switch {
			case name == b.def.Name:
				b.fail("a job cannot follow itself", "use retry: or a schedule", "after", group.key, i)
			case seen[name]:
				b.fail(fmt.Sprintf("job %s is named twice", quoted(name)), "remove one", "after", group.key, i)
			case b.config.Jobs[name] == nil && !b.isDefined("jobs", name):
				b.fail(fmt.Sprintf("there is no job %s", quoted(name)), didYouMean(name, names, ""), "after", group.key, i)
			}
			seen[name] = true
		}
	}
	if b.n.has("after") && len(after.Upstream()) == 0 {
		b.fail("names no job", "write success: [job], failure: [job] or any: [job]", "after")
	}
}

// walk follows after: through all jobs.
type walk struct {
	*loader
	trail []string
	at    map[string]int // where in the trail, from 1
	done  map[string]bool
}

// from follows one job and reports each circle once, where it closes.
func (w *walk) from(name string) {
	b := w.following[name]
	if b == nil || w.done[name] {
		return
	}
	w.trail = append(w.trail, name)
	w.at[name] = len(w.trail)
	for _, next := range b.def.After.Upstream() {
		switch i := w.at[next]; {
		case next == name: // reported already
		case i > 0:
			circle := append(slices.Clone(w.trail[i-1:]), next)
			slices.Reverse(circle) // the trail leads upstream
			b.fail("jobs set each other off forever: "+strings.Join(circle, " → "), "remove one of these", b.afterItem(next)...)
		default:
			w.from(next)
		}
	}
	w.trail = w.trail[:len(w.trail)-1]
	delete(w.at, name)
	w.done[name] = true
}

// afterItem leads to the item of after: that names a job.
func (b *jobBuild) afterItem(name string) []any {
	after := b.def.After
	for _, group := range []struct {
		key  string
		jobs []string
	}{{"success", after.Success}, {"failure", after.Failure}, {"any", after.Any}} {
		if i := slices.Index(group.jobs, name); i >= 0 {
			return []any{"after", group.key, i}
		}
	}
	return []any{"after"}
}
