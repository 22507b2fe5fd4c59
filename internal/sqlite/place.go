package sqlite

import (
	"database/sql/driver"
	"fmt"

	"github.com/poold/poold/internal/run"
)

// LimitPer tells the ledger by which limits of their pools runs are bound. It
// holds from the next operation on; what waits by other keys is for Unlimit.
func (l *Ledger) LimitPer(per run.PerKey) { l.per.Store(&per) }

// placer decides, for runs that could be ready, which are, and which wait at
// once for what others of their pool wait or ask for already. It is good for
// one operation.
type placer struct {
	tx    *tx
	queue map[string]*asking // by pool and resource
}

// asking is what is known of those in a pool who need a resource.
type asking struct {
	ready   int  // made ready by the same placer
	lowest  int  // the lowest priority of these
	waits   bool // somebody waits
	highest int  // the highest priority of those who do
}

// askingMost bounds what a placer remembers. What is forgotten is found again
// in the ledger, and at worst a few more runs become ready.
const askingMost = 10_000

// need is something that a run has to ask for, and how many runs may ask for it
// at a time.
type need struct {
	on   run.Resource
	most int
}

// needs lists what the run has to ask for in its own name. Lines of a batch
// share what their job serializes, so none has to wait for another there.
func (l *Ledger) needs(r *run.Run) []need {
	var list []need
	for _, res := range r.Resources() {
		if r.Owner(res) == "" {
			list = append(list, need{on: res, most: 1})
		}
	}
	if per := l.per.Load(); per != nil {
		if on, ready := (*per)(r); on != "" {
			list = append(list, need{on: on, most: max(1, ready)})
		}
	}
	return list
}

// place returns the resource that the run is to wait for, or none: then it
// is ready, and counts for those that are placed after it.
func (p *placer) place(r *run.Run) (run.Resource, error) {
	needs := p.tx.ledger.needs(r)
	if len(needs) == 0 {
		return "", nil
	}
	asked := make([]*asking, len(needs))
	for i, n := range needs {
		a, err := p.look(r.Pool, n.on)
		if err != nil {
			return "", err
		}
		if a.waits && a.highest >= r.Priority || a.ready >= n.most && a.lowest >= r.Priority {
			if !a.waits || a.highest < r.Priority {
				a.waits, a.highest = true, r.Priority
			}
			return n.on, nil
		}
		asked[i] = a
	}
	for _, a := range asked {
		if a.ready == 0 || r.Priority < a.lowest {
			a.lowest = r.Priority
		}
		a.ready++
	}
	return "", nil
}

// look finds out who waits for the resource in the pool.
func (p *placer) look(pool string, on run.Resource) (*asking, error) {
	key := pool + "\x00" + string(on)
	if a, ok := p.queue[key]; ok {
		return a, nil
	}
	a := new(asking)
	const best = `SELECT priority FROM runs INDEXED BY runs_waits WHERE waits = ? AND pool = ? ORDER BY priority DESC LIMIT 1`
	err := p.tx.query(best, []any{string(on), pool}, func(v []driver.Value) error {
		a.waits, a.highest = true, int(number(v[0]))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look who waits for %s: %w", on, err)
	}
	if p.queue == nil || len(p.queue) >= askingMost {
		p.queue = map[string]*asking{}
	}
	p.queue[key] = a
	return a, nil
}

// placeHeld lets held runs go that what they waited for holds back no longer,
// and returns those that are ready now. The others wait for something else.
func (t *tx) placeHeld(ids []int64) ([]run.Run, error) {
	for _, id := range ids {
		if err := t.letGo(id); err != nil {
			return nil, err
		}
	}
	return t.placeReady(ids...)
}

// placeReady returns those of the ready runs that may stay so. The others are
// held back.
func (t *tx) placeReady(ids ...int64) (ready []run.Run, err error) {
	p := placer{tx: t}
	for _, id := range ids {
		r, err := t.byID(id)
		if err != nil {
			return nil, err
		}
		on, err := p.place(&r)
		if err != nil {
			return nil, err
		}
		if on == "" {
			ready = append(ready, r)
		} else if _, err := t.holdBack(id, on); err != nil {
			return nil, err
		}
	}
	return ready, nil
}
