package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Expr is one parsed expression. Its zero value names no instant.
type Expr struct {
	text     string
	spec     fields // unused with every and reboot
	seconds  bool   // the text has a field for seconds
	every    int64  // seconds; zero unless @every
	reboot   bool
	wildcard bool
}

// Parse reads an expression: five fields, six with seconds first, or one of
// @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @reboot
// and "@every D", which stands for the multiples of D since the epoch. Its
// errors name the field at fault and offer a way out.
func Parse(text string) (Expr, error) {
	e, err := parse(strings.TrimSpace(text))
	if err != nil {
		return Expr{}, fmt.Errorf("schedule %s: %w", clip(text), err)
	}
	return e, nil
}

// String returns the text that the expression was parsed from.
func (e Expr) String() string { return e.text }

// Reboot says whether the expression is "@reboot".
func (e Expr) Reboot() bool { return e.reboot }

// Every returns the interval of an "@every", zero for any other expression.
func (e Expr) Every() time.Duration { return time.Duration(e.every) * time.Second }

// Wildcard says whether the expression follows elapsed time: its minute or
// hour field begins with "*", or it is an "@every".
func (e Expr) Wildcard() bool { return e.wildcard }

// silent says whether the expression names no instant at all.
func (e *Expr) silent() bool { return e.reboot || e.text == "" }

func parse(text string) (Expr, error) {
	switch {
	case text == "":
		return Expr{}, errors.New("empty; write five fields such as \"30 2 * * *\", or @daily")
	case strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ="):
		return Expr{}, errors.New("a zone inside the expression is not taken; write it as time_zone beside the schedule")
	case text[0] == '@':
		return parseMacro(text)
	}
	return parseFields(text, strings.Fields(text))
}

func parseMacro(text string) (Expr, error) {
	first := strings.Fields(text)[0]
	name, rest := strings.ToLower(first), strings.TrimSpace(text[len(first):])
	if name == "@every" {
		return parseEvery(text, rest)
	}
	fields, ok := macroFields(name)
	switch {
	case !ok:
		return Expr{}, fmt.Errorf("%s is not known; there are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @reboot and \"@every D\"", clip(name))
	case rest != "":
		return Expr{}, fmt.Errorf("%s stands alone, but %s follows it", name, clip(rest))
	case name == "@reboot":
		return Expr{text: text, reboot: true}, nil
	}
	return parseFields(text, strings.Fields(fields))
}

func macroFields(name string) (fields string, ok bool) {
	switch name {
	case "@yearly", "@annually":
		return "0 0 1 1 *", true
	case "@monthly":
		return "0 0 1 * *", true
	case "@weekly":
		return "0 0 * * 0", true
	case "@daily", "@midnight":
		return "0 0 * * *", true
	case "@hourly":
		return "0 * * * *", true
	case "@reboot":
		return "", true
	}
	return "", false
}

func parseEvery(text, interval string) (Expr, error) {
	if interval == "" {
		return Expr{}, errors.New("@every lacks its interval; write @every 5m")
	}
	d, err := ParseDuration(interval)
	if err != nil {
		return Expr{}, fmt.Errorf("@every: %w", err)
	}
	if d < time.Second || d%time.Second != 0 {
		return Expr{}, fmt.Errorf("@every: %s is not a whole number of seconds from 1s on", FormatDuration(d))
	}
	return Expr{text: text, every: int64(d / time.Second), wildcard: true}, nil
}

func parseFields(text string, texts []string) (Expr, error) {
	e := Expr{text: text, seconds: len(texts) == 6}
	switch len(texts) {
	case 5:
		texts = append([]string{"0"}, texts...)
	case 6:
	default:
		return Expr{}, fmt.Errorf("has %d of the five fields minute, hour, day of month, month, day of week (or six, with seconds first)", len(texts))
	}
	var sets [6]uint64
	var faults []string
	for i, f := range allFields() {
		set, err := f.parse(texts[i])
		if err != nil {
			faults = append(faults, f.name+": "+err.Error())
		}
		sets[i] = set
	}
	if len(faults) > 0 {
		return Expr{}, errors.New(strings.Join(faults, "; "))
	}
	e.spec = fields{
		Second: sets[0], Minute: sets[1], Hour: sets[2],
		Dom: sets[3], Month: sets[4], Dow: sets[5],
	}
	e.wildcard = texts[1][0] == '*' || texts[2][0] == '*'
	if e.never() {
		return Expr{}, errors.New("never comes: none of its months has such a day")
	}
	return e, nil
}

// never says whether no date matches. Each weekday falls on each day of the
// year some time, so that only the length of the months counts.
func (e *Expr) never() bool {
	if e.spec.Dom&starBit == 0 && e.spec.Dow&starBit == 0 {
		return false // either day field will do, and no weekday set is empty
	}
	first := bits.TrailingZeros64(e.spec.Dom)
	for month := time.January; month <= time.December; month++ {
		longest := time.Date(2000, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
		if e.spec.Month&(1<<month) != 0 && first <= longest {
			return false
		}
	}
	return true
}

// clip quotes a text for a message, shortened where it is long.
func clip(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}
