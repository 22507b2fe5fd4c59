package exec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseEnvFile(t *testing.T) {
	const text = "\ufeff# a comment\n" +
		"\n; another\n" +
		"PLAIN=a b  c \r\n" +
		"EMPTY=\n" +
		"  INDENTED=x\n" +
		"export EXPORTED=y\n" +
		"HASH=a#b\n" +
		"EQUALS=a=b=c\n" +
		"DOUBLE=\"a \\\"b\\\" \\\\ \\$x \\n # c\" # comment\n" +
		"SINGLE='a \"b\" \\ '\n" +
		"BACKSLASH=a\\b\n" +
		"DOLLAR=$HOME${cred:x}{arg}\n" +
		"TWICE=1\nTWICE=2"
	got, err := parseEnvFile(text)
	if err != nil {
		t.Fatal(err)
	}
	want := []variable{
		{"PLAIN", "a b  c"},
		{"EMPTY", ""},
		{"INDENTED", "x"},
		{"EXPORTED", "y"},
		{"HASH", "a#b"},
		{"EQUALS", "a=b=c"},
		{"DOUBLE", `a "b" \ $x \n # c`},
		{"SINGLE", `a "b" \ `},
		{"BACKSLASH", `a\b`},
		{"DOLLAR", "$HOME${cred:x}{arg}"},
		{"TWICE", "1"},
		{"TWICE", "2"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(variable{})); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func TestParseEnvFileErrors(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"a line has a =", "A=1\nhunter2", "2: no = in the line"},
		{"a name is not empty", "=hunter2", "1: what stands before = cannot be"},
		{"a name has no blanks", "\nA B=hunter2", "2: what stands before ="},
		{"no blank comes before =", "A =hunter2", "1: a blank before ="},
		{"no blank comes after =", "A= hunter2", "1: value of A: a blank after ="},
		{"a doubtful comment is refused", "A=hunter2 # x", "1: value of A: a # after a blank"},
		{"quotes are closed", "A=\"hunter2\nB=1", "1: value of A: the quote is not closed"},
		{"an escaped quote closes nothing", `A="hunter2\"`, "1: value of A: the quote is not closed"},
		{"nothing follows the quotes", `A="hunter2"3`, "1: value of A: text after the closing quote"},
		{"a zero byte cannot be passed", "A=hunter2\x00", "1: a zero byte in the value of A"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseEnvFile(tt.in)
			if err == nil {
				t.Fatalf("got %q, want an error", got)
			}
			if !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q\nwant %q first, and no value", err, tt.want)
			}
		})
	}
}

func FuzzParseEnvFile(f *testing.F) {
	f.Add("A=1\n#\nexport B='x'\n")
	f.Add("A=\"\\\"")
	f.Fuzz(func(t *testing.T, text string) {
		vars, err := parseEnvFile(text)
		if err != nil {
			return
		}
		for _, v := range vars {
			if !validName(v.key) || strings.ContainsRune(v.value, 0) {
				t.Errorf("%q gave a variable that cannot be passed: %q", text, v)
			}
		}
	})
}
