package config

import (
	"testing"
	"time"

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

func TestTheWindowInForceIsTheOneBegunLast(t *testing.T) {
	c := mustLoad(t, `
time_zone: Europe/Berlin
pools:
  plain: {workers: 3}
  night: {workers: 20, windows: [{at: "0 22 * * *", workers: 40}, {at: "0 6 * * *", workers: 10}]}
  year: {workers: 1, windows: [{at: "0 0 1 1 *", workers: 2}]}
`)
	at := func(text string) time.Time {
		parsed, err := time.ParseInLocation("2006-01-02 15:04:05", text, c.Zone)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	tests := []struct {
		name, pool, now string
		workers         int
		next            string
	}{
		{"without windows", "plain", "2026-05-01 12:00:00", 3, ""},
		{"in the evening, before it begins", "night", "2026-05-01 21:59:59", 10, "2026-05-01 22:00:00"},
		{"the moment it begins", "night", "2026-05-01 22:00:00", 40, "2026-05-02 06:00:00"},
		{"after midnight", "night", "2026-05-02 03:00:00", 40, "2026-05-02 06:00:00"},
		{"by day", "night", "2026-05-02 12:00:00", 10, "2026-05-02 22:00:00"},
		{"one that began long ago", "year", "2026-11-01 12:00:00", 2, "2027-01-01 00:00:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			workers, next := c.Pools[tt.pool].SizeAt(at(tt.now), c.Zone)
			if workers != tt.workers {
				t.Errorf("workers are %d, want %d", workers, tt.workers)
			}
			want := time.Time{}
			if tt.next != "" {
				want = at(tt.next)
			}
			if !next.Equal(want) {
				t.Errorf("next is %s, want %s", next, want)
			}
		})
	}
}
