package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
	"golang.org/x/sys/unix"
)

// example is the configuration of the documentation, without the keys that are
// not built yet.
const example = `daemon:
  state_dir: /srv/poold
  socket: /run/poold/poold.sock
  log: {level: info, format: auto}    # auto: colour on a terminal, plain under journald; or text, json
  drain_timeout: 30s
  watch: {enabled: true, settle: 200ms}   # quiet time after the last write before a reload
time_zone: Europe/Berlin
retention: {age: 30d, runs: 1000000, output: 2GiB, keep_per_job: 20}
include: [conf.d/*.yaml]      # merged; a name defined twice is an error that names both places
pools:
  default: {workers: 4}
  crawl:
    workers: 20               # 0 holds everything back; unlimited
    queue_limit: 100000
    on_shrink: finish         # finish | requeue | stop_newest | stop_oldest
    windows: [{at: "0 22 * * *", workers: 40}, {at: "0 6 * * *", workers: 20}]
defaults: {pool: default, timeout: 1h, exec: {env: {LANG: C.UTF-8}}}
x-night: &night {start_within: 4h}
jobs:
  fetch: {type: http, with: {url: "https://example.org/"}}
  nightly-backup:
    <<: *night
    description: full dump to store1
    type: exec
    with: {command: [/usr/local/bin/backup, --full, "{arg}"], user: backup, dir: /srv, env: {PATH: /usr/bin}}
    args: {list: [main, audit], match: '^[a-z]+$'}
    schedule: "30 2 * * *"    # or a list
    time_zone: America/New_York
    pool: default
    slots: 1                  # workers it takes; all
    locks: [pg-main]
    priority: 0
    jitter: 0s
    splay: 0s
    condition: {command: [/usr/local/bin/is-primary], wait: 0s, every: 1m}
    overlap: skip
    catch_up: {policy: latest, max_age: 24h, max_runs: 10}
    grace: 1m
    dst: {gap: run_after, fold: once}
    timeout: 2h
    stop: {signal: TERM, after: 30s, mode: tree}
    retry: {attempts: 3, backoff: 10s, max_backoff: 10m}
    exit: {success: [24], skip: [75], no_retry: [64]}
    after: {success: [fetch], match: any}
    output: {max: 16MiB}
    enabled: true
`

const (
	second = schedule.Duration(time.Second)
	minute = schedule.Duration(time.Minute)
	hour   = schedule.Duration(time.Hour)
)

func TestTheExampleLoads(t *testing.T) {
	c := mustLoad(t, example)
	want := &jobs.Definition{
		Name:        "nightly-backup",
		Description: "full dump to store1",
		Type:        "exec",
		With: json.RawMessage(`{"command":["/usr/local/bin/backup","--full","{arg}"],"user":"backup","dir":"/srv",` +
			`"env":{"LANG":"C.UTF-8","PATH":"/usr/bin"}}`),
		Args:        &jobs.Args{List: []string{"main", "audit"}, Match: "^[a-z]+$"},
		Schedule:    []string{"30 2 * * *"},
		TimeZone:    "America/New_York",
		DST:         schedule.DST{Gap: schedule.GapRunAfter, Fold: schedule.FoldOnce},
		Overlap:     jobs.OverlapSkip,
		CatchUp:     jobs.CatchUp{Policy: jobs.CatchUpLatest, MaxAge: 24 * hour, MaxRuns: 10},
		Grace:       minute,
		StartWithin: 4 * hour,
		Condition:   &jobs.Condition{Command: []string{"/usr/local/bin/is-primary"}, Every: minute},
		Pool:        "default",
		Slots:       1,
		Locks:       []string{"pg-main"},
		Timeout:     2 * hour,
		Stop:        jobs.Stop{Signal: "TERM", After: 30 * second, Mode: jobs.StopTree},
		Retry:       jobs.Retry{Attempts: 3, Backoff: 10 * second, MaxBackoff: 10 * minute},
		Exit:        jobs.Exit{Success: []int{24}, Skip: []int{75}, NoRetry: []int{64}},
		After:       jobs.After{Success: []string{"fetch"}, Match: jobs.MatchAny},
		Output:      jobs.Output{Max: 16 << 20},
		Enabled:     true,
		DefinedAt:   "config.yaml:21",
	}
	if diff := cmp.Diff(want, c.Jobs["nightly-backup"]); diff != "" {
		t.Error(diff)
	}
	if got := c.Jobs["fetch"]; got.Timeout != hour || got.Overlap != jobs.OverlapAllow {
		t.Errorf("fetch has timeout %v and overlap %s, want 1h and allow", got.Timeout, got.Overlap)
	}
	wantDaemon := Daemon{
		StateDir: "/srv/poold", Socket: "/run/poold/poold.sock", Log: Log{Level: "info", Format: "auto"},
		DrainTimeout: 30 * second, Watch: WatchSettings{Enabled: true, Settle: second / 5},
	}
	if diff := cmp.Diff(wantDaemon, c.Daemon); diff != "" {
		t.Error(diff)
	}
	if got := c.Pools["crawl"]; got.Workers != 20 || got.QueueLimit != 100000 || len(got.Windows) != 2 || got.DefinedAt != "config.yaml:12" {
		t.Errorf("pool crawl is %+v", got)
	}
	if got := c.Timetable("nightly-backup"); got.Zone.String() != "America/New_York" || len(got.Exprs) != 1 {
		t.Errorf("timetable is %+v", got)
	}
	if got := c.Warnings(); len(got) != 0 {
		t.Errorf("warnings: %v", got)
	}
}

// The table of defaults, as it is documented.
func TestDefaults(t *testing.T) {
	c := mustLoad(t, "jobs:\n  a: {with: {command: [x]}}\n  b: {schedule: '@daily', catch_up: {policy: all}, retry: {backoff: 1h}, with: {command: [x]}}\n")
	want := &jobs.Definition{
		Name:      "a",
		Type:      "exec",
		With:      json.RawMessage(`{"command":["x"]}`),
		DST:       schedule.DST{Gap: "run_after", Fold: "once"},
		Overlap:   "allow",
		CatchUp:   jobs.CatchUp{Policy: "none"},
		Grace:     5 * minute,
		Pool:      "default",
		Slots:     1,
		Stop:      jobs.Stop{Signal: "TERM", After: 30 * second, Mode: "tree"},
		Retry:     jobs.Retry{Attempts: 1, Backoff: 10 * second, MaxBackoff: 10 * minute},
		Output:    jobs.Output{Max: 16 << 20},
		Enabled:   true,
		DefinedAt: "config.yaml:2",
	}
	if diff := cmp.Diff(want, c.Jobs["a"]); diff != "" {
		t.Error(diff)
	}
	b := c.Jobs["b"]
	if b.Overlap != "skip" {
		t.Errorf("overlap of a scheduled job is %s, want skip", b.Overlap)
	}
	if want := (jobs.CatchUp{Policy: "all", MaxAge: 24 * hour, MaxRuns: 10}); b.CatchUp != want {
		t.Errorf("catch_up is %+v, want %+v", b.CatchUp, want)
	}
	if b.Retry.MaxBackoff != hour {
		t.Errorf("max_backoff is %s below a backoff of 1h, want it raised to that", b.Retry.MaxBackoff)
	}
	wantConfig := Config{
		Daemon: Daemon{
			StateDir: "/var/lib/poold", Socket: "/run/poold/poold.sock", Log: Log{Level: "info", Format: "auto"},
			DrainTimeout: 30 * second, Watch: WatchSettings{Enabled: true, Settle: second / 5},
		},
		Retention: Retention{Age: 30 * 24 * hour, Runs: 1_000_000, Output: 2 << 30, KeepPerJob: 20},
		Pools:     map[string]Pool{"default": {Name: "default", Workers: 4, QueueLimit: 1_000_000, OnShrink: "finish"}},
	}
	got := Config{Daemon: c.Daemon, Retention: c.Retention, Pools: c.Pools}
	if diff := cmp.Diff(wantConfig.Daemon, got.Daemon); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantConfig.Retention, got.Retention); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantConfig.Pools, got.Pools); diff != "" {
		t.Error(diff)
	}
	if c.Zone == nil || c.TimeZone != "" {
		t.Errorf("zone is %v and time_zone %q, want the host's", c.Zone, c.TimeZone)
	}
}

func TestAZeroThatIsWrittenIsNoDefault(t *testing.T) {
	c := mustLoad(t, "jobs: {a: {grace: 0s, enabled: false, stop: {after: 0s}, output: {max: 0}, with: {command: [x]}}}\n")
	a := c.Jobs["a"]
	if a.Grace != 0 || a.Enabled || a.Stop.After != 0 || a.Output.Max != 0 {
		t.Errorf("got grace %s, enabled %v, stop.after %s, output.max %s", a.Grace, a.Enabled, a.Stop.After, a.Output.Max)
	}
}

func TestTextIsTakenByItsSource(t *testing.T) {
	c := mustLoad(t, "jobs: {a: {args: {list: [true, 010, 1.0, 0x1F, 1_000, 2026-01-02, yes]}, with: {command: [no, 1e3], env: {N: 007, Path: x, PATH: y}}}}\n")
	want := []string{"true", "010", "1.0", "0x1F", "1_000", "2026-01-02", "yes"}
	if diff := cmp.Diff(want, c.Jobs["a"].Args.List); diff != "" {
		t.Error(diff)
	}
	if got, want := string(c.Jobs["a"].With), `{"command":["no","1e3"],"env":{"N":"007","PATH":"y","Path":"x"}}`; got != want {
		t.Errorf("with is %s, want %s", got, want)
	}
}

func TestDefaultsLieBelowWhatAJobSays(t *testing.T) {
	c := mustLoad(t, `
defaults:
  retry: {attempts: 3, backoff: 1s}
  locks: [a, b]
  exec: {env: {A: "1", B: "2"}, user: u}
jobs:
  plain: {with: {command: [x]}}
  own:
    retry: {backoff: 5s}
    locks: [c]
    with: {command: [x], env: {B: "3"}}
  other: {type: http, with: {url: x}}
`)
	plain, own, other := c.Jobs["plain"], c.Jobs["own"], c.Jobs["other"]
	if got := own.Retry; got.Attempts != 3 || got.Backoff != 5*second {
		t.Errorf("retry is %+v, want attempts of defaults and its own backoff", got)
	}
	if diff := cmp.Diff([]string{"c"}, own.Locks); diff != "" {
		t.Errorf("a list must replace: %s", diff)
	}
	if got, want := string(own.With), `{"command":["x"],"user":"u","env":{"A":"1","B":"3"}}`; got != want {
		t.Errorf("with is %s, want %s", got, want)
	}
	if got, want := string(plain.With), `{"command":["x"],"user":"u","env":{"A":"1","B":"2"}}`; got != want {
		t.Errorf("with is %s, want %s", got, want)
	}
	if got, want := string(other.With), `{"url":"x"}`; got != want {
		t.Errorf("with of another type is %s, want %s", got, want)
	}
}

func TestMergeKeys(t *testing.T) {
	c := mustLoad(t, `
x-a: &a {timeout: 1m, grace: 1m, pool: p}
x-b: &b {grace: 2m, priority: 7}
x-c: &c {<<: *b, priority: 8}
pools: {p: {workers: unlimited}}
jobs:
  one: {<<: *a, timeout: 2m, with: {command: [x]}}
  several: {timeout: 3m, <<: [*a, *c], with: {command: [x]}}
`)
	one, several := c.Jobs["one"], c.Jobs["several"]
	if one.Timeout != 2*minute || one.Grace != minute || one.Pool != "p" {
		t.Errorf("one: %+v", one)
	}
	if several.Timeout != 3*minute || several.Grace != minute || several.Priority != 8 {
		t.Errorf("several: timeout %s, grace %s, priority %d: the job wins over the first, the first over the second",
			several.Timeout, several.Grace, several.Priority)
	}
	if got := c.Pools["p"].Workers; got != Unlimited {
		t.Errorf("workers are %d, want Unlimited", got)
	}
}

func TestIncludedFiles(t *testing.T) {
	files := map[string]string{
		"config.yaml":         "include: [conf.d/*.yaml, conf.d/a.yaml, '*.yaml', none/*.yaml]\njobs: {main: {with: {command: [x]}, pool: p}}\n",
		"conf.d/a.yaml":       "x-anything: 1\njobs: {a: {after: {success: [b]}, with: {command: [x]}}}\n",
		"conf.d/b.yaml":       "jobs: {b: {with: {command: [x]}}}\npools: {p: {workers: 1}}\n",
		"conf.d/.hidden.yaml": "this: is: broken\n",
		"conf.d/b.yaml~":      "so: is: this\n",
		"conf.d/dir.yaml/x":   "",
	}
	c, err := loadFiles(t, files)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "main"}, c.JobNames()); diff != "" {
		t.Error(diff)
	}
	if got, want := c.Jobs["b"].DefinedAt, "conf.d/b.yaml:1"; got != want {
		t.Errorf("b is defined at %s, want %s", got, want)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(wd, "config.yaml"), filepath.Join(wd, "conf.d/a.yaml"), filepath.Join(wd, "conf.d/b.yaml")}
	if diff := cmp.Diff(want, c.Files); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesAcrossFiles(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"a job defined twice", map[string]string{
			"config.yaml": "include: x.yaml\njobs:\n  a: {with: {command: [x]}}\n",
			"x.yaml":      "jobs:\n\n  a: {with: {command: [x]}}\n",
		}, []string{"x.yaml:3:3: jobs.a: is defined twice, first at config.yaml:3; rename or remove one"}},
		{"a pool defined twice", map[string]string{
			"config.yaml": "include: [x.yaml, y.yaml]\n",
			"x.yaml":      "pools: {p: {workers: 1}}\n",
			"y.yaml":      "pools: {p: {workers: 2}}\n",
		}, []string{"y.yaml:1:9: pools.p: is defined twice, first at x.yaml:1; rename or remove one"}},
		{"keys of the main file", map[string]string{
			"config.yaml": "include: x.yaml\n",
			"x.yaml":      "daemon: {}\ninclude: y\ntime_zone: UTC\nretention: {}\ndefaults: {}\nfoo: 1\n",
		}, []string{
			"x.yaml:1:1: daemon: belongs into the main file, config.yaml; move it there",
			"x.yaml:2:1: include: belongs into the main file, config.yaml; move it there",
			"x.yaml:3:1: time_zone: belongs into the main file, config.yaml; move it there",
			"x.yaml:4:1: retention: belongs into the main file, config.yaml; move it there",
			"x.yaml:5:1: defaults: belongs into the main file, config.yaml; move it there",
			"x.yaml:6:1: foo: unknown key; one of calendars, jobs, pools",
		}},
		{"files that are not there", map[string]string{
			"config.yaml": "include: [no.yaml, '', '[', conf.d]\n", "conf.d/x": "",
		}, []string{
			"config.yaml:1:11: include[0]: no.yaml: there is no such file",
			"config.yaml:1:20: include[1]: an empty pattern; name files, such as conf.d/*.yaml",
			`config.yaml:1:24: include[2]: "[" is not a pattern; close each [ with ]`,
			"config.yaml:1:29: include[3]: conf.d: is a folder; name a file in it",
		}},
		{"a file that includes itself", map[string]string{
			"config.yaml": "include: ./config.yaml\n",
		}, []string{"config.yaml:1:10: include: config.yaml includes itself; remove it"}},
		{"syntax comes first, of all files", map[string]string{
			"config.yaml": "include: [x.yaml, y.yaml]\njobs: {a: {pool: none, with: {command: [x]}}}\n",
			"x.yaml":      "a: @b\n", "y.yaml": "a: `b\n",
		}, []string{
			`x.yaml:1:4: a value cannot begin with @; quote it, as in "@b"`,
			"y.yaml:1:4: a value cannot begin with `; quote it, as in \"`b\"",
		}},
		{"errors come in the order of the files", map[string]string{
			"config.yaml": "include: a.yaml\njobs: {z: {pool: none, with: {command: [x]}}}\n",
			"a.yaml":      "jobs: {y: {pool: none, with: {command: [x]}}}\n",
		}, []string{
			`config.yaml:2:18: jobs.z.pool: there is no pool "none"; one of default`,
			`a.yaml:1:18: jobs.y.pool: there is no pool "none"; one of default`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, errorLines(t, tt.files)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Reading a FIFO would hold a reload until someone writes to it.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	clearEnv(t)
	dir := inFolder(t, map[string]string{"config.yaml": "include: [fifo, zero]\n"})
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zero")); err != nil {
		t.Fatal(err)
	}
	_, err := Load(options())
	want := strings.Join([]string{
		"config.yaml:1:11: include[0]: fifo: is not a regular file; a configuration is not read from a device, pipe or socket",
		"config.yaml:1:17: include[1]: zero: is not a regular file; a configuration is not read from a device, pipe or socket",
	}, "\n")
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Error(diff)
	}
}

func TestAFolderWithWildcardsInItsName(t *testing.T) {
	clearEnv(t)
	dir := inFolder(t, map[string]string{
		"a[b]*/config.yaml":   "include: c/*.yaml\n",
		"a[b]*/c/jobs.yaml":   "jobs: {x: {args: {file: list.txt}, with: {command: [x]}}}\n",
		"ab/c/not-meant.yaml": "jobs: {y: {with: {command: [x]}}}\n",
	})
	o := options()
	o.Path = "a[b]*/config.yaml"
	c, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"x"}, c.JobNames()); diff != "" {
		t.Error(diff)
	}
	if got, want := c.Jobs["x"].Args.File, filepath.Join(dir, "a[b]*/c/list.txt"); got != want {
		t.Errorf("the file of arguments is %s, want %s: it is relative to the file that names it", got, want)
	}
}

func TestTheDigestIsOfNamesAndBytes(t *testing.T) {
	files := map[string]string{"config.yaml": "include: '*.yml'\n", "a.yml": "jobs: {}\n"}
	digestOf := func(change func()) string {
		t.Helper()
		change()
		c, err := Load(options())
		if err != nil {
			t.Fatal(err)
		}
		return c.Digest
	}
	clearEnv(t)
	dir := inFolder(t, files)
	first := digestOf(func() {})
	if again := digestOf(func() {}); again != first {
		t.Errorf("the same bytes give %s and %s", first, again)
	}
	comment := digestOf(func() { write(t, filepath.Join(dir, "a.yml"), "jobs: {} #\n") })
	renamed := digestOf(func() {
		if err := os.Rename(filepath.Join(dir, "a.yml"), filepath.Join(dir, "b.yml")); err != nil {
			t.Fatal(err)
		}
	})
	if first == comment || comment == renamed {
		t.Errorf("digests %s, %s and %s must all differ", first, comment, renamed)
	}
}

func TestWarnings(t *testing.T) {
	c := mustLoad(t, "defaults: {grace: 1m}\njobs:\n  a: {jitter: 5s, catch_up: {max_age: 1h}, with: {command: [x]}}\n  b: {schedule: '@daily', jitter: 5s, with: {command: [x]}}\n")
	var got []string
	for _, w := range c.Warnings() {
		got = append(got, w.Error())
	}
	want := []string{
		"config.yaml:3:39: jobs.a.catch_up.max_age: has no effect without a policy; write policy: latest or policy: all",
		"config.yaml:3:15: jobs.a.jitter: has no effect without a schedule",
		"config.yaml:3:29: jobs.a.catch_up: has no effect without a schedule",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAPoolOfSizeZeroHoldsJobsBack(t *testing.T) {
	c := mustLoad(t, "pools: {p: {workers: 0}, big: {workers: 2, windows: [{at: '0 22 * * *', workers: 8}]}}\n"+
		"jobs: {a: {pool: p, slots: 3, with: {command: [x]}}, b: {pool: big, slots: 8, with: {command: [x]}}, c: {slots: all, with: {command: [x]}}}\n")
	if c.Jobs["c"].Slots != jobs.AllSlots {
		t.Errorf("slots are %d, want all", c.Jobs["c"].Slots)
	}
	if _, ok := c.Pools[DefaultPool]; !ok {
		t.Error("the default pool is missing beside others")
	}
}
