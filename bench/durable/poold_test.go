package durable

import "testing"

func TestFiguresOfABenchmarkAreFound(t *testing.T) {
	for out, want := range map[string]string{
		"cpu: AMD EPYC\nBenchmarkLifecycle-2   \t   30000\t     53854 ns/op\t     18568 lifecycles/s\t    5744 B/op\n": "18568",
		"BenchmarkBatch \t 10\t 5.5 ns/op\t 0.5 lifecycles/s\n":                                                        "0.5",
	} {
		found := perSecond.FindStringSubmatch(out)
		if found == nil || found[1] != want {
			t.Errorf("got %q of %q", found, out)
		}
	}
	if found := perSecond.FindString("--- FAIL: BenchmarkBatch\n"); found != "" {
		t.Errorf("got %q", found)
	}
}
