package pool

import (
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// The model is the pool as its documentation has it, in the plainest form: one
// sorted slice that is read from its beginning each time, no goroutine. After every step the real pool is left to settle,
// and must be in the same state.
type model struct {
	size, limit      int
	permits          int
	keys             []*mkey
	queue            []*mtask // best first
	running          []*mtask // oldest first
	blocked          []*mtask // SubmitWait calls, first come first
	paused, draining bool
	closed           bool
	vague            bool // worker numbers are not told: see where it is set

	stats Stats
	seen  seen
}

// seen is everything the outside learns from a pool.
type seen struct {
	Starts   map[int]int    // how often each task began
	Worker   map[int]int    // its last worker
	Dropped  map[int]string // what Dropped was told
	Causes   map[int]string // what ended the context of a running task
	Waits    map[int]string // results of SubmitWait
	Panics   []int          // tasks reported to OnPanic
	Drains   []string       // results of Drain
	Stopped  []int          // returned by Resize
	Answer   string         // of the call itself
	Running  []int
	Snapshot Stats
}

type mtask struct {
	id, priority, weight, held, worker int
	leaving, ended                     bool // ended: its Ctx is done
	key                                *mkey
}

type mkey struct{ limit, permits, running int }

func (k *mkey) room() int { return max(min(k.limit-k.running, k.permits), 0) }

// split tells tasks into those that their keys would let start now, all
// together, from the rest.
func (m *model) split(ts []*mtask) (free, held []*mtask) {
	taken := map[*mkey]int{}
	for _, t := range ts {
		if taken[t.key]++; t.key == nil || taken[t.key] <= t.key.room() {
			free = append(free, t)
		} else {
			held = append(held, t)
		}
	}
	return free, held
}

// best returns the task to start next, or nil.
func (m *model) best() *mtask {
	if free, _ := m.split(m.queue); len(free) > 0 {
		return free[0]
	}
	return nil
}

// free is how many tasks of weight 1 could start now.
func (m *model) free() int {
	if t := m.best(); m.paused || m.closed || t != nil && !m.fits(t) {
		return 0
	}
	return max(min(m.size-m.busy(), m.permits), 0)
}

func (m *model) busy() (n int) {
	for _, t := range m.running {
		n += t.held
	}
	return n
}

func (m *model) fits(t *mtask) bool {
	return !m.paused && m.permits > 0 && m.size > 0 && min(t.weight, m.size) <= m.size-m.busy()
}

func (m *model) room(ts ...*mtask) bool {
	over := len(m.queue) + len(ts) - m.limit
	if m.limit == 0 || over <= 0 {
		return true
	}
	startable, _ := m.split(slices.Concat(m.queue, ts))
	return len(m.blocked) == 0 && over <= min(m.free(), len(startable))
}

// admits says whether the first blocked submitter is to be let in.
func (m *model) admits() bool {
	if len(m.blocked) == 0 || len(m.queue) < m.limit {
		return len(m.blocked) > 0
	}
	free, _ := m.split(m.blocked[:1])
	return m.best() == nil && m.free() > 0 && len(free) > 0
}

func (m *model) push(t *mtask) {
	m.stats.Submitted++
	i := slices.IndexFunc(m.queue, func(o *mtask) bool { return o.priority < t.priority })
	if i < 0 {
		i = len(m.queue)
	}
	m.queue = slices.Insert(m.queue, i, t)
}

func (m *model) start(t *mtask, held int) {
	t.held, t.leaving, t.worker = held, false, 0
	for slices.ContainsFunc(m.running, func(o *mtask) bool { return o.worker == t.worker }) {
		t.worker++
	}
	m.running = append(m.running, t)
	if t.key != nil {
		t.key.running++
	}
	m.seen.Starts[t.id]++
	m.seen.Worker[t.id] = t.worker
}

func (m *model) pay(t *mtask) {
	m.permits = plus(m.permits, -1)
	if t.key != nil {
		t.key.permits = plus(t.key.permits, -1)
	}
}

// plus adds permits, where Unlimited stays what it is.
func plus(permits, n int) int {
	if permits == Unlimited {
		return permits
	}
	return permits + n
}

func (m *model) settle() {
	for {
		switch {
		case m.admits():
			m.push(m.blocked[0])
			m.seen.Waits[m.blocked[0].id] = "ok"
			m.blocked = m.blocked[1:]
		case m.best() != nil && m.fits(m.best()):
			t := m.best()
			m.queue = slices.DeleteFunc(m.queue, func(o *mtask) bool { return o == t })
			if t.ended {
				m.stats.Dropped++
				m.seen.Dropped[t.id] = "context canceled"
				continue
			}
			m.pay(t)
			m.start(t, min(t.weight, m.size))
		default:
			return
		}
	}
}

func (m *model) finish(t *mtask) {
	m.running = slices.DeleteFunc(m.running, func(o *mtask) bool { return o == t })
	m.stats.Done++
	if t.key != nil {
		t.key.running--
	}
	if len(m.running) == 0 && m.draining {
		m.draining = false
		m.seen.Drains = append(m.seen.Drains, "ok")
	}
}

func (m *model) resize(n int, mode Mode) {
	m.size = n
	order := slices.Clone(m.running)
	if mode == StopNewest {
		slices.Reverse(order)
	}
	var stopped []*mtask
	for _, t := range order {
		left := 0
		for _, o := range m.running {
			if !o.leaving {
				left += o.held
			}
		}
		if mode == Finish || left <= n {
			break
		}
		if !t.leaving {
			t.leaving = true
			stopped = append(stopped, t)
			m.seen.Stopped = append(m.seen.Stopped, t.id)
			m.seen.Causes[t.id] = ErrShrunk.Error()
		}
	}
	// Which of several that are stopped at once ends first, and frees its number
	// first, is left open.
	m.vague = m.vague || len(stopped) > 1
	// The tasks of the rig end when their contexts do.
	for _, t := range stopped {
		m.finish(t)
	}
}

func newSeen() seen {
	return seen{
		Starts: map[int]int{}, Worker: map[int]int{}, Dropped: map[int]string{},
		Causes: map[int]string{}, Waits: map[int]string{},
	}
}

// op is one step of a random run. A and B choose among what is there.
type op struct {
	Kind    string
	A, B, C int
}

func genOps(kinds []string) *rapid.Generator[[]op] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) op {
		return op{
			Kind: rapid.SampledFrom(kinds).Draw(t, "kind"),
			A:    rapid.IntRange(0, 7).Draw(t, "a"),
			B:    rapid.IntRange(0, 7).Draw(t, "b"),
			C:    rapid.IntRange(0, 5).Draw(t, "c"),
		}
	}), 1, 80)
}

// A task of which the context ends needs a worker to be dropped, so these do not
// go together with submitters who wait for room.
var (
	anyKinds = []string{
		"submit", "submit", "submit", "again", "finish", "finish", "panic", "goexit", "resize", "resize",
		"pause", "resume", "drain", "adopt", "cancel", "batch", "close",
		"key limit", "key limit", "key permits", "add key permits", "permits", "add permits", "add permits",
	}
	endingKinds  = append([]string{"end", "end"}, anyKinds...)
	waitingKinds = append([]string{"wait", "wait", "give up"}, anyKinds...)
)

func TestPoolAgainstAModel(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit int
		kinds []string
	}{
		{"without a limit, with contexts that end", 0, endingKinds},
		{"with a limit, with blocked submitters", 3, waitingKinds},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				ops := genOps(tt.kinds).Draw(rt, "ops")
				var err error
				synctest.Test(t, func(*testing.T) { err = play(tt.limit, ops) })
				if err != nil {
					rt.Fatal(err)
				}
			})
		})
	}
}
