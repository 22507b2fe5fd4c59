package dispatch

import (
	"time"

	"github.com/poold/poold/internal/pool"
	"github.com/poold/poold/internal/run"
)

// limits are the rate of a pool and its limits for each key, as far as they
// matter now. The pool counts and keeps the bounds; here is the clock that gives
// it permits, and what must be known to decide which runs wait in the pool and
// which in the ledger. All is guarded by Dispatcher.mu.
//
// Of each key at most a handful of runs is in the window (keyer.go): the rest
// waits in the ledger, and a start makes the next ready. When a key may start
// nothing for a while, or its next run needs locks too, which it must not keep
// others from, that run is in no window: the key is asleep. Then nobody
// may be asking, and the key itself wakes the best waiter when its time has come.
//
// A key is forgotten when nothing of it is in memory and its bucket is full.
type limits struct {
	rate   bucket
	refill *time.Timer
	keys   map[run.Resource]*key
	stuck  int // runs of the window that only their key keeps from starting
}

// key is the runs of a pool that have something in common.
type key struct {
	on      run.Resource
	pool    *pool.Key
	rate    bucket
	refill  *time.Timer
	waiting int  // runs in the window
	stuck   int  // those of them that cannot start now
	running int  // in a worker's hand
	asleep  bool // somebody may wait in the ledger whom nobody in memory lets go
}

// keyLocked returns the key of the resource, made where it is not known.
func (f *feed) keyLocked(on run.Resource) *key {
	k, ok := f.keys[on]
	if !ok {
		per := f.spec.Per
		k = &key{on: on, pool: f.pool.NewKey(per.limit()), rate: newBucket(per.Every)}
		f.pool.SetKeyPermits(k.pool, k.rate.permits())
		f.keys[on] = k
	}
	return k
}

// limit is how many runs of a key the pool lets run at a time.
func (p Per) limit() int {
	if p.Workers == 0 {
		return pool.Unlimited
	}
	return p.Workers
}

// permits is what the pool is to have of them.
func (b *bucket) permits() int {
	if !b.metered() {
		return pool.Unlimited
	}
	return b.have
}

// room is how many runs of the key could start now.
func (k *key) room(per Per) int {
	room := per.limit() - k.running
	if k.rate.metered() {
		room = min(room, k.rate.have)
	}
	return max(room, 0)
}

// longLocked says whether the key can start nothing for longer than a run should
// wait in memory.
func (k *key) longLocked(now time.Time) bool { return k.rate.empty() && k.rate.wait(now) > soon }

// tookLocked notes that a worker goes on with a run, which took its permits.
func (f *feed) tookLocked(t *task, now time.Time) {
	if f.rate.metered() {
		f.rate.take(now)
		f.armLocked(now)
	}
	if k := t.key; k != nil {
		k.running++
		k.rate.take(now)
		f.armKeyLocked(k, now)
		f.restLocked(k, now)
		f.weighLocked(k)
	}
}

// unusedLocked gives back the permits of a run that was not executed after all;
// noted says whether they were counted as taken.
func (f *feed) unusedLocked(t *task, noted bool) {
	if f.rate.metered() && (!noted || f.rate.giveBack()) {
		f.pool.AddPermits(1)
	}
	if k := t.key; k != nil && k.rate.metered() && (!noted || k.rate.giveBack()) {
		f.pool.AddKeyPermits(k.pool, 1)
	}
}

// leftLocked notes that a worker is done with a run.
func (f *feed) leftLocked(t *task) {
	if !t.started {
		f.unusedLocked(t, true)
	}
	if k := t.key; k != nil {
		k.running--
		f.weighLocked(k)
		f.stirLocked(k)
	}
}

// armLocked lets the pool's bucket be filled in time.
func (f *feed) armLocked(now time.Time) {
	if f.refill == nil && !f.rate.full() && f.gone.Err() == nil {
		var timer *time.Timer
		timer = time.AfterFunc(f.rate.wait(now), func() { f.fillBucket(&timer) })
		f.refill = timer
	}
}

// fillBucket is called by a timer, which is read under the lock: one that was
// stopped too late has nothing to do.
func (f *feed) fillBucket(by **time.Timer) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.refill != *by {
		return
	}
	now := time.Now()
	f.refill = nil
	if n := f.rate.fill(now); n > 0 {
		trim(f.pool.AddPermits(n), f.rate.have, f.pool.AddPermits)
	}
	f.armLocked(now)
}

// trim takes permits away that the bucket does not know of: of a run that took
// one just before a reload set them anew, and is noted just after.
func trim(there, have int, add func(int) int) {
	if there != pool.Unlimited && there > have {
		add(have - there)
	}
}

// armKeyLocked lets a key's bucket be filled in time.
func (f *feed) armKeyLocked(k *key, now time.Time) {
	if k.refill == nil && !k.rate.full() && f.gone.Err() == nil {
		var timer *time.Timer
		timer = time.AfterFunc(k.rate.wait(now), func() { f.fillKey(k, &timer) })
		k.refill = timer
	}
}

func (f *feed) fillKey(k *key, by **time.Timer) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if k.refill != *by {
		return
	}
	now := time.Now()
	k.refill = nil
	if n := k.rate.fill(now); n > 0 {
		add := func(n int) int { return f.pool.AddKeyPermits(k.pool, n) }
		trim(add(n), k.rate.have, add)
		f.weighLocked(k)
	}
	f.armKeyLocked(k, now)
	f.stirLocked(k)
}

// weighLocked counts anew how many runs in the window the key keeps from
// starting: the window is topped up as if they were not there.
func (f *feed) weighLocked(k *key) {
	stuck := max(0, k.waiting-k.room(f.spec.Per))
	if f.keys[k.on] != k || stuck == k.stuck {
		return
	}
	f.stuck += stuck - k.stuck
	k.stuck = stuck
	if f.lowLocked() {
		poke(f.wake)
	}
}

// stirLocked wakes a waiter of a key that is asleep once it may start, and
// forgets a key of which there is nothing to know.
func (f *feed) stirLocked(k *key) {
	if f.keys[k.on] != k {
		return
	}
	if k.asleep && k.room(f.spec.Per) > 0 {
		k.asleep = false
		go f.d.wake(k.on, false)
	}
	if len(f.asking[k.on]) == 0 && !k.asleep && k.running == 0 && k.rate.full() {
		f.forgetKeyLocked(k)
	}
}

func (f *feed) forgetKeyLocked(k *key) {
	k.stopRefill()
	f.stuck -= k.stuck
	k.stuck = 0
	delete(f.keys, k.on)
}

// restLocked takes the runs of a key out of the window that can start nothing
// now, if they would wait for long or keep others from their locks.
func (f *feed) restLocked(k *key, now time.Time) {
	if k.room(f.spec.Per) > 0 {
		return
	}
	long := k.longLocked(now)
	for _, t := range append([]*task(nil), f.asking[k.on]...) {
		if _, waits := f.waiting[t.run.ID]; !waits || !long && len(t.need) == 0 || !f.pool.Cancel(&t.Task) {
			continue
		}
		k.asleep = true
		f.holdLocked(t, k.on)
	}
}

// nextLocked is who is to be woken when the run starts: the next of its key,
// unless that could start nothing for long.
func (f *feed) nextLocked(t *task, now time.Time) run.Resource {
	k := t.key
	if k == nil {
		return ""
	}
	if f.keys[k.on] == k && k.longLocked(now) && len(f.asking[k.on]) <= 1 { // itself
		k.asleep = true
		return ""
	}
	return k.on
}

// relimitLocked puts the limits of the feed's spec in force in place of others.
func (f *feed) relimitLocked(old Pool, now time.Time) {
	if old.Rate != f.spec.Rate {
		f.rate = f.rate.at(f.spec.Rate, now)
		f.pool.SetPermits(f.rate.permits())
		f.stopRefillLocked()
		f.armLocked(now)
	}
	if old.Per.Key != f.spec.Per.Key {
		f.dropKeysLocked()
		f.rewindLocked()
		return
	}
	if old.Per == f.spec.Per {
		return
	}
	for _, k := range f.keys {
		k.rate = k.rate.at(f.spec.Per.Every, now)
		f.pool.SetKeyLimit(k.pool, f.spec.Per.limit())
		f.pool.SetKeyPermits(k.pool, k.rate.permits())
		k.stopRefill()
		f.armKeyLocked(k, now)
		f.weighLocked(k)
		f.stirLocked(k)
	}
}

func (k *key) stopRefill() {
	if k.refill != nil {
		k.refill.Stop()
		k.refill = nil
	}
}

func (f *feed) stopRefillLocked() {
	if f.refill != nil {
		f.refill.Stop()
		f.refill = nil
	}
}

// dropKeysLocked forgets all keys: runs are told apart by others from now on.
func (f *feed) dropKeysLocked() {
	for _, k := range f.keys {
		f.forgetKeyLocked(k)
	}
}
