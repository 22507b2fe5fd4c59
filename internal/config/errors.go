package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing wrong in a configuration, for a person to put right.
type Error struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1; 0 where the whole file is meant
	Column  int    `json:"column"`
	Key     string `json:"key"` // the path of the key, such as jobs.nightly.retry.attempts
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // the way out
}

// Error gives the error as FILE:LINE:COL: key.path: message; hint. Parts that
// are not known are left out.
func (e Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	for _, part := range []string{e.Key, e.Message} {
		if part != "" && b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(part)
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Errors is everything wrong in a configuration: one error of syntax, or all
// errors of meaning, in the order of the files and of their lines.
type Errors []Error

// Error gives one error a line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// place identifies a position in a file.
type place struct {
	file         string
	line, column int
}

// report collects the errors of one load.
type report struct {
	order  map[string]int // of the files, as they were read
	seen   map[Error]bool // without keys: an anchor used twice is wrong once
	taken  map[place]bool
	errors []Error

	// judging says that what is recorded from now on is about what the
	// configuration means. Where a file has mistakes in its syntax, nobody is
	// told of that.
	judging bool
	judged  []Error
}

func newReport() *report {
	return &report{order: map[string]int{}, seen: map[Error]bool{}, taken: map[place]bool{}}
}

// add records an error, unless the same was said of the same place before.
func (r *report) add(e Error) {
	if _, known := r.order[e.File]; !known {
		r.order[e.File] = len(r.order)
	}
	same := e
	same.Key = ""
	if r.seen[same] {
		return
	}
	r.seen[same] = true
	r.taken[place{e.File, e.Line, e.Column}] = true
	if r.judging {
		r.judged = append(r.judged, e)
		return
	}
	r.errors = append(r.errors, e)
}

// at records an error at a node.
func (r *report) at(n *node, p path, message, hint string) {
	r.add(Error{File: n.file.name, Line: n.line, Column: n.column, Key: p.String(), Message: message, Hint: hint})
}

// check is at, for what follows from values: where a value was refused
// already, what seems to follow from it says nothing.
func (r *report) check(n *node, p path, message, hint string) {
	if !r.taken[place{n.file.name, n.line, n.column}] {
		r.at(n, p, message, hint)
	}
}

// wrap is check for an error whose text may end in "; the way out".
func (r *report) wrap(n *node, p path, err error) {
	message, hint := splitHint(err)
	r.check(n, p, message, hint)
}

// splitHint takes an error's text apart into message and hint.
func splitHint(err error) (message, hint string) {
	message, hint, _ = strings.Cut(err.Error(), "; ")
	return message, hint
}

// sorted returns what was recorded, in the order of files and lines, or nil.
// That of the meaning is part of it once judging goes on to the end.
func (r *report) sorted() error {
	all := r.errors
	if r.judging {
		all = append(all, r.judged...)
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b Error) int {
		return cmp.Or(r.compareLines(a, b), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Key, b.Key))
	})
	return Errors(all)
}

// compareLines puts errors in the order of the files, as they were read, and of
// the lines there.
func (r *report) compareLines(a, b Error) int {
	return cmp.Or(cmp.Compare(r.order[a.File], r.order[b.File]), cmp.Compare(a.Line, b.Line))
}
