package sqlite

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOverridesAreKeptByKindAndName(t *testing.T) {
	dir := t.TempDir()
	l := openIn(t, dir)
	size := Override{Kind: "pool_size", Name: "p", Workers: 7, OnShrink: "finish", Until: at(60), Reason: "load", By: "anna", At: at(0), Entry: "hash"}
	host := Override{Kind: "host_pause", At: at(1)}
	for _, o := range []Override{{Kind: "pool_size", Name: "p", Workers: 3}, size, host, {Kind: "pool_pause", Name: "p"}} {
		if err := l.SetOverride(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := l.DeleteOverride(t.Context(), "pool_pause", "p"); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openIn(t, dir)
	got, err := l.Overrides(t.Context())
	if diff := cmp.Diff([]Override{host, size}, got); err != nil || diff != "" {
		t.Errorf("%v; (-want +got):\n%s", err, diff)
	}
	if err := l.DeleteOverride(t.Context(), "host_pause", ""); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Overrides(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestMeanPoolSizeIsWeightedByTime(t *testing.T) {
	l := open(t)
	for _, r := range []struct{ second, workers int }{{0, 2}, {10, 4}, {15, 4}, {30, 10}} {
		if err := l.RecordPoolSize(t.Context(), "p", r.workers, at(r.second)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name     string
		pool     string
		from, to int
		want     float64
	}{
		{"one size", "p", 1, 9, 2},
		{"from one to the next", "p", 5, 15, 3},
		{"over three", "p", 0, 40, (2*10 + 4*20 + 10*10) / 40.0},
		{"after the last", "p", 100, 200, 10},
		{"before the first counts as the first", "p", -20, -10, 0},
		{"begins before the first", "p", -10, 10, 2},
		{"no time at all", "p", 12, 12, 4},
		{"another pool", "q", 0, 10, 0},
	} {
		got, err := l.MeanPoolSize(t.Context(), c.pool, at(c.from), at(c.to))
		if err != nil || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}
