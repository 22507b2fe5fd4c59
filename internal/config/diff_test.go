package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const before = `
pools: {same: {workers: 2}, resized: {workers: 2}, changed: {workers: 2}, gone: {workers: 1}}
jobs:
  same: {with: {command: [x]}, timeout: 1h}
  changed: {with: {command: [x]}}
  gone: {with: {command: [x]}}
`

func TestDiff(t *testing.T) {
	tests := []struct {
		name, text string
		want       Plan
	}{
		{"the same bytes", before, Plan{}},
		{"other bytes that say the same", `
# moved, reordered, written otherwise
jobs:
  gone: {with: {command: ["x"]}}
  same:
    timeout: 60m
    with:
      command:
        - x
  changed: {with: {command: [x]}, priority: 0}
pools: {gone: {workers: 1}, same: {workers: 2, queue_limit: 1000000}, changed: {workers: 2}, resized: {workers: 2}}
`, Plan{}},
		{"everything", `
daemon: {socket: /other.sock, log: {level: debug}, watch: {settle: 1s}}
time_zone: Asia/Tokyo
retention: {age: 1d}
pools: {same: {workers: 2}, resized: {workers: unlimited}, changed: {workers: 2, on_shrink: requeue}, fresh: {workers: 1}}
jobs:
  same: {with: {command: [x]}, timeout: 1h}
  changed: {with: {command: [y]}}
  fresh: {with: {command: [x]}}
`, Plan{
			JobsAdded: []string{"fresh"}, JobsChanged: []string{"changed"}, JobsRemoved: []string{"gone"},
			PoolsAdded: []string{"fresh"}, PoolsResized: []Resize{{"resized", 2, Unlimited}},
			PoolsChanged: []string{"changed"}, PoolsRemoved: []string{"gone"},
			TimeZone: &ZoneChange{From: "", To: "Asia/Tokyo"}, Retention: true,
			NeedsRestart: []string{"daemon.log.level", "daemon.socket", "daemon.watch.settle"},
		}},
	}
	old := mustLoad(t, before)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Diff(old, mustLoad(t, tt.text))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if want := cmp.Equal(tt.want, Plan{}); got.Empty() != want {
				t.Errorf("Empty is %v, want %v", got.Empty(), want)
			}
		})
	}
}

func TestDiffFromNothing(t *testing.T) {
	got := Diff(nil, mustLoad(t, "time_zone: UTC\njobs: {a: {with: {command: [x]}}}\n"))
	want := Plan{JobsAdded: []string{"a"}, PoolsAdded: []string{"default"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAPoolsEntryIsItsMeaning(t *testing.T) {
	entry := func(text string) string {
		return mustLoad(t, "pools:\n  p: "+text+"\n").Pools["p"].Entry()
	}
	base := entry("{workers: 2, windows: [{at: '0 6 * * *', workers: 1}]}")
	if same := entry("{windows: [{workers: 1, at: 0 6 * * *}], workers: 2, on_shrink: finish} # comment"); same != base {
		t.Error("another way of writing it must not change the entry")
	}
	for _, other := range []string{
		"{workers: 3, windows: [{at: '0 6 * * *', workers: 1}]}",
		"{workers: 2, windows: [{at: '0 6 * * *', workers: 2}]}",
		"{workers: 2, windows: [{at: '0 7 * * *', workers: 1}]}",
		"{workers: 2}",
		"{workers: 2, queue_limit: 5, windows: [{at: '0 6 * * *', workers: 1}]}",
	} {
		if entry(other) == base {
			t.Errorf("%s must change the entry", other)
		}
	}
}
