package cli

import (
	"strings"
	"testing"
)

func TestOutputOnATerminalOnlyShows(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"text passes":                    {"a\tb\r\nc é 漢\n", "a\tb\r\nc é 漢\n"},
		"colours pass":                   {"\x1b[1;31mred\x1b[0m \x1b[m", "\x1b[1;31mred\x1b[0m \x1b[m"},
		"a title is shown":               {"\x1b]0;title\a", `\x1b]0;title\x07`},
		"the clipboard is left alone":    {"\x1b]52;c;cm0=\x1b\\", `\x1b]52;c;cm0=\x1b\`},
		"the screen is not cleared":      {"\x1b[2J\x1bc", `\x1b[2J\x1bc`},
		"a question is not asked":        {"\x1b[6n", `\x1b[6n`},
		"a control of eight bits":        {"\u009b2J", `\u009b2J`},
		"bytes that are no UTF-8":        {"caf\xe9 \x9b2J", `caf\xe9 \x9b2J`},
		"text is not turned around":      {"\u202eabc", `\u202eabc`},
		"an escape without an end":       {"a\x1b[3", `a\x1b[3`},
		"a character without an end":     {"a\xe6\xbc", `a\xe6\xbc`},
		"a colour too long to be one":    {"\x1b[" + strings.Repeat("1;", 40) + "m", `\x1b[` + strings.Repeat("1;", 40) + "m"},
		"a backspace rubs out no letter": {"rm -rf /\b\b", `rm -rf /\x08\x08`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, len(test.in)} {
				var got strings.Builder
				w := &tame{to: &got}
				for at := 0; at < len(test.in); at += size {
					if n, err := w.Write([]byte(test.in[at:min(at+size, len(test.in))])); err != nil || n == 0 {
						t.Fatalf("wrote %d, %v", n, err)
					}
				}
				if err := w.Close(); err != nil || got.String() != strings.TrimSuffix(test.want, "\n")+"\n" {
					t.Errorf("in pieces of %d: got %q, %v, want %q", size, &got, err, test.want)
				}
			}
		})
	}
}
