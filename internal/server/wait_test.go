package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/run"
)

func TestAWaitAnswersWhenTheRunIsFinal(t *testing.T) {
	f := newFake()
	f.put(1, run.Queued, 0)
	_, client := serve(t, f)
	got := make(chan api.RunDetail, 1)
	go func() {
		r, err := client.WaitRun(t.Context(), 1)
		if err != nil {
			t.Error(err)
		}
		got <- r
	}()
	awaitWatched(t, f.hub)
	f.put(1, run.Running, 1)
	awaitWatched(t, f.hub)
	f.put(1, run.Succeeded, 1)
	if r := <-got; r.State != api.StateSucceeded {
		t.Errorf("got %s", r.State)
	}
}

// awaitWatched waits until somebody waits at the hub.
func awaitWatched(t *testing.T, h *Hub) {
	t.Helper()
	awaitWatchers(t, h, 1)
}

func awaitWatchers(t *testing.T, h *Hub, n int64) {
	t.Helper()
	for h.watched.Load() < n {
		select {
		case <-t.Context().Done():
			t.Fatal("nobody came to wait")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestAWaitEndsAfterItsTime(t *testing.T) {
	f := newFake()
	f.put(1, run.Queued, 0)
	w := ask(t, f, "GET", "/api/v1/runs/1?wait=10ms", "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"state":"queued"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if left := f.hub.watched.Load(); left != 0 || len(f.hub.waiters) != 0 {
		t.Errorf("%d watchers and %d waiters are left", left, len(f.hub.waiters))
	}
}

func TestAWaitForABatch(t *testing.T) {
	f := newFake()
	f.batches["b1"] = api.Batch{Batch: "b1", Total: 2, Running: 2}
	_, client := serve(t, f)
	got := make(chan api.Batch, 1)
	go func() {
		b, err := client.Batch(t.Context(), "b1", time.Minute)
		if err != nil {
			t.Error(err)
		}
		got <- b
	}()
	awaitWatched(t, f.hub)
	f.mu.Lock()
	f.batches["b1"] = api.Batch{Batch: "b1", Total: 2, Succeeded: 2}
	f.mu.Unlock()
	f.hub.Batch("b1")
	if b := <-got; !b.Done() {
		t.Errorf("got %+v", b)
	}
}

func TestShutdownEndsWhatWaits(t *testing.T) {
	f := newFake()
	f.put(1, run.Running, 1)
	s, client := serve(t, f)
	answered := make(chan error, 2)
	go func() {
		_, err := client.WaitRun(t.Context(), 1)
		answered <- err
	}()
	go func() {
		out, err := client.Output(t.Context(), 1, api.OutputQuery{Follow: true})
		if err == nil {
			_, err = io.ReadAll(out)
		}
		answered <- err
	}()
	awaitWatchers(t, f.hub, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	for range 2 {
		if err := <-answered; err == nil {
			t.Error("a wait that the stop cut short passed for an end")
		}
	}
}

func TestOutput(t *testing.T) {
	for name, test := range map[string]struct {
		attempts int
		query    string
		want     string
		call     string
	}{
		"of the last attempt":             {2, "?lines=3", "attempt 2\n", "output 1 attempt 2 lines 3 follow false"},
		"of a given attempt":              {2, "?attempt=1", "attempt 1\n", "output 1 attempt 1 lines 0 follow false"},
		"of a run that never was started": {0, "", "", ""},
		"followed to the end":             {2, "?follow=true&lines=5", "attempt 2\n", "output 1 attempt 2 lines 5 follow true"},
		"followed, never started":         {0, "?follow=true", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.put(1, run.Failed, test.attempts)
			f.output[1] = "attempt #\n"
			w := ask(t, f, "GET", "/api/v1/runs/1/output"+test.query, "")
			if w.Code != 200 || w.Body.String() != test.want || f.called() != test.call {
				t.Errorf("got %d %q by %q, want %q by %q", w.Code, w.Body, f.called(), test.want, test.call)
			}
		})
	}
}

func TestFollowingGoesOnThroughRetries(t *testing.T) {
	f := newFake()
	f.put(1, run.Queued, 0)
	f.output[1] = "attempt #\n"
	_, client := serve(t, f)
	out, err := client.Output(t.Context(), 1, api.OutputQuery{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	lines := bufio.NewScanner(out)
	for attempt, state := range []run.State{run.Running, run.Succeeded} {
		awaitWatched(t, f.hub)
		f.put(1, state, attempt+1)
		if want := fmt.Sprintf("attempt %d", attempt+1); !lines.Scan() || lines.Text() != want {
			t.Errorf("got %q, want %q", lines.Text(), want)
		}
	}
	if lines.Scan() {
		t.Errorf("more came after the end: %q", lines.Text())
	}
}

func TestSelections(t *testing.T) {
	for name, test := range map[string]struct {
		path, body string
		want       string
		count      int
	}{
		"cancel takes what is not final":    {"cancel", `{"job":"nightly"}`, "cancel 1; cancel 2", 2},
		"retry takes what failed, in order": {"retry", `{"job":"nightly"}`, "retry 3; retry 4", 2},
		"retry of what succeeded, if said":  {"retry", `{"state":"succeeded"}`, "retry 5", 1},
		"bump leaves the oldest in front":   {"bump", `{"ids":[2,1]}`, "bump 2; bump 1", 2},
		"a dry run does nothing":            {"cancel", `{"job":"nightly","dry_run":true}`, "", 2},
		"one that is gone is reported":      {"cancel", `{"ids":[1,99]}`, "cancel 1; cancel 99", 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			for id, state := range map[int64]run.State{1: run.Queued, 2: run.Running, 3: run.Failed, 4: run.Canceled, 5: run.Succeeded} {
				f.put(id, state, 1)
			}
			_, client := serve(t, f)
			var sel api.Selection
			decode(t, test.body, &sel)
			acted, err := client.ActAll(t.Context(), api.Action(test.path), sel)
			if err != nil {
				t.Fatal(err)
			}
			if acted.Count != test.count || len(acted.Runs)+len(acted.Refused) != strings.Count(test.want, ";")+boolInt(test.want != "") {
				t.Errorf("got %+v", acted)
			}
			if got := f.verbs(test.path == "cancel"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestASelectionOfManyPages(t *testing.T) {
	f := newFake()
	for id := range int64(2*api.MaxPage + 10) {
		f.put(id+1, run.Queued, 0)
	}
	_, client := serve(t, f)
	acted, err := client.ActAll(t.Context(), api.Cancel, api.Selection{State: "queued"})
	if err != nil || acted.Count != 2*api.MaxPage+10 || len(acted.Runs) != api.MaxPage {
		t.Errorf("got %d, %d runs, %v", acted.Count, len(acted.Runs), err)
	}
	seen := 0
	err = client.EachRun(t.Context(), api.RunsQuery{}, 0, func(api.Run) error { seen++; return nil })
	if err != nil || seen != 2*api.MaxPage+10 {
		t.Errorf("listed %d runs, %v", seen, err)
	}
	var ids []int64
	err = client.EachRun(t.Context(), api.RunsQuery{}, 3, func(r api.Run) error { ids = append(ids, r.ID); return nil })
	if diff := cmp.Diff([]int64{2010, 2009, 2008}, ids); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestInspect(t *testing.T) {
	f := newFake()
	f.put(7, run.Failed, 2)
	f.output[7] = "attempt # was \xff bad\n"
	_, client := serve(t, f)
	for name, want := range map[string]string{"7": "run 7", "nightly": "job nightly", "job/nightly": "job nightly", "default": "pool default", "pool/default": "pool default"} {
		s, err := client.Inspect(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{want + " is held back"}, s.HeldBack); diff != "" {
			t.Error(diff)
		}
		if s.Kind != "pool" && api.Or(s.Output, "") != "attempt 2 was \uFFFD bad\n" {
			t.Errorf("%s: output %q", name, api.Or(s.Output, ""))
		}
	}
	_, err := client.Inspect(t.Context(), "defaul")
	var p *api.Problem
	if !errors.As(err, &p) || p.Hint != "did you mean default?" {
		t.Errorf("got %+v", p)
	}
}

func TestEvents(t *testing.T) {
	f := newFake()
	s, _ := serve(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body, wait := eventBody(ctx, t, s)
	defer wait()
	awaitWatched(t, f.hub)
	f.put(3, run.Succeeded, 1)
	f.hub.Pool(api.Pool{Name: "default"})
	lines := bufio.NewScanner(body)
	var got []string
	for len(got) < 4 && lines.Scan() {
		if text := lines.Text(); text != "" && text[0] != ':' {
			text, _, _ = strings.Cut(text, ",")
			got = append(got, text)
		}
	}
	want := []string{"event: run", `data: {"id":3`, "event: pool", `data: {"name":"default"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	cancel()
}

// eventBody opens the stream of events over a connection of its own.
func eventBody(ctx context.Context, t *testing.T, s *Server) (io.Reader, func()) {
	t.Helper()
	here, there := io.Pipe()
	w := &pipeWriter{header: http.Header{}, to: there}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Handler().ServeHTTP(w, req)
		there.Close()
	}()
	return here, func() { here.Close(); <-done }
}

type pipeWriter struct {
	header http.Header
	to     io.Writer
}

func (w *pipeWriter) Header() http.Header         { return w.header }
func (w *pipeWriter) Write(p []byte) (int, error) { return w.to.Write(p) }
func (w *pipeWriter) WriteHeader(int)             {}
func (w *pipeWriter) Flush()                      {}

func TestASlowReaderIsDroppedAndPublishingNeverBlocks(t *testing.T) {
	h := &Hub{}
	events, stop := h.subscribe()
	defer stop()
	for range subscriberBuffer + 1 {
		h.Pool(api.Pool{})
	}
	n := 0
	for range events { // ends, since it was closed
		n++
	}
	if n != subscriberBuffer || h.watched.Load() != 0 {
		t.Errorf("got %d events, %d watchers left", n, h.watched.Load())
	}
}

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "poold.sock")
	leave := func() { // as a killed daemon does
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		ln.SetUnlinkOnClose(false)
		ln.Close()
	}
	leave()
	ln, err := Listen(t.Context(), path)
	if err != nil {
		t.Fatalf("over a socket left behind: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := Listen(t.Context(), path); err == nil || !strings.Contains(err.Error(), "another daemon answers") {
		t.Errorf("over a live one: %v", err)
	}
	ln.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("over a file: %v", err)
	}
	if text, err := os.ReadFile(path); string(text) != "precious" {
		t.Errorf("the file is gone: %v", err)
	}
	if _, err := Listen(t.Context(), filepath.Join(dir, strings.Repeat("long/", 30), "poold.sock")); err == nil || !strings.Contains(err.Error(), "characters") {
		t.Errorf("with a long path: %v", err)
	}
}

func TestCancellingStepByStep(t *testing.T) {
	f := newFake()
	for id := range int64(7) {
		f.put(id+1, run.Queued, 0)
	}
	_, client := serve(t, f)
	var got []int64
	sel := api.Selection{State: "queued", Limit: 3}
	for more := true; more; more = sel.Before > 0 {
		acted, err := client.ActAll(t.Context(), api.Cancel, sel)
		if err != nil || acted.Count != len(acted.Runs) || acted.Count > 3 {
			t.Fatalf("got %+v, %v", acted, err)
		}
		for _, r := range acted.Runs {
			got = append(got, r.ID)
		}
		sel.Before = acted.Next
	}
	if want := []int64{5, 6, 7, 2, 3, 4, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
