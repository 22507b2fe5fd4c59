// Package http is the job type that sends requests.
//
// One attempt is one request: secrets are read, the placeholders filled in,
// up to ten redirects followed, and the status compared with what is
// expected. The attempt's output is
//
//	HTTP/1.1 200 OK, 1234 bytes, 12ms
//	from https://where.it/ended        (after a redirect)
//
//	the body, up to max_body
//
// where the size is left out if the server does not say it beforehand, and
// the time is that until the head of the answer. Values of secrets are
// replaced by stars, also where a server repeats them.
//
// Connections are kept and used again by all jobs. Nothing but the attempt's
// context limits how long a server may take to answer. Proxies named in the
// daemon's environment are not used: what a job reaches is what its url says.
package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net"
	nethttp "net/http"
	"sync"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/secret"
)

// Options is what a Type needs.
type Options struct {
	Log     *slog.Logger   // nil: silent
	Secrets secret.Source  // zero: those of this process
	Roots   *x509.CertPool // authorities to trust; nil: the host's
}

// Type sends requests. It implements jobs.Type and jobs.ArgChecker.
type Type struct {
	log     *slog.Logger
	secrets secret.Source
	roots   *x509.CertPool
	direct  *nethttp.Transport

	mu      sync.Mutex
	sockets map[string]*nethttp.Transport // by path
}

var (
	_ jobs.Type       = (*Type)(nil)
	_ jobs.ArgChecker = (*Type)(nil)
)

// New returns the type. Close lets go of its idle connections.
func New(o Options) *Type {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Secrets.Getenv == nil {
		o.Secrets = secret.System()
	}
	h := &Type{log: o.Log, secrets: o.Secrets, roots: o.Roots, sockets: map[string]*nethttp.Transport{}}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	h.direct = h.newTransport(dialer.DialContext)
	return h
}

const (
	dialTimeout      = 30 * time.Second
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second
	// idlePerHost is as many connections as a large pool keeps busy at once.
	idlePerHost = 1024
	maxHead     = 1 << 20
)

type dial = func(ctx context.Context, network, addr string) (net.Conn, error)

func (h *Type) newTransport(d dial) *nethttp.Transport {
	return &nethttp.Transport{
		DialContext:            d,
		TLSClientConfig:        &tls.Config{RootCAs: h.roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    handshakeTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHead,
	}
}

// transport returns the connections to use: those through the unix socket,
// or direct ones.
func (h *Type) transport(socket string) *nethttp.Transport {
	if socket == "" {
		return h.direct
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t, ok := h.sockets[socket]
	if !ok {
		dialer := &net.Dialer{Timeout: dialTimeout}
		t = h.newTransport(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		})
		h.sockets[socket] = t
	}
	return t
}

// Close closes the idle connections. Requests under way go on.
func (h *Type) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.direct.CloseIdleConnections()
	for _, t := range h.sockets {
		t.CloseIdleConnections()
	}
	return nil
}

// Settings returns an empty *Settings.
func (*Type) Settings() any { return &Settings{} }

// Check lists what is wrong with the settings.
func (*Type) Check(with json.RawMessage) []jobs.Problem {
	s, err := decode(with)
	if err != nil {
		return []jobs.Problem{{Message: err.Error()}}
	}
	return s.check()
}

// CheckArg refuses an argument that would change where the request goes or
// what its headers are.
func (*Type) CheckArg(with json.RawMessage, arg string) error {
	s, err := decode(with)
	if err != nil {
		return err
	}
	return s.checkArg(arg)
}

// Held lists nothing: a request does not outlive the daemon.
func (*Type) Held(context.Context, string) ([]jobs.Held, error) { return nil, nil }
