package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tzif is the least file of a zone's rules: one offset, for ever.
func tzif(offset byte, name string) []byte {
	header := append([]byte("TZif"), make([]byte, 40)...)
	header[39], header[43] = 1, byte(len(name)+1) // one type, and its name
	return append(append(header, 0, 0, offset, 0, 0, 0), name+"\x00"...)
}

func TestALoadTakesUpNewRulesOfAZone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "localtime")
	t.Setenv("TZ", file)
	write := func(offset byte) {
		t.Helper()
		if err := os.WriteFile(file, tzif(offset, "ABC"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	text := `jobs: {j: {schedule: "@daily", with: {command: [x]}}, k: {schedule: "@daily", time_zone: UTC, with: {command: [x]}}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func() *Config {
		t.Helper()
		cfg, err := Load(Options{Path: path, Types: testTypes()})
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	write(10)
	old := read()
	if got := old.ZonesChanged(); len(got) > 0 {
		t.Errorf("new rules of %v, and nothing has changed", got)
	}
	if read().Digest != old.Digest {
		t.Error("the same bytes and rules have two digests")
	}
	write(20)
	if diff := cmp.Diff([]string{"Local"}, old.ZonesChanged()); diff != "" {
		t.Errorf("zones with new rules (-want +got):\n%s", diff)
	}
	updated := read()
	if updated.Digest == old.Digest {
		t.Error("a reload would find nothing to do")
	}
	if diff := cmp.Diff(Plan{Zones: []string{"the host"}}, Diff(old, updated)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}
