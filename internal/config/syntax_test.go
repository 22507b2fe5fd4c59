package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSyntaxErrorsArePlacedAndExplained(t *testing.T) {
	const quoteColon = "a colon is not expected here; quote a value that holds a colon and a blank; else check the indentation"
	tests := []struct {
		name, text, want string
	}{
		{"an unquoted @daily", "jobs:\n  a:\n    schedule: @daily\n", `config.yaml:3:15: a value cannot begin with @; quote it, as in "@daily"`},
		{"an unquoted @daily in line 1", "a: @daily # nightly\n", `config.yaml:1:4: a value cannot begin with @; quote it, as in "@daily"`},
		{"an expression that begins with */5", "jobs:\n  a:\n    schedule: */5 * * * *\n", `config.yaml:3:15: a value cannot begin with *; quote it, as in "*/5 * * * *"`},
		{"an expression of stars", "jobs:\n  a:\n    schedule: * * * * *\n", `config.yaml:3:15: a value cannot begin with *; quote it, as in "* * * * *"`},
		{"an expression in a list", "s: [\"0 0 * * *\", */5 * * * *]\n", `config.yaml:1:18: a value cannot begin with *; quote it, as in "*/5 * * * *"`},
		{"an expression in a block list", "s:\n  - 0 0 * * *\n  - */5 * * * *\n", `config.yaml:3:5: a value cannot begin with *; quote it, as in "*/5 * * * *"`},
		{"a percent sign", "a: %x\n", `config.yaml:1:4: a value cannot begin with %; quote it, as in "%x"`},
		{"a backtick", "a:\n  b: `date`\n", "config.yaml:2:6: a value cannot begin with `; quote it, as in \"`date`\""},
		{"a tab that indents", "jobs:\n\ta: 1\n", "config.yaml:2:1: a tab cannot indent; indent with spaces"},
		{"a colon in a value", "a:\n  b: c: d\n", "config.yaml:2:7: " + quoteColon},
		{"an indentation too deep", "x: 1\ny:\n  a: 1\n   b: 2\n", "config.yaml:4:5: " + quoteColon},
		{"an indentation too shallow", "a:\n  - b\n c: 1\n", "config.yaml:3:2: a key is expected here; check the indentation; quote a value that begins with a quote, { or [ and goes on after it"},
		{"an open double quote", "jobs:\n  a:\n    d: \"x\n  b: 1\n", "config.yaml:3:8: this quote is never closed"},
		{"an open single quote after a closed one", "a: 'b'\nc: ['d', 'e]\nf: 1\n", "config.yaml:2:10: this quote is never closed"},
		{"an open quote in line 1", "a: \"b\nc: 1\n", "config.yaml:1:4: this quote is never closed"},
		{"an open bracket", "a: [b]\nc: [1\nd: 2\n", `config.yaml:2:5: a comma or the closing bracket is missing; quote a value that begins with [ or {, as in "{arg}"`},
		{"text after a placeholder", "with:\n  command: {arg} x\n", "config.yaml:2:18: a key is expected here; check the indentation; quote a value that begins with a quote, { or [ and goes on after it"},
		{"a key without a colon", "a: 1\nb\n", "config.yaml:2:1: a key without a colon; write key: value, or check the indentation"},
		{"an anchor that is not there", "jobs: *foo\n", "config.yaml:1:7: unknown anchor 'foo' referenced; define it with & first, or quote a value that begins with *"},
		{"a control character", "a: \a\n", "config.yaml:1:4: control characters are not allowed"},
		{"columns are characters", "äöü: @daily\n", `config.yaml:1:6: a value cannot begin with @; quote it, as in "@daily"`},
		{"line ends of Windows", "a: 1\r\nb: @daily\r\n", `config.yaml:2:4: a value cannot begin with @; quote it, as in "@daily"`},
		{"a mistake in a second document", "a: 1\n---\nb: @daily\n", `config.yaml:3:4: a value cannot begin with @; quote it, as in "@daily"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := errorLines(t, map[string]string{"config.yaml": tt.text})
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTextThatIsNoConfiguration(t *testing.T) {
	const empty = `holds no configuration; a minimal one is: jobs: {hello: {schedule: "@daily", with: {command: [echo, hello]}}}`
	tests := []struct {
		name, text, want string
	}{
		{"an empty file", "", "config.yaml:1:1: " + empty},
		{"comments alone", "# nothing\n", "config.yaml:1:1: " + empty},
		{"an empty document", "---\n", "config.yaml:1:1: " + empty},
		{"two documents", "jobs: {}\n---\njobs: {}\n", "config.yaml:2:1: a second document begins here; one file holds one document: remove the ---"},
		{"a list", "- a\n", "config.yaml:1:1: expected keys such as jobs: and pools:, found a list"},
		{"a word", "hello\n", `config.yaml:1:1: expected keys such as jobs: and pools:, found "hello"`},
		{"UTF-16", "\xff\xfej\x00", "config.yaml:1:1: is UTF-16, not UTF-8; save it as UTF-8"},
		{"UTF-16, the other way round", "\xfe\xff\x00j", "config.yaml:1:1: is UTF-16, not UTF-8; save it as UTF-8"},
		{"a NUL byte", "jobs: {}\n#\x00", "config.yaml:2:2: holds a NUL byte at offset 10; a configuration is text in UTF-8"},
		{"Latin-1", "jobs: {}\n# \xe4\n", "config.yaml:2:3: is not UTF-8: byte 0xe4 at offset 11; save it as UTF-8"},
		{"too many bytes", "#" + strings.Repeat("x", maxFile), "config.yaml: is larger than 4 MiB; split it into files that it includes"},
		{"too deep", "x-a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "\n", "config.yaml:1:105: is nested more than 100 deep"},
		{"an anchor that holds itself", "x-a: &a [*a]\n", "config.yaml:1:10: x-a[0]: *a stands within what it names; an anchor cannot hold itself"},
		{"a key written twice", "jobs:\n  a: &a {with: {command: [x]}}\n  a: *a\n", "config.yaml:3:3: jobs.a: is written twice, first in line 2; remove one"},
		{"a list as a key", "jobs: {? [a] : {}}\n", "config.yaml:1:10: jobs: a list cannot be a key; a key is text"},
		{"an unquoted placeholder as a key", "x-a: {{arg}: 1}\n", `config.yaml:1:7: x-a: a mapping cannot be a key; quote a value that begins with {, as in "{arg}"`},
		{"an unknown tag", "x-a: !foo y\n", "config.yaml:1:6: x-a: unknown tag !foo; quote the value if it begins with !"},
		{"binary data", "x-a: !!binary aGk=\n", "config.yaml:1:6: x-a: unknown tag !!binary; quote the value if it begins with !"},
		{"a bare ! before a word", "x-a: [find, ! -newer]\n", `config.yaml:1:13: x-a[1]: a ! here is a tag, not text; quote the value, as in "!"`},
		{"a bare ! in a block list", "x-a:\n- find\n- !\n- -newer\n", `config.yaml:3:3: x-a[1]: a ! here is a tag, not text; quote the value, as in "!"`},
		{"a bare ! behind an anchor", "x-a: &x ! y\n", `config.yaml:1:6: x-a: a ! here is a tag, not text; quote the value, as in "!"`},
		{"a merge of a list of words", "x-a: &a [b]\nx-c: {<<: *a}\n", "config.yaml:2:7: x-c.<<: merges mappings, found \"b\"; write <<: *anchor or <<: [*one, *two]"},
		{"two merges", "x-a: &a {b: 1}\nx-c:\n  <<: *a\n  <<: *a\n", "config.yaml:4:3: x-c.<<: is written twice, first in line 3; write <<: [*one, *two]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := errorLines(t, map[string]string{"config.yaml": tt.text})
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAByteOrderMarkOfUTF8IsFine(t *testing.T) {
	c := mustLoad(t, "\ufeffjobs: {a: {with: {command: [x]}}}\n")
	if c.Jobs["a"] == nil {
		t.Error("job a is missing")
	}
	got := errorLines(t, map[string]string{"config.yaml": "\ufeffa: @b\n"})
	if want := `config.yaml:1:4: a value cannot begin with @; quote it, as in "@b"`; len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q: the mark is no column", got, want)
	}
}

func TestTagsOfYAMLItselfAreFine(t *testing.T) {
	c := mustLoad(t, "jobs: {a: {description: !!str 010, with: {command: !!seq [x, !!str ~, \"!\", a!]}}}\n")
	if got, want := c.Jobs["a"].Description, "010"; got != want {
		t.Errorf("description is %q, want %q", got, want)
	}
	if got, want := string(c.Jobs["a"].With), `{"command":["x","~","!","a!"]}`; got != want {
		t.Errorf("with is %s, want %s", got, want)
	}
}

// A bomb of aliases must be refused before anything expands it.
func TestAliasBombIsRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("x-0: &a0 [x, x]\n")
	for _, pairOf := range []string{"01", "12", "23", "34", "45", "56", "67", "78", "89"} {
		from, to := pairOf[:1], pairOf[1:]
		b.WriteString("x-" + to + ": &a" + to + " [" + strings.Repeat("*a"+from+", ", 9) + "*a" + from + "]\n")
	}
	b.WriteString("defaults: {locks: *a9}\njobs: {a: {with: {command: *a9}}}\n")
	got := errorLines(t, map[string]string{"config.yaml": b.String()})
	if len(got) != 1 || !strings.Contains(got[0], "its aliases expand to") {
		t.Errorf("got %.300q, want one error about aliases", got)
	}
}

// A file of one long line must not take time that grows with its square.
func TestOneLongLineIsReadOnce(t *testing.T) {
	text := "x-a: [" + strings.Repeat("~,", 100_000) + "! ]\njobs: {}\n"
	got := errorLines(t, map[string]string{"config.yaml": text})
	if len(got) != 1 || !strings.Contains(got[0], "x-a[100000]: a ! here is a tag") {
		t.Errorf("got %.300q, want one error about the last item", got)
	}
}

func TestSharedAnchorsAreNoBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("x-base: &base {timeout: 1h, retry: {attempts: 2}, with: {command: [a, b, c]}}\njobs:\n")
	for i := range 3000 {
		b.WriteString("  job-" + string(rune('a'+i%26)) + strings.Repeat("x", i/26%50) + strings.Repeat("y", i/1300) + ": *base\n")
	}
	if _, err := load(t, b.String()); err != nil {
		t.Errorf("got %.300v", err)
	}
}

func TestAMistakeAtTheEndOfALargeFileIsFound(t *testing.T) {
	text := strings.Repeat("# a line of comment, to make the file long\n", 20_000) + "a: @daily\n"
	got := errorLines(t, map[string]string{"config.yaml": text})
	want := `config.yaml:20001:4: a value cannot begin with @; quote it, as in "@daily"`
	if diff := cmp.Diff([]string{want}, got); diff != "" {
		t.Error(diff)
	}
}
