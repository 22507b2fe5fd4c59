package archtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	for _, r := range readGoMod(t).Replace {
		t.Errorf("go.mod replaces %s; who installs with go install would get something else", r.Old.Path)
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

func TestEachDependencyHasItsLine(t *testing.T) {
	text, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	var direct []string
	for _, r := range readGoMod(t).Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	slices.Sort(direct)
	lines := regexp.MustCompile("(?m)^\\| `(\\S+)` \\|").FindAllStringSubmatch(string(text), -1)
	got := make([]string, 0, len(lines))
	for _, line := range lines {
		got = append(got, line[1])
	}
	slices.Sort(got)
	if diff := cmp.Diff(direct, got); diff != "" {
		t.Errorf("go.mod and the lines of docs/dependencies.md differ (-want +got):\n%s", diff)
	}
}

// goMod is what we read of go.mod, as the go command prints it.
type goMod struct {
	Require []struct {
		Path     string
		Indirect bool
	}
	Replace []struct{ Old struct{ Path string } }
}

// readGoMod needs no network, which listing all modules might.
func readGoMod(t *testing.T) goMod {
	t.Helper()
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var m goMod
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
