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

func idText(id int64) string { return strconv.FormatInt(id, 10) }
