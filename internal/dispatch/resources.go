package dispatch

import "github.com/poold/poold/internal/run"

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

// freeLocked lists what the run needs, besides on, that nobody has.
func (d *Dispatcher) freeLocked(r *run.Run, on run.Resource) []run.Resource {
	var free []run.Resource
	for _, res := range r.Resources() {
		if _, taken := d.held[res]; !taken && res != on {
			free = append(free, res)
		}
	}
	return free
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
