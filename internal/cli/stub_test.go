package cli

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/exec"
)

// stub answers requests on a socket from a table, for what the command line
// makes of the answers.
type stub struct {
	socket  string
	answers map[string]string // "METHOD path" without the prefix → a status, a blank and a body
	onWait  func()            // called before a long poll is answered

	mu       sync.Mutex
	requests []string
}

func newStub(t *testing.T, answers map[string]string) *stub {
	t.Helper()
	s := &stub{socket: filepath.Join(t.TempDir(), "poold.sock"), answers: answers}
	ln, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Close(); <-done })
	return s
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	s.mu.Lock()
	s.requests = append(s.requests, strings.TrimSpace(fmt.Sprintf("%s %s?%s %s", r.Method, path, r.URL.RawQuery, body)))
	s.mu.Unlock()
	if r.URL.Query().Get("wait") != "" && s.onWait != nil {
		s.onWait()
		<-r.Context().Done()
		return
	}
	answer, ok := s.answers[r.Method+" "+path]
	if !ok {
		answer = fmt.Sprintf(`404 {"status":404,"code":"not_found","detail":"nothing at %s"}`, path)
	}
	var status int
	text, err := fmt.Sscanf(answer, "%d", &status)
	if err != nil || text != 1 {
		panic("answer without a status: " + answer)
	}
	w.WriteHeader(status)
	_, document, _ := strings.Cut(answer, " ")
	_, _ = io.WriteString(w, document)
}

func (s *stub) asked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.requests, "\n")
}

// outcome is what a command left behind.
type outcome struct {
	status         int
	stdout, stderr string
}

// invoke runs a command line. A socket of "" is one where nobody answers.
func invoke(t *testing.T, socket, stdin string, args ...string) outcome {
	t.Helper()
	return invokeEnv(t, map[string]string{"POOLD_SOCKET": socketOr(t, socket)}, stdin, args...)
}

func socketOr(t *testing.T, socket string) string {
	if socket == "" {
		return filepath.Join(t.TempDir(), "nobody.sock")
	}
	return socket
}

func invokeEnv(t *testing.T, env map[string]string, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := Main(t.Context(), Process{
		Args: args, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
		Getenv: func(key string) string { return env[key] },
		Hooks: Hooks{
			Version: "v1.2.3",
			Load: func(path string) (*config.Config, error) {
				types := map[string]jobs.Type{"exec": exec.New(exec.Options{Log: slog.New(slog.DiscardHandler)})}
				return config.Load(config.Options{Path: path, Types: jobs.NewRegistry(types)})
			},
		},
	})
	return outcome{status, stdout.String(), stderr.String()}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
