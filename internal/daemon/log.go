package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// newLogger makes the log as `daemon.log` asks: text for a person, coloured on
// a terminal; plain text under journald, which adds the time itself; or JSON.
func newLogger(w io.Writer, level, format string, getenv func(string) string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("daemon.log.level: %q is no level; write debug, info, warn or error", level)
	}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least})), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: least})), nil
	case "auto", "":
	default:
		return nil, fmt.Errorf("daemon.log.format: %q is no format; write auto, text or json", format)
	}
	if getenv("JOURNAL_STREAM") != "" && !isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: least, ReplaceAttr: withoutTime})), nil
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{
		Level: least, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w) || getenv("NO_COLOR") != "",
	})), nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
