package run

import "time"

// EventKind says what happened.
type EventKind string

// The kinds of events, with what Since, Until and Detail tell of each.
const (
	EventStart  EventKind = "start"  // of the daemon; Since: down from then on, zero at the first; Detail: Life
	EventStop   EventKind = "stop"   // no schedule fires from At on; Until: when all was stopped, zero if it was killed
	EventReload EventKind = "reload" // Detail: what changed, or why it was refused
	EventPause  EventKind = "pause"  // Until: when it ends by itself
	EventDrain  EventKind = "drain"  // a pause that lets work end
	EventResume EventKind = "resume" // ends a pause or a drain
	EventResize EventKind = "resize" // Until: of a size by hand; Detail: Size
	EventClock  EventKind = "clock"  // the clock was set from Since to Until
	EventSleep  EventKind = "sleep"  // the host was suspended from Since to Until
)

// What an event is about, beside pool/NAME and job/NAME.
const (
	SubjectDaemon = "daemon"
	SubjectHost   = "host"
)

// SubjectPool and SubjectJob name what an event is about.
func SubjectPool(name string) string { return "pool/" + name }

// SubjectJob is SubjectPool of a job.
func SubjectJob(name string) string { return "job/" + name }

// Event is something that happened to the daemon, or that somebody did to it.
type Event struct {
	ID      int64
	At      time.Time
	Kind    EventKind
	Subject string
	By      string // "user NAME", "signal NAME", "file", "window"; empty: nobody
	Reason  string
	Since   time.Time
	Until   time.Time
	Detail  []byte // JSON, by the kind; or none
}

// Life is the detail of an EventStart.
type Life struct {
	Version string `json:"version"`
	PID     int    `json:"pid"`
	Clean   bool   `json:"clean"` // the daemon before it had stopped; else it was killed some time after Since
}

// Size is the detail of an EventResize. Nil is unlimited.
type Size struct {
	Workers *int `json:"workers"`
	Reset   bool `json:"reset,omitempty"` // the size by hand was taken back
}
