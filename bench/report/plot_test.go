package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
)

func plotOf(t *testing.T, asks ...suite.Ask) string {
	t.Helper()
	s := suite.Suite{Name: "s", Title: "Things", Groups: []suite.Group{{
		Name: "g", Rounds: 3, Quick: 1, Figures: []suite.Figure{{Unit: "ns"}},
		Rows: []suite.Row{takes("poold", 3, 2, 4), takes("slow & steady", 30, 40, 20), takes("quick", 1, 1, 1)}, Asks: asks,
	}}}
	m, err := s.Measure(t.Context(), &rig.Rig{}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return (&Report{Suites: []suite.Measured{m}}).Plot()
}

func TestPlotIsWellFormedAndSaysWhatItShows(t *testing.T) {
	svg := plotOf(t, suite.Ask{Over: "slow & steady", Plot: "slow & steady"}, suite.Ask{Over: "quick", Plot: "quick"}, suite.Ask{Over: "quick"})
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in:\n%s", err, svg)
		}
	}
	wants(
		t, svg,
		"How many times as fast poold is. slow &amp; steady: 10.0 times; quick: 0.33 times.",
		">10.0×</text>", ">0.33×</text>", `class="ahead"`, `class="behind"`, "prefers-color-scheme: dark",
	)
	if n := strings.Count(svg, `<rect class="ahead"`) + strings.Count(svg, `<rect class="behind"`); n != 2 {
		t.Errorf("got %d bars, want 2: the third has no label", n)
	}
}

func TestThereIsNoPlotOfNothing(t *testing.T) {
	if svg := plotOf(t, suite.Ask{Over: "quick"}, suite.Ask{Want: 1, Plot: "no ratio"}); svg != "" {
		t.Errorf("got %s", svg)
	}
}

func TestScaleSpansAllBarsAndParity(t *testing.T) {
	s := scaleOf([]bar{{Least: 0.3, Gain: 0.5, Most: 2}, {Least: 20, Gain: 50, Most: 700}})
	if math.Abs(s.low-0.1) > 1e-9 || s.high != 1000 {
		t.Errorf("got %v – %v", s.low, s.high)
	}
	if left, right := s.at(0.1), s.at(1000); math.Abs(left-labelWidth) > 1e-9 || math.Abs(right-(plotWidth-rightSpace)) > 1e-9 {
		t.Errorf("got %v – %v", left, right)
	}
	if got := s.at(1) - s.at(0.1); math.Abs(got-(s.at(1000)-s.at(100))) > 1e-9 {
		t.Errorf("a factor of ten is %v wide at one place and not at another", got)
	}
}
