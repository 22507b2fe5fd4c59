package config

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// The bounds on what a document may hold.
const (
	maxDepth = 100
	// A document may grow to maxAliased and ten times its own size by its
	// aliases: anchors that many jobs share are fine, a bomb is not.
	maxAliased = 100_000
)

// parseSource reads the one document of a file. The node is nil, and at least
// one error recorded, where there is nothing to go on with.
func parseSource(s *source, r *report) *node {
	doc, e := decodeYAML(s)
	if e != nil {
		r.add(*e)
		return nil
	}
	b := &builder{source: s, report: r, built: map[*yaml.Node]*node{}}
	top := b.build(doc, nil)
	if top == nil {
		return nil
	}
	if b.literal*10+maxAliased < top.size {
		r.at(top, nil, fmt.Sprintf("its aliases expand to %d values", top.size), "use fewer nested anchors")
		return nil
	}
	if top.kind != mapping {
		r.at(top, nil, fmt.Sprintf("expected keys such as jobs: and pools:, found %s", top.describe()), "")
		return nil
	}
	return top
}

// decodeYAML turns bytes into the nodes of a single document.
func decodeYAML(s *source) (*yaml.Node, *Error) {
	dec := yaml.NewDecoder(bytes.NewReader(s.data))
	doc, err := nextDocument(dec)
	if errors.Is(err, io.EOF) || err == nil && isEmpty(doc) {
		return nil, &Error{
			File: s.name, Line: 1, Column: 1, Message: "holds no configuration",
			Hint: `a minimal one is: jobs: {hello: {schedule: "@daily", with: {command: [echo, hello]}}}`,
		}
	}
	if err != nil {
		return nil, syntaxError(s, err)
	}
	second, err := nextDocument(dec)
	switch {
	case err == nil:
		return nil, &Error{
			File: s.name, Line: second.Line, Column: second.Column,
			Message: "a second document begins here", Hint: "one file holds one document: remove the ---",
		}
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(s, err)
	}
	return doc.Content[0], nil
}

// nextDocument decodes one document. A panic of the parser must not take down
// a daemon that merely looks at a file.
func nextDocument(dec *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: the parser gave up: %v", p)
		}
	}()
	doc = &yaml.Node{}
	return doc, dec.Decode(doc)
}

func isEmpty(doc *yaml.Node) bool {
	return len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" && doc.Content[0].Value == ""
}

// builder makes nodes of one document.
type builder struct {
	source  *source
	report  *report
	built   map[*yaml.Node]*node // of anchors; nil while one is being built
	depth   int
	literal int // nodes that stand in the document
	cursor  cursor
	texts   texts
}

// texts keeps the texts that were met last, so that those which stand in a
// document over and over are in memory once.
type texts [256]string

// seed is that of the hashes by which texts find each other.
var seed = maphash.MakeSeed()

// same returns the text that is equal to s and was met before, or s.
func (t *texts) same(s string) string {
	known := &t[maphash.String(seed, s)%uint64(len(t))]
	if *known != s {
		*known = s
	}
	return *known
}

// cursor is a place in a file that has been read up to.
type cursor struct{ line, column, offset int }

// build makes the node of y. It returns nil, with an error recorded, where
// nothing sensible can be made of it. What is below y is let go on the way, so
// that the whole document is never there twice.
func (b *builder) build(y *yaml.Node, p path) *node {
	if y.Kind == yaml.AliasNode {
		return b.alias(y, p)
	}
	n := &node{file: b.source, line: max(1, y.Line), column: max(1, y.Column), size: 1}
	b.literal++
	if b.depth++; b.depth > maxDepth {
		b.depth--
		b.report.at(n, nil, fmt.Sprintf("is nested more than %d deep", maxDepth), "")
		return nil
	}
	defer func() { b.depth-- }()
	if y.Anchor != "" {
		b.built[y] = nil
		defer func() { b.built[y] = n }()
	}
	isSound := b.vetTag(y, n, p)
	switch y.Kind {
	case yaml.SequenceNode:
		b.list(y, n, p)
	case yaml.MappingNode:
		b.mapping(y, n, p)
	default:
		n.text = b.texts.same(y.Value)
		n.plain = y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
		n.null = y.Tag == "!!null" && isSound
	}
	if n.height > maxDepth {
		b.report.at(n, nil, fmt.Sprintf("is nested more than %d deep", maxDepth), "")
		return nil
	}
	return n
}

// alias returns the node that an alias stands for.
func (b *builder) alias(y *yaml.Node, p path) *node {
	n, ok := b.built[y.Alias]
	if !ok || n == nil {
		here := &node{file: b.source, line: y.Line, column: y.Column}
		b.report.at(here, p, fmt.Sprintf("*%s stands within what it names", y.Value), "an anchor cannot hold itself")
		return nil
	}
	return n
}

// vetTag refuses tags that would change what a value is. The parser reads a
// bare ! as nothing at all, so the text itself is looked at. It reports whether
// the value is what it seems to be.
func (b *builder) vetTag(y *yaml.Node, n *node, p path) bool {
	switch y.ShortTag() {
	case "!!str", "!!int", "!!bool", "!!float", "!!map", "!!seq", "!!null", "!!merge", "!!timestamp":
	default:
		b.report.at(n, p, fmt.Sprintf("unknown tag %s", printable(y.Tag)), "quote the value if it begins with !")
		return false
	}
	begin := b.textAt(n)
	if y.Anchor != "" && begin[0] == '&' {
		_, after, _ := bytes.Cut(begin, []byte(" "))
		begin = bytes.TrimLeft(after, " ")
	}
	// Tags of YAML itself, such as !!str, change nothing.
	if bytes.HasPrefix(begin, []byte("!")) && !bytes.HasPrefix(begin, []byte("!!")) || y.Tag == "!!null" && y.Value != "" && !isNull(y.Value) {
		b.report.at(n, p, "a ! here is a tag, not text", `quote the value, as in "!"`)
		return false
	}
	return true
}

// isNull says whether YAML takes unquoted text for nothing.
func isNull(text string) bool {
	return text == "~" || text == "null" || text == "Null" || text == "NULL"
}

// textAt returns the text of the file from where a node begins, never empty.
// Nodes are asked for in the order of the document, so it reads on from the
// last one: starting over would take forever on a file that is one long line.
func (b *builder) textAt(n *node) []byte {
	c, data := &b.cursor, b.source.data
	if c.line == 0 || n.line < c.line || n.line == c.line && n.column < c.column {
		*c = cursor{line: 1, column: 1, offset: len(data) - len(bytes.TrimPrefix(data, []byte("\ufeff")))}
	}
	for c.offset < len(data) && (c.line < n.line || c.line == n.line && c.column < n.column) {
		r, size := utf8.DecodeRune(data[c.offset:])
		c.offset += size
		c.column++
		isBreak := r == '\n' || r == '\u0085' || r == '\u2028' || r == '\u2029' ||
			r == '\r' && !bytes.HasPrefix(data[c.offset:], []byte("\n"))
		if isBreak {
			c.line, c.column = c.line+1, 1
		}
	}
	if c.offset >= len(data) {
		return []byte("\n")
	}
	return data[c.offset:min(len(data), c.offset+200)]
}

func (b *builder) list(y *yaml.Node, n *node, p path) {
	n.kind = list
	n.items = make([]*node, 0, len(y.Content))
	for i, item := range y.Content {
		y.Content[i] = nil
		if built := b.build(item, p.index(i)); built != nil {
			n.items = append(n.items, built)
			n.grow(built)
		}
	}
}

// mapping fills in a mapping: its own keys first, then what it merges.
func (b *builder) mapping(y *yaml.Node, n *node, p path) {
	n.kind = mapping
	n.pairs = make([]pair, 0, len(y.Content)/2)
	seen := make(map[string]*node, len(y.Content)/2)
	var merges []pair
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, v := y.Content[i], y.Content[i+1]
		y.Content[i], y.Content[i+1] = nil, nil
		key := b.key(k, p)
		if key == nil {
			continue
		}
		if k.Tag == "!!merge" {
			if value := b.build(v, p.key("<<")); value != nil {
				merges = append(merges, pair{key, value})
			}
			continue
		}
		if first := seen[key.text]; first != nil {
			b.report.at(key, p.key(key.text), fmt.Sprintf("is written twice, first in line %d", first.line), "remove one")
			continue
		}
		seen[key.text] = key
		value := b.build(v, p.key(key.text))
		if value == nil {
			continue
		}
		n.add(key, value)
	}
	if len(merges) > 1 {
		b.report.at(merges[1].key, p.key("<<"), fmt.Sprintf("is written twice, first in line %d", merges[0].key.line), "write <<: [*one, *two]")
	}
	for _, m := range merges {
		b.merge(n, m, seen, p.key("<<"))
	}
	n.makeIndex()
}

// key makes the node of a key, which must be text.
func (b *builder) key(y *yaml.Node, p path) *node {
	n := b.build(y, p)
	switch {
	case n == nil:
		return nil
	case n.kind != scalar:
		hint := "a key is text"
		if n.kind == mapping {
			hint = `quote a value that begins with {, as in "{arg}"`
		}
		b.report.at(n, p, fmt.Sprintf("%s cannot be a key", n.describe()), hint)
		return nil
	case n.null:
		b.report.at(n, p, "a key is missing before the colon", "quote it if it is meant as text")
		return nil
	}
	return n
}

// merge adds the keys of a merged mapping, or of several, that n lacks.
func (b *builder) merge(n *node, m pair, seen map[string]*node, p path) {
	from := []*node{m.value}
	if m.value.kind == list {
		from = m.value.items
	}
	for _, other := range from {
		if other.kind != mapping {
			b.report.at(m.key, p, fmt.Sprintf("merges mappings, found %s", other.describe()), "write <<: *anchor or <<: [*one, *two]")
			return
		}
		for _, p := range other.pairs {
			if seen[p.key.text] == nil {
				seen[p.key.text] = p.key
				n.add(p.key, p.value)
			}
		}
	}
}

// add appends an entry to a mapping that is being built.
func (n *node) add(key, value *node) {
	n.pairs = append(n.pairs, pair{key, value})
	n.size++
	n.grow(value)
}

// grow counts what is below a node.
func (n *node) grow(child *node) {
	n.size = min(n.size+child.size, 1<<40) // doubling anchors would overflow any integer
	n.height = max(n.height, child.height+1)
}

// makeIndex speeds up a mapping in which a walk would take long.
func (n *node) makeIndex() {
	if len(n.pairs) <= 16 {
		return
	}
	n.index = make(map[string]int, len(n.pairs))
	for i, p := range n.pairs {
		n.index[p.key.text] = i
	}
}
