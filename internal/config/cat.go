package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is one line of a job's effective definition.
type Line struct {
	Text   string `json:"text"`             // YAML
	Origin string `json:"origin,omitempty"` // of the value: FILE:LINE, "defaults, FILE:LINE" or "default"
}

// Cat returns the effective definition of a job as YAML, with where each value
// comes from. It reads back as the same definition.
func (c *Config) Cat(job string) ([]Line, error) {
	def, ok := c.Jobs[job]
	if !ok {
		return nil, fmt.Errorf("there is no job %q; %s", job, didYouMean(job, c.JobNames(), ""))
	}
	raw, err := def.Canonical()
	if err != nil {
		return nil, err
	}
	var values map[string]any
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if err := dec.Decode(&values); err != nil {
		return nil, fmt.Errorf("read definition of job %q: %w", job, err)
	}
	delete(values, "name")
	w := catWriter{lines: []Line{{Text: "jobs:"}, {Text: "  " + quoteYAML(job) + ":", Origin: def.DefinedAt}}}
	w.mapping(values, c.origin(job), nil, reflect.TypeFor[rawJob]())
	return w.lines, nil
}

// origin returns what a job and `defaults:` say of it, with the places. The file
// is parsed once more for it, as it was when it was loaded: nodes of all jobs
// would take far more memory than the jobs.
func (c *Config) origin(job string) *node {
	place := c.Jobs[job].DefinedAt
	file := c.sources[place[:strings.LastIndexByte(place, ':')]]
	top := parseSource(file.unpacked(), newReport())
	n := under(top.get("jobs").get(job), c.base)
	if with := under(n.get("with"), c.typeBase[c.Jobs[job].Type]); with != nil {
		n = n.with("with", with)
	}
	return n
}

// Annotated joins lines to text, with their origins as comments in a column.
func Annotated(lines []Line) string {
	width := 0
	for _, l := range lines {
		if n := utf8.RuneCountInString(l.Text); n <= 60 {
			width = max(width, n)
		}
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Text)
		if l.Origin != "" {
			pad := max(0, width-utf8.RuneCountInString(l.Text))
			b.WriteString(strings.Repeat(" ", pad) + "   # " + l.Origin)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// order lists the keys of a group in the order in which people read them: that
// of the fields of its raw form, where it has one.
func order(t reflect.Type) []string {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys = append(keys, name)
	}
	return keys
}

// below returns the raw form of a group within a group, or nil.
func below(t reflect.Type, key string) reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	index, ok := keysOf(t)[key]
	if !ok {
		return nil
	}
	field := t.FieldByIndex(index).Type
	if field.Kind() == reflect.Pointer {
		field = field.Elem()
	}
	if field == reflect.TypeFor[node]() {
		return nil // settings are a type's own matter
	}
	return field
}

// catWriter writes a definition's JSON form as YAML.
type catWriter struct {
	lines []Line
}

// mapping writes the entries of a mapping: first the keys of its raw form, then
// the others, sorted.
func (w *catWriter) mapping(values map[string]any, n *node, at path, raw reflect.Type) {
	values = withZeros(values, n)
	keys := slices.DeleteFunc(order(raw), func(k string) bool { _, ok := values[k]; return !ok })
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	indent := strings.Repeat("  ", len(at)+2)
	for _, k := range keys {
		child, isWritten := n.get(k), n.get(k) != nil
		value := w.readable(values[k], at.key(k), isWritten)
		if value == nil {
			continue
		}
		if group, ok := value.(map[string]any); ok && len(group) > 0 {
			w.lines = append(w.lines, Line{Text: indent + quoteYAML(k) + ":"})
			w.mapping(group, child, at.key(k), below(raw, k))
			continue
		}
		w.lines = append(w.lines, Line{Text: indent + quoteYAML(k) + ": " + flow(value), Origin: child.originText()})
	}
}

// withZeros adds what was written and yet left out of the JSON form, since it is
// a zero: it may still differ from the default.
func withZeros(values map[string]any, n *node) map[string]any {
	all := maps.Clone(values)
	if n == nil {
		return all
	}
	d := decoder{report: newReport()}
	for _, entry := range n.pairs {
		if _, ok := all[entry.key.text]; ok {
			continue
		}
		if value, ok := d.value(entry.value, nil); ok {
			all[entry.key.text] = value
		}
	}
	return all
}

// readable drops what is empty and nobody wrote, such as the settings of a type
// that were left alone.
func (w *catWriter) readable(value any, at path, isWritten bool) any {
	if isWritten {
		return value
	}
	empty := value == nil || value == ""
	switch v := value.(type) {
	case map[string]any:
		empty = len(v) == 0
	case []any:
		empty = len(v) == 0
	}
	if empty || len(at) > 1 && at[0] == "with" && (value == json.Number("0") || value == false) {
		return nil
	}
	return value
}

// originText says where the value of a node comes from.
func (n *node) originText() string {
	switch {
	case n == nil:
		return "default"
	case n.fallback:
		return "defaults, " + n.where()
	}
	return n.where()
}

// flow writes a value on one line. Keys and text are quoted where YAML or our
// own reading of it would take them for something else.
func flow(value any) string {
	switch v := value.(type) {
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = flow(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var items []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			items = append(items, quoteYAML(k)+": "+flow(v[k]))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case string:
		return quoteYAML(v)
	}
	return fmt.Sprint(value)
}

var (
	plainWord = regexp.MustCompile(`^[A-Za-z/_][A-Za-z0-9_./+-]*$`)
	quantity  = regexp.MustCompile(`^([0-9]+(d|h|m|s|ms|us|ns|B|kB|[KMGTPE]i?B))+$`)
)

// quoteYAML quotes text unless it is a word that can only mean itself.
func quoteYAML(s string) string {
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
	default:
		if plainWord.MatchString(s) || quantity.MatchString(s) {
			return s
		}
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}
