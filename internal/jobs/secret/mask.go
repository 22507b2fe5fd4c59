package secret

import (
	"bytes"
	"io"
	"net/url"
	"slices"
	"strings"
)

// stars stand for a secret in what people see.
const stars = "***"

// shortest is the least length of a value that is looked for: anything
// shorter is found all over the place and hides nothing.
const shortest = 4

// Mask replaces the values that the reader has read by stars, also where they
// are escaped as in a URL.
func (r *Reader) Mask(s string) string {
	for _, hide := range r.hidden() {
		s = strings.ReplaceAll(s, hide, stars)
	}
	return s
}

// hidden lists what must not be seen, the longest first.
func (r *Reader) hidden() []string {
	var list []string
	for _, v := range r.values {
		for _, form := range []string{v, url.QueryEscape(v), url.PathEscape(v)} {
			if len(form) >= shortest {
				list = append(list, form)
			}
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(list)
}

// MaskWriter passes on what is written to it with the secrets replaced, even
// those that two writes share. It holds back as many bytes as a secret might
// begin in, until Flush.
type MaskWriter struct {
	w      io.Writer
	hidden [][]byte
	held   []byte
}

// Writer returns a writer to w that hides what the reader has read so far.
func (r *Reader) Writer(w io.Writer) *MaskWriter {
	m := &MaskWriter{w: w}
	for _, hide := range r.hidden() {
		m.hidden = append(m.hidden, []byte(hide))
	}
	return m
}

// Write takes all of p, unless the writer below fails.
func (m *MaskWriter) Write(p []byte) (int, error) {
	if len(m.hidden) == 0 {
		return m.w.Write(p)
	}
	m.held = append(m.held, p...)
	if err := m.pass(len(m.hidden[0])); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on what is held back. It is called once, after the last Write.
func (m *MaskWriter) Flush() error {
	if len(m.held) == 0 {
		return nil
	}
	return m.pass(1)
}

// pass hands on the beginning of what is held, up to where fewer than ahead
// bytes follow: there a secret may be cut off.
func (m *MaskWriter) pass(ahead int) error {
	var out []byte
	rest := m.held
	for len(rest) >= ahead {
		at, hide := m.next(rest)
		clean := len(rest) - ahead + 1
		if hide == nil || at >= clean {
			out, rest = append(out, rest[:clean]...), rest[clean:]
			break
		}
		out = append(append(out, rest[:at]...), stars...)
		rest = rest[at+len(hide):]
	}
	m.held = append(m.held[:0], rest...)
	if len(out) == 0 {
		return nil
	}
	_, err := m.w.Write(out)
	return err
}

// next finds the first secret in b; the longest of those that begin there.
func (m *MaskWriter) next(b []byte) (at int, hide []byte) {
	at = len(b)
	for _, h := range m.hidden {
		if i := bytes.Index(b[:min(len(b), at+len(h))], h); i >= 0 && i < at {
			at, hide = i, h
		}
	}
	return at, hide
}
