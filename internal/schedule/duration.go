package schedule

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Duration is a time.Duration in poold's text form: Go's form plus "d" for 24
// hours, such as "30s", "1d12h" and "0s". A bare number is refused.
type Duration time.Duration

// MarshalText returns the shortest text form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText accepts what ParseDuration accepts.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(parsed)
	return nil
}

// String returns the text form, such as "1h" and "30d".
func (d Duration) String() string { return FormatDuration(time.Duration(d)) }

// ParseDuration reads a duration in Go's form plus "d" for 24 hours. It takes
// no sign, and no bare number.
func ParseDuration(s string) (time.Duration, error) {
	switch {
	case s == "":
		return 0, errors.New("empty duration; write 30s, 5m or 1d12h")
	case s[0] == '-' || s[0] == '+':
		return 0, fmt.Errorf("duration %s: takes no sign; write 30s, 5m or 1d12h", clip(s))
	case strings.Trim(s, "0123456789.") == "":
		return 0, fmt.Errorf("duration %s lacks its unit; write %.20[2]ss or %.20[2]sm", clip(s), s)
	}
	var total time.Duration
	for rest := s; rest != ""; {
		part, after, err := cutPart(rest)
		if err != nil {
			return 0, fmt.Errorf("duration %s: %w", clip(s), err)
		}
		if part > math.MaxInt64-total {
			return 0, fmt.Errorf("duration %s: %w", clip(s), errTooLong)
		}
		total += part
		rest = after
	}
	return total, nil
}

// FormatDuration writes a duration so that ParseDuration reads it back, as
// shortly as its units allow: "1d12h", not "36h0m0s".
func FormatDuration(d time.Duration) string {
	if d < 0 {
		if d == math.MinInt64 {
			d++ // has no positive twin
		}
		return "-" + FormatDuration(-d)
	}
	var b strings.Builder
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / unit.length; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit.name)
			d %= unit.length
		}
	}
	if d > 0 || b.Len() == 0 {
		b.WriteString(d.String())
	}
	return b.String()
}

var errTooLong = errors.New("longer than 292 years")

// cutPart reads one number and its unit off the front.
func cutPart(s string) (part time.Duration, rest string, err error) {
	digits := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if digits < 0 {
		return 0, "", fmt.Errorf("%s lacks its unit; write 30s, 5m or 1d12h", clip(s))
	}
	if digits == 0 {
		return 0, "", errors.New("not numbers with units; write 30s, 5m or 1d12h")
	}
	number, rest := s[:digits], s[digits:]
	unit := rest
	if end := strings.IndexAny(rest, "0123456789."); end >= 0 {
		unit = rest[:end]
	}
	scale := time.Duration(1)
	switch unit {
	case "d":
		part, err = time.ParseDuration(number + "h")
		scale = 24
	case "h", "m", "s", "ms", "us", "µs", "μs", "ns":
		part, err = time.ParseDuration(number + unit)
	default:
		return 0, "", fmt.Errorf("the unit %s is not known; there are d, h, m, s, ms, us and ns", clip(unit))
	}
	switch {
	case strings.Count(number, ".") > 1 || number == ".":
		return 0, "", fmt.Errorf("%s is not a number", clip(number))
	case err != nil || part > math.MaxInt64/scale:
		return 0, "", errTooLong
	}
	return part * scale, rest[len(unit):], nil
}
