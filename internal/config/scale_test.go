package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// jobsInFiles writes a configuration of n scheduled jobs, each with a moment and a
// command of its own, and returns its path. No file may be larger than maxFile,
// so it is spread over several.
func jobsInFiles(tb testing.TB, n int) string {
	tb.Helper()
	const each = 10_000
	dir := tb.TempDir()
	files := map[string][]byte{"config.yaml": []byte("include: [conf.d/*.yaml]\npools: {default: {workers: 4}}\n")}
	for from := 0; from < n; from += each {
		var b bytes.Buffer
		b.WriteString("jobs:\n")
		for i := from; i < min(from+each, n); i++ {
			fmt.Fprintf(&b, "  job-%06d:\n    schedule: \"%d %d * * *\"\n    timeout: 1h\n    with: {command: [/usr/local/bin/sync, --shard, \"%d\"]}\n", i, i%60, i/60%24, i)
		}
		files[fmt.Sprintf("conf.d/%06d.yaml", from)] = b.Bytes()
	}
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o750); err != nil {
		tb.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return filepath.Join(dir, "config.yaml")
}

// BenchmarkLoad measures what a load takes and how much memory it leaves in
// use.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			path := jobsInFiles(b, n)
			before := heapInUse()
			var cfg *Config
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if cfg, err = Load(Options{Path: path, Types: testTypes()}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(heapInUse()-before)/1e6, "MB-kept")
			if len(cfg.Jobs) != n {
				b.Fatalf("%d jobs", len(cfg.Jobs))
			}
		})
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
