package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	jsonNumber  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// scalarValue is a scalar's value where no type says what it is to be.
func (n *node) scalarValue() any {
	switch {
	case n.plain && n.text == "true":
		return true
	case n.plain && n.text == "false":
		return false
	case n.plain && jsonNumber.MatchString(n.text):
		return json.Number(n.text)
	}
	return n.text
}

// wanted names what a scalar of a type looks like.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	}
	return "a number"
}

// scalar decodes a scalar by the kind of its target.
func (d *decoder) scalar(n *node, p path, v reflect.Value) bool {
	switch {
	case v.Kind() == reflect.Bool:
		return d.boolean(n, p, v)
	case v.Kind() == reflect.String:
		return d.word(n, p, v)
	case v.CanInt() || v.CanUint():
		return d.number(n, p, v)
	case v.CanFloat():
		f, err := strconv.ParseFloat(n.text, v.Type().Bits())
		if err != nil || !n.plain || !jsonNumber.MatchString(n.text) {
			d.report.at(n, p, fmt.Sprintf("expected a number, found %s", n.describe()), "")
			return false
		}
		v.SetFloat(f)
		return true
	}
	d.report.at(n, p, fmt.Sprintf("no value can be given for %s", v.Type()), "")
	return false
}

func (d *decoder) boolean(n *node, p path, v reflect.Value) bool {
	if n.plain && (n.text == "true" || n.text == "false") {
		v.SetBool(n.text == "true")
		return true
	}
	hint := ""
	switch strings.ToLower(n.text) {
	case "yes", "on", "y", "1", "true":
		hint = "write true, without quotes"
	case "no", "off", "n", "0", "false":
		hint = "write false, without quotes"
	}
	d.report.at(n, p, fmt.Sprintf("expected true or false, found %s", n.describe()), hint)
	return false
}

// word decodes text: a scalar by its source text, so that 010 and true stay
// what was written. Types with Values take only one of these.
func (d *decoder) word(n *node, p path, v reflect.Value) bool {
	if words := valuesOf(v); words != nil && !slices.Contains(words, n.text) {
		hint := "one of " + strings.Join(words, ", ")
		if near := nearest(n.text, words); near != "" {
			hint = "did you mean " + near + "?"
		}
		d.report.at(n, p, fmt.Sprintf("%s is not a choice here", n.describe()), hint)
		return false
	}
	v.SetString(n.text)
	return true
}

// asNumber says how what was meant as a whole number is written.
func (n *node) asNumber() (hint string) {
	switch {
	case !n.plain && wholeNumber.MatchString(n.text):
		return "write it without quotes"
	case strings.Trim(n.text, "0123456789_,") == "" && strings.Trim(n.text, "0_,") != "":
		return "write plain digits: " + strings.TrimLeft(strings.NewReplacer("_", "", ",", "").Replace(n.text), "0")
	}
	return ""
}

func (d *decoder) number(n *node, p path, v reflect.Value) bool {
	if !n.plain || !wholeNumber.MatchString(n.text) {
		d.report.at(n, p, fmt.Sprintf("expected a whole number, found %s", n.describe()), n.asNumber())
		return false
	}
	i, err := strconv.ParseInt(n.text, 10, 64)
	switch {
	case err == nil && v.CanInt() && !v.OverflowInt(i):
		v.SetInt(i)
		return true
	case err == nil && v.CanUint() && i >= 0 && !v.OverflowUint(uint64(i)):
		v.SetUint(uint64(i))
		return true
	}
	d.report.at(n, p, fmt.Sprintf("%s is out of range", n.text), "")
	return false
}
