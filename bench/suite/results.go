package suite

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Results are the figures of a group's rounds.
type Results struct {
	noted  map[key][]float64
	absent map[string]string // why a row was not measured
}

type key struct{ row, figure string }

func newResults() *Results {
	return &Results{noted: map[key][]float64{}, absent: map[string]string{}}
}

func (r *Results) note(row, figure string, v float64) {
	k := key{row, figure}
	r.noted[k] = append(r.noted[k], v)
}

// Absent says why a row was not measured; it was when that is empty.
func (r *Results) Absent(row string) string { return r.absent[row] }

// Of sums a row's figure up over the rounds.
func (r *Results) Of(row, figure string) Stat { return statOf(r.noted[key{row, figure}]) }

// Stat is the median of some rounds, with the least and the most of them.
type Stat struct {
	Rounds              int
	Median, Least, Most float64
}

func statOf(values []float64) Stat {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	if n == 0 {
		return Stat{}
	}
	return Stat{n, (s[(n-1)/2] + s[n/2]) / 2, s[0], s[n-1]}
}

// String shows the median, and the spread where there was more than one round.
func (s Stat) String() string {
	switch s.Rounds {
	case 0:
		return "not measured"
	case 1:
		return Number(s.Median)
	}
	return fmt.Sprintf("%s (%s – %s)", Number(s.Median), Number(s.Least), Number(s.Most))
}

// compare is the operation on the medians; its spread is that of the rounds,
// compared one by one.
func (r *Results) compare(a, b key, operation func(a, b float64) float64) Stat {
	va, vb := r.noted[a], r.noted[b]
	var each []float64
	for i := range min(len(va), len(vb)) {
		each = append(each, operation(va[i], vb[i]))
	}
	s := statOf(each)
	if s.Rounds > 0 {
		s.Median = operation(statOf(va).Median, statOf(vb).Median)
	}
	return s
}

// Number shows three digits that matter, and all of those before the point.
func Number(v float64) string {
	abs := math.Abs(v)
	switch {
	case abs >= 1000:
		return thousands(v)
	case abs >= 100:
		return fmt.Sprintf("%.0f", v)
	case abs >= 10:
		return fmt.Sprintf("%.1f", v)
	case abs >= 0.1 || v == 0:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

func thousands(v float64) string {
	digits := fmt.Sprintf("%.0f", math.Abs(v))
	var out strings.Builder
	if v < 0 {
		out.WriteByte('-')
	}
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return out.String()
}
