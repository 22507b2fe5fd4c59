package http

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/secret"
)

// output is an attempt's output in memory.
type output struct {
	bytes.Buffer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	return o.Buffer.Write(p)
}

func (*output) File() (*os.File, error)  { return nil, os.ErrInvalid }
func (*output) Chown(uid, gid int) error { return nil }

// newType is a type whose secrets are TOKEN and PW.
func newType(t *testing.T, o Options) *Type {
	t.Helper()
	o.Secrets = secret.Source{Getenv: func(name string) (string, bool) {
		value, ok := map[string]string{"TOKEN": "hunter2+x", "PW": "p@ssword"}[name]
		return value, ok
	}}
	typ := New(o)
	t.Cleanup(func() {
		if err := typ.Close(); err != nil {
			t.Error(err)
		}
	})
	return typ
}

func newTask(t *testing.T, s Settings) (jobs.Task, *output) {
	t.Helper()
	with, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	out := &output{}
	return jobs.Task{Job: "test", Run: 7, Attempt: 1, With: with, Output: out}, out
}

// send runs one request.
func send(t *testing.T, s Settings, arg string) (jobs.Outcome, string) {
	t.Helper()
	return sendBy(t, newType(t, Options{}), s, arg)
}

func sendBy(t *testing.T, typ *Type, s Settings, arg string) (jobs.Outcome, string) {
	t.Helper()
	task, out := newTask(t, s)
	task.Arg = arg
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return typ.Run(ctx, task), out.String()
}

// serve starts a server that ends with the test.
func serve(t *testing.T, h nethttp.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// echo answers with what it was sent.
func echo(w nethttp.ResponseWriter, r *nethttp.Request) {
	body, _ := io.ReadAll(r.Body)
	io.WriteString(w, r.Method+" "+r.RequestURI+" host="+r.Host+" x="+r.Header.Get("X-Test")+" auth="+r.Header.Get("Authorization")+" body="+string(body))
}
