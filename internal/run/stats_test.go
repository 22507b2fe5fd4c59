package run

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSpreadOfAFewIsOneOfThem(t *testing.T) {
	var s Spread
	if s.Of(0.5) != 0 || s.Count() != 0 {
		t.Errorf("of none: got %v", s.Of(0.5))
	}
	for _, d := range []time.Duration{5, 1, 4, 2, 3, -7} {
		s.Add(d)
	}
	if !s.Exact() || s.Of(0.5) != 3 || s.Of(0.95) != 5 || s.Of(0) != 0 || s.Max != 5 {
		t.Errorf("got %v, %v, %v, at most %v", s.Of(0), s.Of(0.5), s.Of(0.95), s.Max)
	}
	s.Add(6) // after it was asked
	if s.Of(0.99) != 6 {
		t.Errorf("got %v", s.Of(0.99))
	}
}

func TestSpreadOfManyIsNearEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Int64Min(0), spreadExact+1, spreadExact+200).Draw(t, "durations")
		var s Spread
		for _, d := range all {
			s.Add(time.Duration(d))
		}
		slices.Sort(all)
		for _, share := range []float64{0, 0.5, 0.95, 1} {
			want := all[min(int(share*float64(len(all))), len(all)-1)]
			got := int64(s.Of(share))
			if got < want || float64(got-want) > float64(want)/128 {
				t.Errorf("%v: got %d, want %d and at most a 128th more", share, got, want)
			}
		}
		if int64(s.Max) != all[len(all)-1] || s.Exact() || s.Count() != len(all) {
			t.Errorf("got at most %d, want %d", s.Max, all[len(all)-1])
		}
	})
}

func TestEachClassBeginsAfterTheOneBefore(t *testing.T) {
	for c := range uint16(57 << classBits) {
		if got := class(top(c)); got != c {
			t.Fatalf("the longest of class %d is of class %d", c, got)
		}
		if next := top(c) + 1; next > 0 && class(next) != c+1 {
			t.Fatalf("after class %d comes %d", c, class(next))
		}
	}
}
