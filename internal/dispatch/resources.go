package dispatch

import (
	"slices"
	"time"

	"github.com/poold/poold/internal/run"
)

// holding is one resource in somebody's hand: a run, or a batch whose lines
// share it.
type holding struct {
	owner string // of a batch; else ""
	run   int64
	count int
}

// blockedLocked returns the first resource that the run needs and another has.
func (d *Dispatcher) blockedLocked(r *run.Run) (run.Resource, bool) {
	for _, res := range r.Resources() {
		h, ok := d.held[res]
		if ok && h.run != r.ID && (h.owner == "" || h.owner != r.Owner(res)) {
			return res, true
		}
	}
	return "", false
}

// freeLocked lists what the run needs, besides on, that nobody has and nobody
// before it in its pool asks for: who is held there was held behind it, and may
// be better placed than whoever asks after it. The place that it asked for of
// its key is others' too; a key without room lets the next go when it has some.
func (f *feed) freeLocked(t *task, on run.Resource) []run.Resource {
	var free []run.Resource
	for _, res := range t.passesOn() {
		if _, taken := f.d.held[res]; taken || res == on || f.aheadLocked(t, res) > 0 {
			continue
		}
		if k := t.key; k != nil && res == k.on && f.keys[res] == k && k.room(f.spec.Per) == 0 {
			k.asleep = true
			continue
		}
		free = append(free, res)
	}
	return free
}

// passesOn lists what the run asks for: when it leaves without a start, another
// may ask.
func (t *task) passesOn() []run.Resource {
	list := t.run.Resources()
	if t.key != nil {
		list = append(list, t.key.on)
	}
	return list
}

// needLocked finds out what the run will have to ask for.
func (f *feed) needLocked(t *task) {
	for _, res := range t.run.Resources() {
		if t.run.Owner(res) == "" {
			t.need = append(t.need, res)
		}
	}
	if on, _ := f.d.keyer.per(&t.run); on != "" {
		t.key = f.keyLocked(on)
		t.Key = t.key.pool
	}
}

// behindLocked says whether the run could not go on if it had a worker, or
// stands behind others that wait for the same: what it has to wait for in the
// ledger then.
func (f *feed) behindLocked(t *task, now time.Time) (on run.Resource, behind bool) {
	if _, paused := f.d.pausedJobs[t.run.Job]; paused {
		return run.PausedResource(t.run.Job), true
	}
	if on, blocked := f.d.blockedLocked(&t.run); blocked {
		return on, true
	}
	for _, res := range t.need {
		if f.aheadLocked(t, res) > 0 {
			return res, true
		}
	}
	k := t.key
	switch {
	case k == nil:
		return "", false
	case f.aheadLocked(t, k.on) >= f.spec.Per.atHand():
		return k.on, true
	case k.room(f.spec.Per) == 0 && (len(t.need) > 0 || k.longLocked(now)):
		k.asleep = true
		return k.on, true
	}
	return "", false
}

// aheadLocked is how many of those who ask for the resource go before the run.
func (f *feed) aheadLocked(t *task, on run.Resource) int {
	n := 0
	for _, other := range f.asking[on] {
		if other.run.Position().Before(t.run.Position()) {
			n++
		}
	}
	return n
}

// askLocked puts the run into the window.
func (f *feed) askLocked(t *task) {
	t.asks = true
	for _, on := range t.need {
		f.asking[on] = append(f.asking[on], t)
	}
	f.waiting[t.run.ID] = t
	if k := t.key; k != nil {
		f.asking[k.on] = append(f.asking[k.on], t)
		k.waiting++
		f.weighLocked(k)
	}
}

// leaveLocked takes the run out of the window, if it is there.
func (f *feed) leaveLocked(t *task) {
	if _, waits := f.waiting[t.run.ID]; !waits {
		return
	}
	delete(f.waiting, t.run.ID)
	if k := t.key; k != nil {
		k.waiting--
		f.weighLocked(k)
	}
}

// unaskLocked notes that the run asks for nothing any more: it has started, or
// its leaving without a start is on its way to the ledger.
func (f *feed) unaskLocked(t *task) {
	if t.asks {
		t.asks = false
		for _, on := range t.need {
			f.dropLocked(on, t)
		}
		if t.key != nil {
			f.dropLocked(t.key.on, t)
		}
	}
	if t.key != nil {
		f.stirLocked(t.key)
	}
}

func (f *feed) dropLocked(on run.Resource, t *task) {
	list := slices.DeleteFunc(f.asking[on], func(other *task) bool { return other == t })
	if len(list) == 0 {
		delete(f.asking, on)
		return
	}
	f.asking[on] = list
}

// holdLocked sends the run back to the ledger, until the resource is free.
func (f *feed) holdLocked(t *task, on run.Resource) {
	f.leaveLocked(t)
	f.unaskLocked(t)
	f.holding++
	f.d.hold(t, on, f.freeLocked(t, on))
}

// letsGoLocked says whether the run that waits for the resource is let go by
// somebody: who has it, who asks for it before, or the key that they have.
func (f *feed) letsGoLocked(t *task, on run.Resource) bool {
	if f.aheadLocked(t, on) > 0 {
		return true
	}
	if !on.IsPer() {
		return f.d.isHeldLocked(on)
	}
	k, known := f.keys[on]
	if !known || !k.asleep {
		return false
	}
	f.stirLocked(k) // its time may have come meanwhile
	return true
}

// unlimit lets those queued in a pool go who wait by another kind of key than it
// has now.
func (d *Dispatcher) unlimit(pool string) {
	for _, kind := range keys() {
		for more := true; more && d.lifetime.Err() == nil && d.keyOf(pool) != kind; {
			var ready []run.Run
			var err error
			ready, more, err = d.o.Ledger.Unlimit(d.lifetime, pool, string(kind))
			if err != nil && d.lifetime.Err() == nil {
				d.complain("let held runs go", "pool", pool, "err", err)
				d.waitToRetry(d.lifetime)
				more = true
			}
			d.offer(ready)
		}
	}
}

// keyOf is by what the runs of a pool are told apart now.
func (d *Dispatcher) keyOf(pool string) Key {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.program.Pools[pool].Per.Key
}

// takeLocked gives the run everything it needs; blockedLocked must have said
// that it is free.
func (d *Dispatcher) takeLocked(r *run.Run) {
	for _, res := range r.Resources() {
		h, ok := d.held[res]
		if !ok {
			h = &holding{owner: r.Owner(res), run: r.ID}
			d.held[res] = h
		}
		h.count++
	}
}

// releaseLocked takes back what takeLocked gave. Whoever waits for it is woken
// by the ledger, in the transaction that records why it is free.
func (d *Dispatcher) releaseLocked(r *run.Run) {
	for _, res := range r.Resources() {
		h, ok := d.held[res]
		if !ok {
			continue
		}
		if h.count--; h.count == 0 {
			delete(d.held, res)
		}
	}
}

// Holder returns the run that holds a resource, if one does.
func (d *Dispatcher) Holder(res run.Resource) (int64, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h, ok := d.held[res]
	if !ok {
		return 0, false
	}
	return h.run, true
}
