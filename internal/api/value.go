package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// timeForm has six digits of fraction, always: instants then sort as text, and
// every parser takes them (older Pythons want three digits or six).
const timeForm = "2006-01-02T15:04:05.000000Z07:00"

// Time is an instant, written in UTC with a fraction.
type Time struct{ time.Time }

// At returns the instant t, or nil for the zero time.
func At(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t.UTC()}
}

// OrZero returns the instant, or the zero time for nil.
func (t *Time) OrZero() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// Equal says whether both are the same instant.
func (t Time) Equal(u Time) bool { return t.Time.Equal(u.Time) }

// MarshalText writes the instant.
func (t Time) MarshalText() ([]byte, error) { return t.UTC().AppendFormat(nil, timeForm), nil }

// MarshalJSON writes the instant as a string.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"`+timeForm+`"`), nil
}

// UnmarshalText reads an instant in RFC 3339.
func (t *Time) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return fmt.Errorf("read time: %w", err)
	}
	t.Time = at
	return nil
}

// UnmarshalJSON reads an instant from a string.
func (t *Time) UnmarshalJSON(raw []byte) error {
	text, err := unquote(raw)
	if err != nil {
		return fmt.Errorf("read time: %w", err)
	}
	return t.UnmarshalText([]byte(text))
}

// ZonedTime is an instant written with the offset of the zone it belongs to.
type ZonedTime struct{ time.Time }

// Equal says whether both are the same instant with the same offset.
func (t ZonedTime) Equal(u ZonedTime) bool {
	return t.Format(time.RFC3339Nano) == u.Format(time.RFC3339Nano)
}

// MarshalText writes the instant with its offset.
func (t ZonedTime) MarshalText() ([]byte, error) {
	return t.AppendFormat(nil, time.RFC3339Nano), nil
}

// Duration is a span of time, written in Go's form.
type Duration time.Duration

// Span returns a pointer to the duration.
func Span(d time.Duration) *Duration { span := Duration(d); return &span }

// String gives Go's form, without a trailing 0m0s.
func (d Duration) String() string {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText writes what String gives.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads Go's form.
func (d *Duration) UnmarshalText(text []byte) error {
	span, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("read duration: %w", err)
	}
	*d = Duration(span)
	return nil
}

// Text returns a pointer to s, or nil for the empty string.
func Text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Or returns what p points to, or the fallback for nil.
func Or[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

func unquote(raw []byte) (string, error) {
	text, err := strconv.Unquote(string(raw))
	if err != nil {
		return "", fmt.Errorf("%s is no string", raw)
	}
	return text, nil
}
