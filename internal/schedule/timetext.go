package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Direction says where a text lies that could lie either way.
type Direction int

// The directions.
const (
	Past Direction = iota
	Future
)

// ParseTime reads a point in time as people write it on a command line:
//
//	2026-01-02T15:04:05Z       RFC 3339, with or without a fraction
//	2026-01-02                 midnight in the zone
//	2026-01-02 15:04[:05]      in the zone
//	22:00[:05]                 the last such time up to now, or the next one after it
//	now
//	today, tomorrow, yesterday midnight, or with a time of day: tomorrow 02:30
//	-24h, +2h                  before and after now
//	7d                         so long ago, or so long from now
//
// The direction decides where there are two readings. A local time that the
// zone skips is the first instant after the gap; of one that comes twice it is
// the first.
func ParseTime(s string, now time.Time, loc *time.Location, dir Direction) (time.Time, error) {
	if loc == nil {
		loc = time.Local
	}
	t, err := parseTime(strings.ToLower(strings.TrimSpace(s)), now.In(loc), loc, dir)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %s: %w", clip(s), err)
	}
	return t, nil
}

var errTimeForm = errors.New("write 22:00, today, tomorrow 02:30, yesterday, now, -24h, +2h, 7d, 2026-01-02, \"2026-01-02 15:04\" or 2026-01-02T15:04:05Z")

func parseTime(text string, now time.Time, loc *time.Location, dir Direction) (time.Time, error) {
	if text == "" {
		return time.Time{}, errTimeForm
	}
	if t, err := time.Parse(time.RFC3339, strings.ToUpper(text)); err == nil {
		return t.In(loc), nil
	}
	switch {
	case text == "now":
		return now, nil
	case text[0] == '-' || text[0] == '+':
		return offsetFrom(now, text[1:], text[0] == '-')
	case strings.Count(text, "-") == 2 || strings.HasPrefix(text, "to") || strings.HasPrefix(text, "ye"):
		return parseDay(text, now, loc)
	case strings.Contains(text, ":"):
		return parseClockAlone(text, now, loc, dir)
	case text[0] >= '0' && text[0] <= '9' || text[0] == '.':
		return offsetFrom(now, text, dir == Past)
	}
	return time.Time{}, errTimeForm
}

func offsetFrom(now time.Time, text string, back bool) (time.Time, error) {
	d, err := ParseDuration(text)
	if err != nil {
		return time.Time{}, err
	}
	if back {
		d = -d
	}
	return now.Add(d), nil
}

// parseDay reads a date or a day's name, alone or with a time of day.
func parseDay(text string, now time.Time, loc *time.Location) (time.Time, error) {
	day, clock, timed := strings.Cut(text, " ")
	if !timed && len(text) > len(time.DateOnly) && text[len(time.DateOnly)] == 't' {
		day, clock, timed = text[:len(time.DateOnly)], text[len(time.DateOnly)+1:], true
	}
	date, err := parseDate(day, now)
	if err != nil {
		return time.Time{}, err
	}
	nominal := date.Unix()
	if timed {
		seconds, err := parseClock(strings.TrimSpace(clock))
		if err != nil {
			return time.Time{}, err
		}
		nominal += seconds
	}
	return time.Unix(instantOf(loc, nominal), 0).In(loc), nil
}

// parseDate returns midnight of a day, as if in UTC.
func parseDate(text string, now time.Time) (time.Time, error) {
	year, month, day := now.Date()
	switch text {
	case "today":
	case "tomorrow":
		day++
	case "yesterday":
		day--
	default:
		date, err := time.Parse(time.DateOnly, text)
		switch {
		case err != nil && len(text) == len(time.DateOnly) && strings.Trim(text, "0123456789-") == "":
			return time.Time{}, fmt.Errorf("there is no date %s", text)
		case err != nil:
			return time.Time{}, errTimeForm
		}
		return date, nil
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC), nil
}

// parseClock reads a time of day and returns it in seconds.
func parseClock(text string) (int64, error) {
	layout := "15:04"
	if strings.Count(text, ":") == 2 {
		layout = time.TimeOnly
	}
	t, err := time.Parse(layout, text)
	if err != nil || t.Nanosecond() != 0 {
		return 0, fmt.Errorf("%s is not a time of day from 00:00 to 23:59:59", clip(text))
	}
	return int64(t.Hour()*3600 + t.Minute()*60 + t.Second()), nil
}

// parseClockAlone reads a time of day and returns when it was last, or when it
// will be next.
func parseClockAlone(text string, now time.Time, loc *time.Location, dir Direction) (time.Time, error) {
	seconds, err := parseClock(text)
	if err != nil {
		return time.Time{}, err
	}
	daily, err := Parse(fmt.Sprintf("%d %d %d * * *", seconds%60, seconds/60%60, seconds/3600))
	if err != nil {
		return time.Time{}, err
	}
	s := Schedule{Exprs: []Expr{daily}, Zone: loc, DST: DST{Fold: FoldTwice}}
	find := s.Last
	if dir == Future {
		find = s.Next
	}
	if o, ok := find(now); ok {
		return o.At, nil
	}
	return time.Time{}, errTimeForm
}

// instantOf returns the first instant that shows a nominal time in the zone,
// or the end of the gap that skips it.
func instantOf(zone *time.Location, nominal int64) int64 {
	for seg := segmentAt(zone, nominal-maxShift); ; seg = segmentAt(zone, seg.end) {
		if at := nominal - seg.offset; at < seg.end {
			return max(at, seg.start)
		}
	}
}
