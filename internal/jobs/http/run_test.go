package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poold/poold/internal/jobs"
)

func TestOutputIsStatusThenBody(t *testing.T) {
	srv := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.URL.Path == "/stream" {
			w.(nethttp.Flusher).Flush() // no length is known then
		}
		io.WriteString(w, "hello\n")
	})
	for path, want := range map[string]string{
		"/":       `\AHTTP/1\.1 200 OK, 6 bytes, \d+m?s\n\nhello\n\z`,
		"/stream": `\AHTTP/1\.1 200 OK, \d+m?s\n\nhello\n\z`,
	} {
		got, out := send(t, Settings{URL: srv.URL + path}, "")
		if !got.OK || got.Reason != "" || got.Error != "" {
			t.Errorf("%s: %+v", path, got)
		}
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s: output %q", path, out)
		}
	}
}

func TestTheRequestIsWhatTheSettingsSay(t *testing.T) {
	srv := serve(t, echo)
	host := strings.TrimPrefix(srv.URL, "http://")
	tests := []struct {
		name string
		s    Settings
		arg  string
		want string
	}{
		{"a url alone is a GET", Settings{URL: srv.URL}, "", "GET / host=" + host + " x= auth= body="},
		{"a body makes it a POST", Settings{URL: srv.URL + "/p", Body: "a {arg} {run_id}"}, "{run_id}\n", "POST /p host=" + host + " x= auth= body=a {run_id}\n 7"},
		{"a method is a method", Settings{URL: srv.URL, Method: "DELETE"}, "", "DELETE / "},
		{"headers are filled in", Settings{URL: srv.URL, Headers: map[string]string{"x-test": "<{arg}>"}}, "$${env:PW}", " x=<$${env:PW}> "},
		{"a host may be given", Settings{URL: srv.URL, Headers: map[string]string{"Host": "other.example"}}, "", "host=other.example "},
		{"an argument stays in its place", Settings{URL: srv.URL + "/a/{arg}/b?c={arg}&d"}, "x/y?z&ä", "GET /a/x%2Fy%3Fz%26%C3%A4/b?c=x%2Fy%3Fz%26%C3%A4&d host"},
		{"an argument may be the url", Settings{URL: "{arg}"}, srv.URL + "/a/../b?c#d", "GET /a/../b?c host"},
		{"a secret is in the body, and hidden in the answer", Settings{URL: srv.URL, Body: "<${env:TOKEN}>", Method: "PUT"}, "", "body=<***>"},
		{"a user is sent as such", Settings{URL: strings.Replace(srv.URL, "://", "://me:${env:PW}@", 1)}, "", "auth=Basic bWU6cEBzc3dvcmQ="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, out := send(t, tt.s, tt.arg)
			if !got.OK || !strings.Contains(out, tt.want) {
				t.Errorf("got %+v, %q\nwant %q", got, out, tt.want)
			}
		})
	}
}

func TestSecretsAreSentButNotShown(t *testing.T) {
	var seen atomic.Value
	srv := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		seen.Store(r.URL.Query().Get("t") + " " + r.Header.Get("Authorization") + r.URL.Path)
		w.WriteHeader(nethttp.StatusForbidden)
		fmt.Fprintf(w, "no %s at %s", r.Header.Get("Authorization"), r.RequestURI)
	})
	s := Settings{
		URL:     strings.Replace(srv.URL, "://", "://u:${env:PW}@", 1) + "/${env:PW}/?t=${env:TOKEN}",
		Headers: map[string]string{"Authorization": "Bearer ${env:TOKEN}"},
	}
	got, out := send(t, s, "")
	if want := "hunter2+x Bearer hunter2+x/p@ssword/"; seen.Load() != want {
		t.Errorf("the server saw %q, want %q", seen.Load(), want)
	}
	for _, text := range []string{got.Error, out} {
		if regexp.MustCompile(`hunter2|p@ss|p%40ss`).MatchString(text) {
			t.Errorf("a secret shows in %q", text)
		}
	}
	if !strings.Contains(got.Error, "/***/?t=***: 403 Forbidden, expected 2xx") || !strings.Contains(out, "no Bearer *** at /***/?t=***") {
		t.Errorf("got %q and %q", got.Error, out)
	}
	got, _ = send(t, Settings{URL: "http://127.0.0.1:1/?t=${env:TOKEN}"}, "")
	if strings.Contains(got.Error, "hunter2") || !strings.Contains(got.Error, "?t=***: connection refused") {
		t.Errorf("got %q", got.Error)
	}
}

func TestUnexpectedStatus(t *testing.T) {
	tests := []struct {
		code    int
		expect  []Status
		after   string
		want    string // of the error; empty: fine
		noRetry bool
		wait    time.Duration
	}{
		{code: 204},
		{code: 404, expect: []Status{{404, 404}}},
		{code: 302, expect: []Status{{300, 399}}},
		{code: 404, want: "404 Not Found, expected 2xx", noRetry: true},
		{code: 200, expect: []Status{{204, 204}, {300, 399}}, want: "200 OK, expected 204 or 3xx", noRetry: true},
		{code: 408, want: "408 Request Timeout"},
		{code: 429, after: "120", want: "429 Too Many Requests", wait: 2 * time.Minute},
		{code: 503, after: "7200", want: "503 Service Unavailable", wait: time.Hour},
		{code: 500, want: "500 Internal Server Error"},
		{code: 400, after: "60", want: "400 Bad Request", noRetry: true},
	}
	for _, tt := range tests {
		srv := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
			if tt.after != "" {
				w.Header().Set("Retry-After", tt.after)
			}
			w.WriteHeader(tt.code)
		})
		got, out := send(t, Settings{URL: srv.URL + "/x", ExpectStatus: tt.expect}, "")
		if got.OK != (tt.want == "") || got.NoRetry != tt.noRetry || got.RetryAfter != tt.wait {
			t.Errorf("%d: %+v", tt.code, got)
		}
		if !got.OK && (got.Reason != "http" || !strings.HasPrefix(got.Error, "GET "+srv.URL+"/x: "+tt.want)) {
			t.Errorf("%d: %s %q", tt.code, got.Reason, got.Error)
		}
		if !strings.HasPrefix(out, fmt.Sprintf("HTTP/1.1 %d ", tt.code)) {
			t.Errorf("%d: output %q", tt.code, out)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, " 5 ": 5 * time.Second, "-5": 0, "soon": 0, "9999999999999": time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute,
		"Fri, 02 Jan 2026 03:00:00 GMT": 0,
		"Fri, 02 Jan 2099 03:00:00 GMT": time.Hour,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestWhatCannotBeSentIsNotStarted(t *testing.T) {
	tests := []struct {
		name string
		s    Settings
		arg  string
		want string
	}{
		{"settings that were never checked", Settings{URL: "ftp://h"}, "", "settings: the url does not begin with"},
		{"a missing secret", Settings{URL: "http://h/?t=${env:NONE}"}, "", "url: ${env:NONE}: not set"},
		{"a missing secret in a header", Settings{URL: "http://h/", Headers: map[string]string{"A": "${env:NONE}"}}, "", "headers.A: ${env:NONE}: not set"},
		{"a missing secret in the body", Settings{URL: "http://h/", Body: "${env:NONE}"}, "", "body: ${env:NONE}: not set"},
		{"a secret that is no url", Settings{URL: "${env:TOKEN}"}, "", "url: the url does not begin with"},
		{"an argument that is no url", Settings{URL: "{arg}"}, "x", "url: the url does not begin with"},
		{"an argument that climbs", Settings{URL: "http://h/{arg}"}, "..", `url: ".." as a part of the path`},
		{"a missing argument", Settings{URL: "http://h/{arg}"}, "", "url: {arg} is empty"},
		{"an argument that breaks a header", Settings{URL: "http://h/", Headers: map[string]string{"A": "{arg}"}}, "a\r\nB: c", "headers.A: the value of a header cannot hold a line break"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, out := send(t, tt.s, tt.arg)
			if got.OK || got.Reason != "start" || !strings.HasPrefix(got.Error, tt.want) || out != "" {
				t.Errorf("got %+v, output %q\nwant %q", got, out, tt.want)
			}
		})
	}
}

func TestALargeBodyIsCutAndTheConnectionKept(t *testing.T) {
	var conns atomic.Int64
	srv := httptest.NewUnstartedServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		io.WriteString(w, strings.Repeat("x", 100_000))
	}))
	srv.Config.ConnState = countNew(&conns)
	srv.Start()
	t.Cleanup(srv.Close)
	typ, keep := newType(t, Options{}), jobs.Size(1024)
	for range 5 {
		got, out := sendBy(t, typ, Settings{URL: srv.URL, MaxBody: &keep}, "")
		if !got.OK || strings.Count(out, "x") != 1024+1 || !strings.HasSuffix(out, "\n[… 98976 bytes dropped: max_body is 1KiB …]\n") {
			t.Fatalf("%+v, output of %d bytes ends in %q", got, len(out), out[max(0, len(out)-80):])
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for 5 requests", n)
	}
	keep = 100_000
	if _, out := sendBy(t, typ, Settings{URL: srv.URL, MaxBody: &keep}, ""); strings.Contains(out, "dropped") {
		t.Error("a body that just fits is called cut")
	}
	keep = 0
	if _, out := sendBy(t, typ, Settings{URL: srv.URL, MaxBody: &keep}, ""); strings.Contains(out, "xx") {
		t.Error("a body of which nothing is wanted is kept")
	}
}

func countNew(n *atomic.Int64) func(net.Conn, nethttp.ConnState) {
	return func(_ net.Conn, s nethttp.ConnState) {
		if s == nethttp.StateNew {
			n.Add(1)
		}
	}
}

func TestAnEndlessBodyTakesLittleMemoryAndTime(t *testing.T) {
	srv := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		for chunk := make([]byte, 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	keep := jobs.Size(1024)
	began := time.Now()
	got, out := send(t, Settings{URL: srv.URL, MaxBody: &keep}, "")
	runtime.ReadMemStats(&after)
	if !got.OK || len(out) > 1024+200 || !strings.Contains(out, "the rest dropped") {
		t.Errorf("%+v, output of %d bytes", got, len(out))
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes allocated", grown)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestATricklingRestIsNotWaitedFor(t *testing.T) {
	srv := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		io.WriteString(w, "head and more")
		w.(nethttp.Flusher).Flush()
		<-r.Context().Done()
	})
	keep := jobs.Size(4)
	began := time.Now()
	got, out := send(t, Settings{URL: srv.URL, MaxBody: &keep}, "")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if !got.OK || !strings.Contains(out, "\n\nhead\n[… the rest dropped") {
		t.Errorf("%+v, output %q", got, out)
	}
}

func TestCancelInTheMiddle(t *testing.T) {
	reached := make(chan struct{}, 1)
	srv := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.URL.Path == "/body" {
			io.WriteString(w, "half")
			w.(nethttp.Flusher).Flush()
		}
		reached <- struct{}{}
		<-r.Context().Done()
	})
	for _, path := range []string{"/head", "/body"} {
		task, _ := newTask(t, Settings{URL: srv.URL + path})
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan jobs.Outcome, 1)
		go func() { done <- newType(t, Options{}).Run(ctx, task) }()
		<-reached
		cancel(jobs.ErrTimeout)
		got := <-done
		if got.OK || got.Reason != "http" || got.NoRetry || got.Error != "GET "+srv.URL+path+": timeout" {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestAnAnswerThatBreaksOffIsAFailure(t *testing.T) {
	srv := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
	})
	got, out := send(t, Settings{URL: srv.URL}, "")
	if got.OK || got.NoRetry || !strings.HasSuffix(got.Error, "the server closed the connection in the middle of its answer") || !strings.HasSuffix(out, "half") {
		t.Errorf("%+v, output %q", got, out)
	}
}

func TestOutputThatCannotBeWrittenFailsNoRequest(t *testing.T) {
	srv := serve(t, echo)
	task, out := newTask(t, Settings{URL: srv.URL})
	out.err = errors.New("disk full")
	if got := newType(t, Options{}).Run(t.Context(), task); !got.OK {
		t.Errorf("%+v", got)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var conns atomic.Int64
	srv := httptest.NewUnstartedServer(nethttp.HandlerFunc(echo))
	srv.Config.ConnState = countNew(&conns)
	srv.Start()
	t.Cleanup(srv.Close)
	typ := newType(t, Options{})
	const workers, each = 20, 20
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range each {
				if got, _ := sendBy(t, typ, Settings{URL: srv.URL}, ""); !got.OK {
					t.Errorf("%+v", got)
				}
			}
		})
	}
	all.Wait()
	// A request may find no idle connection in the moment another returns one.
	if n := conns.Load(); n > 2*workers {
		t.Errorf("%d connections for %d requests by %d workers", n, workers*each, workers)
	}
}

func TestAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.URL.Path == "/away" {
			nethttp.Redirect(w, r, "http://elsewhere.example/", nethttp.StatusFound)
			return
		}
		echo(w, r)
	}))
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	t.Cleanup(srv.Close)
	typ := newType(t, Options{})
	got, out := sendBy(t, typ, Settings{URL: "http://docker/v1/{arg}", Socket: path}, "info")
	if !got.OK || !strings.Contains(out, "GET /v1/info host=docker ") {
		t.Errorf("%+v, %q", got, out)
	}
	got, _ = sendBy(t, typ, Settings{URL: "http://docker/away", Socket: path}, "")
	if got.OK || !strings.Contains(got.Error, "redirected to elsewhere.example, which is not behind the socket") {
		t.Errorf("%+v", got)
	}
	if first, again := typ.transport(path), typ.transport(path); first != again || first == typ.transport("") {
		t.Error("a socket's connections are not kept apart, or not kept")
	}
	got, _ = sendBy(t, typ, Settings{URL: "http://docker/", Socket: path + "x"}, "")
	if got.OK || got.NoRetry || !strings.Contains(got.Error, "there is no socket "+path+"x; is the service running?") {
		t.Errorf("%+v", got)
	}
}

func TestAProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	proxy := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) { t.Errorf("the proxy got %s", r.RequestURI) })
	t.Setenv("http_proxy", proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	got, _ := send(t, Settings{URL: "http://poold.invalid/"}, "")
	if got.OK || !strings.Contains(got.Error, "poold.invalid") {
		t.Errorf("%+v", got)
	}
}

func TestNothingIsHeld(t *testing.T) {
	if held, err := New(Options{}).Held(t.Context(), "ledger"); held != nil || err != nil {
		t.Errorf("%v, %v", held, err)
	}
}
