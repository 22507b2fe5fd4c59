package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/poold/poold/bench/rig"
)

// TestMain lets this binary be started again for a measurement alone, as bench
// itself is.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "-alone" {
		os.Exit(m.Run())
	}
	if err := RunAlone(context.Background(), []Suite{lonely()}, os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// lonely is a suite that measures its process.
func lonely() Suite {
	return Suite{Name: "lonely", Alone: map[string]Alone{
		"self": func(_ context.Context, args []string, note func(string, float64)) error {
			note("pid", float64(os.Getpid()))
			note("args", float64(len(args)))
			return nil
		},
		"broken": func(context.Context, []string, func(string, float64)) error { return errors.New("broken") },
	}}
}

func TestAloneIsMeasuredInAProcessOfItsOwn(t *testing.T) {
	r := &Round{Rig: &rig.Rig{Work: t.TempDir()}, suite: "lonely"}
	got, err := r.Alone(t.Context(), "self", "a", "b c")
	if err != nil {
		t.Fatal(err)
	}
	if got["pid"] == float64(os.Getpid()) || got["args"] != 2 || got["peak"] < 1 || got["cpu"] <= 0 {
		t.Errorf("got %v", got)
	}
	for _, name := range []string{"broken", "unknown"} {
		if _, err := r.Alone(t.Context(), name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
