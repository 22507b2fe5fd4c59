package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var yamlBlocks = regexp.MustCompile("(?m)^```yaml\n((?:[^`].*\n|\n)*)```$")

// Whoever copies a configuration from a document gets one that works. The one
// file that an example includes need not be there: it is a pattern.
func TestEachConfigurationInTheDocumentsIsGood(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	for _, name := range []string{"README.md", "docs/configuration.md"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		blocks := yamlBlocks.FindAllStringSubmatch(string(text), -1)
		if len(blocks) == 0 || len(blocks) != strings.Count(string(text), "```yaml\n") {
			t.Errorf("%s: %d configurations were understood", name, len(blocks))
		}
		for i, b := range blocks {
			h.write("config.yaml", b[1])
			if said, err := h.command("check", "config.yaml").CombinedOutput(); err != nil || strings.Count(string(said), "\n") != 1 {
				t.Errorf("%s, configuration %d: %v\n%s\n%s", name, i+1, err, said, b[1])
			}
		}
	}
}

// The shipped configuration and the examples are what the README says of them.
func TestShippedConfigurationsAreGood(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../../config.yaml") {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		if said, err := h.command("check", path).CombinedOutput(); err != nil || strings.Count(string(said), "\n") != 1 {
			t.Errorf("%s: %v\n%s", file, err, said)
		}
		name := strings.TrimPrefix(file, "../../")
		if !strings.Contains(string(readme), fmt.Sprintf("`%s`", name)) {
			t.Errorf("the README says nothing of %s", name)
		}
	}
}

var links = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)

func TestEachLinkInTheDocumentsLeadsSomewhere(t *testing.T) {
	t.Parallel()
	files := []string{"../../README.md", "../../CHANGELOG.md"}
	for _, pattern := range []string{"../../docs/*.md", "../../docs/adr/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: nothing is there: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), link[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
