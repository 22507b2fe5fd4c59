package dispatch

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestABucketIsFilledEvenly(t *testing.T) {
	begin := time.Now()
	at := func(d time.Duration) time.Time { return begin.Add(d) }
	b := newBucket(time.Second)
	if b.empty() || b.most != 1 {
		t.Fatalf("new: %+v", b)
	}
	b.take(at(0))
	for _, d := range []time.Duration{0, 500 * time.Millisecond, 999 * time.Millisecond} {
		if n := b.fill(at(d)); n != 0 {
			t.Errorf("after %v: got %d permits, want none yet", d, n)
		}
	}
	// The timer is late, and so is the run: neither slows the rate down.
	if n := b.fill(at(1003 * time.Millisecond)); n != 1 {
		t.Fatalf("after a second: got %d permits", n)
	}
	b.take(at(1005 * time.Millisecond))
	if wait := b.wait(at(1005 * time.Millisecond)); wait != 995*time.Millisecond {
		t.Errorf("the next comes in %v, want a second after the last was due", wait)
	}
	// What nobody took for an hour is not saved up.
	if n := b.fill(at(time.Hour)); n != 1 {
		t.Errorf("after an hour: got %d permits", n)
	}
	b.take(at(time.Hour + time.Minute))
	if wait := b.wait(at(time.Hour + time.Minute)); wait != time.Second {
		t.Errorf("after a rest the next comes in %v, want 1s", wait)
	}
}

func TestABucketSavesTenMilliseconds(t *testing.T) {
	for every, most := range map[time.Duration]int{
		time.Microsecond: 10_000, time.Millisecond: 10, 9 * time.Millisecond: 1, 10 * time.Millisecond: 1, time.Hour: 1,
	} {
		if b := newBucket(every); b.most != most || b.have != most {
			t.Errorf("one each %v: got %+v, want %d at once", every, b, most)
		}
	}
	if b := newBucket(0); b.metered() || b.empty() {
		t.Errorf("without a rate: %+v", b)
	}
}

// Whatever is taken, given back and changed when, no span of time sees more
// starts than its length allows, with what may come at once.
func TestABucketNeverGivesTooMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every := rapid.SampledFrom([]time.Duration{time.Millisecond, 20 * time.Millisecond, time.Second}).Draw(t, "every")
		b, now := newBucket(every), time.Now()
		var starts []time.Time
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, int(2*every)).Draw(t, "passes")))
			b.fill(now)
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				if len(starts) > 0 && b.giveBack() {
					starts = starts[:len(starts)-1]
				}
			case 1:
				b = b.at(every, now)
			default:
				if !b.empty() {
					b.take(now)
					starts = append(starts, now)
				}
			}
		}
		for i := range starts {
			for j := i; j < len(starts); j++ {
				span := starts[j].Sub(starts[i]) + atOnce
				if n, most := j-i+1, b.most+1+int(span/every); n > most {
					t.Fatalf("%d starts in %v, want at most %d", n, span, most)
				}
			}
		}
	})
}
