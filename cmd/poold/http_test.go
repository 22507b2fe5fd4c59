package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poold/poold/internal/api"
)

// httpConfig has the addresses of a server, of one with a certificate of its
// own making, and of none.
const httpConfig = `
defaults: {type: http, retry: {attempts: 3, backoff: 10ms}}
jobs:
  get: {with: {url: "%[1]s/get?q=1"}}
  post: {with: {url: "%[1]s/echo", headers: {X-Run: "{run_id}", X-Arg: "{arg}"}, body: "hello {arg}"}}
  delete: {with: {method: DELETE, url: "%[1]s/echo"}}
  found: {with: {url: "%[1]s/status/404", expect_status: [2xx, 404]}}
  teapot: {with: {url: "%[1]s/status/418"}}
  redirected: {with: {url: "%[1]s/redirect"}}
  busy: {with: {url: "%[1]s/busy"}}
  broken: {with: {url: "%[1]s/status/500"}}
  big: {with: {url: "%[1]s/big", max_body: 2KiB}}
  slow: {timeout: 200ms, retry: {attempts: 1}, with: {url: "%[1]s/slow"}}
  self-signed: {retry: {attempts: 1}, with: {url: "%[2]s/"}}
  no-tls: {retry: {attempts: 1}, with: {url: "%[3]s/"}}
  nobody: {retry: {attempts: 2, backoff: 10ms}, with: {url: "%[4]s/"}}
  by-socket: {with: {url: "http://localhost/healthz", socket: "${env:POOLD_SOCKET}"}}
`

// answers is what the server of the test answers.
func answers(busy *atomic.Int32) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", r.Method, r.URL) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s run=%s arg=%s body=%s", r.Method, r.Header.Get("X-Run"), r.Header.Get("X-Arg"), body)
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code := http.StatusOK
		_, _ = fmt.Sscan(r.PathValue("code"), &code)
		http.Error(w, "as asked for", code)
	})
	mux.Handle("/redirect", http.RedirectHandler("/get?redirected", http.StatusFound))
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		if busy.Add(1) < 3 {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "later", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("0123456789", 100_000)) })
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	return mux
}

func TestRequestsAreJobs(t *testing.T) {
	t.Parallel()
	var busy atomic.Int32
	server := httptest.NewServer(answers(&busy))
	t.Cleanup(server.Close)
	secure := httptest.NewUnstartedServer(answers(&busy))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that do not trust it
	secure.StartTLS()
	t.Cleanup(secure.Close)
	h := newHost(t, fmt.Sprintf(httpConfig, server.URL, secure.URL, strings.Replace(server.URL, "http:", "https:", 1), nobodyThere(t)))
	h.start()
	tests := []struct {
		job, name string
		arg       string
		state     string
		attempts  int
		output    string // part of it
		why       string // part of the error
	}{
		{"get", "a GET keeps the answer", "", "succeeded", 1, "GET /get?q=1", ""},
		{"post", "a body makes it a POST, with the argument where it is named", "w x", "succeeded", 1, "POST run=%d arg=w x body=hello w x", ""},
		{"delete", "a method that is named is used", "", "succeeded", 1, "DELETE run= arg= body=", ""},
		{"found", "a status that is expected is a success", "", "succeeded", 1, "404", ""},
		{"teapot", "another 4xx fails at once, with what the server said", "", "failed", 1, "as asked for", "418"},
		{"redirected", "a redirect is followed", "", "succeeded", 1, "GET /get?redirected", ""},
		{"busy", "a 503 is tried again", "", "succeeded", 3, "200", ""},
		{"broken", "a 500 is tried as often as allowed", "", "failed", 3, "as asked for", "500"},
		{"big", "of a large body the beginning is kept", "", "succeeded", 1, "0123456789012345", ""},
		{"slow", "an answer that does not come is not waited for", "", "failed", 1, "", "timeout of 200ms"},
		{"self-signed", "a certificate nobody knows is explained", "", "failed", 1, "", "certificate"},
		{"no-tls", "a server that does not speak TLS is explained", "", "failed", 1, "", "speaks http"},
		{"nobody", "nobody listening is explained, and tried again", "", "failed", 2, "", "refused"},
		{"by-socket", "a request may go to a unix socket", "", "succeeded", 1, "200", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := h.runToEnd(t, tt.job, tt.arg)
			if r.State != tt.state || r.Attempts != tt.attempts || !strings.Contains(api.Or(r.Error, ""), tt.why) {
				t.Errorf("%s after %d attempts: %q; want %s after %d: …%s…", r.State, r.Attempts, api.Or(r.Error, ""), tt.state, tt.attempts, tt.why)
			}
			want := tt.output
			if strings.Contains(want, "%d") {
				want = fmt.Sprintf(want, r.ID)
			}
			got := h.output(r.ID)
			if !strings.Contains(got, want) {
				t.Errorf("the output is %.200q, want …%s…", got, want)
			}
			if tt.job == "big" && len(got) > 4<<10 {
				t.Errorf("%d bytes were kept of a body, for max_body 2KiB", len(got))
			}
			if took := r.FinishedAt.Sub(r.EnqueuedAt.Time); tt.job == "busy" && took < 2*time.Second {
				t.Errorf("it was tried three times within %v, and the server had asked to wait a second each time", took)
			}
		})
	}
}

// runToEnd starts a run and waits for its end. It may fail.
func (h *host) runToEnd(t *testing.T, job, arg string) api.Run {
	t.Helper()
	args := []string{"run", job, "--wait"}
	if arg != "" {
		args = append(args, "--arg", arg)
	}
	cmd := h.command(args...)
	id, err := cmd.Output()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Fatal(err)
	}
	var number int64
	if _, err := fmt.Sscan(string(id), &number); err != nil {
		t.Fatalf("poold run %s printed %q", job, id)
	}
	r, err := h.client.Run(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	return r.Run
}

// nobodyThere is an address at which nobody listens.
func nobodyThere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}
