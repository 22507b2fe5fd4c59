package config

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// syntaxError places an error of the YAML parser. The parser names a line only
// sometimes, that of the surrounding context more often than that of the
// mistake, and never a column; the place is therefore found by parsing ever
// shorter beginnings of the file until the error no longer shows.
func syntaxError(s *source, err error) *Error {
	line, message := takeLine(err.Error())
	offset := culprit(s.data, err.Error(), message, line)
	e := s.errorAt(offset, message, "")
	e.Message, e.Hint = explain(s.data, offset, message)
	return e
}

var lineOfError = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// takeLine splits the parser's line, or 0, from its message.
func takeLine(text string) (line int, message string) {
	m := lineOfError.FindStringSubmatch(text)
	if m == nil {
		return 0, text
	}
	line, _ = strconv.Atoi(m[1])
	return line, strings.TrimPrefix(text, m[0])
}

// culprit returns the offset of the character that brings the error about.
func culprit(data []byte, text, message string, line int) int {
	if message == "found unexpected end of stream" {
		return openQuote(data, message, line)
	}
	end := firstFailure(data, text, line)
	if message == "unknown anchor" || strings.HasPrefix(message, "unknown anchor '") {
		return max(0, bytes.LastIndexByte(data[:end], '*'))
	}
	return lastRune(data[:end])
}

// maxSearch bounds the bytes parsed in search of a mistake. In a file too large
// for that, the place is as exact as it got.
const maxSearch = 8 << 20

// firstFailure returns the length of the shortest beginning of data that shows
// the error. It looks beside the line that the parser named first.
func firstFailure(data []byte, text string, line int) int {
	spent := 0
	fails := func(n int) bool {
		spent += n
		return parseError(data[:n]) == text
	}
	low, high := 0, len(data) // data[:low] is fine, data[:high] fails
	if line > 0 {
		if near := startOfLine(data, line+2); near < high && fails(near) {
			high = near
		}
		if near := startOfLine(data, line-1); near < high && !fails(near) {
			low = near
		}
	}
	for high-low > 1 && spent < maxSearch {
		if middle := (low + high) / 2; fails(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	if high-low > 1 {
		return min(high, 1+startOfLine(data, line))
	}
	return high
}

// openQuote finds the quote that is never closed. Every beginning of the file
// that ends within any quotes shows the same error, so the search begins in
// the line the parser names, or in the first where it names that of the end.
func openQuote(data []byte, message string, line int) int {
	start := startOfLine(data, line)
	if _, before := takeLine(parseError(data[:start])); before == message {
		start = 0
	}
	end := len(data)
	if i := bytes.IndexByte(data[start:], '\n'); i >= 0 {
		end = start + i
	}
	for i, tries := end, 0; i > start && tries < 200; i, tries = i-1, tries+1 {
		if c := data[i-1]; c != '"' && c != '\'' {
			continue
		}
		if _, before := takeLine(parseError(data[:i-1])); before != message {
			return i - 1
		}
	}
	return start
}

// parseError returns the text of the parser's error about data, or "".
func parseError(data []byte) string {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		doc, err := nextDocument(dec)
		switch {
		case err == nil && len(doc.Content) > 0:
			continue
		case err == nil || err.Error() == "EOF":
			return ""
		}
		return err.Error()
	}
}

// startOfLine returns the offset at which a line, from 1, begins.
func startOfLine(data []byte, line int) int {
	offset := 0
	for ; line > 1; line-- {
		i := bytes.IndexByte(data[offset:], '\n')
		if i < 0 {
			break
		}
		offset += i + 1
	}
	return offset
}

// lastRune returns the offset of the last character that is more than a line
// end or a blank.
func lastRune(data []byte) int {
	trimmed := bytes.TrimRight(data, " \r\n")
	if len(trimmed) == 0 {
		return 0
	}
	i := len(trimmed) - 1
	for i > 0 && trimmed[i]&0xc0 == 0x80 {
		i--
	}
	return i
}

// explain puts the parser's message into words that help at the place at hand.
func explain(data []byte, offset int, message string) (words, hint string) {
	var at byte
	if offset < len(data) {
		at = data[offset]
	}
	switch {
	case at == '\t' || strings.Contains(message, "tab character"):
		return "a tab cannot indent", "indent with spaces"
	case strings.HasPrefix(message, "found character that cannot start any token"):
		return "a value cannot begin with " + string(rune(at)), `quote it, as in "` + wordAt(data, offset) + `"`
	case strings.Contains(message, "alphabetic or numeric character"):
		return aliasMessage(data, offset)
	case strings.HasPrefix(message, "unknown anchor"):
		return message, "define it with & first, or quote a value that begins with *"
	case message == "mapping values are not allowed in this context":
		return "a colon is not expected here", "quote a value that holds a colon and a blank; else check the indentation"
	case message == "found unexpected end of stream":
		return "this quote is never closed", ""
	case message == "could not find expected ':'":
		return "a key without a colon", "write key: value, or check the indentation"
	case strings.HasPrefix(message, "did not find expected ',' or"):
		return "a comma or the closing bracket is missing", "quote a value that begins with [ or {, as in \"{arg}\""
	case message == "did not find expected key":
		return "a key is expected here", "check the indentation; quote a value that begins with a quote, { or [ and goes on after it"
	}
	return message, ""
}

// aliasMessage is for an expression such as */5 whose star YAML takes for an
// alias, and for an & that names no anchor.
func aliasMessage(data []byte, offset int) (words, hint string) {
	start := 1 + bytes.LastIndexByte(data[:offset], '\n')
	if i := bytes.LastIndexAny(data[start:min(offset+1, len(data))], "*&"); i >= 0 {
		offset = start + i
	}
	return "a value cannot begin with " + string(rune(data[offset])), `quote it, as in "` + wordAt(data, offset) + `"`
}

// wordAt returns the rest of the line from offset, without a comment, to be
// shown in quotes.
func wordAt(data []byte, offset int) string {
	rest := data[offset:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	word, _, _ := strings.Cut(string(rest), " #")
	start := 1 + bytes.LastIndexByte(data[:offset], '\n')
	if i := strings.IndexAny(word, "]},"); i >= 0 && bytes.ContainsAny(data[start:offset], "[{") {
		word = word[:i] // an item of a list
	}
	word = strings.TrimSpace(word)
	if len(word) > 40 || strings.ContainsAny(word, `"\{}[],`) || printable(word) != word {
		return "…"
	}
	return word
}
