package archtest

import (
	"slices"
	"strings"
	"testing"
)

// layers lists all packages from the top down. A package may import those
// below it and none above.
var layers = []string{
	"cmd/poold",
	"internal/cli",
	"internal/daemon",
	"internal/config",
	"internal/server",
	"internal/api",
	"internal/why",
	"internal/scheduler",
	"internal/dispatch",
	"internal/pool",
	"internal/sqlite",
	"internal/ledgertest",
	"internal/run",
	"internal/jobs/exec",
	"internal/jobs/http",
	"internal/jobs/secret",
	"internal/jobs",
	"internal/proc",
	"internal/output",
	"internal/schedule",
	"internal/archtest",
	"test/vm",
}

func TestArrowsPointDown(t *testing.T) {
	for _, p := range ourPackages(t) {
		at := slices.Index(layers, p.name)
		if at < 0 {
			t.Errorf("%s stands in no layer; give it its place in layers and in docs/architecture.md", p.name)
			continue
		}
		for _, to := range p.ours {
			if slices.Index(layers, to) <= at {
				t.Errorf("%s imports %s, which stands above it", p.name, to)
			}
		}
	}
}

func TestLayersNameNoPackageThatIsGone(t *testing.T) {
	for _, name := range layers {
		if !slices.ContainsFunc(ourPackages(t), func(p pkg) bool { return p.name == name }) {
			t.Errorf("there is no package %s", name)
		}
	}
}

// ours in a rule stands for every package of this module.
const ours = "ours"

const (
	insideBubble = "it is tested in a synctest bubble, where days pass in milliseconds; " +
		"waiting on a process, a connection or a file stops the bubble's clock"
	leaf       = "it knows nothing of poold, so it can be read and tested alone"
	twoLedgers = "it states what it asks of a ledger; there will be one for several hosts"
	oneWay     = "the arrow points the other way"
)

// rules say what each package must not depend on, even through others.
var rules = []struct{ from, mustNot, because string }{
	{"internal/schedule", "os/exec net net/http github.com/fsnotify/fsnotify", insideBubble},
	{"internal/run", "os/exec net net/http github.com/fsnotify/fsnotify", insideBubble},
	{"internal/jobs", "os/exec net net/http github.com/fsnotify/fsnotify", insideBubble},
	{"internal/scheduler", "os/exec net net/http github.com/fsnotify/fsnotify", insideBubble},
	{"internal/dispatch", "os/exec net net/http github.com/fsnotify/fsnotify", insideBubble},
	{"internal/pool", "os/exec net net/http github.com/fsnotify/fsnotify", insideBubble},

	{"internal/schedule", ours, leaf},
	{"internal/pool", ours, leaf},
	{"internal/output", ours, leaf},
	{"internal/proc", ours, leaf},
	{"internal/api", ours, "others may import it to speak to a daemon; the wire must not move with what is behind it"},

	{"internal/why", "os/exec net net/http database/sql/driver internal/sqlite internal/dispatch internal/config", "it makes sentences of values, and its tests are tables"},
	{"internal/run", "database/sql/driver", "the state machine is pure"},
	{"internal/scheduler", "database/sql/driver internal/sqlite", twoLedgers},
	{"internal/dispatch", "database/sql/driver internal/sqlite", twoLedgers},
	{"internal/scheduler", "internal/dispatch internal/pool internal/config", "it decides what is due, and hands over values"},
	{"internal/dispatch", "internal/scheduler internal/config internal/output", oneWay},
	{"internal/dispatch", "internal/jobs/exec internal/jobs/http internal/jobs/secret", "job types are plugged in by the registry"},
	{"internal/sqlite", "internal/scheduler internal/dispatch internal/pool internal/config", oneWay},

	{"internal/jobs/exec", "internal/run internal/jobs/http internal/output", "a job type knows its task alone"},
	{"internal/jobs/http", "internal/run internal/jobs/exec internal/output os/exec", "a job type knows its task alone"},

	{"internal/config", "internal/run internal/dispatch internal/sqlite internal/jobs/exec internal/jobs/http", "a file is checked without anything to run it; the types come as a registry"},
	{"internal/server", "internal/dispatch internal/scheduler internal/sqlite internal/config internal/output", "handlers see the daemon through the interface they state"},
	{"internal/cli", "internal/daemon internal/server internal/sqlite internal/dispatch", "a client command loads none of the daemon; main hands in what serve does"},
}

func TestForbiddenDependencies(t *testing.T) {
	deps := map[string][]string{}
	for _, p := range ourPackages(t) {
		deps[p.name] = p.deps
	}
	for _, r := range rules {
		all, ok := deps[r.from]
		if !ok {
			t.Errorf("there is no package %s", r.from)
		}
		for _, to := range all {
			if slices.Contains(strings.Fields(r.mustNot), to) || r.mustNot == ours && isOurs(to) {
				t.Errorf("%s depends on %s and must not: %s", r.from, to, r.because)
			}
		}
	}
}

// keepers are the only packages that import a library themselves, so that
// it can be replaced in one place. The command of poold is built from no
// other libraries.
var keepers = map[string][]string{
	"github.com/coreos/go-systemd/v22/daemon":          {"internal/daemon"},
	"github.com/danielgtaylor/huma/v2":                 {"internal/server"},
	"github.com/danielgtaylor/huma/v2/adapters/humago": {"internal/server"},
	"github.com/dustin/go-humanize":                    {"internal/jobs"},
	"github.com/fsnotify/fsnotify":                     {"internal/config"},
	"github.com/lmittmann/tint":                        {"internal/daemon"},
	"github.com/rivo/uniseg":                           {"internal/cli"},
	"github.com/schollz/progressbar/v3":                {"internal/cli"},
	"github.com/spf13/cobra":                           {"internal/cli"},
	"github.com/spf13/viper":                           {"internal/config"},
	"go.yaml.in/yaml/v3":                               {"internal/config"},
	"golang.org/x/term":                                {"internal/cli", "internal/daemon"},
	"modernc.org/sqlite":                               {"internal/sqlite"},
	"database/sql":                                     {}, // nobody: internal/sqlite holds its connections itself
	"database/sql/driver":                              {"internal/sqlite"},
	"os/exec":                                          {"internal/proc"},
	"github.com/google/go-cmp/cmp":                     {"internal/ledgertest"},
	"pgregory.net/rapid":                               {"internal/ledgertest"},
	"golang.org/x/sys/unix":                            nil, // plain system calls: anywhere
}

func TestLibrariesAreKeptInOnePlace(t *testing.T) {
	for _, p := range ourPackages(t) {
		if p.name == "test/vm" {
			continue // no part of the program: it tests that from outside
		}
		for _, to := range p.imports {
			who, known := keepers[to]
			switch {
			case isOurs(to) || !known && isStd(to) || known && who == nil:
			case !known:
				t.Errorf("%s imports %s, a new library: it wants a line in docs/dependencies.md and one here", p.name, to)
			case !slices.Contains(who, p.name):
				t.Errorf("%s imports %s, which is kept in %v", p.name, to, who)
			}
		}
	}
}
