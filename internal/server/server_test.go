package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/run"
)

func problemIn(t *testing.T, body []byte) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("no problem: %v in %s", err, body)
	}
	return p
}

func TestErrorsOfTheBackend(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		status int
		code   string
		detail string
	}{
		"what is not there is 404":            {fmt.Errorf("run 9: %w", run.ErrNotFound), 404, api.CodeNotFound, "run 9: not found"},
		"a run in the way is 409":             {&run.ConflictError{Job: "nightly", Run: 12}, 409, api.CodeConflict, "run 12"},
		"a run that moved on is 409":          {run.ErrStale, 409, api.CodeStale, "no longer"},
		"a full queue is 429":                 {run.ErrQueueFull, 429, api.CodeQueueFull, "full"},
		"a batch's bad id is 422":             {fmt.Errorf("batch \"b9\": %w", run.ErrBatchKey), 422, api.CodeInvalid, "choose another id"},
		"a bad argument is 422":               {Invalid("the argument starts with -", "use --"), 422, api.CodeInvalid, "starts with -"},
		"a bad configuration is 422":          {InvalidConfig(make([]api.ConfigNote, 2)), 422, api.CodeConfigInvalid, "2 errors"},
		"what is not built is 501":            {&Error{Code: api.CodeUnsupported, Detail: "not built yet"}, 501, api.CodeUnsupported, "not built"},
		"a stopping daemon is 503":            {run.ErrClosed, 503, api.CodeUnavailable, "stopping"},
		"an error of the daemon's own is 500": {errors.New("disk on fire"), 500, api.CodeInternal, "disk on fire"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.err = test.err
			w := ask(t, f, "POST", "/api/v1/jobs/nightly/run", `{"arg":"x"}`)
			p := problemIn(t, w.Body.Bytes())
			if w.Code != test.status || p.Status != test.status || p.Code != test.code || !strings.Contains(p.Detail, test.detail) {
				t.Errorf("got %d %+v, want %d %s with %q", w.Code, p, test.status, test.code, test.detail)
			}
			if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("got type %s", got)
			}
		})
	}
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	for name, test := range map[string]struct {
		method, path, body string
		status             int
		want               string // in the detail or the hint
	}{
		"an unknown path":                   {"GET", "/api/v1/nonsense", "", 404, "nothing at /api/v1/nonsense"},
		"an unknown path outside":           {"GET", "/", "", 404, "openapi.json"},
		"a method that is not for the path": {"DELETE", "/api/v1/runs", "", 405, "DELETE is not for"},
		"a mistyped job":                    {"GET", "/api/v1/jobs/nightyl", "", 404, "did you mean nightly?"},
		"a mistyped job in a filter":        {"GET", "/api/v1/runs?job=nighty", "", 404, "did you mean nightly?"},
		"an id that is no number":           {"GET", "/api/v1/runs/abc", "", 422, "id"},
		"an id below 1":                     {"GET", "/api/v1/runs/0", "", 422, "id"},
		"an unknown parameter":              {"GET", "/api/v1/runs?statee=failed", "", 422, "statee"},
		"a query that is none":              {"GET", "/api/v1/runs?job=%zz", "", 400, "query"},
		"an unknown state":                  {"GET", "/api/v1/runs?state=fialed", "", 422, "state: expected value to be one of"},
		"an unknown state of a selection":   {"POST", "/api/v1/runs/cancel", `{"state":"fialed"}`, 422, "state: expected value to be one of"},
		"a start that has passed":           {"POST", "/api/v1/jobs/nightly/run", `{"at":"2020-01-02T03:04:05Z"}`, 422, "has passed"},
		"an end before its beginning":       {"GET", "/api/v1/runs?since=2026-03-02&until=2026-03-01", "", 422, "until is not after since"},
		"occurrences of no time":            {"GET", "/api/v1/occurrences?from=2026-03-02&until=2026-03-02", "", 422, "until is not after from"},
		"the status of nothing known":       {"GET", "/api/v1/status?of=b9", "", 404, `poold runs --batch "b9"`},
		"a page too large":                  {"GET", "/api/v1/runs?limit=1001", "", 422, "1000"},
		"a time that is none":               {"GET", "/api/v1/runs?since=whenever", "", 422, "since"},
		"a wait without a unit":             {"GET", "/api/v1/runs/1?wait=30", "", 422, "30s"},
		"a body that is no JSON":            {"POST", "/api/v1/jobs/nightly/run", "{", 400, ""},
		"an unknown key":                    {"POST", "/api/v1/jobs/nightly/run", `{"args":"x"}`, 422, "args"},
		"a body that is not UTF-8":          {"POST", "/api/v1/jobs/nightly/run", "{\"arg\":\"caf\xe9\"}", 400, "not UTF-8"},
		"a batch that is not UTF-8":         {"POST", "/api/v1/jobs/nightly/batch", "{\"lines\":[\"caf\xe9\"]}", 422, "not UTF-8"},
		"queue with force":                  {"POST", "/api/v1/jobs/nightly/run", `{"queue":true,"force":true}`, 422, "exclude"},
		"a batch of nothing":                {"POST", "/api/v1/jobs/nightly/batch", `{"lines":[]}`, 422, "no lines"},
		"an unknown key of a batch":         {"POST", "/api/v1/jobs/nightly/batch", `{"liens":[]}`, 422, "liens"},
		"a resize to nothing":               {"PATCH", "/api/v1/pools/default", `{}`, 422, "workers or reset"},
		"a resize both ways":                {"PATCH", "/api/v1/pools/default", `{"workers":1,"reset":true}`, 422, "workers or reset"},
		"a negative size":                   {"PATCH", "/api/v1/pools/default", `{"workers":-1}`, 422, "workers"},
		"a size beyond reason":              {"PATCH", "/api/v1/pools/default", `{"workers":99999999}`, 422, "workers"},
		"an unknown shrink":                 {"PATCH", "/api/v1/pools/default", `{"workers":1,"on_shrink":"kill"}`, 422, "finish"},
		"a pause for a bare number":         {"POST", "/api/v1/pause", `{"for":"5"}`, 422, "5m"},
		"a pause for no time":               {"POST", "/api/v1/pause", `{"for":"0s"}`, 422, "leave it out"},
		"a size for no time":                {"PATCH", "/api/v1/pools/default", `{"workers":1,"for":"0s"}`, 422, "leave it out"},
		"an empty selection":                {"POST", "/api/v1/runs/cancel", `{}`, 422, "nothing is selected"},
		"a selection both ways":             {"POST", "/api/v1/runs/cancel", `{"ids":[1],"job":"nightly"}`, 422, "not both"},
		"a cancel of what is done":          {"POST", "/api/v1/runs/cancel", `{"state":"failed"}`, 422, "queued or running"},
		"an action of unknown name":         {"POST", "/api/v1/runs/1/explode", "", 404, "nothing at"},
		"an attempt that never was":         {"GET", "/api/v1/runs/1/output?attempt=3", "", 404, "no attempt 3"},
		"a body over the limit":             {"POST", "/api/v1/jobs/nightly/run", `{"arg":"` + strings.Repeat("x", maxBody) + `"}`, 413, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.put(1, run.Succeeded, 1)
			w := ask(t, f, test.method, test.path, test.body)
			p := problemIn(t, w.Body.Bytes())
			if strings.Contains(p.Detail, "query.state") {
				t.Errorf("the framework's name of a parameter: %s", p.Detail)
			}
			if w.Code != test.status || p.Code == "" || !strings.Contains(p.Detail+p.Hint, test.want) {
				t.Errorf("got %d %+v, want %d with %q", w.Code, p, test.status, test.want)
			}
		})
	}
}

func TestTimesAreReadInTheConfiguredZone(t *testing.T) {
	f := newFake()
	ask(t, f, "GET", "/api/v1/occurrences?job=a&job=b&from=2026-03-01+10:00&until=2026-03-02", "")
	want := OccurrenceQuery{
		Jobs: []string{"a", "b"},
		From: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), Until: time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, f.query); diff != "" {
		t.Error(diff)
	}
	ask(t, f, "GET", "/api/v1/runs?state=failed,canceled&since=2026-03-01&limit=7&before=100", "")
	wantFilter := run.Filter{
		States: []run.State{run.Failed, run.Canceled}, Limit: 7, Before: 100,
		Since: time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(wantFilter, f.filter); diff != "" {
		t.Error(diff)
	}
}

func TestOccurrencesWithoutAnEndAreFivePerJob(t *testing.T) {
	f := newFake()
	ask(t, f, "GET", "/api/v1/occurrences", "")
	if f.query.Count != 5 || f.query.From.IsZero() {
		t.Errorf("got %+v", f.query)
	}
}

func TestResize(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		want ResizeRequest
	}{
		"to a number":            {`{"workers":8,"on_shrink":"requeue","for":"2h"}`, ResizeRequest{Workers: ptr(8), OnShrink: "requeue", For: 2 * time.Hour}},
		"to none":                {`{"workers":0}`, ResizeRequest{Workers: ptr(0)}},
		"null is unlimited":      {`{"workers":null}`, ResizeRequest{}},
		"back to the configured": {`{"reset":true}`, ResizeRequest{Reset: true}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			if w := ask(t, f, "PATCH", "/api/v1/pools/default", test.body); w.Code != 200 {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(test.want, f.resize); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestBodiesThatMayBeLeftOut(t *testing.T) {
	for _, path := range []string{
		"/jobs/nightly/run", "/jobs/nightly/pause", "/jobs/nightly/resume", "/pools/default/pause",
		"/pools/default/drain", "/pools/default/resume", "/pause", "/drain", "/resume", "/reload",
	} {
		if w := ask(t, newFake(), "POST", "/api/v1"+path, ""); w.Code/100 != 2 {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
	}
}

func TestABatchThatWasThereIs200(t *testing.T) {
	f := newFake()
	f.batches["b1"] = api.Batch{Batch: "b1"}
	for id, want := range map[string]int{"b1": http.StatusOK, "new": http.StatusCreated} {
		w := ask(t, f, "POST", "/api/v1/jobs/nightly/batch", `{"lines":["a","b"],"id":"`+id+`"}`)
		if w.Code != want {
			t.Errorf("batch %s: got %d, want %d: %s", id, w.Code, want, w.Body)
		}
	}
}

func TestAPanicIsAProblem(t *testing.T) {
	f := newFake()
	b := f.backend()
	b.Jobs = nil // a nil interface: the call panics
	s := New(Options{Backend: b, Hub: f.hub, Log: quiet()})
	w := record(t, s, "GET", "/api/v1/jobs")
	p := problemIn(t, w.Body.Bytes())
	if w.Code != 500 || p.Code != api.CodeInternal || strings.Contains(p.Detail, "nil") {
		t.Errorf("got %d %+v", w.Code, p)
	}
}

func TestTheDescriptionNamesEveryEndpoint(t *testing.T) {
	w := ask(t, newFake(), "GET", "/api/v1/openapi.json", "")
	var doc struct {
		Paths      map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"get /runs", "get /runs/{id}", "get /runs/{id}/output", "get /jobs", "get /jobs/{name}", "get /jobs/{name}/definition",
		"get /pools", "get /pools/{name}", "get /batches/{id}", "get /occurrences", "get /status", "get /events",
		"post /jobs/{name}/run", "post /jobs/{name}/batch", "post /jobs/{name}/pause", "post /jobs/{name}/resume",
		"post /runs/{id}/cancel", "post /runs/{id}/retry", "post /runs/{id}/bump",
		"post /runs/cancel", "post /runs/retry", "post /runs/bump",
		"post /pools/{name}/pause", "post /pools/{name}/resume", "post /pools/{name}/drain", "patch /pools/{name}",
		"post /reload", "post /pause", "post /resume", "post /drain",
	} {
		method, path, _ := strings.Cut(want, " ")
		if doc.Paths[api.Prefix+path][method] == nil {
			t.Errorf("%s is not described", want)
		}
	}
	for _, schema := range []string{"Run", "Pool", "Job", "Occurrence", "Batch", "Problem"} {
		if doc.Components.Schemas[schema] == nil {
			t.Errorf("schema %s is missing", schema)
		}
	}
	if doc.Components.Schemas["ErrorModel"] != nil {
		t.Error("errors are described in the framework's form, not in ours")
	}
}
