package cli

import (
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"
)

// tame passes output on to a terminal and keeps it from doing more there than
// showing text: what a job prints may come from the far end of the internet,
// and escape sequences write clipboards, titles and answers to questions that
// nobody asked. Colours pass; all other controls are shown, not obeyed.
type tame struct {
	to   io.Writer
	held []byte // the beginning of a character or of a colour
	open bool   // the last line has not ended
}

var (
	colours      = regexp.MustCompile(`^\x1b\[[0-9;:]{0,30}m`)
	colourBegins = regexp.MustCompile(`^\x1b(\[[0-9;:]{0,30})?$`)
)

// Write passes on all of p that is complete.
func (t *tame) Write(p []byte) (int, error) {
	rest := append(t.held, p...)
	var out []byte
	for len(rest) > 0 && utf8.FullRune(rest) && !colourBegins.Match(rest) {
		n := len(colours.Find(rest))
		if n > 0 {
			out, rest = append(out, rest[:n]...), rest[n:]
			continue
		}
		out, n = appendShown(out, rest)
		rest = rest[n:]
	}
	t.held = append([]byte(nil), rest...)
	if len(out) > 0 {
		t.open = out[len(out)-1] != '\n'
	}
	if _, err := t.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close passes on what was never completed, and ends the last line, so that
// what is said next begins one.
func (t *tame) Close() error {
	var out []byte
	for rest := t.held; len(rest) > 0; {
		var n int
		out, n = appendShown(out, rest)
		rest = rest[n:]
	}
	if t.open || len(t.held) > 0 {
		out = append(out, '\n')
	}
	t.held, t.open = nil, false
	_, err := t.to.Write(out)
	return err
}

// appendShown adds the first character of text as a terminal may have it. Line
// breaks, tabs and returns are text, as progress bars use them.
func appendShown(out, text []byte) (shown []byte, n int) {
	r, n := utf8.DecodeRune(text)
	switch {
	case r == utf8.RuneError && n == 1:
		return fmt.Appendf(out, `\x%02x`, text[0]), n
	case r == '\n' || r == '\t' || r == '\r':
		return append(out, text[:n]...), n
	}
	return append(out, clean(string(r))...), n
}
