package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/poold/poold/internal/jobs/exec"
	"github.com/poold/poold/internal/jobs/http"
)

// Every key that the loader knows stands in docs/configuration.md, and so does
// every key that it refuses as not built yet.
func TestEachKeyIsDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	var keys []string
	list := func(prefix string, of reflect.Type) { keys = append(keys, keyPaths(prefix, of)...) }
	list("daemon.", reflect.TypeFor[rawDaemon]())
	list("retention.", reflect.TypeFor[rawRetention]())
	list("pools.*.", reflect.TypeFor[rawPool]())
	list("jobs.*.", reflect.TypeFor[rawJob]())
	list("", reflect.TypeFor[exec.Settings]())
	list("", reflect.TypeFor[http.Settings]())
	keys = append(append(keys, "time_zone", "include", "defaults"), reserved()...)
	if len(keys) < 80 {
		t.Fatalf("only %d keys were found: %v", len(keys), keys)
	}
	for _, key := range keys {
		if !strings.Contains(text, "`"+key+"`") {
			t.Errorf("docs/configuration.md says nothing of `%s`", key)
		}
	}
}

// keyPaths lists the keys of a group and of the groups in it.
func keyPaths(prefix string, t reflect.Type) []string {
	var paths []string
	for key, index := range keysOf(t) {
		below := t.FieldByIndex(index).Type
		for below.Kind() == reflect.Pointer {
			below = below.Elem()
		}
		suffix := ""
		if below.Kind() == reflect.Slice {
			below, suffix = below.Elem(), "[]"
		}
		_, isText := reflect.New(below).Interface().(interface{ UnmarshalText([]byte) error })
		if below.Kind() == reflect.Struct && !isText && below != reflect.TypeFor[node]() {
			paths = append(paths, keyPaths(prefix+key+suffix+".", below)...)
			continue
		}
		paths = append(paths, prefix+key)
	}
	return paths
}
