package proc

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Found is a process that runs.
type Found struct {
	PID     int
	Command string            // the kernel's short name of it
	Env     map[string]string // of the keys that were asked for, those it has

	entry  entry
	marker []string
}

// FindMarked lists the processes that carry all entries of marker in their
// environment, oldest first, with the values of the named keys. It is how a
// new daemon finds what a killed one left. The environment is under the
// control of whoever runs the process: the values are claims.
func FindMarked(marker []string, keys ...string) ([]Found, error) {
	if len(marker) == 0 {
		return nil, errors.New("find marked processes: an empty marker would match all")
	}
	rows, err := table()
	if err != nil {
		return nil, err
	}
	var found []Found
	for e := range rows {
		if e.zombie {
			continue
		}
		env, _ := readEnviron(e.pid)
		if !carries(env, marker) {
			continue
		}
		f := e.found()
		f.Env, f.marker = pick(env, marker, keys)
		found = append(found, f)
	}
	slices.SortStableFunc(found, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.entry.start, b.entry.start), cmp.Compare(a.PID, b.PID))
	})
	return found, nil
}

// pick takes the asked keys out of an environment, and makes the marker of
// the tree narrower by them.
func pick(env, marker, keys []string) (map[string]string, []string) {
	values := make(map[string]string, len(keys))
	narrow := slices.Clone(marker)
	for _, e := range env {
		key, value, ok := strings.Cut(e, "=")
		if _, twice := values[key]; ok && !twice && slices.Contains(keys, key) {
			values[key] = value
			narrow = append(narrow, e)
		}
	}
	return values, narrow
}

// StopFound ends the trees of processes that FindMarked found, all together,
// by the ladder; with Tree false those processes alone. It returns as
// Process.Stop does.
func StopFound(ctx context.Context, found []Found, s Stop) Stopped {
	if len(found) == 0 {
		return Stopped{}
	}
	if s.Signal == 0 {
		s.Signal = unix.SIGTERM
	}
	t := &tree{since: ^uint64(0), known: make(map[int]uint64, len(found))}
	for _, f := range found {
		t.since = min(t.since, f.entry.start)
		t.known[f.PID] = f.entry.start
		if s.Tree {
			t.markers = append(t.markers, f.marker)
		}
	}
	t.alone = !s.Tree
	return t.stop(ctx, s)
}

func (e entry) found() Found { return Found{PID: e.pid, Command: e.command, entry: e} }

func foundAll(members []entry) []Found {
	out := make([]Found, len(members))
	for i, m := range members {
		out[i] = m.found()
	}
	return out
}
