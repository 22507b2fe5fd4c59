package archtest

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/poold/poold/"

// pkg is a package of this module as the go command sees it. Names of our
// packages are without the module.
type pkg struct {
	name    string
	imports []string // direct
	ours    []string // those of imports that are ours
	deps    []string // direct or not
}

// ourPackages asks the go command once for all tests.
var ourPackages = func() func(t *testing.T) []pkg {
	list := sync.OnceValues(listPackages)
	return func(t *testing.T) []pkg {
		t.Helper()
		got, err := list()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
}()

func listPackages() ([]pkg, error) {
	out, err := goList("-f", `{{.ImportPath}}|{{join .Imports " "}}|{{join .Deps " "}}|{{.Dir}}`, module+"...")
	if err != nil {
		return nil, err
	}
	var list []pkg
	for line := range strings.Lines(out) {
		part := strings.Split(strings.TrimSpace(line), "|")
		// The go command keeps a test's result until a file that the test
		// looked at itself has changed.
		if _, err := os.ReadDir(part[3]); err != nil {
			return nil, err
		}
		p := pkg{name: short(part[0])[0], imports: short(part[1]), deps: short(part[2])}
		for _, to := range p.imports {
			if isOurs(to) {
				p.ours = append(p.ours, to)
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// short cuts the module from the names of our packages, and leaves out those
// that only the standard library may import, some of which look the same then.
func short(names string) []string {
	var out []string
	for name := range strings.FieldsSeq(names) {
		if !strings.HasPrefix(name, "internal/") {
			out = append(out, strings.TrimPrefix(name, module))
		}
	}
	return out
}

// goList runs go list as the shipped program is built: without cgo.
func goList(args ...string) (string, error) {
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return string(out), err
}

func isOurs(name string) bool {
	return strings.HasPrefix(name, "internal/") || strings.HasPrefix(name, "cmd/")
}

// isStd tells packages of the standard library: their first element has no dot.
func isStd(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return !strings.Contains(first, ".")
}
