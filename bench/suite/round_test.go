package suite

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/poold/poold/bench/rig"
)

// noting is a row that says when it is measured.
func noting(name string, order *[]string) Row {
	return Row{Name: name, Measure: func(_ context.Context, r *Round) error {
		*order = append(*order, name)
		r.Note("", float64(r.N))
		return nil
	}}
}

func measure(t *testing.T, g Group, size rig.Size) (*Results, error) {
	t.Helper()
	g.Name, g.Figures = "g", []Figure{{Unit: "ns"}}
	s := Suite{Name: "s", Groups: []Group{g}}
	m, err := s.Measure(t.Context(), &rig.Rig{Size: size}, func(string, ...any) {})
	return m.Results[0], err
}

func TestRowsTakeTurnsInAnOrderThatRotates(t *testing.T) {
	var order []string
	g := Group{Rounds: 4, Quick: 2, Rows: []Row{noting("a", &order), noting("b", &order), noting("c", &order)}}
	for size, want := range map[rig.Size]string{rig.Full: "abcbcacababc", rig.Quick: "abcbca", rig.Smoke: "abc"} {
		order = nil
		r, err := measure(t, g, size)
		if got := strings.Join(order, ""); got != want || err != nil {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
		if got := r.Of("c", "").Rounds; got != len(want)/3 {
			t.Errorf("got %d rounds of c, want %d", got, len(want)/3)
		}
	}
}

func TestRowThatFailsIsLeftOutAndSaidToBe(t *testing.T) {
	var order []string
	broken := errors.New("broken")
	failing := Row{Name: "f", Measure: func(context.Context, *Round) error {
		order = append(order, "f")
		return broken
	}}
	r, err := measure(t, Group{Rounds: 2, Rows: []Row{failing, noting("a", &order)}}, rig.Full)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "s: g: f: broken") {
		t.Errorf("got %v", err)
	}
	if got := strings.Join(order, ""); got != "faa" {
		t.Errorf("got the order %s, want faa", got)
	}
	if r.Absent("f") != "it failed" || r.Absent("a") != "" {
		t.Errorf("got absent %q and %q", r.Absent("f"), r.Absent("a"))
	}
}

func TestRowThatNeedsACommandThatIsNotThereIsNotMeasured(t *testing.T) {
	var order []string
	row := noting("peer", &order)
	row.Needs = []string{"sh", "there-is-no-such-command"}
	r, err := measure(t, Group{Rounds: 2, Rows: []Row{row}}, rig.Full)
	if err != nil || len(order) > 0 || r.Absent("peer") != "there is no there-is-no-such-command" {
		t.Errorf("got %v, %v, %q", err, order, r.Absent("peer"))
	}
}

func TestGroupIsClosedWhateverHappens(t *testing.T) {
	broken := errors.New("broken")
	for name, open := range map[string]error{"opened": nil, "not opened": broken} {
		t.Run(name, func(t *testing.T) {
			var order []string
			r, err := measure(t, Group{
				Rounds: 1, Rows: []Row{noting("a", &order)},
				Open:  func(context.Context, *rig.Rig) error { return open },
				Close: func() error { order = append(order, "close"); return nil },
			}, rig.Full)
			if !errors.Is(err, open) || order[len(order)-1] != "close" {
				t.Errorf("got %v, %v", err, order)
			}
			if (open != nil) != (r.Absent("a") != "") {
				t.Errorf("got absent %q", r.Absent("a"))
			}
		})
	}
}

func TestNothingIsMeasuredOnceItIsStopped(t *testing.T) {
	var order []string
	ctx, stop := context.WithCancel(t.Context())
	stopping := Row{Name: "s", Measure: func(context.Context, *Round) error { stop(); return ctx.Err() }}
	group := Group{Name: "g", Figures: []Figure{{}}, Rounds: 3, Rows: []Row{stopping, noting("a", &order)}}
	s := Suite{Name: "s", Groups: []Group{group, group}}
	if _, err := s.Measure(ctx, &rig.Rig{}, func(string, ...any) {}); !errors.Is(err, context.Canceled) || len(order) > 0 {
		t.Errorf("got %v, %v", err, order)
	}
}
