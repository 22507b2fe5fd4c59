package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// kind is what a node of a document is.
type kind uint8

const (
	scalar kind = iota
	list
	mapping
)

// node is a value of a document with the place it stands at: what YAML gives,
// with aliases followed and merge keys merged. A node reached through an alias
// is shared, not copied.
type node struct {
	file         *source
	line, column int
	kind         kind
	plain        bool // a scalar without quotes
	null         bool
	fallback     bool // it comes from `defaults:`
	text         string
	items        []*node
	pairs        []pair
	index        map[string]int // of pairs, where there are many
	size         int            // nodes below it with every alias expanded, and itself
	height       int            // of what is below it
}

// pair is one entry of a mapping.
type pair struct {
	key   *node
	value *node
}

// get returns the value of a key of a mapping, or nil. It is nil-safe.
func (n *node) get(key string) *node {
	if _, value := n.find(key); value != nil {
		return value
	}
	return nil
}

// find returns the key and the value of a key of a mapping, or nils.
func (n *node) find(key string) (k, value *node) {
	if n == nil {
		return nil, nil
	}
	if n.index != nil {
		if i, ok := n.index[key]; ok {
			return n.pairs[i].key, n.pairs[i].value
		}
		return nil, nil
	}
	for _, p := range n.pairs {
		if p.key.text == key {
			return p.key, p.value
		}
	}
	return nil, nil
}

// at follows keys and indices as far down as they lead and returns the node
// reached: the place that is nearest to the one meant.
func (n *node) at(steps ...any) *node {
	for _, step := range steps {
		next := n.step(step)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// has says whether the keys and indices lead to a node.
func (n *node) has(steps ...any) bool {
	for _, step := range steps {
		if n = n.step(step); n == nil {
			return false
		}
	}
	return n != nil
}

func (n *node) step(step any) *node {
	switch s := step.(type) {
	case string:
		return n.get(s)
	case int:
		if n != nil && s >= 0 && s < len(n.items) {
			return n.items[s]
		}
	}
	return nil
}

// where gives the place as FILE:LINE.
func (n *node) where() string { return fmt.Sprintf("%s:%d", n.file.name, n.line) }

// describe names what stands here, for a message.
func (n *node) describe() string {
	switch {
	case n.kind == list:
		return "a list"
	case n.kind == mapping:
		return "a mapping"
	case n.null:
		return "nothing"
	}
	return quoted(n.text)
}

// under returns top with what only bottom has added to it: mappings are merged
// key by key, all else of top stands. What comes from bottom is marked as a
// fallback. Neither is changed.
func under(top, bottom *node) *node {
	if top == nil {
		return bottom.asFallback()
	}
	if bottom == nil || top.kind != mapping || bottom.kind != mapping {
		return top
	}
	merged := *top
	merged.index = nil
	merged.pairs = make([]pair, 0, len(top.pairs)+len(bottom.pairs))
	for _, p := range top.pairs {
		merged.pairs = append(merged.pairs, pair{p.key, under(p.value, bottom.get(p.key.text))})
	}
	for _, p := range bottom.pairs {
		if top.get(p.key.text) == nil {
			merged.pairs = append(merged.pairs, pair{p.key, p.value.asFallback()})
		}
	}
	return &merged
}

// without returns a copy of a mapping that lacks a key.
func (n *node) without(key string) *node {
	own := *n
	own.index = nil
	own.pairs = slices.DeleteFunc(slices.Clone(n.pairs), func(p pair) bool { return p.key.text == key })
	return &own
}

// asFallback returns a copy that is marked as coming from `defaults:`.
func (n *node) asFallback() *node {
	if n == nil || n.fallback {
		return n
	}
	own := *n
	own.fallback = true
	own.items, own.pairs, own.index = nil, nil, nil
	for _, item := range n.items {
		own.items = append(own.items, item.asFallback())
	}
	for _, p := range n.pairs {
		own.pairs = append(own.pairs, pair{p.key, p.value.asFallback()})
	}
	return &own
}

// path leads from the top of a document to a node: keys and indices. It is
// never appended to in place, so that paths can share their beginnings.
type path []any

// key returns the path with a key added.
func (p path) key(k string) path { return append(p[:len(p):len(p)], k) }

// index returns the path with an index added.
func (p path) index(i int) path { return append(p[:len(p):len(p)], i) }

// String gives the path as it is written in messages: jobs.x.schedule[1].
func (p path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(printable(s))
		}
	}
	return b.String()
}

// printable keeps a key from writing control characters into a message.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return quoted(s)
	}
	return clip(s)
}

// quoted is s in quotes, of bounded length.
func quoted(s string) string { return strconv.Quote(clip(s)) }

// clip cuts off what would make a message unreadable.
func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:77], "") + "…"
	}
	return s
}
