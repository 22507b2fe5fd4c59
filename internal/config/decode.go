package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// decoder puts nodes into Go values, strictly: unknown keys, values of another
// kind and missing values are recorded as errors, each at its place, and the
// rest is decoded all the same.
//
// Keys are those of the `json` tags. A type with UnmarshalText takes a scalar's
// source text, one with UnmarshalJSON takes the value as JSON, one with
// Values() []string takes one of these words. json.RawMessage and any take
// whatever stands there.
type decoder struct {
	report   *report
	unknown  func(p path, key string, known []string) (message, hint string)
	fieldsBy map[reflect.Type]map[string][]int
}

// oneOrMore is a list that may be written as its only item.
type oneOrMore []string

// decode puts n into v, which must be settable. It reports whether nothing was
// wrong.
func (d *decoder) decode(n *node, p path, v reflect.Value) bool {
	switch {
	case n.null:
		return d.refuseNull(n, p, v.Type())
	case v.Type() == reflect.TypeFor[*node]():
		v.Set(reflect.ValueOf(n))
		return true
	case v.Kind() == reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		ok := d.decode(n, p, fresh.Elem())
		v.Set(fresh)
		return ok
	case v.Type() == reflect.TypeFor[oneOrMore]() && n.kind == scalar:
		v.Set(reflect.ValueOf(oneOrMore{n.text}))
		return true
	case v.Type() == reflect.TypeFor[json.RawMessage](), v.Type() == reflect.TypeFor[any]():
		return d.free(n, p, v)
	}
	switch target := v.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		return d.text(n, p, target)
	case json.Unmarshaler:
		return d.viaJSON(n, p, target)
	}
	return d.byKind(n, p, v)
}

// byKind decodes into a value without a decoding of its own.
func (d *decoder) byKind(n *node, p path, v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Struct:
		return d.expect(n, p, mapping, "a mapping") && d.fields(n, p, v)
	case reflect.Map:
		return d.expect(n, p, mapping, "a mapping") && d.entries(n, p, v)
	case reflect.Slice:
		return d.expect(n, p, list, "a list") && d.items(n, p, v)
	}
	return d.expect(n, p, scalar, wanted(v.Type())) && d.scalar(n, p, v)
}

// expect refuses a node of another kind.
func (d *decoder) expect(n *node, p path, want kind, words string) bool {
	if n.kind == want {
		return true
	}
	hint := ""
	switch {
	case want == list && n.kind == scalar:
		hint = fmt.Sprintf("write [%s]", n.text)
		if strings.ContainsAny(n.text, "[]{},:#\"'\n\\ ") || len(n.text) > 40 {
			hint = "write [one, two]"
		}
	case want == scalar && n.looksLikePlaceholder():
		hint = fmt.Sprintf(`quote it: "{%s}"`, n.pairs[0].key.text)
	case want == mapping && n.kind == scalar:
		hint = "write its keys below it, indented"
	}
	d.report.at(n, p, fmt.Sprintf("expected %s, found %s", words, n.describe()), hint)
	return false
}

// looksLikePlaceholder says whether an unquoted {arg} was read as a mapping.
func (n *node) looksLikePlaceholder() bool {
	return n.kind == mapping && len(n.pairs) == 1 && n.pairs[0].value.null
}

// refuseNull refuses a missing value. In YAML an open section, ~, null and a
// bare ! all mean nothing, and decoders elsewhere drop them or erase defaults.
func (d *decoder) refuseNull(n *node, p path, t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	isText := reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
	isSection := !isText && (t.Kind() == reflect.Struct || t.Kind() == reflect.Map)
	_, inList := last(p).(int)
	switch {
	case n.text != "" || inList:
		d.report.at(n, p, "null is no value here", fmt.Sprintf("quote it if it is meant as text: %q", n.text))
	case isSection:
		d.report.at(n, p, "empty section", "delete the key or write {}")
	case t.Kind() == reflect.String:
		d.report.at(n, p, "has no value", `delete the key, or write "" if it is meant to be empty`)
	default:
		d.report.at(n, p, "has no value", "delete the key, or write its value after the colon")
	}
	return false
}

func last(p path) any {
	if len(p) == 0 {
		return nil
	}
	return p[len(p)-1]
}

// fields decodes a mapping into a struct.
func (d *decoder) fields(n *node, p path, v reflect.Value) bool {
	known := d.fieldsOf(v.Type())
	ok := true
	for _, entry := range n.pairs {
		index, isKnown := known[entry.key.text]
		if !isKnown {
			d.refuseKey(entry.key, p, known)
			ok = false
			continue
		}
		value := entry.value.orAt(entry.key)
		if !d.decode(value, p.key(entry.key.text), v.FieldByIndex(index)) {
			ok = false
		}
	}
	return ok
}

// orAt returns the node, placed at its key where nothing was written for it:
// the parser places nothing at the line that follows.
func (n *node) orAt(key *node) *node {
	if !n.null || n.text != "" {
		return n
	}
	own := *n
	own.file, own.line, own.column = key.file, key.line, key.column
	return &own
}

func (d *decoder) refuseKey(key *node, p path, fields map[string][]int) {
	known := make([]string, 0, len(fields))
	for name := range fields {
		known = append(known, name)
	}
	message, hint := "unknown key", ""
	if d.unknown != nil {
		message, hint = d.unknown(p, key.text, known)
	} else {
		hint = didYouMean(key.text, known, "`")
	}
	d.report.at(key, p.key(key.text), message, hint)
}

// fieldsOf is keysOf, remembered.
func (d *decoder) fieldsOf(t reflect.Type) map[string][]int {
	fields, ok := d.fieldsBy[t]
	if !ok {
		fields = keysOf(t)
		d.fieldsBy[t] = fields
	}
	return fields
}

// keysOf maps the keys of a struct to its fields, those of embedded structs
// included.
func keysOf(t reflect.Type) map[string][]int {
	fields := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields[name] = f.Index
	}
	return fields
}

// entries decodes a mapping into a map with text keys.
func (d *decoder) entries(n *node, p path, v reflect.Value) bool {
	ok := true
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.pairs)))
	for _, entry := range n.pairs {
		value := reflect.New(v.Type().Elem()).Elem()
		if !d.decode(entry.value.orAt(entry.key), p.key(entry.key.text), value) {
			ok = false
		}
		v.SetMapIndex(reflect.ValueOf(entry.key.text).Convert(v.Type().Key()), value)
	}
	return ok
}

// items decodes a list into a slice.
func (d *decoder) items(n *node, p path, v reflect.Value) bool {
	ok := true
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		if !d.decode(item, p.index(i), v.Index(i)) {
			ok = false
		}
	}
	return ok
}

// text decodes a scalar's source text.
func (d *decoder) text(n *node, p path, target encoding.TextUnmarshaler) bool {
	if !d.expect(n, p, scalar, "a value") {
		return false
	}
	if err := target.UnmarshalText([]byte(n.text)); err != nil {
		message, hint := splitHint(err)
		d.report.at(n, p, message, hint)
		return false
	}
	return true
}

// viaJSON decodes by way of the value's JSON form.
func (d *decoder) viaJSON(n *node, p path, target json.Unmarshaler) bool {
	value, ok := d.value(n, p)
	if !ok {
		return false
	}
	raw, err := json.Marshal(value)
	if err == nil {
		err = target.UnmarshalJSON(raw)
	}
	if err != nil {
		message, hint := splitHint(err)
		d.report.at(n, p, message, hint)
	}
	return err == nil
}

// free decodes whatever stands there.
func (d *decoder) free(n *node, p path, v reflect.Value) bool {
	value, ok := d.value(n, p)
	if !ok || v.Kind() == reflect.Interface {
		if ok {
			v.Set(reflect.ValueOf(value))
		}
		return ok
	}
	raw, err := json.Marshal(value)
	if err != nil {
		d.report.at(n, p, fmt.Sprintf("encode as JSON: %v", err), "")
		return false
	}
	v.SetBytes(raw)
	return true
}

// value turns a node into what encoding/json would make of it: plain decimal
// numbers and true and false are themselves, all else is text.
func (d *decoder) value(n *node, p path) (any, bool) {
	if n.null {
		return nil, d.refuseNull(n, p, reflect.TypeFor[string]())
	}
	ok := true
	switch n.kind {
	case list:
		all := make([]any, len(n.items))
		for i, item := range n.items {
			var fine bool
			all[i], fine = d.value(item, p.index(i))
			ok = ok && fine
		}
		return all, ok
	case mapping:
		all := make(map[string]any, len(n.pairs))
		for _, entry := range n.pairs {
			var fine bool
			all[entry.key.text], fine = d.value(entry.value.orAt(entry.key), p.key(entry.key.text))
			ok = ok && fine
		}
		return all, ok
	}
	return n.scalarValue(), true
}

// valuesOf returns the words that a type allows, or nil.
func valuesOf(v reflect.Value) []string {
	if words, ok := v.Interface().(interface{ Values() []string }); ok {
		return slices.Clone(words.Values())
	}
	return nil
}
