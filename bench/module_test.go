package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// goMod is what we read of a go.mod, as the go command prints it.
type goMod struct {
	Require []struct{ Path, Version string }
	Replace []struct{ Old, New struct{ Path string } }
}

func readGoMod(t *testing.T, dir string) goMod {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var m goMod
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// What is measured is what is shipped: a peer that wants a later version of a
// library would bring it to poold's own code here, without a word.
func TestLibrariesOfThePartsMeasuredHereAreThoseOfTheProgram(t *testing.T) {
	shipped := map[string]string{}
	for _, r := range readGoMod(t, "..").Require {
		shipped[r.Path] = r.Version
	}
	for _, r := range readGoMod(t, ".").Require {
		if want := shipped[r.Path]; strings.HasPrefix(r.Path, "modernc.org/") && want != "" && r.Version != want {
			t.Errorf("got %s %s, while the program has %s", r.Path, r.Version, want)
		}
	}
}

func TestOnlyTheProgramIsReplaced(t *testing.T) {
	for _, r := range readGoMod(t, ".").Replace {
		if r.Old.Path != "github.com/poold/poold" || r.New.Path != "../" {
			t.Errorf("go.mod replaces %s by %s", r.Old.Path, r.New.Path)
		}
	}
}
