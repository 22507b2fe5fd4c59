package proc

import (
	"slices"
	"time"
)

// tree says which processes belong together.
type tree struct {
	leader  int            // whose group and session count; held by us as a child, or 0
	markers [][]string     // carrying all entries of one of these makes a member
	since   uint64         // nothing that started earlier belongs
	known   map[int]uint64 // members seen so far: pid and start
	alone   bool           // what is known is all; nothing is added by links
}

// markerSets is one marker, or none: an empty one would match everything.
func markerSets(marker []string) [][]string {
	if len(marker) == 0 {
		return nil
	}
	return [][]string{marker}
}

// alive lists the members that live. A process in the midst of an exec shows
// no environment; when it may be the only member, the table is read again. One
// that has none at all looks the same, so that this comes to an end.
func (t *tree) alive() ([]entry, error) {
	members, unsettled, err := t.scan(func(entry) {})
	for pause := time.Millisecond; unsettled && len(members) == 0 && err == nil && pause < settleMost; pause *= 2 {
		time.Sleep(pause)
		members, unsettled, err = t.scan(func(entry) {})
	}
	return members, err
}

// settleMost bounds the waits for an exec to end, which double up to it.
const settleMost = 64 * time.Millisecond

// scan reads the table once. It calls met with each living member as soon as
// it is known to be one, but for those known only when the whole table is.
func (t *tree) scan(met func(entry)) (members []entry, unsettled bool, err error) {
	rows, err := table()
	if err != nil {
		return nil, false, err
	}
	var young []entry
	in := make(map[int]bool)
	for e := range rows {
		if e.start < t.since {
			continue
		}
		young = append(young, e)
		mine := t.linked(e)
		if !mine && !e.zombie && len(t.markers) > 0 {
			env, readable := readEnviron(e.pid)
			unsettled = unsettled || readable && len(env) == 0
			mine = t.marked(env)
		}
		in[e.pid] = mine
		if mine && !e.zombie {
			met(e)
		}
	}
	if !t.alone {
		spread(young, in)
	}
	for _, e := range young {
		if !in[e.pid] {
			continue
		}
		t.known[e.pid] = e.start
		if !e.zombie {
			members = append(members, e)
		}
	}
	return members, unsettled, nil
}

// linked tells what the table alone says. The leader's pid cannot be another
// process's, nor its group or session, as long as we have not reaped it.
func (t *tree) linked(e entry) bool {
	if t.leader != 0 && (e.group == t.leader || e.session == t.leader) {
		return true
	}
	start, ok := t.known[e.pid]
	return ok && start == e.start
}

func (t *tree) marked(env []string) bool {
	return slices.ContainsFunc(t.markers, func(m []string) bool { return carries(env, m) })
}

// carries tells whether an environment has all of the entries.
func carries(env, marker []string) bool {
	for _, m := range marker {
		if !slices.Contains(env, m) {
			return false
		}
	}
	return len(marker) > 0
}

// spread adds the children, groups and sessions of members until nothing new
// appears. A group counts only while its leader is in the same table, so that
// the number is known to be the leader's.
func spread(table []entry, in map[int]bool) {
	for grew := true; grew; {
		grew = false
		for _, e := range table {
			if !in[e.pid] && (in[e.ppid] || in[e.group] || in[e.session]) {
				in[e.pid] = true
				grew = true
			}
		}
	}
}
