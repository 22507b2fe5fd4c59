package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/poold/poold/internal/api"
)

const (
	maxBody      = 1 << 20   // of a request
	maxBatchBody = 128 << 20 // of a batch: a million lines of a hundred bytes
	maxWait      = time.Minute
	bodyTimeout  = 30 * time.Second
)

// Options are what a server is made from.
type Options struct {
	Backend Backend
	Hub     *Hub
	Log     *slog.Logger
	Version string // of poold, told in the API's description
}

// Server answers the API.
type Server struct {
	backend Backend
	hub     *Hub
	log     *slog.Logger
	http    *http.Server
	closing chan struct{} // closed when Shutdown begins
	once    sync.Once
}

// New returns a server that listens nowhere yet.
func New(o Options) *Server {
	s := &Server{backend: o.Backend, hub: o.Hub, log: o.Log, closing: make(chan struct{})}
	s.http = &http.Server{
		Handler:           s.guard(s.routes(o.Version)),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext:       withPeer,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// Handler answers the API without a listener, as in tests.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve answers on the listener until Shutdown, and closes it.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}

// Shutdown ends what waits, lets other requests finish until ctx is done, and
// cuts off the rest.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(func() { close(s.closing) })
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("stop the API: %w", err), s.http.Close())
	}
	return nil
}

// stopping says whether Shutdown has begun.
func (s *Server) stopping() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// waiting derives a context for a request that waits: it ends with the request
// and with the server, and after d if that is above zero.
func (s *Server) waiting(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-s.closing:
			cancel(errStopping)
		case <-ctx.Done():
		}
	}()
	if d <= 0 {
		return ctx, func() { cancel(nil) }
	}
	timed, stop := context.WithTimeout(ctx, d)
	return timed, func() { stop(); cancel(nil) }
}

// routes registers every operation, then writes down their description.
func (s *Server) routes(version string) http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("poold", version)
	// The description is served below: the framework's own is written at the
	// first request, unguarded against a second one at the same time.
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil
	config.RejectUnknownQueryParameters = true
	config.Formats = formats()
	config.Transformers = []huma.Transformer{asProblem}
	routes := humago.New(mux, config)

	s.runRoutes(routes)
	s.statsRoutes(routes)
	s.whyRoutes(routes)
	s.actionRoutes(routes)
	s.jobRoutes(routes)
	s.poolRoutes(routes)
	s.hostRoutes(routes)
	s.eventRoutes(routes)

	// Errors take our form, not the framework's.
	delete(routes.OpenAPI().Components.Schemas.Map(), "ErrorModel")
	delete(routes.OpenAPI().Components.Schemas.Map(), "ErrorDetail")
	description, err := json.Marshal(routes.OpenAPI())
	if err != nil {
		panic(fmt.Sprintf("describe the API: %v", err)) // impossible: the types are our own
	}
	mux.HandleFunc("GET "+api.Prefix+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(description)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.ready)
	return orNotFound(mux)
}

// formats is JSON, taken at its word: the decoder would put U+FFFD in place of
// bytes that are not UTF-8, and an argument would silently become another.
func formats() map[string]huma.Format {
	strict := huma.DefaultJSONFormat
	strict.Unmarshal = func(data []byte, v any) error {
		if !utf8.Valid(data) {
			return errNotUTF8
		}
		return huma.DefaultJSONFormat.Unmarshal(data, v)
	}
	return map[string]huma.Format{"application/json": strict, "json": strict}
}

var errNotUTF8 = errors.New("it is not UTF-8, as JSON has to be")

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.stopping() {
		writeProblem(w, problemOf(errStopping))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// orNotFound answers a path that is none of the mux's with a problem, where the
// mux itself would answer with a line of text.
func orNotFound(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := httpRecorder{header: http.Header{}}
		mux.ServeHTTP(&probe, r)
		p := problemOf(&Error{Code: api.CodeNotFound, Detail: "there is nothing at " + r.URL.Path, Hint: api.Prefix + "/openapi.json lists what there is"})
		if allow := probe.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			p.Status, p.Title, p.Code = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed), api.CodeInvalid
			p.Detail, p.Hint = r.Method+" is not for "+r.URL.Path, "it takes "+allow
		}
		writeProblem(w, p)
	})
}

// httpRecorder keeps the headers of an answer and drops the rest.
type httpRecorder struct{ header http.Header }

func (r *httpRecorder) Header() http.Header         { return r.header }
func (r *httpRecorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *httpRecorder) WriteHeader(int)             {}

// guard turns a panic of a handler into a problem, and bounds the time that a
// request's body may take.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			s.log.Error("panic in the API", "method", r.Method, "path", r.URL.Path,
				"err", fmt.Sprint(v), "stack", strings.TrimSpace(string(debug.Stack())))
			writeProblem(w, problemOf(errors.New("the daemon met an error of its own; its log has the details")))
		}()
		if _, err := url.QueryUnescape(r.URL.RawQuery); err != nil {
			// The framework would pass over the parameter, and a filter with it.
			p := problemOf(Invalid(fmt.Sprintf("read the query: %v", err), "write a percent sign as %25"))
			p.Status, p.Title = http.StatusBadRequest, http.StatusText(http.StatusBadRequest)
			writeProblem(w, p)
			return
		}
		if r.ContentLength != 0 {
			r.Body = &timedBody{ReadCloser: r.Body, control: http.NewResponseController(w)}
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody gives a body so much time from its first byte to its last. The
// deadline must go afterwards: net/http takes one that passes during the
// handler's work for the end of the connection, and cancels the request.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	begun   bool
}

func (b *timedBody) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		_ = b.control.SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func writeProblem(w http.ResponseWriter, p *api.Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
