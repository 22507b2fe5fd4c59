package held

import "testing"

func TestFiguresOfABenchmarkAreFound(t *testing.T) {
	const out = "goos: linux\nBenchmarkHeld/lock-2 \t 2000\t 0.006 MB-crowd\t 705.5 p50-µs\t 2817 p99-µs\t 18.10 s-enqueue\n"
	found := figures.FindStringSubmatch(out)
	if found == nil || found[1] != "0.006" || found[2] != "705.5" || found[3] != "2817" {
		t.Errorf("got %q", found)
	}
}
