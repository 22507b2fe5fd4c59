package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// answering serves one handler at a socket.
func answering(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "poold.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(ln) }()
	client := New(socket)
	t.Cleanup(func() { client.Close(); server.Close(); <-done })
	return client
}

func TestNobodyAnswers(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "left.sock")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		socket string
		reason error
	}{
		"where there is no socket":       {filepath.Join(dir, "none.sock"), syscall.ENOENT},
		"where a daemon left its socket": {left, syscall.ECONNREFUSED},
		"where there is a file":          {file, syscall.ECONNREFUSED},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.socket).Status(t.Context())
			if !errors.Is(err, ErrNoDaemon) || !errors.Is(err, test.reason) {
				t.Errorf("got %v", err)
			}
			if want := "no daemon answers at " + test.socket + ": " + test.reason.Error(); err == nil || err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
		})
	}
}

func TestADaemonThatGoesAwayIsNoDaemon(t *testing.T) {
	client := answering(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := client.Status(t.Context()); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("before the answer: %v", err)
	}
	client = answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"version":`))
		panic(http.ErrAbortHandler)
	})
	if _, err := client.Status(t.Context()); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("in the middle of it: %v", err)
	}
}

func TestWhoeverStopsAskingGetsTheirOwnReason(t *testing.T) {
	began := make(chan struct{}, 1)
	client := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
	})
	why := errors.New("had enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-began; cancel(why) }()
	if _, err := client.WaitRun(ctx, 1); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestAnswersThatAreProblems(t *testing.T) {
	for name, test := range map[string]struct {
		status       int
		body         string
		code, detail string
	}{
		"a problem of ours":              {409, `{"code":"conflict","detail":"run 12 is in the way","hint":"--queue","run":12}`, CodeConflict, "run 12 is in the way"},
		"something else at the socket":   {404, "404 page not found\nmore", CodeInternal, "the daemon answered 404 Not Found: 404 page not found"},
		"JSON that is no problem":        {500, `{"oops":true}`, CodeInternal, `the daemon answered 500 Internal Server Error: {"oops":true}`},
		"a redirect that leads nowhere":  {304, ``, CodeInternal, `the daemon answered 304 Not Modified: `},
		"more than anybody wants to see": {500, strings.Repeat("x", 5<<20), CodeInternal, "the daemon answered 500 Internal Server Error: " + strings.Repeat("x", 200)},
	} {
		t.Run(name, func(t *testing.T) {
			client := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			})
			_, err := client.Run(t.Context(), 1)
			if !HasCode(err, test.code) || err.Error() != test.detail {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNamesAreEscaped(t *testing.T) {
	var got string
	client := answering(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.EscapedPath() + "?" + r.URL.RawQuery
		_, _ = w.Write([]byte(`{}`))
	})
	for _, test := range []struct {
		call func() error
		want string
	}{
		{func() error { _, err := client.Job(t.Context(), "a/../b?c d"); return err }, "/api/v1/jobs/a%2F..%2Fb%3Fc%20d?"},
		{func() error { _, err := client.Batch(t.Context(), "50%", 0); return err }, "/api/v1/batches/50%25?"},
		{func() error { _, err := client.Inspect(t.Context(), "a&of=b"); return err }, "/api/v1/status?of=a%26of%3Db"},
		{func() error {
			_, err := client.Occurrences(t.Context(), OccurrencesQuery{Jobs: []string{"a", "b"}, From: "+2h", Count: 3})
			return err
		}, "/api/v1/occurrences?count=3&from=%2B2h&job=a&job=b"},
	} {
		if err := test.call(); err != nil || got != test.want {
			t.Errorf("got %s, %v, want %s", got, err, test.want)
		}
	}
}

func TestAWaitAsksUntilTheRunIsFinal(t *testing.T) {
	states := []string{StateQueued, StateRunning, StateSucceeded}
	asked := 0
	client := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("wait") == "" {
			t.Error("it did not ask to wait")
		}
		_, _ = w.Write([]byte(`{"state":"` + states[asked] + `"}`))
		asked++
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := client.WaitRun(ctx, 1)
	if err != nil || r.State != StateSucceeded || asked != 3 {
		t.Errorf("got %s, %v after %d", r.State, err, asked)
	}
}
