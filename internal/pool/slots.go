package pool

import "math/bits"

// slots hands out worker numbers, always the lowest that is free.
type slots struct {
	used []uint64 // a bit for each number in use
	low  int      // no word before this one has a free bit
}

func (s *slots) take() int {
	for ; s.low < len(s.used); s.low++ {
		if free := ^s.used[s.low]; free != 0 {
			bit := bits.TrailingZeros64(free)
			s.used[s.low] |= 1 << bit
			return s.low*64 + bit
		}
	}
	s.used = append(s.used, 1)
	return s.low * 64
}

func (s *slots) free(n int) {
	word := n / 64
	s.used[word] &^= 1 << (n % 64)
	s.low = min(s.low, word)
}
