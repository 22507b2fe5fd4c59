package config

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How often the files are looked at without being told that they changed:
// seldom where the kernel tells, since it is silent on network file systems
// and about folders moved from above; often where it cannot tell.
const (
	pollBeside = 30 * time.Second
	pollAlone  = 2 * time.Second
)

// minSettle keeps an absent settle time from spinning.
const minSettle = 10 * time.Millisecond

// WatchOptions says what to watch.
type WatchOptions struct {
	// Files lists patterns for the files that matter, absolute; Config.Watched
	// gives them. It is called again whenever the watcher looks.
	Files  func() []string
	Settle time.Duration // how long the files must have been left alone
	Log    *slog.Logger
}

// Watcher says when configuration files have changed.
//
// It watches folders, not files: an editor replaces a file by renaming another
// one over it, and Kubernetes replaces a whole folder by pointing a symbolic
// link elsewhere. Whatever happens in these folders only makes it look. It
// looks at what the files are, follows links, and signals once that differs
// from what it last signalled and has stayed the same for the settle time.
// A busy folder therefore neither delays a signal nor causes one.
type Watcher struct {
	options WatchOptions
	changes chan struct{}
	look    chan struct{}
	seen    settling
}

// NewWatcher returns a watcher that is not running yet. What happens to the
// files from now on will be signalled once it runs: make it beside the load.
func NewWatcher(o WatchOptions) *Watcher {
	o.Settle = max(o.Settle, minSettle)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &Watcher{options: o, changes: make(chan struct{}, 1), look: make(chan struct{}, 1)}
	w.seen.signalled = w.fingerprint()
	return w
}

// Changes gets a signal after the files have changed. Signals that nobody has
// taken yet are one.
func (w *Watcher) Changes() <-chan struct{} { return w.changes }

// Look makes the watcher look at once: after a reload, what Files returns may
// have changed.
func (w *Watcher) Look() { wake(w.look) }

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run watches until ctx is done, and then returns nil. What cannot be watched
// is looked at from time to time. Run may be called once.
func (w *Watcher) Run(ctx context.Context) error {
	f := newFolders(w.options.Log)
	defer f.close()
	timer := time.NewTimer(0) // something may have changed already
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			f.follow(w.options.Files())
			if w.seen.step(w.fingerprint()) {
				wake(w.changes)
			}
			timer.Reset(w.pause(f))
			continue
		case <-f.events():
		case <-w.look:
		case err := <-f.errors():
			w.options.Log.Warn("watch configuration files", "err", err)
			// Events were lost. What they would have said is unknown.
			w.seen.lost = w.seen.lost || errors.Is(err, fsnotify.ErrEventOverflow)
		}
		// A look that is due already is not put off: in a busy folder it
		// would never come.
		if !w.seen.pending {
			w.seen.pending = true
			timer.Reset(w.options.Settle)
		}
	}
}

// pause is how long until the next look.
func (w *Watcher) pause(f *folders) time.Duration {
	switch {
	case w.seen.pending:
		return w.options.Settle
	case f.complete:
		return pollBeside
	}
	return pollAlone
}

// settling decides from what the files looked like, time and again, when to
// signal.
type settling struct {
	signalled string // what they looked like at the last signal
	last      string // what they looked like a settle time ago
	pending   bool   // another look is due after the settle time
	lost      bool   // events were lost: signal whatever they look like
}

// step takes what the files look like now. It reports whether to signal.
func (s *settling) step(now string) bool {
	quiet := now == s.last
	s.last = now
	if now == s.signalled && !s.lost {
		s.pending = false
		return false
	}
	if !quiet {
		s.pending = true
		return false
	}
	s.signalled, s.pending, s.lost = now, false, false
	return true
}

// fingerprint says what all files look like, in one text: which there are, and
// of each what stat says of the file at the end of its links.
func (w *Watcher) fingerprint() string {
	var b strings.Builder
	for _, name := range expand(w.options.Files()) {
		b.WriteString(name)
		info, err := os.Stat(name)
		if err != nil {
			b.WriteString(" absent\n")
			continue
		}
		b.WriteString(" " + identity(info) + "\n")
	}
	return b.String()
}

// expand returns the files that names and patterns mean now.
func expand(patterns []string) []string {
	var files []string
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, `*?[\`) {
			files = append(files, pattern)
			continue
		}
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		for _, name := range found {
			if !strings.HasPrefix(filepath.Base(name), ".") {
				files = append(files, name)
			}
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}
