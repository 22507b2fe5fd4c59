package schedule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Add reads an entry of a calendar:
//
//	2026-12-25                           a date
//	2026-12-24..2027-01-02               dates, the last one too
//	2026-12-24 18:00..2027-01-02 06:00   from one time to before another
//	2026-12-24 18:00..22:00              within one date
//	12-25, 12-24..01-02                  each year
//	sat, sat..sun                        each week
//	fri 18:00..mon 06:00                 each week
//	22:00..06:00                         each day, into the next
//	mon..fri 08:00..18:00                on each of these days
//
// A time after a date or a weekday that ends a span is not part of it; 24:00 is
// the end of a day.
func (c *Calendar) Add(text string) error {
	parts := strings.Split(strings.ToLower(strings.TrimSpace(text)), "..")
	points := make([]point, len(parts))
	for i, part := range parts {
		var err error
		if points[i], err = parsePoint(strings.TrimSpace(part)); err != nil {
			return fmt.Errorf("%s: %w", clip(text), err)
		}
	}
	if err := c.add(points); err != nil {
		return fmt.Errorf("%s: %w", clip(text), err)
	}
	c.entries++
	return nil
}

var errEntryForm = errors.New("is no entry of a calendar; write 2026-12-25, 2026-12-24..2027-01-02, " +
	"2026-12-24 18:00..2027-01-02 06:00, 12-25, sat..sun, fri 18:00..mon 06:00, 22:00..06:00 or mon..fri 08:00..18:00")

// The kinds of days that a point may be of.
type dayKind int

const (
	noDay dayKind = iota
	onDate
	onDayOfYear
	onWeekday
)

// point is one end of an entry: a day, a time of day, or both.
type point struct {
	kind  dayKind
	date  int64     // onDate: midnight, nominal
	year  dayOfYear // onDayOfYear
	day   int64     // onWeekday: seconds since Monday
	timed bool
	clock int64
}

func parsePoint(text string) (point, error) {
	var p point
	day, clock, both := strings.Cut(text, " ")
	if !both && strings.Contains(text, ":") {
		day, clock = "", text
	}
	if clock = strings.TrimSpace(clock); clock != "" {
		seconds, err := clockOf(clock)
		if err != nil {
			return p, err
		}
		p.timed, p.clock = true, seconds
	}
	if day == "" {
		if !p.timed {
			return p, errEntryForm
		}
		return p, nil
	}
	return p, p.readDay(day)
}

// clockOf is parseClock, and 24:00.
func clockOf(text string) (int64, error) {
	if text == "24:00" {
		return secondsPerDay, nil
	}
	return parseClock(text)
}

var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// readDay reads a date, a date without a year, or a weekday.
func (p *point) readDay(text string) error {
	for i, name := range weekdays {
		if text == name || (len(text) > 3 && text == strings.ToLower(time.Weekday((i+1)%7).String())) {
			p.kind, p.day = onWeekday, int64(i)*secondsPerDay
			return nil
		}
	}
	digits := strings.Trim(text, "0123456789-") == ""
	switch {
	case digits && len(text) == len("01-02"):
		month, err := strconv.Atoi(text[:2])
		if err != nil {
			return errEntryForm
		}
		day, err := strconv.Atoi(text[3:])
		leap := time.Date(2000, time.Month(month), day, 0, 0, 0, 0, time.UTC)
		if err != nil || text[2] != '-' || month < 1 || month > 12 || leap.Day() != day || day < 1 {
			return fmt.Errorf("there is no date %s in any year", text)
		}
		p.kind, p.year = onDayOfYear, dayOfYear{month: time.Month(month), day: day}
	case digits && len(text) == len(time.DateOnly):
		date, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return fmt.Errorf("there is no date %s", text)
		}
		p.kind, p.date = onDate, date.Unix()
	default:
		return errEntryForm
	}
	return nil
}

// add adds the entry that its points make.
func (c *Calendar) add(p []point) error {
	switch {
	case len(p) == 1 && p[0].kind != noDay && !p[0].timed:
		return c.addSpan(p[0], p[0])
	case len(p) == 2 && p[0].kind == p[1].kind && p[0].kind != noDay:
		return c.addSpan(p[0], p[1])
	case len(p) == 2 && p[0].timed && p[1].kind == noDay:
		return c.addClock(p[0], p[0], p[0].clock, p[1].clock)
	case len(p) == 3 && p[0].kind == p[1].kind && p[0].kind != noDay && !p[0].timed && p[1].timed && p[2].kind == noDay:
		return c.addClock(p[0], p[1], p[1].clock, p[2].clock)
	}
	return errEntryForm
}

// addSpan adds from one point to another; a day without a time counts whole.
func (c *Calendar) addSpan(from, to point) error {
	end := to.clock
	if !to.timed {
		end = secondsPerDay
	}
	switch from.kind {
	case onDate:
		s := span{from.date + from.clock, to.date + end}
		if s.to <= s.from {
			return errors.New("it ends before it begins")
		}
		c.dates = append(c.dates, s)
	case onDayOfYear:
		y := yearly{from: from.year, to: to.year}
		y.from.clock, y.to.clock = from.clock, end
		if y.from == y.to {
			return errors.New("it ends when it begins")
		}
		c.yearly = append(c.yearly, y)
	case onWeekday:
		s := span{from.day + from.clock, to.day + end}
		if s.to == s.from {
			return errors.New("it ends when it begins")
		}
		if s.to < s.from {
			s.to += secondsPerWeek
		}
		c.weekly = append(c.weekly, s)
	}
	return nil
}

// addClock adds from one time of day to another, into the next day if need be,
// on each day from first to last; on every day if these are none.
func (c *Calendar) addClock(first, last point, from, to int64) error {
	if from == to {
		return errors.New("it ends when it begins")
	}
	if to < from {
		to += secondsPerDay
	}
	if first.kind == noDay {
		first, last = point{kind: onWeekday}, point{kind: onWeekday, day: 6 * secondsPerDay}
	}
	switch first.kind {
	case onWeekday:
		end := last.day
		if end < first.day {
			end += secondsPerWeek
		}
		for day := first.day; day <= end; day += secondsPerDay {
			c.weekly = append(c.weekly, span{day + from, day + to})
		}
	case onDate:
		const mostDays = 1000
		if last.date < first.date || last.date-first.date > mostDays*secondsPerDay {
			return fmt.Errorf("times of day are for 1 to %d dates", mostDays)
		}
		for day := first.date; day <= last.date; day += secondsPerDay {
			c.dates = append(c.dates, span{day + from, day + to})
		}
	case onDayOfYear:
		if first.year != last.year {
			return errors.New("times of day each year are for one date; write one entry for each")
		}
		y := yearly{from: first.year, to: first.year}
		y.from.clock, y.to.clock = from, to
		c.yearly = append(c.yearly, y)
	}
	return nil
}
