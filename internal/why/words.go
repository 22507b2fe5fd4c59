package why

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const day = 24 * time.Hour

func id(n int64) string { return strconv.FormatInt(n, 10) }

// upper begins a sentence.
func upper(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

// full is an instant with its day and the zone's offset.
func (f *Facts) full(t time.Time) string { return t.In(f.Zone).Format("Mon 2006-01-02 15:04:05 -0700") }

// near is an instant as briefly as it can be told beside another: without the
// date where that is the same, without the seconds where there are none.
func (f *Facts) near(t, beside time.Time) string {
	t, beside = t.In(f.Zone), beside.In(f.Zone)
	form := "15:04"
	if t.Second() != 0 {
		form = "15:04:05"
	}
	if t.Format(time.DateOnly) != beside.Format(time.DateOnly) {
		form = "Mon 2006-01-02 " + form
	} else if _, a := t.Zone(); a != offset(beside) {
		form += " -0700"
	}
	return t.Format(form)
}

func offset(t time.Time) int {
	_, seconds := t.Zone()
	return seconds
}

// span is a duration as people say it.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + "ms"
	case d < time.Minute:
		return strings.TrimSuffix(strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', 1, 64), ".0") + "s"
	case d < time.Hour:
		return pair(d, time.Minute, "m", time.Second, "s")
	case d < day:
		return pair(d, time.Hour, "h", time.Minute, "m")
	}
	return pair(d, day, "d", time.Hour, "h")
}

func pair(d, big time.Duration, bigUnit string, small time.Duration, smallUnit string) string {
	text := strconv.Itoa(int(d/big)) + bigUnit
	if rest := d % big / small; rest > 0 {
		text += strconv.Itoa(int(rest)) + smallUnit
	}
	return text
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// by says who did something, and nothing where nobody is known.
func by(actor string) string {
	switch name, isUser := strings.CutPrefix(actor, "user "); {
	case actor == "":
		return ""
	case isUser:
		return " by " + name
	case actor == "file":
		return " by a changed file"
	case actor == "window":
		return " by a window of the pool"
	}
	return " by " + actor
}
