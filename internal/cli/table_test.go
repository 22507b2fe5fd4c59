package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"

	"github.com/poold/poold/internal/api"
)

func TestATableFitsTheScreen(t *testing.T) {
	table := newTable("RUN", "JOB", "ARG")
	table.add(1, "nightly-backup-of-everything", strings.Repeat("/very/long", 10))
	table.add(200, state("failed"), "日本語のとても長い引数です、本当に長いです")
	table.add(3, "", "x\x1b[2Jy\nz\u202e")
	for width, want := range map[int]string{
		40: "RUN  JOB               ARG\n" +
			"1    nightly-backup-…  /very/long/very/…\n" +
			"200  failed            日本語のとても長…\n" +
			"3    -                 x\\x1b[2Jy\\nz\\u20…\n",
	} {
		var b bytes.Buffer
		table.print(&b, screen{width: width})
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Error(diff)
		}
	}
	for _, width := range []int{30, 57, 80, 200} {
		var b bytes.Buffer
		table.print(&b, screen{width: width})
		for line := range strings.Lines(b.String()) {
			if got := uniseg.StringWidth(strings.TrimSuffix(line, "\n")); got > width {
				t.Errorf("width %d: a line takes %d: %q", width, got, line)
			}
		}
	}
	var b bytes.Buffer
	table.print(&b, screen{})
	if !strings.Contains(b.String(), strings.Repeat("/very/long", 10)) {
		t.Errorf("cut although it is no terminal: %s", b.String())
	}
}

func TestColourIsForScreensThatShowIt(t *testing.T) {
	if got := paint(screen{}, red, "x "); got != "x " {
		t.Errorf("got %q", got)
	}
	if got := paint(screen{colour: true}, red, "x "); got != "\x1b[31mx\x1b[0m " {
		t.Errorf("got %q", got)
	}
}

func TestAges(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	a := &app{now: func() time.Time { return now }}
	for ago, want := range map[time.Duration]string{
		0: "0s ago", 59 * time.Second: "59s ago", 3*time.Minute + 59*time.Second: "3m ago",
		90 * time.Minute: "1h30m ago", 2 * time.Hour: "2h ago", 30 * time.Hour: "30h ago", 49 * time.Hour: "2d ago",
		-5 * time.Minute: "in 5m",
	} {
		if got := a.age(api.At(now.Add(-ago))); got != want {
			t.Errorf("%v: got %q, want %q", ago, got, want)
		}
	}
	if got := a.age(nil); got != "" {
		t.Errorf("of none: %q", got)
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234567 * time.Nanosecond: "1ms", 1234 * time.Millisecond: "1.2s", 83 * time.Second: "1m23s",
		2*time.Hour + 30*time.Second: "2h1m", 26 * time.Hour: "1d2h", 0: "0s",
	} {
		if got := took(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestHowFarABatchIsFromTheIdeal(t *testing.T) {
	for ratio, want := range map[float64]string{
		1.007: "0.7 % above ideal", 1: "0.0 % above ideal", 0.99: "1.0 % below ideal", 3.5: "250 % above ideal",
	} {
		if got := above(ratio); got != want {
			t.Errorf("%v: got %q, want %q", ratio, got, want)
		}
	}
	b := api.Batch{Batch: "b1", Total: 4, Succeeded: 1, Failed: 1, Canceled: 1, Skipped: 1}
	if got, want := summary(&b), "b1: 4 runs, 1 succeeded, 1 failed, 1 canceled, 1 skipped"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 2048: "2 KiB", 1536 << 10: "1.5 MiB", 3 << 30: "3 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
