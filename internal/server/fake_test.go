package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/run"
)

// fake is a backend in memory, for what the handlers themselves do: the wire
// form, the table of errors and the waiting.
type fake struct {
	hub *Hub

	mu      sync.Mutex
	runs    map[int64]api.RunDetail
	batches map[string]api.Batch
	output  map[int64]string
	calls   []string
	err     error // what the next call returns
	filter  run.Filter
	query   OccurrenceQuery
	why     WhyQuery
	resize  ResizeRequest
	start   StartRequest
	hold    Hold
}

func newFake() *fake {
	return &fake{hub: &Hub{}, runs: map[int64]api.RunDetail{}, batches: map[string]api.Batch{}, output: map[int64]string{}}
}

func (f *fake) backend() Backend {
	return Backend{Runs: f, Stats: f, Actions: f, Jobs: f, Why: f, Starter: f, JobHold: f, Pools: f, Control: f, Host: f, Hold: f}
}

func (f *fake) Why(_ context.Context, job string, q WhyQuery) (api.Why, error) {
	f.mu.Lock()
	f.why = q
	f.mu.Unlock()
	return api.Why{Job: job}, f.note("why %s", job)
}

func (f *fake) note(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.err
}

func (f *fake) called() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.calls, "; ")
}

// put stores a run and publishes it.
func (f *fake) put(id int64, state run.State, attempts int) {
	f.mu.Lock()
	r := run.Run{ID: id, Job: "nightly", Pool: "default", Type: "exec", State: state, Trigger: run.TriggerManual, Attempts: attempts}
	f.runs[id] = WireDetail(&r, nil)
	f.mu.Unlock()
	f.hub.Run(&r)
}

func (f *fake) Runs(_ context.Context, q run.Filter) ([]api.Run, error) {
	err := f.note("runs")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filter = q
	var list []api.Run
	for _, r := range f.runs {
		fits := q.Before == 0 || r.ID < q.Before
		if fits && (q.States == nil || slices.Contains(q.States, run.State(r.State))) && (q.Job == "" || q.Job == r.Job) {
			list = append(list, r.Run)
		}
	}
	slices.SortFunc(list, func(a, b api.Run) int { return int(b.ID - a.ID) })
	return list[:min(len(list), q.Limit)], err
}

func (f *fake) Run(_ context.Context, id int64) (api.RunDetail, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.runs[id]
	if !ok {
		return r, fmt.Errorf("run %d: %w", id, run.ErrNotFound)
	}
	return r, f.err
}

func (f *fake) Stats(_ context.Context, jobs []string, since, until time.Time) ([]run.Stats, error) {
	err := f.note("stats %q %v %v", jobs, since.UTC(), until.UTC())
	s := run.Stats{Job: "nightly", Runs: 3, Succeeded: 2, Failed: 1}
	s.Took.Add(time.Second)
	return []run.Stats{s}, err
}

func (f *fake) UsualTime(context.Context, string) (s run.Spread, err error) {
	s.Add(time.Minute)
	return s, nil
}

func (f *fake) Failing(_ context.Context, since time.Time) ([]api.Run, error) {
	return nil, f.note("failing since %s", since.UTC().Format(time.RFC3339))
}

func (f *fake) Output(_ context.Context, id int64, o OutputRequest) (io.ReadCloser, error) {
	err := f.note("output %d attempt %d lines %d follow %v", id, o.Attempt, o.Lines, o.Follow)
	f.mu.Lock()
	defer f.mu.Unlock()
	return io.NopCloser(strings.NewReader(strings.ReplaceAll(f.output[id], "#", strconv.Itoa(o.Attempt)))), err
}

func (f *fake) act(verb string, id int64) (api.Run, error) {
	err := f.note("%s %d", verb, id)
	r, missing := f.Run(context.Background(), id)
	if err == nil {
		err = missing
	}
	return r.Run, err
}

func (f *fake) Cancel(_ context.Context, id int64) (api.Run, error) { return f.act("cancel", id) }
func (f *fake) CancelAll(ctx context.Context, ids []int64) []error {
	errs := make([]error, len(ids))
	for i, id := range ids {
		_, errs[i] = f.Cancel(ctx, id)
	}
	return errs
}

func (f *fake) Retry(_ context.Context, id int64) (api.Run, error) { return f.act("retry", id) }
func (f *fake) Bump(_ context.Context, id int64) (api.Run, error)  { return f.act("bump", id) }

func (f *fake) Jobs(context.Context) ([]api.Job, error) {
	return []api.Job{{Name: "nightly", Schedule: []string{}, DefinedAt: api.Text("config.yaml:7")}}, f.note("jobs")
}

func (f *fake) Job(_ context.Context, name string) (api.Job, error) {
	if name != "nightly" {
		return api.Job{}, UnknownName("job", name, []string{"nightly"})
	}
	return api.Job{Name: name, Schedule: []string{}, DefinedAt: api.Text("config.yaml:7")}, f.note("job")
}

func (f *fake) Definition(_ context.Context, name string) (api.Definition, error) {
	return api.Definition{Job: name, Text: "type: exec # default\n"}, f.note("definition")
}

func (f *fake) Occurrences(_ context.Context, q OccurrenceQuery) ([]api.Occurrence, error) {
	f.query = q
	return nil, f.note("occurrences")
}

func (f *fake) StartRun(_ context.Context, job string, r StartRequest) (api.Run, error) {
	f.start = r
	return api.Run{ID: 17, Job: job, State: api.StateQueued}, f.note("run %s", job)
}

func (f *fake) StartBatch(_ context.Context, job string, r BatchRequest) (api.Batch, bool, error) {
	err := f.note("batch %s of %d", job, len(r.Lines))
	_, existing := f.batches[r.ID]
	return api.Batch{Batch: r.ID, Job: job, Total: len(r.Lines)}, existing, err
}

func (f *fake) Batch(_ context.Context, id string) (api.Batch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.batches[id]
	if !ok {
		return b, fmt.Errorf("batch %s: %w", id, run.ErrNotFound)
	}
	return b, nil
}

func (f *fake) PauseJob(_ context.Context, name string, h Hold) (api.Job, error) {
	f.hold = h
	return api.Job{Name: name, Paused: true}, f.note("pause job %s", name)
}

func (f *fake) ResumeJob(_ context.Context, name string) (api.Job, error) {
	return api.Job{Name: name}, f.note("resume job %s", name)
}

func (f *fake) Pools(context.Context) ([]api.Pool, error) {
	return []api.Pool{{Name: "default"}}, f.note("pools")
}

func (f *fake) Pool(_ context.Context, name string) (api.Pool, error) {
	if name != "default" {
		return api.Pool{}, UnknownName("pool", name, []string{"default"})
	}
	return api.Pool{Name: name, DefinedAt: api.Text("config.yaml:3")}, f.note("pool")
}

func (f *fake) ResizePool(_ context.Context, name string, r ResizeRequest) (api.Pool, error) {
	f.resize = r
	return api.Pool{Name: name, Workers: r.Workers}, f.note("resize %s", name)
}

func (f *fake) PausePool(_ context.Context, name string, h Hold) (api.Pool, error) {
	f.hold = h
	return api.Pool{Name: name, Paused: true}, f.note("pause pool %s", name)
}

func (f *fake) DrainPool(_ context.Context, name string, _ Hold) (api.Pool, error) {
	return api.Pool{Name: name, Draining: true}, f.note("drain pool %s", name)
}

func (f *fake) ResumePool(_ context.Context, name string) (api.Pool, error) {
	return api.Pool{Name: name}, f.note("resume pool %s", name)
}

func (f *fake) Status(context.Context) (api.Status, error) {
	return api.Status{Version: "test"}, f.note("status")
}

func (f *fake) HeldBack(_ context.Context, kind, name string) ([]string, error) {
	return []string{kind + " " + name + " is held back"}, nil
}

func (f *fake) Reload(_ context.Context, dry bool) (api.Reload, error) {
	return api.Reload{DryRun: dry}, f.note("reload")
}

func (f *fake) Zone() *time.Location { return time.FixedZone("test", 3600) }

func (f *fake) PauseAll(_ context.Context, h Hold) error { f.hold = h; return f.note("pause all") }
func (f *fake) DrainAll(context.Context, Hold) error     { return f.note("drain all") }
func (f *fake) ResumeAll(context.Context) error          { return f.note("resume all") }

// serve starts a server on a socket and returns a client of it.
func serve(t *testing.T, f *fake) (*Server, *api.Client) {
	t.Helper()
	s := New(Options{Backend: f.backend(), Hub: f.hub, Log: slog.New(slog.DiscardHandler), Version: "test"})
	socket := filepath.Join(t.TempDir(), "run", "poold.sock")
	ln, err := Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	client := api.New(socket)
	t.Cleanup(func() {
		client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s, client
}

// ask sends one request to the handler.
func ask(t *testing.T, f *fake, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	s := New(Options{Backend: f.backend(), Hub: f.hub, Log: slog.New(slog.DiscardHandler), Version: "test"})
	var content io.Reader = http.NoBody
	if body != "" {
		content = strings.NewReader(body)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, content))
	return w
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func record(t *testing.T, s *Server, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
	return w
}

// verbs lists what was done to runs, sorted where the order is free.
func (f *fake) verbs(free bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var done []string
	for _, call := range f.calls {
		if verb, _, _ := strings.Cut(call, " "); verb == "cancel" || verb == "retry" || verb == "bump" {
			done = append(done, call)
		}
	}
	if free {
		slices.Sort(done)
	}
	return strings.Join(done, "; ")
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
