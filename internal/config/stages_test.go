package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Jobs are built file by file, and what they say is judged by all files.
func TestJobsReferToWhatLaterFilesDefine(t *testing.T) {
	clearEnv(t)
	inFolder(t, map[string]string{
		"config.yaml": "include: [a.yaml, b.yaml]\ndefaults: {pool: late, slots: 3}\njobs:\n  main: {with: {command: [x]}}\n",
		"a.yaml":      "jobs:\n  a: {pool: later, slots: 2, not_during: [feast], with: {command: [x]}}\n",
		"b.yaml":      "pools: {late: {workers: 3}, later: {workers: 2}}\ncalendars: {feast: [2026-12-25]}\njobs:\n  b: {with: {command: [x]}}\n",
	})
	c, err := Load(options())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "main"}, c.JobNames()); diff != "" {
		t.Error(diff)
	}
	if c.Jobs["main"].Pool != "late" || c.Blackouts("a") == nil {
		t.Errorf("pool %q, blackouts %v", c.Jobs["main"].Pool, c.Blackouts("a"))
	}
	write(t, "b.yaml", "pools: {late: {workers: 2}, later: {workers: 1}}\njobs:\n  b: {with: {command: [x]}}\n")
	_, err = Load(options())
	want := `config.yaml:2:31: defaults.slots: takes 3 workers, and pool late never has more than 2; write all, or enlarge the pool
a.yaml:2:27: jobs.a.slots: takes 2 workers, and pool later never has more than 1; write all, or enlarge the pool
a.yaml:2:43: jobs.a.not_during[0]: there is no calendar "feast"`
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMistakesOfSyntaxHideThoseOfMeaning(t *testing.T) {
	clearEnv(t)
	inFolder(t, map[string]string{
		"config.yaml": "include: [a.yaml, b.yaml]\nretention: {runs: 0}\njobs: {main: {pool: none, with: {command: [x]}}}\n",
		"a.yaml":      "jobs:\n  a: {schedule: nonsense, with: {command: [x]}}\npols: {}\n",
		"b.yaml":      "jobs: [\n",
	})
	_, err := Load(options())
	text := fmt.Sprint(err)
	for _, part := range []string{"b.yaml:1:7: ", "a.yaml:3:1: pols: unknown key"} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %s:\n%s", part, text)
		}
	}
	if lines := strings.Count(text, "\n") + 1; lines != 2 {
		t.Errorf("%d errors, want 2:\n%s", lines, text)
	}
}

// Nodes are let go as jobs are built, but not those that another section shares.
func TestSectionsShareAnAnchor(t *testing.T) {
	clearEnv(t)
	inFolder(t, map[string]string{"config.yaml": "x-a: &a {one: {}, two: {}}\njobs: *a\npools: *a\ncalendars: *a\n"})
	_, err := Load(options())
	for _, part := range []string{"pools.one: has no workers", "calendars.two: holds no days", "jobs.one.with"} {
		if text := fmt.Sprint(err); !strings.Contains(text, part) {
			t.Errorf("it does not say %s:\n%s", part, text)
		}
	}
}

func TestCatOfALargeFile(t *testing.T) {
	clearEnv(t)
	o := options()
	o.Path = jobsInFiles(t, 1000)
	c, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.sources {
		if len(s.data) >= largeSource || len(s.packed) >= largeSource {
			t.Errorf("%s: %d bytes and %d packed are kept", s.name, len(s.data), len(s.packed))
		}
	}
	lines, err := c.Cat("job-000002")
	if err != nil {
		t.Fatal(err)
	}
	text := Annotated(lines)
	for _, part := range []string{`"2 0 * * *"`, "000000.yaml:11\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %s:\n%s", part, text)
		}
	}
}

func TestJobsThatHaveTheSameShareIt(t *testing.T) {
	clearEnv(t)
	job := "{schedule: ['0 3 * * *', '@daily'], with: {command: [x, y]}}"
	inFolder(t, map[string]string{"config.yaml": "jobs:\n  a: " + job + "\n  b: " + job + "\n  c: {schedule: '@daily', with: {shell: x}}\n"})
	c, err := Load(options())
	if err != nil {
		t.Fatal(err)
	}
	a, b := c.Jobs["a"], c.Jobs["b"]
	if &a.Schedule[0] != &b.Schedule[0] || &a.With[0] != &b.With[0] {
		t.Error("two equal jobs have a schedule or settings of their own")
	}
	if got := string(c.Jobs["c"].With); got != `{"shell":"x"}` || len(c.Timetable("a").Exprs) != 2 || len(c.Timetable("c").Exprs) != 1 {
		t.Errorf("job c: %s, %v", got, c.Timetable("c"))
	}
}

func TestAnEmptyListIsNoChange(t *testing.T) {
	clearEnv(t)
	inFolder(t, map[string]string{"config.yaml": "jobs: {a: {locks: [], with: {command: [x]}}}\n"})
	before, err := Load(options())
	if err != nil {
		t.Fatal(err)
	}
	write(t, "config.yaml", "\njobs: {a: {with: {command: [x]}}}\n")
	after, err := Load(options())
	if err != nil {
		t.Fatal(err)
	}
	if p := Diff(before, after); !p.Empty() {
		t.Errorf("it changes %+v", p)
	}
}
