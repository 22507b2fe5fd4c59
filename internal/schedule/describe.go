package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Describe returns the schedule as a phrase, such as "at 02:30 every day,
// Europe/Berlin", with the zone under the given name; empty for a schedule that
// names nothing. What comes at every hour is understood without a zone.
func (s Schedule) Describe(zone string) string {
	var phrases []string
	local := false
	for _, e := range s.Exprs {
		phrases = append(phrases, e.Describe())
		local = local || !e.everyHour()
	}
	text := joined(phrases)
	if local && zone != "" {
		text += ", " + zone
	}
	return text
}

// everyHour says whether the expression comes at the same minutes of every hour
// of every day, or has no times of day at all.
func (e Expr) everyHour() bool {
	if e.silent() || e.every > 0 {
		return true
	}
	all := func(set uint64, n int) bool { return len(values(set)) == n }
	return all(e.spec.Hour, 24) && all(e.spec.Dom, 31) && all(e.spec.Month, 12) && all(e.spec.Dow, 7)
}

// Describe returns the expression as a plain English phrase, such as "at 02:30
// every day" and "every 5 minutes". For what is too complex for a phrase it
// returns the text.
func (e Expr) Describe() string {
	switch {
	case e.text == "":
		return "never"
	case e.reboot:
		return "once after every boot"
	case e.every > 0:
		return "every " + interval(e.Every())
	}
	clock, ok := e.describeClock()
	if !ok {
		return e.text
	}
	days, ok := e.describeDays()
	if !ok {
		return e.text
	}
	if days == "" && strings.HasPrefix(clock, "at ") && !strings.Contains(clock, "every") {
		days = " every day"
	}
	if strings.HasPrefix(days, " in ") && !strings.Contains(clock, "every") {
		days = " every day" + days
	}
	return clock + days
}

// interval names a duration of one unit in words, any other in its text form.
func interval(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d%unit.length == 0 && d/unit.length < 100 {
			return many(int(d/unit.length), unit.name)
		}
	}
	return FormatDuration(d)
}

// many returns "minute" for 1 and "5 minutes" for 5.
func many(n int, unit string) string {
	if n == 1 {
		return unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// describeClock describes the times of day.
func (e Expr) describeClock() (phrase string, ok bool) {
	seconds, minutes, hours := values(e.spec.Second), values(e.spec.Minute), values(e.spec.Hour)
	const most = 4
	if len(seconds) == 1 && len(minutes)*len(hours) <= most {
		return "at " + clockTimes(hours, minutes, seconds[0]), true
	}
	if len(seconds) > 1 {
		step := strideOf(seconds, 60)
		if step == 0 || len(minutes) < 60 || len(hours) < 24 {
			return "", false
		}
		return "every " + many(step, "second"), true
	}
	if seconds[0] != 0 {
		return "", false
	}
	if len(minutes) == 1 {
		return hourly(minutes[0], hours)
	}
	if step := strideOf(minutes, 60); step != 0 && contiguous(hours) {
		phrase = "every " + many(step, "minute")
		if len(hours) < 24 {
			phrase += fmt.Sprintf(" from %02d:00 to %02d:59", hours[0], hours[len(hours)-1])
		}
		return phrase, true
	}
	if len(hours) < 24 || len(minutes) > most {
		return "", false
	}
	return "at minutes " + joined(numbers(minutes)) + " of every hour", true
}

// hourly describes one minute of many hours.
func hourly(minute int, hours []int) (phrase string, ok bool) {
	switch step := strideOf(hours, 24); {
	case step == 1:
		return fmt.Sprintf("at minute %d of every hour", minute), true
	case step > 1:
		return fmt.Sprintf("every %s from 00:%02d on", many(step, "hour"), minute), true
	case !contiguous(hours):
		return "", false
	}
	return fmt.Sprintf("every hour from %02d:%02d to %02d:%02d", hours[0], minute, hours[len(hours)-1], minute), true
}

// describeDays describes the days, with a space before; empty for every day.
func (e Expr) describeDays() (phrase string, ok bool) {
	months, inMonths := "the month", ""
	if set := values(e.spec.Month); len(set) < 12 {
		list, ok := list(set, func(m int) string { return time.Month(m).String() })
		if !ok {
			return "", false
		}
		months, inMonths = list, " in "+list
	}
	doms := values(e.spec.Dom)
	days, domsOK := list(doms, strconv.Itoa)
	weekdays, dowsOK := list(mondayFirst(values(e.spec.Dow)), func(d int) string { return time.Weekday(d % 7).String() })
	anyDom, anyDow := len(doms) == 31, len(values(e.spec.Dow)) == 7
	both := (e.spec.Dom|e.spec.Dow)&starBit != 0
	noun := "day "
	if len(doms) > 1 {
		noun = "days "
	}
	switch {
	case anyDom && anyDow, !both && (anyDom || anyDow):
		return inMonths, true
	case anyDom:
		return " on " + weekdays + inMonths, dowsOK
	case anyDow:
		return " on " + noun + days + " of " + months, domsOK
	case both:
		return " on " + weekdays + " that falls on " + noun + days + " of " + months, domsOK && dowsOK
	}
	return " on " + noun + days + " of " + months + " or on " + weekdays + inMonths, domsOK && dowsOK
}

func clockTimes(hours, minutes []int, second int) string {
	var times []string
	for _, h := range hours {
		for _, m := range minutes {
			t := fmt.Sprintf("%02d:%02d", h, m)
			if second != 0 {
				t += fmt.Sprintf(":%02d", second)
			}
			times = append(times, t)
		}
	}
	return joined(times)
}

// strideOf returns the constant distance of the values, if they go from 0
// through the whole of a field of that size; otherwise 0.
func strideOf(values []int, size int) int {
	step := size / len(values)
	for i, v := range values {
		if v != i*step {
			return 0
		}
	}
	if step*len(values) != size {
		return 0
	}
	return step
}

func contiguous(values []int) bool {
	return values[len(values)-1]-values[0] == len(values)-1
}

// mondayFirst moves Sunday to the end, as 7.
func mondayFirst(days []int) []int {
	if days[0] == 0 {
		days = append(days[1:], 7)
	}
	return days
}

// list joins values for a phrase, runs of three and more as "1 to 7". It
// reports false when the list is too long to read.
func list(values []int, name func(int) string) (string, bool) {
	const most = 6
	var items []string
	for i := 0; i < len(values); {
		end := i
		for end+1 < len(values) && values[end+1] == values[end]+1 {
			end++
		}
		if end-i < 2 {
			items = append(items, name(values[i]))
			i++
			continue
		}
		items = append(items, name(values[i])+" to "+name(values[end]))
		i = end + 1
	}
	return joined(items), len(items) <= most
}

func numbers(values []int) []string {
	var items []string
	for _, v := range values {
		items = append(items, strconv.Itoa(v))
	}
	return items
}

// joined returns "a", "a and b" or "a, b and c".
func joined(items []string) string {
	last := len(items) - 1
	if last < 1 {
		return strings.Join(items, "")
	}
	return strings.Join(items[:last], ", ") + " and " + items[last]
}
