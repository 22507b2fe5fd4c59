package cli

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	queuedRun    = `{"id":17,"job":"nightly","pool":"default","state":"queued","trigger":"manual"}`
	succeededRun = `{"id":17,"job":"nightly","state":"succeeded","attempts":1,"started_at":"2026-01-02T03:04:05Z","finished_at":"2026-01-02T03:04:08.5Z","history":[]}`
	failedRun    = `{"id":17,"job":"nightly","state":"failed","reason":"exit","exit_code":3,"error":"exit status 3","attempts":1,"started_at":"2026-01-02T03:04:05Z","finished_at":"2026-01-02T03:04:08Z","output_bytes":2048,"history":[{"attempt":1,"worker":0,"outcome":"exit","exit_code":3,"output_bytes":2048}]}`
	conflict     = `409 {"status":409,"code":"conflict","detail":"run 12 of job nightly is not done","hint":"--queue waits for it, --force runs beside it","run":12}`
	doneBatch    = `{"batch":"b1","job":"crawl","total":3,"succeeded":3,"wall":"10.07s","ideal":"10s"}`
)

func TestExitStatusAndWhatIsPrinted(t *testing.T) {
	answers := map[string]string{
		"POST /jobs/nightly/run":       "201 " + queuedRun,
		"POST /jobs/busy/run":          conflict,
		"POST /jobs/nightyl/run":       `404 {"status":404,"code":"not_found","detail":"there is no job \"nightyl\"","hint":"did you mean nightly?"}`,
		"POST /jobs/broken/run":        `500 {"status":500,"code":"internal","detail":"disk full"}`,
		"POST /jobs/elsewhere/run":     "502 <html>not poold</html>",
		"POST /jobs/crawl/batch":       `201 {"batch":"b1","job":"crawl","total":2,"queued":2}`,
		"POST /jobs/again/batch":       "200 " + doneBatch,
		"GET /batches/b1":              "200 " + doneBatch,
		"GET /runs/17":                 "200 " + failedRun,
		"GET /runs/18":                 "200 " + succeededRun,
		"GET /runs/17/output":          "200 one\ntwo\n",
		"GET /runs":                    `200 {"runs":[` + failedRun + `]}`,
		"POST /runs/cancel":            `200 {"count":1,"runs":[` + queuedRun + `],"refused":[{"id":5,"code":"stale","detail":"the run is no longer in that state"},{"id":6,"code":"not_found","detail":"run 6: not found"}]}`,
		"POST /runs/retry":             `200 {"count":1,"runs":[{"id":40,"state":"queued"}],"refused":[]}`,
		"POST /runs/bump":              `200 {"count":0,"runs":[],"refused":[]}`,
		"GET /pools":                   `200 {"pools":[{"name":"default","workers":4,"busy":1,"failed":2},{"name":"wide","workers":null,"by_hand":true,"configured_workers":3}]}`,
		"PATCH /pools/default":         `200 {"name":"default","workers":8,"by_hand":true,"configured_workers":4}`,
		"GET /pools/default":           `200 {"name":"default","workers":4,"paused":true}`,
		"POST /pools/default/drain":    `200 {"name":"default","workers":4,"paused":true,"draining":true}`,
		"POST /pools/default/pause":    `200 {"name":"default","workers":4,"paused":true,"pause_reason":"disk"}`,
		"POST /pause":                  `200 {"host":"h","paused":true,"pause_reason":"maintenance"}`,
		"POST /drain":                  `200 {"host":"h","paused":true,"draining":true}`,
		"GET /status":                  `200 {"host":"h","version":"v9","uptime":"1h3m","pools":[{"name":"default","workers":4,"paused":true}],"running":[` + queuedRun + `],"paused":true}`,
		"GET /jobs":                    `200 {"jobs":[{"name":"nightly","schedule":["30 2 * * *"],"enabled":true,"last_run":` + failedRun + `}]}`,
		"GET /jobs/nightly/definition": `200 {"job":"nightly","text":"type: exec   # default\n"}`,
		"POST /jobs/nightly/pause":     `200 {"name":"nightly","paused":true}`,
		"GET /occurrences":             `200 {"occurrences":[{"job":"nightly","at":"2026-03-29T03:00:00+02:00","mark":"dst_gap"}]}`,
		"POST /reload":                 `200 {"at":"2026-01-02T03:04:05Z","trigger":"api","plan":{"jobs_added":["a","b"],"pools_resized":[{"pool":"wide","from":3,"to":null}],"needs_restart":["daemon.socket"]}}`,
	}
	s := newStub(t, answers)
	for name, test := range map[string]struct {
		args           string
		stdin          string
		status         int
		stdout, stderr string // stdout exactly, stderr in part
		request        string // in part, of the last
	}{
		"run prints the number alone":         {args: "run nightly", stdout: "17\n", request: "POST /jobs/nightly/run? {}"},
		"run takes an argument, even empty":   {args: "run nightly --arg= --priority=-3 --at +2h --queue", stdout: "17\n", request: `{"arg":"","priority":-3,"at":"+2h","queue":true}`},
		"a run in the way is 1 and named":     {args: "run busy", status: 1, stderr: "run 12 of job nightly is not done\n  hint: --queue waits for it, --force runs beside it\n"},
		"queue and force exclude each other":  {args: "run nightly --queue --force", status: 2, stderr: "exclude"},
		"an unknown job is 1, with a guess":   {args: "run nightyl", status: 1, stderr: "did you mean nightly?"},
		"an error of the daemon's own is 1":   {args: "run broken", status: 1, stderr: "disk full\n  hint: the daemon's log"},
		"something else at the socket is 1":   {args: "run elsewhere", status: 1, stderr: "502 Bad Gateway: <html>"},
		"a run that fails under wait is 1":    {args: "run nightly --wait", status: 1, stdout: "17\n", stderr: "nightly: run 17 failed after 3s (exit 3): exit status 3"},
		"follow leaves stdout to the output":  {args: "run nightly --follow", status: 1, stdout: "one\ntwo\n", stderr: "run 17\n"},
		"wait of a success is 0":              {args: "wait 18", stdout: "nightly: run 17 succeeded after 3.5s\n"},
		"wait of one failure among them is 1": {args: "wait 18 17", status: 1, stdout: "nightly: run 17 succeeded after 3.5s\nnightly: run 17 failed after 3s (exit 3): exit status 3\n"},
		"wait for a batch prints the summary": {args: "wait --batch b1", stdout: "b1: 3 runs, 3 succeeded, 0 failed; wall 10.1s, ideal 10s, 0.7 % above ideal\n"},
		"batch prints the name alone":         {args: "batch crawl", stdin: "a\nb", stdout: "b1\n", request: `{"lines":["a","b"]}`},
		"batch drops CR and empty lines":      {args: "batch crawl --id k", stdin: "a\r\n\r\n\n b \r\n", stdout: "b1\n", stderr: "2 empty lines passed over", request: `{"lines":["a"," b "],"id":"k"}`},
		"a batch of nothing is bad usage":     {args: "batch crawl", stdin: "\n\n", status: 2, stderr: "standard input holds no lines"},
		"a batch from no file is bad usage":   {args: "batch crawl --file /nowhere/x", status: 2, stderr: "/nowhere/x"},
		"a batch that was there is said":      {args: "batch again", stdin: "a", stdout: "b1\n", stderr: "was there already"},
		"a line that is not UTF-8 is named":   {args: "batch crawl", stdin: "a\ncaf\xe9\n", status: 2, stderr: "line 2 of standard input is not UTF-8: \"caf\\xe9\"\n  hint: "},
		"an argument that is not UTF-8":       {args: "run nightly --arg caf\xe9", status: 2, stderr: "--arg is not UTF-8"},
		"batch with wait ends with a summary": {args: "batch crawl --wait", stdin: "a\nb", stdout: "b1\n", stderr: "0.7 % above ideal"},
		"progress always draws a bar":         {args: "batch crawl --wait --progress always", stdin: "a\nb", stdout: "b1\n", stderr: "crawl"},
		"progress of an unknown kind":         {args: "batch crawl --progress maybe", stdin: "a", status: 2, stderr: "auto, always or never"},
		"logs copies the output":              {args: "logs 17 --lines 2", stdout: "one\ntwo\n", request: "lines=2"},
		"logs of a job is of its last run":    {args: "logs nightly", stdout: "one\ntwo\n"},
		"logs since is not for one run":       {args: "logs 17 --since yesterday", status: 2, stderr: "--since"},
		"what was refused is told, and 1":     {args: "cancel 17 5", status: 1, stdout: "nightly: run 17 canceled\n", stderr: "run 5: the run is no longer in that state\npoold: run 6: not found\n", request: `{"ids":[17,5]}`},
		"retry prints the new number":         {args: "retry 17", stdout: "40\n"},
		"a selection is not done unasked":     {args: "cancel --job nightly", status: 2, stderr: "would cancel 1 run, and there is no terminal", request: `"dry_run":true`},
		"with yes it is":                      {args: "retry --job nightly --yes", stdout: "40\n", request: `{"job":"nightly"}`},
		"a selection of nothing is done":      {args: "bump --pool default", stderr: "no runs are selected"},
		"numbers and selection at once":       {args: "cancel 17 --job nightly", status: 2, stderr: "not both"},
		"no runs named":                       {args: "cancel", status: 2, stderr: "no runs are named"},
		"a run that is no number":             {args: "cancel nightly", status: 2, stderr: `"nightly" is no run`},
		"pools are a table":                   {args: "pools", stdout: "POOL     WORKERS    BUSY  QUEUED  OLDEST  SUCCEEDED  FAILED  NOTE\ndefault  4          1     0       -       0          2       -\nwide     unlimited  0     0       -       0          0       by hand, configured 3\n"},
		"resize to a number":                  {args: "pool resize default 8 --for 2h", stdout: "pool default: 8 workers, 0 busy, 0 queued; by hand, configured 4\n", request: `{"for":"2h","workers":8}`},
		"resize to unlimited is null":         {args: "pool resize default unlimited", stdout: "pool default: 8 workers, 0 busy, 0 queued; by hand, configured 4\n", request: `{"workers":null}`},
		"resize back":                         {args: "pool resize default --reset", stdout: "pool default: 8 workers, 0 busy, 0 queued; by hand, configured 4\n", request: `{"reset":true}`},
		"resize to a word":                    {args: "pool resize default many", status: 2, stderr: `"many" is no size`},
		"resize to less than nothing":         {args: "pool resize default -3", status: 2, stderr: "hint: no number here is below 0"},
		"resize to nothing":                   {args: "pool resize default", status: 2, stderr: "takes a pool and a size"},
		"a drain is awaited":                  {args: "pool drain default --wait", stdout: "pool default: 4 workers, 0 busy, 0 queued; paused\n", request: "GET /pools/default"},
		"a pause gives its reason":            {args: "pool pause default --reason disk", stdout: "pool default: 4 workers, 0 busy, 0 queued; paused: disk\n", request: `{"reason":"disk"}`},
		"pause wants all":                     {args: "pause", status: 2, stderr: "wants --all"},
		"pause all":                           {args: "pause --all --for 1h", stdout: "host h is paused: maintenance; 0 runs going on\n", request: `{"for":"1h"}`},
		"the host's drain is awaited":         {args: "drain --wait", stdout: "host h is paused; 1 run going on\n"},
		"cat prints the text":                 {args: "cat nightly", stdout: "type: exec   # default\n"},
		"a job is paused":                     {args: "job pause nightly", stdout: "job nightly is paused\n"},
		"reload prints the plan in words":     {args: "reload", stdout: "reloaded; changed:\n  jobs added: a, b\n  pool resized: wide, from 3 to unlimited\n  needs a restart: daemon.socket\n"},
		"reload may only say it":              {args: "reload --dry-run", stdout: "reloaded; changed:\n  jobs added: a, b\n  pool resized: wide, from 3 to unlimited\n  needs a restart: daemon.socket\n", request: "dry_run=true"},
		"version":                             {args: "version", stdout: "poold v1.2.3\n"},
		"an unknown command is bad usage":     {args: "rnu nightly", status: 2, stderr: "did you mean run?"},
		"an unknown flag is bad usage":        {args: "run nightly --now", status: 2, stderr: "unknown flag"},
		"too few arguments are bad usage":     {args: "run", status: 2, stderr: "accepts 1 arg"},
		"what is not built says so":           {args: "import crontab x --system", status: 2, stderr: "import is not built yet"},
		"top is not built":                    {args: "top", status: 2, stderr: "not built yet"},
		"serve listen is not built":           {args: "serve --listen :80", status: 2, stderr: "--listen is not built yet"},
	} {
		t.Run(name, func(t *testing.T) {
			got := invoke(t, s.socket, test.stdin, strings.Fields(test.args)...)
			if got.status != test.status {
				t.Errorf("status %d, want %d; stderr %s", got.status, test.status, got.stderr)
			}
			if diff := cmp.Diff(test.stdout, got.stdout); diff != "" {
				t.Errorf("stdout: %s", diff)
			}
			if !strings.Contains(got.stderr, test.stderr) {
				t.Errorf("stderr %q does not hold %q", got.stderr, test.stderr)
			}
			if all := s.asked(); !strings.Contains(all[strings.LastIndex(all, "\n")+1:], test.request) {
				t.Errorf("last request %q does not hold %q", all[strings.LastIndex(all, "\n")+1:], test.request)
			}
		})
	}
	t.Run("with json it is one document, and nothing else", func(t *testing.T) {
		for _, args := range []string{
			"run nightly", "run nightly --wait", "run nightly --wait --follow", "batch crawl", "batch crawl --wait", "batch crawl --wait --progress always",
			"runs", "runs --limit 0", "ps", "failed", "show 17", "logs 17", "logs nightly --since -1h", "cancel 17", "retry 17", "bump 17",
			"bump --pool default", "wait 17 18", "wait --batch b1", "pools", "pool resize default 8", "pool pause default", "pool drain default --wait",
			"jobs", "cat nightly", "job pause nightly", "pause --all", "drain", "drain --wait", "status", "next", "reload", "version",
		} {
			got := invoke(t, s.socket, "a\n\nb", append(strings.Fields(args), "--json")...)
			decoder := json.NewDecoder(strings.NewReader(got.stdout))
			var document any
			if err := decoder.Decode(&document); err != nil {
				t.Errorf("%s: %v in %q (%s)", args, err, got.stdout, got.stderr)
				continue
			}
			if _, err := decoder.Token(); err != io.EOF {
				t.Errorf("%s: more than a document: %q", args, got.stdout)
			}
		}
	})
	t.Run("without a daemon every client command is 3", func(t *testing.T) {
		for _, args := range []string{
			"run nightly", "batch crawl", "runs", "ps", "failed", "show 17", "logs 17", "logs nightly", "cancel 17", "retry 17", "bump --job j --yes",
			"wait 17", "wait --batch b1", "pools", "pool resize p 8", "pool resume p", "jobs", "cat j", "job pause j", "pause --all", "resume --all", "drain",
			"status", "status j", "next", "reload",
		} {
			got := invoke(t, "", "a", strings.Fields(args)...)
			if got.status != 3 || got.stdout != "" || !strings.Contains(got.stderr, "nobody.sock") || !strings.Contains(got.stderr, "systemctl status poold") {
				t.Errorf("%s: got %+v", args, got)
			}
		}
	})
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestAResultThatCannotBeWrittenIsAFailure(t *testing.T) {
	s := newStub(t, map[string]string{
		"POST /jobs/nightly/run": "201 " + queuedRun, "GET /runs": `200 {"runs":[` + failedRun + `]}`,
		"GET /runs/17": "200 " + failedRun, "GET /runs/17/output": "200 one\n",
	})
	for _, args := range []string{"run nightly", "run nightly --json", "runs", "runs --json", "show 17", "logs 17", "version", "--help"} {
		var stderr strings.Builder
		status := Main(t.Context(), Process{
			Args: strings.Fields(args), Stdout: full{}, Stderr: &stderr, Stdin: strings.NewReader(""),
			Getenv: func(string) string { return s.socket },
		})
		if status != exitFailed || strings.Count(stderr.String(), "no space left on device") != 1 {
			t.Errorf("%s: got status %d and %q", args, status, &stderr)
		}
	}
}

func TestAnInterruptDetaches(t *testing.T) {
	for args, want := range map[string]string{
		"run nightly --wait": "run 17 goes on; poold logs 17 --follow",
		"batch crawl --wait": "batch b1 goes on; poold wait --batch b1",
		"wait 17":            "1 run not final yet",
	} {
		t.Run(args, func(t *testing.T) {
			s := newStub(t, map[string]string{
				"POST /jobs/nightly/run": "201 " + queuedRun,
				"POST /jobs/crawl/batch": `201 {"batch":"b1","job":"crawl","total":2,"queued":2}`,
			})
			s.onWait = func() { _ = syscall.Kill(os.Getpid(), syscall.SIGINT) }
			got := invoke(t, s.socket, "a", strings.Fields(args)...)
			if got.status != 1 || !strings.Contains(got.stderr, want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestWhereTheDaemonIsLookedFor(t *testing.T) {
	own := t.TempDir()
	if err := os.MkdirAll(filepath.Join(own, "poold"), 0o755); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(own, "poold", "poold.sock")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		flag string
		env  map[string]string
		want string
	}{
		"the flag wins":                       {"/f", map[string]string{"POOLD_SOCKET": "/e", "XDG_RUNTIME_DIR": own}, "/f"},
		"then the environment":                {"", map[string]string{"POOLD_SOCKET": "/e", "XDG_RUNTIME_DIR": own}, "/e"},
		"then the user's own, if it is there": {"", map[string]string{"XDG_RUNTIME_DIR": own}, there},
		"then the system's":                   {"", map[string]string{"XDG_RUNTIME_DIR": "/nowhere"}, "/run/poold/poold.sock"},
	} {
		a := newApp(Process{Getenv: func(key string) string { return test.env[key] }})
		a.socket = test.flag
		if got := a.socketPath(); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestCheckAndNextNeedNoDaemon(t *testing.T) {
	good := writeFile(t, "time_zone: Europe/Berlin\njobs:\n  nightly:\n    with: {command: [/bin/true]}\n    schedule: \"30 2 * * *\"\n  idle:\n    with: {command: [/bin/true]}\n    schedule: \"@daily\"\n    enabled: false\n")
	bad := writeFile(t, "jobs:\n  nightly:\n    timeout: 30\n    pol: default\n    with: {command: [/bin/true]}\n")

	got := invoke(t, "", "", "check", good)
	if got.status != 0 || !strings.Contains(got.stdout, "is good: 2 jobs, 1 pool") {
		t.Errorf("good: %+v", got)
	}
	got = invoke(t, "", "", "check", bad)
	if got.status != 2 || !strings.Contains(got.stdout, bad+":3:14: jobs.nightly.timeout: ") || !strings.Contains(got.stdout, bad+":4:5: jobs.nightly.pol: ") {
		t.Errorf("bad: %+v", got)
	}
	got = invokeEnv(t, map[string]string{"POOLD_CONFIG": bad}, "", "check", "--json")
	var doc struct{ Errors []map[string]any }
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.status != 2 || len(doc.Errors) != 2 || doc.Errors[0]["line"] != 3.0 || doc.Errors[0]["hint"] == nil {
		t.Errorf("json: %v %+v", err, got)
	}
	if got = invoke(t, "", "", "check", good, "--json"); got.stdout != "{\n  \"errors\": [],\n  \"warnings\": []\n}\n" {
		t.Errorf("json of a good one: %+v", got)
	}
	if got = invoke(t, "", "", "check", "/nowhere.yaml"); got.status != 2 {
		t.Errorf("a missing one: %+v", got)
	}

	// Both ends of a day with a gap: the first is listed, the last is not.
	got = invoke(t, "", "", "next", "--config", good, "--from", "2026-03-28 02:30", "--until", "2026-03-30 02:30", "--json")
	var next struct {
		Occurrences []struct{ Job, At, Mark string }
	}
	if err := json.Unmarshal([]byte(got.stdout), &next); err != nil {
		t.Fatalf("%v in %+v", err, got)
	}
	want := []struct{ Job, At, Mark string }{
		{"nightly", "2026-03-28T02:30:00+01:00", ""}, {"nightly", "2026-03-29T03:00:00+02:00", "dst_gap"},
	}
	if diff := cmp.Diff(want, next.Occurrences); diff != "" {
		t.Error(diff)
	}
	if got = invoke(t, "", "", "next", "--config", good, "--count", "7"); strings.Count(got.stdout, "nightly") != 7 || strings.Contains(got.stdout, "idle") {
		t.Errorf("count: %+v", got)
	}
	if got = invoke(t, "", "", "next", "--config", good); strings.Count(got.stdout, "nightly") != 5 {
		t.Errorf("without a count: %+v", got)
	}
	if got = invoke(t, "", "", "next", "nihgtly", "--config", good); got.status != 1 || !strings.Contains(got.stderr, "did you mean nightly?") {
		t.Errorf("an unknown job: %+v", got)
	}
	if got = invoke(t, "", "", "next", "--config", bad); got.status != 2 || !strings.Contains(got.stderr, "jobs.nightly.pol") {
		t.Errorf("a bad one: %+v", got)
	}
	if got = invoke(t, "", "", "next", "--config", good, "--from", "whenever"); got.status != 2 {
		t.Errorf("a bad time: %+v", got)
	}
}

func TestAReloadOfABadConfiguration(t *testing.T) {
	s := newStub(t, map[string]string{"POST /reload": `422 {"status":422,"code":"config_invalid","detail":"the configuration has an error","errors":[{"file":"config.yaml","line":3,"column":5,"key":"jobs.a.pol","message":"unknown key","hint":"did you mean pool"}]}`})
	got := invoke(t, s.socket, "", "reload")
	if got.status != 2 || !strings.HasPrefix(got.stderr, "config.yaml:3:5: jobs.a.pol: unknown key; did you mean pool\n") {
		t.Errorf("got %+v", got)
	}
	got = invoke(t, s.socket, "", "reload", "--json")
	if got.status != 2 || !strings.Contains(got.stdout, `"key": "jobs.a.pol"`) {
		t.Errorf("got %+v", got)
	}
}

func TestNamesAreCompleted(t *testing.T) {
	s := newStub(t, map[string]string{
		"GET /jobs":  `200 {"jobs":[{"name":"nightly"},{"name":"crawl"}]}`,
		"GET /pools": `200 {"pools":[{"name":"wide"}]}`,
		"GET /runs":  `200 {"runs":[` + queuedRun + `]}`,
	})
	for args, want := range map[string]string{
		"run":              "nightly\ncrawl\n:4\n",
		"cancel":           "17\tnightly queued\n:4\n",
		"pool drain":       "wide\n:4\n",
		"runs --pool":      "wide\n:4\n",
		"batch --progress": "auto\nalways\nnever\n:4\n",
	} {
		got := invoke(t, s.socket, "", append(append([]string{"__complete"}, strings.Fields(args)...), "")...)
		if got.stdout != want {
			t.Errorf("%s: got %q, want %q", args, got.stdout, want)
		}
	}
	if got := invoke(t, "", "", "__complete", "run", ""); !strings.HasPrefix(got.stdout, ":") {
		t.Errorf("without a daemon: %+v", got)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if got := invoke(t, "", "", "completion", shell); got.status != 0 || !strings.Contains(got.stdout, "poold") {
			t.Errorf("%s: %+v", shell, got)
		}
	}
	if got := invoke(t, "", "", "completion", "tcsh"); got.status != 2 {
		t.Errorf("tcsh: %+v", got)
	}
}

func TestHelpGroupsTheCommands(t *testing.T) {
	got := invoke(t, "", "", "--help")
	for _, want := range []string{"Look:", "Act on runs:", "Jobs, pools and the host:", "Configuration:", "Exit status: 0 done"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(got.stdout, "Additional Commands") || strings.Contains(got.stdout, "backup") && strings.Contains(got.stdout, "  backup") {
		t.Errorf("commands outside the groups, or unbuilt ones:\n%s", got.stdout)
	}
}
