package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// starBit marks a day field that begins with "*", as robfig/cron wants it:
// then both day fields must match, otherwise either.
const starBit = 1 << 63

// field is one place of an expression. Its values are kept as bits of a
// number, bit 5 for the value 5.
type field struct {
	name     string
	min, max uint64
	names    []string // of the values from min on, in lower case
	days     bool     // may carry the star bit
}

func allFields() [6]field {
	months := []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdays := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	return [6]field{
		{name: "second", max: 59},
		{name: "minute", max: 59},
		{name: "hour", max: 23},
		{name: "day of month", min: 1, max: 31, days: true},
		{name: "month", min: 1, max: 12, names: months},
		{name: "day of week", max: 7, names: weekdays, days: true},
	}
}

// parse reads a list of values, ranges and steps.
func (f field) parse(text string) (uint64, error) {
	var set uint64
	for item := range strings.SplitSeq(text, ",") {
		values, err := f.parseItem(item)
		if err != nil {
			return 0, err
		}
		set |= values
	}
	if f.weekday() && set&(1<<7) != 0 {
		set = set&^(1<<7) | 1 // 7 is Sunday, as 0 is
	}
	if f.days && text[0] == '*' {
		set |= starBit
	}
	return set, nil
}

// parseItem reads "*", a value or a range, with or without a step. A value
// with a step goes on to the end of the field.
func (f field) parseItem(item string) (uint64, error) {
	if item == "" {
		return 0, errors.New("empty between commas; write values such as 1,15")
	}
	span, stepText, stepped := strings.Cut(item, "/")
	step := uint64(1)
	if stepped {
		var err error
		if step, err = f.parseStep(stepText); err != nil {
			return 0, err
		}
	}
	low, high, err := f.parseSpan(span, stepped)
	if err != nil {
		return 0, err
	}
	var set uint64
	for v := low; v <= high; v += step {
		set |= 1 << v
	}
	return set, nil
}

func (f field) parseSpan(span string, stepped bool) (low, high uint64, err error) {
	if span == "*" {
		return f.min, f.last(), nil
	}
	lowText, highText, ranged := strings.Cut(span, "-")
	if lowText == "" || ranged && highText == "" {
		return 0, 0, fmt.Errorf("%s lacks a number", clip(span))
	}
	if low, err = f.parseValue(lowText); err != nil {
		return 0, 0, err
	}
	switch {
	case !ranged && !stepped:
		return low, low, nil
	case !ranged:
		return low, max(low, f.last()), nil
	}
	if high, err = f.parseValue(highText); err != nil {
		return 0, 0, err
	}
	if f.weekday() && high == 0 && low > 0 {
		high = 7 // fri-sun
	}
	if low > high {
		return 0, 0, fmt.Errorf("the range %s runs backwards; write %s-%d,%d-%s", span, lowText, f.last(), f.min, highText)
	}
	return low, high, nil
}

func (f field) parseValue(text string) (uint64, error) {
	if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
		return f.min + uint64(i), nil
	}
	v, err := number(text)
	switch {
	case text == "?":
		return 0, errors.New("? is not taken; write *")
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%s is above %d", clip(text), f.max)
	case err != nil && f.names != nil:
		return 0, fmt.Errorf("%s is neither a number from %d to %d nor a name such as %s", clip(text), f.min, f.max, strings.ToUpper(f.names[1]))
	case err != nil:
		return 0, fmt.Errorf("%s is not a number from %d to %d", clip(text), f.min, f.max)
	case v < f.min:
		return 0, fmt.Errorf("%d is below %d", v, f.min)
	case v > f.max:
		return 0, fmt.Errorf("%d is above %d", v, f.max)
	}
	return v, nil
}

// parseStep reads a step. In the day and month fields a step that is longer
// than the field is an idiom: "*/100,1-7" has days 1 to 7 and the star. In the
// others it is a mistake: "*/90" minutes would be every hour.
func (f field) parseStep(text string) (uint64, error) {
	step, err := number(text)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("the step %s is not a number", clip(text))
	case err == nil && step == 0:
		return 0, errors.New("a step of 0 leads nowhere; write 1 or more")
	case err != nil || step > 1000:
		return 0, fmt.Errorf("the step %s is too long", clip(text))
	case f.min == 0 && !f.days && step > f.max+1:
		return 0, fmt.Errorf("a step of %d is longer than the field, which starts again after %d; for longer intervals write @every, such as @every 90m", step, f.max)
	}
	return step, nil
}

func (f field) weekday() bool { return f.max == 7 }

// last is the highest value that "*" stands for: Sunday counts as 0 there.
func (f field) last() uint64 {
	if f.weekday() {
		return 6
	}
	return f.max
}

// number reads a plain decimal number: no sign, nothing else.
func number(text string) (uint64, error) {
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, strconv.ErrSyntax
		}
	}
	return strconv.ParseUint(text, 10, 32)
}

// values lists the members of a set, lowest first.
func values(set uint64) []int {
	set &^= starBit
	list := make([]int, 0, bits.OnesCount64(set))
	for ; set != 0; set &= set - 1 {
		list = append(list, bits.TrailingZeros64(set))
	}
	return list
}
