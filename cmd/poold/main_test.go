package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"poold": main})
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
