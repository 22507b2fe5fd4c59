package config

import (
	"slices"
	"strings"
)

// didYouMean returns a hint that names the candidate nearest to word, or the
// candidates themselves while they are few, or "".
func didYouMean(word string, candidates []string, quote string) string {
	if near := nearest(word, candidates); near != "" {
		return "did you mean " + quote + near + quote + "?"
	}
	if n := len(candidates); n == 0 || n > 12 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(candidates))
	return "one of " + strings.Join(sorted, ", ")
}

// nearest returns the candidate that word is most likely a slip of, or "".
func nearest(word string, candidates []string) string {
	if len(word) > 200 {
		return ""
	}
	plain := simplify(word)
	best, found := 1+max(1, len(plain)/3), ""
	if len(plain) < 3 {
		best = 1 // any two short words are near
	}
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := distance(plain, simplify(c), best); d < best {
			best, found = d, c
		}
	}
	return found
}

// simplify drops what people mix up without meaning another word.
func simplify(word string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(word))
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b; it may stop counting at limit.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
