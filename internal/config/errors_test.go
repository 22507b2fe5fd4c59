package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// check loads jobs with the given keys of job a and returns the errors without
// the place, which the file of one line would say little about.
func TestWhatAJobSaysIsChecked(t *testing.T) {
	tests := []struct {
		name, job string
		want      []string // after "config.yaml:1:"
	}{
		{"a bare number as a duration", "timeout: 30", []string{`21: jobs.a.timeout: duration "30" lacks its unit; write 30s or 30m`}},
		{"a bare number as a size", "output: {max: 5}", []string{`26: jobs.a.output.max: "5" has no unit; write 16MiB, 2GiB, 500kB or 100B`}},
		{"a slip in a word", "overlap: skp", []string{`21: jobs.a.overlap: "skp" is not a choice here; did you mean skip?`}},
		{"a word that is none", "overlap: never", []string{`21: jobs.a.overlap: "never" is not a choice here; one of skip, queue, queue_all, replace, allow`}},
		{"yes", "enabled: yes", []string{`21: jobs.a.enabled: expected true or false, found "yes"; write true, without quotes`}},
		{"off", "enabled: off", []string{`21: jobs.a.enabled: expected true or false, found "off"; write false, without quotes`}},
		{"a quoted true", `enabled: "true"`, []string{`21: jobs.a.enabled: expected true or false, found "true"; write true, without quotes`}},
		{"a fraction", "priority: 1.5", []string{`22: jobs.a.priority: expected a whole number, found "1.5"`}},
		{"a quoted number", `priority: "1"`, []string{`22: jobs.a.priority: expected a whole number, found "1"; write it without quotes`}},
		{"an octal number", "priority: 010", []string{`22: jobs.a.priority: expected a whole number, found "010"; write plain digits: 10`}},
		{"an enormous number", "priority: 99999999999999999999", []string{`22: jobs.a.priority: 99999999999999999999 is out of range`}},
		{"a large number", "priority: 9999999999", []string{`22: jobs.a.priority: is out of range; -2147483648 to 2147483647`}},
		{"a slip in a key", "schedul: x", []string{"12: jobs.a.schedul: unknown key; did you mean `schedule`?"}},
		{"another case", "Schedule: x", []string{"12: jobs.a.Schedule: unknown key; did you mean `schedule`?"}},
		{"a hyphen in a key", "start-within: 1h", []string{"12: jobs.a.start-within: unknown key; did you mean `start_within`?"}},
		{"a setting of the type", "command: [x]", []string{"12: jobs.a.command: unknown key; it is a setting of the job's type: write it below with:"}},
		{"an unknown key in a group", "retry: {attempt: 3}", []string{"20: jobs.a.retry.attempt: unknown key; did you mean `attempts`?"}},
		{"no blank after a colon", "timeout:30s", []string{"12: jobs.a.timeout:30s: unknown key; put a blank after the colon"}},
		{"no value", "timeout: ", []string{`12: jobs.a.timeout: has no value; delete the key, or write its value after the colon`}},
		{"no text", "description: ", []string{`12: jobs.a.description: has no value; delete the key, or write "" if it is meant to be empty`}},
		{"an empty group", "retry: ", []string{`12: jobs.a.retry: empty section; delete the key or write {}`}},
		{"null", "pool: null", []string{`18: jobs.a.pool: null is no value here; quote it if it is meant as text: "null"`}},
		{"a null in a list", "locks: [a, ~]", []string{`23: jobs.a.locks[1]: null is no value here; quote it if it is meant as text: "~"`}},
		{"a list for a word", "pool: [a]", []string{`18: jobs.a.pool: expected text, found a list`}},
		{"a word for a list", "locks: a", []string{`19: jobs.a.locks: expected a list, found "a"; write [a]`}},
		{"a word for a group", "catch_up: latest", []string{`22: jobs.a.catch_up: expected a mapping, found "latest"; write its keys below it, indented`}},
		{"an unquoted placeholder", "description: {arg}", []string{`25: jobs.a.description: expected text, found a mapping; quote it: "{arg}"`}},
		{"retries", "retry: {attempts: 0, backoff: 1h, max_backoff: 1m}", []string{
			"30: jobs.a.retry.attempts: must be 1 or more; 1 starts a run once",
			"59: jobs.a.retry.max_backoff: is below the backoff of 1h; raise max_backoff or lower backoff",
		}},
		{"catching up", "catch_up: {policy: all, max_age: 0s, max_runs: 0}", []string{
			"45: jobs.a.catch_up.max_age: must be above 0s; write policy: none to catch up with nothing",
			"59: jobs.a.catch_up.max_runs: must be 1 or more; write policy: none to catch up with nothing",
		}},
		{"exit statuses", "exit: {success: [0, 256], skip: [0, 75, x], no_retry: [75]}", []string{
			"32: jobs.a.exit.success[1]: 256 is no exit status; 0 to 255",
			"45: jobs.a.exit.skip[0]: status 0 is always a success; remove it",
			`52: jobs.a.exit.skip[2]: expected a whole number, found "x"`,
			"67: jobs.a.exit.no_retry[0]: status 75 is in exit.skip already; remove one",
		}},
		{"a signal", "stop: {signal: FOO}", []string{`27: jobs.a.stop.signal: "FOO" is no signal; write TERM, INT, HUP, QUIT, USR1, …`}},
		{"a pool", "pool: defalt", []string{`18: jobs.a.pool: there is no pool "defalt"; did you mean default?`}},
		{"a type", "type: exce", []string{`18: jobs.a.type: there is no type "exce"; did you mean exec?`}},
		{"more slots than the pool has", "slots: 9", []string{"19: jobs.a.slots: takes 9 workers, and pool default never has more than 4; write all, or enlarge the pool"}},
		{"no slots", "slots: 0", []string{`19: jobs.a.slots: "0" is not a number of workers; write 1, 2, … or all`}},
		{"locks", "locks: ['', a, a]", []string{
			"20: jobs.a.locks[0]: cannot be the name of a lock; write 1 to 255 characters",
			`27: jobs.a.locks[2]: lock "a" is named twice; remove one`,
		}},
		{"expressions in a list", `schedule: ["0 0 31 2 *", "61 * * * *"]`, []string{
			`23: jobs.a.schedule[0]: schedule "0 0 31 2 *": never comes: none of its months has such a day`,
			`37: jobs.a.schedule[1]: schedule "61 * * * *": minute: 61 is above 59`,
		}},
		{"one expression", `schedule: "61 * * * *"`, []string{`22: jobs.a.schedule: schedule "61 * * * *": minute: 61 is above 59`}},
		{"a zone in the expression", `schedule: "TZ=UTC 0 0 * * *"`, []string{
			`22: jobs.a.schedule: schedule "TZ=UTC 0 0 * * *": a zone inside the expression is not taken; write it as time_zone beside the schedule`,
		}},
		{"a zone", "time_zone: Europe/Berln", []string{`23: jobs.a.time_zone: time zone "Europe/Berln" is not known; did you mean Europe/Berlin?`}},
		{"an empty zone", `time_zone: ""`, []string{`23: jobs.a.time_zone: is empty; name a zone such as Europe/Berlin, or remove the key`}},
		{"a condition without a command", "condition: {wait: 1m}", []string{"23: jobs.a.condition.command: has no command; write command: [/path/to/program]"}},
		{"a condition that is never asked again", "condition: {command: [x], wait: 1m, every: 0s}", []string{
			"55: jobs.a.condition.every: must be above 0s; it is how often the command is asked again",
		}},
		{"placeholders", "description: 'x {arg}', condition: {command: ['{arg}', '{arg}']}, locks: ['{run_id}']", []string{
			"25: jobs.a.description: {arg} is not replaced here; it is in a type's command, after the program",
			"58: jobs.a.condition.command[0]: {arg} is not replaced here; it is in a type's command, after the program",
			"86: jobs.a.locks[0]: {run_id} is not replaced here; it is in a type's command, after the program",
		}},
		{"two sources of arguments", "args: {list: [a], file: x}", []string{"18: jobs.a.args: has several sources: list, file; keep one"}},
		{"no source of arguments", "args: {}", []string{"18: jobs.a.args: has no source; write list:, file: or command:"}},
		{"an empty list of arguments", "args: {list: []}", []string{"25: jobs.a.args.list: is empty; remove it, or name what there is"}},
		{"an empty file of arguments", "args: {file: ''}", []string{"25: jobs.a.args.file: is empty; remove it, or name what there is"}},
		{"an empty command of arguments", "args: {command: ['']}", []string{"28: jobs.a.args.command: has no program; write command: [/path/to/program]"}},
		{"a pattern", "args: {match: '['}", []string{"26: jobs.a.args.match: error parsing regexp: missing closing ]: `[`; write a regular expression in Go's syntax"}},
		{"a pattern that only its wrapping makes whole", "args: {match: 'a)(?:b'}", []string{"26: jobs.a.args.match: error parsing regexp: unexpected ): `a)(?:b`; write a regular expression in Go's syntax"}},
		{"an argument that does not match", "args: {list: [ok, A], match: '[a-z]+'}", []string{
			`30: jobs.a.args.list[1]: takes no argument "A": it does not match [a-z]+`,
		}},
		{"an argument that the type refuses", "args: {list: [-b]}", []string{
			`26: jobs.a.args.list[0]: takes no argument "-b": it begins with -; allow it with args.match`,
		}},
		{"upstream jobs", "after: {success: [b], failure: [a], any: [x, x]}", []string{
			`30: jobs.a.after.success[0]: there is no job "b"; one of a`,
			"44: jobs.a.after.failure[0]: a job cannot follow itself; use retry: or a schedule",
			`54: jobs.a.after.any[0]: there is no job "x"; one of a`,
			`57: jobs.a.after.any[1]: job "x" is named twice; remove one`,
		}},
		{"after nothing", "after: {match: all}", []string{"19: jobs.a.after: names no job; write success: [job], failure: [job] or any: [job]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := errorLines(t, map[string]string{"config.yaml": "jobs: {a: {" + tt.job + ", with: {command: [x]}}}\n"})
			for i, line := range got {
				got[i] = strings.TrimPrefix(line, "config.yaml:1:")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSettingsOfTheTypeAreChecked(t *testing.T) {
	tests := []struct {
		name, with string
		want       []string
	}{
		{"an unknown setting", "{command: [x], comand: y}", []string{"33: jobs.a.with.comand: unknown key; did you mean `command`?"}},
		{"a setting that is not built yet", "{command: [x], limits: {cpu: 1}}", []string{"33: jobs.a.with.limits: is not built yet in this version; remove it"}},
		{"a word for a list", "{command: x}", []string{`28: jobs.a.with.command: expected a list, found "x"; write [x]`}},
		{"a sentence for a list", `{command: x y}`, []string{`28: jobs.a.with.command: expected a list, found "x y"; write [one, two]`}},
		{"an unquoted placeholder", "{command: [x, {arg}]}", []string{`32: jobs.a.with.command[1]: expected text, found a mapping; quote it: "{arg}"`}},
		{"nulls that a decoder would drop", "{command: [a, ~, null]}", []string{
			`32: jobs.a.with.command[1]: null is no value here; quote it if it is meant as text: "~"`,
			`35: jobs.a.with.command[2]: null is no value here; quote it if it is meant as text: "null"`,
		}},
		{"what the type finds, at its place", "{command: ['{arg}']}", []string{"29: jobs.a.with.command[0]: the program cannot come from an argument"}},
		{"what the type misses", "{user: x}", []string{"18: jobs.a.with: needs command or shell; write command: [program, argument]"}},
		{"a text", "x", []string{`18: jobs.a.with: expected a mapping, found "x"; write its keys below it, indented`}},
		{"nothing", "", []string{"12: jobs.a.with: empty section; delete the key or write {}"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := errorLines(t, map[string]string{"config.yaml": "jobs: {a: {with: " + tt.with + "}}\n"})
			for i, line := range got {
				got[i] = strings.TrimPrefix(line, "config.yaml:1:")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("no settings at all", func(t *testing.T) {
		got := errorLines(t, map[string]string{"config.yaml": "jobs:\n  a: {}\n"})
		want := []string{"config.yaml:2:3: jobs.a.with: needs command or shell; write command: [program, argument]"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSectionsAreChecked(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"open sections erase nothing", "pools:\njobs:\nretention:\ndefaults:\n", []string{
			"config.yaml:1:1: pools: empty section; delete the key or write {}",
			"config.yaml:2:1: jobs: empty section; delete the key or write {}",
			"config.yaml:3:1: retention: empty section; delete the key or write {}",
			"config.yaml:4:1: defaults: empty section; delete the key or write {}",
		}},
		{"unknown sections", "jubs: {}\nfoo: {}\n", []string{
			"config.yaml:1:1: jubs: unknown key; did you mean `jobs`?",
			"config.yaml:2:1: foo: unknown key; one of calendars, daemon, defaults, include, jobs, pools, retention, time_zone",
		}},
		{"sections of another kind", "pools: [a]\njobs: x\n", []string{
			"config.yaml:1:8: pools: expected a mapping of names, found a list",
			`config.yaml:2:7: jobs: expected a mapping of names, found "x"; write its keys below it, indented`,
		}},
		{"names", "jobs: {'123': {}, 'a b': {}, '': {}, -a: {}, \"a\\n\": {}}\n", []string{
			"config.yaml:1:8: jobs.123: a name cannot be all digits; it would be taken for the number of a run; add a letter",
			`config.yaml:1:19: jobs.a b: "a b" cannot be a name; names are letters, digits, dot, - and _, and begin with a letter or a digit`,
			`config.yaml:1:30: jobs.: "" cannot be a name; names are letters, digits, dot, - and _, and begin with a letter or a digit`,
			`config.yaml:1:38: jobs.-a: "-a" cannot be a name; names are letters, digits, dot, - and _, and begin with a letter or a digit`,
			`config.yaml:1:46: jobs."a\n": "a\n" cannot be a name; names are letters, digits, dot, - and _, and begin with a letter or a digit`,
		}},
		{"a long name", "jobs: {" + strings.Repeat("x", 64) + ": {}}\n", []string{
			"config.yaml:1:8: jobs." + strings.Repeat("x", 64) + ": the name is 64 characters long; 63 are allowed",
		}},
		{"pools", "pools:\n  a: {workers: -1}\n  b: {workers: 2, windows: [{at: '@reboot', workers: 3}, {at: x, workers: y}, {}]}\n  c: {}\n  d: {workers: 1, queue_limit: 0, on_shrink: stop}\njobs: {}\n", []string{
			`config.yaml:2:16: pools.a.workers: "-1" is not a number of workers; write 0, 1, 2, … or unlimited`,
			"config.yaml:3:34: pools.b.windows[0].at: @reboot begins no window; name times, such as 0 22 * * *",
			`config.yaml:3:63: pools.b.windows[1].at: schedule "x": has 1 of the five fields minute, hour, day of month, month, day of week (or six, with seconds first)`,
			`config.yaml:3:75: pools.b.windows[1].workers: "y" is not a number of workers; write 0, 1, 2, … or unlimited`,
			`config.yaml:3:79: pools.b.windows[2]: has no at; write {at: "0 22 * * *", workers: 40}`,
			`config.yaml:3:79: pools.b.windows[2]: has no workers; write {at: "0 22 * * *", workers: 40}`,
			"config.yaml:4:3: pools.c: has no workers; write workers: 4, or workers: unlimited",
			"config.yaml:5:32: pools.d.queue_limit: must be 1 or more",
			`config.yaml:5:46: pools.d.on_shrink: "stop" is not a choice here; one of finish, requeue, stop_newest, stop_oldest`,
		}},
		{"retention and zone", "time_zone: Foo/Bar\nretention: {age: 0s, runs: 0, output: 5, keep_per_job: -1}\n", []string{
			`config.yaml:1:12: time_zone: time zone "Foo/Bar" is not known; write a name such as Europe/Berlin or UTC`,
			"config.yaml:2:18: retention.age: must be above 0; write 1d to keep a day",
			"config.yaml:2:28: retention.runs: must be 1 or more",
			`config.yaml:2:39: retention.output: "5" has no unit; write 16MiB, 2GiB, 500kB or 100B`,
			"config.yaml:2:56: retention.keep_per_job: must be 0 or more",
		}},
		{"defaults are wrong once, however many jobs there are", "defaults: {timeout: 30, pool: x, foo: 1, with: {}, exec: {comand: x}, http: }\njobs: {a: {with: {command: [x]}}, b: {with: {command: [x]}}}\n", []string{
			`config.yaml:1:21: defaults.timeout: duration "30" lacks its unit; write 30s or 30m`,
			`config.yaml:1:31: defaults.pool: there is no pool "x"; one of default`,
			"config.yaml:1:34: defaults.foo: unknown key",
			"config.yaml:1:42: defaults.with: settings belong to a type; write defaults: {exec: {…}}",
			"config.yaml:1:59: defaults.exec.comand: unknown key; did you mean `command`?",
			"config.yaml:1:71: defaults.http: empty section; delete the key or write {}",
		}},
		{"circles of jobs", "jobs:\n  a: {after: {success: [b]}, with: {command: [x]}}\n  b: {after: {any: [c, a]}, with: {command: [x]}}\n  c: {after: {failure: [a]}, with: {command: [x]}}\n", []string{
			"config.yaml:3:24: jobs.b.after.any[1]: jobs set each other off forever: a → b → a; remove one of these",
			"config.yaml:4:25: jobs.c.after.failure[0]: jobs set each other off forever: a → c → b → a; remove one of these",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, errorLines(t, map[string]string{"config.yaml": tt.text})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Every key that the contract reserves is refused as such, wherever it stands.
func TestReservedKeysAreRefusedAsNotBuilt(t *testing.T) {
	for _, key := range reserved() {
		t.Run(key, func(t *testing.T) {
			words := strings.Split(strings.ReplaceAll(key, "*", "a"), ".")
			for i := range words {
				words[i] = "{" + words[i] + ": "
			}
			text := strings.Join(words, "") + "x" + strings.Repeat("}", len(words)) + "\n"
			got := errorLines(t, map[string]string{"config.yaml": text})
			found := false
			for _, line := range got {
				found = found || strings.HasSuffix(line, ": is not built yet in this version; remove it")
			}
			if !found {
				t.Errorf("%q gives %q, want it refused as not built", text, got)
			}
		})
	}
	got := errorLines(t, map[string]string{"config.yaml": "x-n: &n {expect_every: auto}\ndefaults: {ping: x, exec: {limits: {}}}\njobs: {a: {<<: *n, with: {command: [x]}}}\n"})
	want := []string{
		"config.yaml:1:10: jobs.a.expect_every: is not built yet in this version; remove it",
		"config.yaml:2:12: defaults.ping: is not built yet in this version; remove it",
		"config.yaml:2:28: defaults.exec.limits: is not built yet in this version; remove it",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsAsJSON(t *testing.T) {
	e := Error{File: "c.yaml", Line: 1, Column: 2, Key: "a.b", Message: "is wrong", Hint: "mend it"}
	got, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"file":"c.yaml","line":1,"column":2,"key":"a.b","message":"is wrong","hint":"mend it"}`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := e.Error(), "c.yaml:1:2: a.b: is wrong; mend it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAMissingFileIsAnError(t *testing.T) {
	got := errorLines(t, nil)
	if want := "config.yaml: there is no such file"; len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
