package secret

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, in string
		want     Template
	}{
		{"an empty text has no parts", "", nil},
		{"plain text is one part", "a b $c {d}", Template{{Text, "a b $c {d}"}}},
		{
			"references and placeholders are told apart", "x${cred:db}y{arg}{run_id}",
			Template{{Text, "x"}, {Reference, "cred:db"}, {Text, "y"}, {Place, "{arg}"}, {Place, "{run_id}"}},
		},
		{"a path may hold colons and blanks", "${file:/a b:c}", Template{{Reference, "file:/a b:c"}}},
		{"a doubled dollar makes a reference text", "$${cred:db}", Template{{Text, "${"}, {Text, "cred:db}"}}},
		{"a doubled dollar protects a placeholder", "a$${arg}", Template{{Text, "a"}, {Text, "${"}, {Text, "arg}"}}},
		{"a dollar before a doubled dollar is text", "$$${x", Template{{Text, "$"}, {Text, "${"}, {Text, "x"}}},
		{"a doubled dollar elsewhere is text", "$$x", Template{{Text, "$$x"}}},
		{"a reference may follow a doubled dollar", "$${${env:A}", Template{{Text, "${"}, {Reference, "env:A"}}},
		{"placeholders keep their order", "{scheduled_at}{arg}", Template{{Place, "{scheduled_at}"}, {Place, "{arg}"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse(%q): want -, got +\n%s", tt.in, diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ name, in, message, hint string }{
		{"a shell's variable is no reference", "${HOME}/bin", "${HOME} is no reference", "${env:NAME}"},
		{"an unknown source is refused", "${vault:x}", "${vault:x} is no reference", "$${"},
		{"a reference has an end", "a${cred:x", "without a closing }", "$${"},
		{"a placeholder written as a reference is explained", "${arg}", "${arg} is no reference", "write {arg}"},
		{"an argument chooses no file", "${file:/srv/{arg}}", "{arg} inside a reference", "in full"},
		{"a file's path is absolute", "${file:token}", "not an absolute path", "/the/full/path"},
		{"a credential's name is no path", "${cred:../shadow}", "names no credential", "LoadCredential"},
		{"a credential is not a dot", "${cred:..}", "names no credential", "LoadCredential"},
		{"a credential has a name", "${cred:}", "names no credential", "LoadCredential"},
		{"a variable has a name of letters", "${env:A-B}", "names no variable", "${env:NAME}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.in)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("Parse(%q) gave %v, want a *SyntaxError", tt.in, err)
			}
			if !strings.Contains(syntax.Message, tt.message) || !strings.Contains(syntax.Hint, tt.hint) {
				t.Errorf("Parse(%q) gave %q; %q\nwant %q; %q", tt.in, syntax.Message, syntax.Hint, tt.message, tt.hint)
			}
			if p := Problem(err, "env", "A"); p.Message != syntax.Message || p.Hint != syntax.Hint || len(p.Path) != 2 {
				t.Errorf("Problem gave %+v", p)
			}
		})
	}
}

func TestFindSeesReferencesOnly(t *testing.T) {
	for in, want := range map[string]string{
		"echo ${cred:db}":         "${cred:db}",
		"--token=${env:TOKEN}":    "${env:TOKEN}",
		"${file:/run/secret} x":   "${file:/run/secret}",
		"echo ${file:0:3} ${env}": "", // what bash does with its own variables
		"${file%.gz} $cred:x":     "",
	} {
		if got := Find(in); got != want {
			t.Errorf("Find(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestShowHidesSecrets(t *testing.T) {
	tmpl, err := Parse("https://u:${cred:pw}@h/{arg}")
	if err != nil {
		t.Fatal(err)
	}
	got := tmpl.Show(func(string) string { return "A" })
	if want := "https://u:***@h/A"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !tmpl.Has(Reference) || !tmpl.HasPlace("{arg}") || tmpl.HasPlace("{run_id}") {
		t.Errorf("Has or HasPlace is wrong about %v", tmpl)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "${cred:a}", "$${arg}{arg}", "${", "$$${env:X}}", "${file:/{arg}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tmpl, err := Parse(s)
		if err != nil {
			return
		}
		// Written back, the parts are the text they came from.
		var b strings.Builder
		for _, p := range tmpl {
			switch {
			case p.Kind == Reference:
				b.WriteString("${" + p.Text + "}")
			case p.Text == "${":
				b.WriteString("$${")
			default:
				b.WriteString(p.Text)
			}
		}
		if b.String() != s {
			t.Errorf("Parse(%q) lost something: %q", s, b.String())
		}
	})
}
