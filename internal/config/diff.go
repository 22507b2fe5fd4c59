package config

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
)

// Plan is what applying a new configuration in place of an old one changes.
// All lists are sorted.
type Plan struct {
	JobsAdded   []string `json:"jobs_added,omitempty"`
	JobsChanged []string `json:"jobs_changed,omitempty"`
	JobsRemoved []string `json:"jobs_removed,omitempty"`

	PoolsAdded   []string `json:"pools_added,omitempty"`
	PoolsResized []Resize `json:"pools_resized,omitempty"`
	PoolsChanged []string `json:"pools_changed,omitempty"` // in more than their size
	PoolsRemoved []string `json:"pools_removed,omitempty"`

	Calendars    bool        `json:"calendars,omitempty"` // moves when jobs do not run
	TimeZone     *ZoneChange `json:"time_zone,omitempty"` // moves the schedules of jobs without a zone of their own
	Zones        []string    `json:"zones,omitempty"`     // whose rules are new
	Retention    bool        `json:"retention,omitempty"`
	NeedsRestart []string    `json:"needs_restart,omitempty"` // keys such as daemon.socket
}

// Resize is a change of a pool's own size. Unlimited stands for no limit.
type Resize struct {
	Pool string `json:"pool"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// ZoneChange is a change of the top-level time zone; empty is the host's.
type ZoneChange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Empty says whether nothing changes.
func (p Plan) Empty() bool {
	return len(p.JobsAdded)+len(p.JobsChanged)+len(p.JobsRemoved) == 0 &&
		len(p.PoolsAdded)+len(p.PoolsResized)+len(p.PoolsChanged)+len(p.PoolsRemoved) == 0 &&
		p.TimeZone == nil && len(p.Zones) == 0 && !p.Retention && !p.Calendars && len(p.NeedsRestart) == 0
}

// Diff says what leads from one configuration to another. A nil old one is as
// if it held nothing. Where a job or a pool stands, in which order its keys are
// written and how they are indented makes no difference.
func Diff(old, updated *Config) Plan {
	if old == nil {
		old = &Config{Daemon: updated.Daemon, Retention: updated.Retention, TimeZone: updated.TimeZone}
	}
	p := Plan{Retention: old.Retention != updated.Retention, NeedsRestart: NeedsRestart(old.Daemon, updated.Daemon)}
	p.Calendars = !maps.Equal(old.calendarTexts, updated.calendarTexts)
	p.JobsAdded, p.JobsRemoved = addedRemoved(old.Jobs, updated.Jobs)
	p.PoolsAdded, p.PoolsRemoved = addedRemoved(old.Pools, updated.Pools)
	for _, name := range updated.JobNames() {
		if _, ok := old.Jobs[name]; ok && !sameJob(old, updated, name) {
			p.JobsChanged = append(p.JobsChanged, name)
		}
	}
	for _, name := range updated.PoolNames() {
		if before, ok := old.Pools[name]; ok {
			p.pool(before, updated.Pools[name])
		}
	}
	if old.TimeZone != updated.TimeZone {
		p.TimeZone = &ZoneChange{From: old.TimeZone, To: updated.TimeZone}
	}
	for name, rules := range updated.rules {
		if before, ok := old.rules[name]; ok && before != rules {
			p.Zones = append(p.Zones, cmp.Or(name, "the host"))
		}
	}
	slices.Sort(p.Zones)
	return p
}

// sameJob says whether a job that is in both is the same in both. Hashes decide,
// and take long to make: most jobs are the same value by value.
func sameJob(old, updated *Config, name string) bool {
	before, after := *old.Jobs[name], *updated.Jobs[name]
	before.DefinedAt, after.DefinedAt = "", ""
	return reflect.DeepEqual(before, after) || old.Hash(name) == updated.Hash(name)
}

// pool adds what changes in one pool.
func (p *Plan) pool(before, after Pool) {
	if before.Workers != after.Workers {
		p.PoolsResized = append(p.PoolsResized, Resize{Pool: after.Name, From: before.Workers, To: after.Workers})
	}
	before.Workers = after.Workers
	if before.Entry() != after.Entry() {
		p.PoolsChanged = append(p.PoolsChanged, after.Name)
	}
}

// addedRemoved compares the names of two sets.
func addedRemoved[T any](old, updated map[string]T) (added, removed []string) {
	for _, name := range slices.Sorted(maps.Keys(updated)) {
		if _, ok := old[name]; !ok {
			added = append(added, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if _, ok := updated[name]; !ok {
			removed = append(removed, name)
		}
	}
	return added, removed
}

// NeedsRestart lists the settings of the daemon that differ: none of them
// takes effect while it runs.
func NeedsRestart(old, updated Daemon) []string {
	var keys []string
	for _, s := range []struct {
		key     string
		differs bool
	}{
		{"daemon.drain_timeout", old.DrainTimeout != updated.DrainTimeout},
		{"daemon.listen", old.Listen != updated.Listen},
		{"daemon.log.format", old.Log.Format != updated.Log.Format},
		{"daemon.log.level", old.Log.Level != updated.Log.Level},
		{"daemon.socket", old.Socket != updated.Socket},
		{"daemon.state_dir", old.StateDir != updated.StateDir},
		{"daemon.watch.enabled", old.Watch.Enabled != updated.Watch.Enabled},
		{"daemon.watch.settle", old.Watch.Settle != updated.Watch.Settle},
	} {
		if s.differs {
			keys = append(keys, s.key)
		}
	}
	return keys
}
