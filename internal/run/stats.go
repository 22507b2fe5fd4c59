package run

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

// Stats are how the runs of a job went that were enqueued in a span of time and
// have ended.
type Stats struct {
	Job                                        string
	Runs, Succeeded, Failed, Canceled, Skipped int

	Took   Spread // the last attempts of those that succeeded or failed
	Waited Spread // from when runs were due until they started last
}

// Spread gathers durations and tells how they are spread. It is exact up to
// spreadExact of them; with more, what Of returns is at most one part in 128
// too large. Either way it takes no more than a few KiB.
type Spread struct {
	Max    time.Duration
	count  int
	few    []time.Duration // all of them, as long as they are few
	sorted bool
	many   map[uint16]int // counts by class, once they are not
}

const (
	spreadExact = 1024
	classBits   = 7 // of each power of two there are 128 classes
)

// Add takes a duration in; one below zero, of a clock that was set back, counts
// as zero.
func (s *Spread) Add(d time.Duration) {
	d = max(d, 0)
	s.count++
	s.Max = max(s.Max, d)
	switch {
	case s.many != nil:
		s.many[class(d)]++
	case len(s.few) < spreadExact:
		s.few, s.sorted = append(s.few, d), false
	default:
		s.many = map[uint16]int{class(d): 1}
		for _, earlier := range s.few {
			s.many[class(earlier)]++
		}
		s.few = nil
	}
}

// Count is how many durations there are.
func (s *Spread) Count() int { return s.count }

// Exact says whether what Of returns is one of the durations themselves.
func (s *Spread) Exact() bool { return s.many == nil }

// Of returns the duration that a share of all, between 0 and 1, do not exceed;
// zero where there is none.
func (s *Spread) Of(share float64) time.Duration {
	rank := min(int(share*float64(s.count)), s.count-1) // the first with more than the share at or below it
	switch {
	case s.count == 0:
		return 0
	case s.many == nil:
		if !s.sorted {
			slices.Sort(s.few)
			s.sorted = true
		}
		return s.few[rank]
	}
	classes := make([]uint16, 0, len(s.many))
	for c := range s.many {
		classes = append(classes, c)
	}
	slices.SortFunc(classes, cmp.Compare[uint16])
	for _, c := range classes {
		if rank -= s.many[c]; rank < 0 {
			return min(top(c), s.Max)
		}
	}
	return s.Max
}

// class numbers ranges of durations: one for each of the small ones, and for
// the others by their highest bits.
func class(d time.Duration) uint16 {
	shift := max(bits.Len64(uint64(d))-classBits-1, 0)
	return uint16(shift<<classBits) + uint16(uint64(d)>>shift)
}

// top is the longest duration of a class.
func top(c uint16) time.Duration {
	shift := max(int(c>>classBits)-1, 0)
	low := uint64(c) - uint64(shift<<classBits)
	return time.Duration((low+1)<<shift - 1)
}
