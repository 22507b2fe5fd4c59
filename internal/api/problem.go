package api

import (
	"errors"
	"fmt"
)

// The codes of problems. Scripts branch on them; texts may change.
const (
	CodeInvalid       = "invalid"        // the request makes no sense
	CodeNotFound      = "not_found"      // no such run, job, pool or batch
	CodeConflict      = "conflict"       // an earlier run is in the way; Run names it
	CodeStale         = "stale"          // the run has left the state this acts on
	CodeQueueFull     = "queue_full"     // the pool's queue limit is reached
	CodeConfigInvalid = "config_invalid" // the configuration has Errors
	CodeUnsupported   = "unsupported"    // not built in this version
	CodeUnavailable   = "unavailable"    // the daemon is starting or stopping
	CodeTooLarge      = "too_large"      // the request's body is over the limit
	CodeInternal      = "internal"       // an error of the daemon's own
)

// Problem is an error as the API tells it, in the form of RFC 9457.
type Problem struct { //nolint:errname // RFC 9457 calls it that, and so does its schema
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Code   string       `json:"code"`
	Detail string       `json:"detail"`
	Hint   string       `json:"hint,omitempty"`
	Run    int64        `json:"run,omitempty" doc:"The run in the way."`
	Errors []ConfigNote `json:"errors,omitempty"`
}

// Error gives the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus gives the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType names the media type of problems.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// HasCode says whether err is a Problem with the code.
func HasCode(err error, code string) bool {
	var p *Problem
	return errors.As(err, &p) && p.Code == code
}

// NoDaemonError says that nobody answered at the socket.
type NoDaemonError struct {
	Socket string
	Err    error
}

// ErrNoDaemon is what every NoDaemonError is.
var ErrNoDaemon = errors.New("no daemon answers")

// Error names the socket and the reason.
func (e *NoDaemonError) Error() string {
	return fmt.Sprintf("no daemon answers at %s: %v", e.Socket, e.Err)
}

// Unwrap makes it an ErrNoDaemon, and gives the reason.
func (e *NoDaemonError) Unwrap() []error { return []error{ErrNoDaemon, e.Err} }
