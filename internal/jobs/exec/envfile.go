package exec

import (
	"fmt"
	"strings"
	"unicode"
)

type variable struct{ key, value string }

// parseEnvFile reads lines of KEY=VALUE. Empty lines and lines that begin
// with # or ; say nothing, `export` in front is passed over. A value is taken
// as it stands, or between quotes: in double ones a backslash protects ", \,
// $ and `, in single ones nothing does. Nothing is replaced in a value.
//
// Where programs that read such files disagree, this refuses to guess. Errors
// begin with the number of the line and never quote it: it may be a secret.
func parseEnvFile(text string) ([]variable, error) {
	var vars []variable
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		v, err := parseEnvLine(line)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", n, err)
		}
		vars = append(vars, v)
	}
	return vars, nil
}

func parseEnvLine(line string) (variable, error) {
	if rest, ok := strings.CutPrefix(line, "export "); ok {
		line = strings.TrimSpace(rest)
	}
	key, value, ok := strings.Cut(line, "=")
	switch {
	case !ok:
		return variable{}, fmt.Errorf("no = in the line; write KEY=VALUE")
	case key != strings.TrimSpace(key):
		return variable{}, fmt.Errorf("a blank before =; write KEY=VALUE without blanks around =")
	case !validName(key):
		return variable{}, fmt.Errorf("what stands before = cannot be the name of a variable")
	case strings.ContainsRune(value, 0):
		return variable{}, fmt.Errorf("a zero byte in the value of %s", key)
	}
	value, err := envValue(value)
	if err != nil {
		return variable{}, fmt.Errorf("value of %s: %w", key, err)
	}
	return variable{key, value}, nil
}

func envValue(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	if unicode.IsSpace(rune(value[0])) {
		return "", fmt.Errorf("a blank after =; write KEY=VALUE, with quotes if the value begins with a blank")
	}
	if value[0] == '"' || value[0] == '\'' {
		return quoted(value)
	}
	for i := 1; i < len(value); i++ {
		if value[i] == '#' && unicode.IsSpace(rune(value[i-1])) {
			return "", fmt.Errorf("a # after a blank may begin a comment or not; put the value in quotes, or the comment on a line of its own")
		}
	}
	return value, nil
}

// quoted takes the value out of its quotes. A comment may follow them.
func quoted(value string) (string, error) {
	quote := value[0]
	var b strings.Builder
	for i := 1; i < len(value); i++ {
		c := value[i]
		if c == quote {
			after := strings.TrimSpace(value[i+1:])
			if after != "" && after[0] != '#' {
				return "", fmt.Errorf("text after the closing quote; put all of the value in one pair of quotes")
			}
			return b.String(), nil
		}
		if c == '\\' && quote == '"' && i+1 < len(value) && strings.IndexByte("\"\\$`", value[i+1]) >= 0 {
			i++
			c = value[i]
		}
		b.WriteByte(c)
	}
	return "", fmt.Errorf("the quote is not closed on its line; a value cannot span lines")
}
