package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad holds what must be true of any bytes: no panic, errors with a place
// and a message, and no configuration beside errors.
func FuzzLoad(f *testing.F) {
	f.Add(example)
	f.Add(before)
	for _, seed := range []string{
		"", "---\n", "a: &x [*x]\n", "jobs: {a: {<<: [*b]}}", "x-a: &a {b: *a}\n", "? - a\n: b\n", "jobs:\n\ta", "a: \"",
		"jobs: {a: {with: {command: [x, !, ~]}, after: {any: [a, b]}}, b: {after: {any: [a]}}}", "pools: {p: {workers: unlimited}}",
		"\ufeffjobs: {}", "a: |\n  x\n b", "%YAML 1.1\n---\na: 1\n", "a: *b", "[[[[", "defaults: {with: {}, exec: ~}", "include: ['[', '*']",
	} {
		f.Add(seed)
	}
	clearEnv(f)
	path := filepath.Join(f.TempDir(), "config.yaml")
	o := options()
	o.Path = path
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include") {
			t.Skip("the files of this host are not for it to read")
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(o)
		if err == nil {
			for _, name := range c.JobNames() {
				if _, err := c.Cat(name); err != nil {
					t.Errorf("cat: %v", err)
				}
			}
			if !Diff(c, c).Empty() {
				t.Error("a configuration differs from itself")
			}
			return
		}
		var all Errors
		if c != nil || !errors.As(err, &all) || len(all) == 0 {
			t.Fatalf("got %v and %T", c, err)
		}
		lines := 1 + strings.Count(text, "\n") + strings.Count(text, "\r") + strings.Count(text, "\u0085") +
			strings.Count(text, "\u2028") + strings.Count(text, "\u2029")
		for _, e := range all {
			if e.File != path || e.Line < 1 || e.Line > lines+1 || e.Column < 1 || e.Message == "" {
				t.Errorf("%+v has no place in %d lines", e, lines)
			}
		}
	})
}

// manyJobs is a configuration as a script might write it.
func manyJobs(n int) string {
	var b strings.Builder
	b.WriteString("pools: {crawl: {workers: 20}}\ndefaults: {timeout: 1h, exec: {env: {LANG: C.UTF-8}}}\njobs:\n")
	for i := range n {
		fmt.Fprintf(&b, "  job-%d:\n    schedule: \"%d %d * * *\"\n    pool: crawl\n    retry: {attempts: 3}\n    with: {command: [/usr/bin/fetch, --id, \"%d\"], user: fetch}\n",
			i, i%60, i/60%24, i)
		if i > 0 {
			fmt.Fprintf(&b, "    after: {success: [job-%d]}\n", i-1)
		}
	}
	return b.String()
}

func TestThousandsOfJobsLoad(t *testing.T) {
	c := mustLoad(t, manyJobs(5000))
	if got := len(c.Jobs); got != 5000 {
		t.Errorf("%d jobs, want 5000", got)
	}
}

func BenchmarkLoad5000Jobs(b *testing.B) {
	clearEnv(b)
	inFolder(b, map[string]string{"config.yaml": manyJobs(5000)})
	o := options()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(o); err != nil {
			b.Fatal(err)
		}
	}
}
