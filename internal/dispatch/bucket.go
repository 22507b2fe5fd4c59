package dispatch

import "time"

// atOnce is how much of its rate a bucket saves up: so many starts may come at
// once, and never less than one.
const atOnce = 10 * time.Millisecond

// refillStep bounds how often a bucket of a high rate is filled.
const refillStep = atOnce / 2

// bucket meters starts at one in every so much time, evenly. It counts the
// permits that were given and not taken: one comes every so often until there
// are as many as it saves, and then none until one is taken. A zero bucket
// meters nothing. It goes by what has passed, so a clock that is set changes
// nothing.
type bucket struct {
	every time.Duration
	most  int
	have  int
	next  time.Time // while have is below most: when another permit comes
	since time.Time // while it is not: when the last one came
}

// newBucket returns a bucket that is full.
func newBucket(every time.Duration) bucket {
	if every <= 0 {
		return bucket{}
	}
	most := max(1, int(atOnce/every))
	return bucket{every: every, most: most, have: most}
}

func (b *bucket) metered() bool { return b.every > 0 }

// empty says whether nothing may start now.
func (b *bucket) empty() bool { return b.metered() && b.have <= 0 }

// full says whether the bucket need not be filled.
func (b *bucket) full() bool { return b.have >= b.most }

// take notes that a permit was taken at now. Of a full bucket the next one comes
// a step from now; or from when the last came, if that was just now: the time
// until somebody took it is not lost.
func (b *bucket) take(now time.Time) {
	if !b.metered() {
		return
	}
	if b.have == b.most {
		from := now
		if late := now.Sub(b.since); late >= 0 && late <= atOnce {
			from = b.since
		}
		b.next = from.Add(b.every)
	}
	b.have--
}

// giveBack notes that a permit was taken for nothing, and says whether there is
// room for it.
func (b *bucket) giveBack() bool {
	if !b.metered() || b.full() {
		return false
	}
	b.have++
	b.since = time.Time{}
	return true
}

// fill adds the permits that have come by now, and says how many.
func (b *bucket) fill(now time.Time) int {
	if b.full() || now.Before(b.next) {
		return 0
	}
	n := min(b.most-b.have, 1+int(now.Sub(b.next)/b.every))
	b.have += n
	b.since = b.next.Add(time.Duration(n-1) * b.every)
	b.next = b.since.Add(b.every)
	return n
}

// wait is how long until it is to be filled again, while it is not full.
func (b *bucket) wait(now time.Time) time.Duration {
	wait := b.next.Sub(now)
	if b.every < atOnce {
		wait = max(wait, refillStep)
	}
	return wait
}

// at is the bucket at another rate. It gains nothing by the change but what it
// had, and waits no longer than the new rate lets it.
func (b bucket) at(every time.Duration, now time.Time) bucket {
	other := newBucket(every)
	if !b.metered() || !other.metered() || b.full() {
		return other
	}
	other.have = min(b.have, other.most)
	other.next = now.Add(every)
	if b.next.Before(other.next) {
		other.next = b.next
	}
	return other
}
