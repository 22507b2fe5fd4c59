package archtest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The database is C translated to Go; it runs on the library it was translated
// for. Its authors support no other version of that library, and the go
// command would take any later one without a word.
func TestLibraryOfTheDatabaseIsTheOneItWasTranslatedFor(t *testing.T) {
	file := moduleField(t, "{{.GoMod}}", "modernc.org/sqlite")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s*modernc\.org/libc (\S+)`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s requires no modernc.org/libc", file)
	}
	got, want := moduleField(t, "{{.Version}}", "modernc.org/libc"), string(found[1])
	if got != want {
		t.Errorf("got modernc.org/libc %s, while modernc.org/sqlite wants %s: go get modernc.org/libc@%s", got, want, want)
	}
}

func TestNothingIsReplaced(t *testing.T) {
	out, err := goList("-m", "-f", "{{with .Replace}}{{.Path}}{{end}}", "all")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(out); got != "" {
		t.Errorf("go.mod replaces %q; who installs with go install would get something else", got)
	}
}

func moduleField(t *testing.T, format, module string) string {
	t.Helper()
	out, err := goList("-m", "-f", format, module)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}
