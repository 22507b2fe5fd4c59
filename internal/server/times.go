package server

import (
	"fmt"
	"strconv"
	"time"

	"github.com/poold/poold/internal/schedule"
)

// moment reads a time as an operator writes it, in the configured zone. Empty
// is the zero time.
func (s *Server) moment(name, text string, dir schedule.Direction) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := schedule.ParseTime(text, time.Now(), s.backend.Host.Zone(), dir)
	if err != nil {
		return time.Time{}, Invalid(fmt.Sprintf("%s: %v", name, err), "")
	}
	return at, nil
}

// span reads a duration. Empty is zero.
func span(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := schedule.ParseDuration(text)
	if err != nil {
		return 0, Invalid(fmt.Sprintf("%s: %v", name, err), "")
	}
	return d, nil
}

// limit reads how long something holds. Empty is zero, which is forever; a zero
// that is written means something else, and is refused.
func limit(text string) (time.Duration, error) {
	d, err := span("for", text)
	if err == nil && d == 0 && text != "" {
		return 0, Invalid(fmt.Sprintf("for: %s is no time at all", text), "leave it out for something that holds until it is ended by hand")
	}
	return d, err
}

// inOrder refuses a span that holds nothing, which would pass for good news.
func inOrder(name string, from, until time.Time) error {
	if from.IsZero() || until.IsZero() || until.After(from) {
		return nil
	}
	return Invalid("until is not after "+name, "swap them; until is exclusive")
}

func idText(id int64) string { return strconv.FormatInt(id, 10) }
