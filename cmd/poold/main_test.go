package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"poold": main})
}

func TestTheShippedConfigurationsAreGood(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatal(examples, err)
	}
	for _, name := range append(examples, "../../config.yaml") {
		out, err := exec.Command("poold", "check", name).CombinedOutput()
		if err != nil || bytes.Count(out, []byte("\n")) != 1 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestStories runs the scripts of testdata/script. Each is a promise that poold
// makes to its operator, kept by the real program: a daemon as a process of its
// own and the commands beside it. The commands that the scripts have beyond
// testscript's are in story_test.go and json_test.go. With UPDATE_SCRIPTS=1 the
// texts that a script compares are written anew; then read what has changed.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		Setup:              setUpStory,
		Cmds:               storyCommands(),
		RequireUniqueNames: true,
		UpdateScripts:      os.Getenv("UPDATE_SCRIPTS") != "",
	})
}
