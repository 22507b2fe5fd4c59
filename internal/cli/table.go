package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/rivo/uniseg"
)

// narrowest is how far a column is cut at most.
const narrowest = 8

// The colours of states.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
	dim    = "2"
	bold   = "1"
)

// cell is one field of a table.
type cell struct {
	text   string
	colour string
}

// table is rows under a heading. On a terminal it is cut to fit; elsewhere
// nothing is ever lost.
type table struct {
	head []string
	rows [][]cell
}

func newTable(head ...string) *table { return &table{head: head} }

// add adds a row: of strings, of cells, or of what fmt prints.
func (t *table) add(values ...any) {
	row := make([]cell, len(values))
	for i, v := range values {
		c, ok := v.(cell)
		if !ok {
			c = cell{text: fmt.Sprint(v)}
		}
		if c.text = clean(c.text); c.text == "" {
			c.text = "-"
		}
		row[i] = c
	}
	t.rows = append(t.rows, row)
}

// print writes the table for the screen.
func (t *table) print(w io.Writer, s screen) {
	widths := t.widths(s.width)
	head := make([]cell, len(t.head))
	for i, word := range t.head {
		head[i] = cell{text: word, colour: bold}
	}
	var b strings.Builder
	for _, row := range append([][]cell{head}, t.rows...) {
		for i, c := range row {
			text := fit(c.text, widths[i])
			if i < len(row)-1 {
				text += strings.Repeat(" ", widths[i]-uniseg.StringWidth(text)+2)
			}
			b.WriteString(paint(s, c.colour, text))
		}
		b.WriteString("\n")
	}
	io.WriteString(w, b.String()) //nolint:errcheck // as fmt.Print
}

// widths gives each column what its widest cell takes. Where that is too much
// for the screen, the widest columns give way.
func (t *table) widths(limit int) []int {
	widths := make([]int, len(t.head))
	total := 2 * (len(widths) - 1)
	for i, word := range t.head {
		widths[i] = uniseg.StringWidth(word)
		for _, row := range t.rows {
			widths[i] = max(widths[i], uniseg.StringWidth(row[i].text))
		}
		total += widths[i]
	}
	for limit > 0 && total > limit {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= narrowest {
			break
		}
		widths[widest]--
		total--
	}
	return widths
}

// fit cuts text to a width; … stands for what is cut off.
func fit(text string, width int) string {
	if uniseg.StringWidth(text) <= width {
		return text
	}
	var b strings.Builder
	used := 0
	for g := uniseg.NewGraphemes(text); g.Next(); {
		if used+g.Width() > width-1 {
			break
		}
		used += g.Width()
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

// paint colours text where the screen shows colours. Trailing blanks stay
// outside.
func paint(s screen, colour, text string) string {
	if !s.colour || colour == "" {
		return text
	}
	body := strings.TrimRight(text, " ")
	return "\x1b[" + colour + "m" + body + "\x1b[0m" + text[len(body):]
}

// clean makes text safe for a terminal: an argument or an error may hold
// escape sequences, and line breaks would break the table.
func clean(text string) string {
	safe := func(r rune) bool { return r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) && !isBidi(r) }
	for _, r := range text {
		if !safe(r) {
			var b strings.Builder
			for _, r := range text {
				switch {
				case safe(r):
					b.WriteRune(r)
				case r == '\n':
					b.WriteString(`\n`)
				case r == '\t':
					b.WriteString(`\t`)
				case r < 0x80:
					fmt.Fprintf(&b, `\x%02x`, r)
				default:
					fmt.Fprintf(&b, `\u%04x`, r)
				}
			}
			return b.String()
		}
	}
	return text
}

// isBidi says whether r turns the direction of what follows.
func isBidi(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }
