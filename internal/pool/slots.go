package pool

import (
	"cmp"
	"math/bits"
	"slices"
)

// slots are the places of the workers that hold a task, by worker number.
type slots struct {
	used []uint64  // a bit for each number in use
	by   []*worker // who uses it
	low  int       // no word of used before this one has a free bit
}

// take gives w the lowest number that is free.
func (s *slots) take(w *worker) int {
	for s.low < len(s.used) && ^s.used[s.low] == 0 {
		s.low++
	}
	if s.low == len(s.used) {
		s.used = append(s.used, 0)
		s.by = append(s.by, make([]*worker, 64)...)
	}
	bit := bits.TrailingZeros64(^s.used[s.low])
	s.used[s.low] |= 1 << bit
	n := s.low*64 + bit
	s.by[n] = w
	return n
}

func (s *slots) free(n int) {
	word := n / 64
	s.used[word] &^= 1 << (n % 64)
	s.by[n] = nil
	s.low = min(s.low, word)
}

// workers returns the workers that hold a task, by the order of their starts.
func (s *slots) workers() []*worker {
	var ws []*worker
	for _, w := range s.by {
		if w != nil {
			ws = append(ws, w)
		}
	}
	slices.SortFunc(ws, func(a, b *worker) int { return cmp.Compare(a.number, b.number) })
	return ws
}
