package report

import (
	"context"
	"strings"
	"testing"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
)

// takes is a row that measures these figures, one a round.
func takes(name string, values ...float64) suite.Row {
	return suite.Row{Name: name, Measure: func(_ context.Context, r *suite.Round) error {
		r.Note("", values[r.N])
		return nil
	}}
}

func reportOf(t *testing.T, asks ...suite.Ask) string {
	t.Helper()
	missing := takes("server")
	missing.Needs = []string{"no-such-server"}
	s := suite.Suite{Name: "s", Title: "Things", About: "About things.", Groups: []suite.Group{{
		Name: "one kind", Rounds: 3, Quick: 1, Figures: []suite.Figure{{Unit: "ns"}},
		Rows: []suite.Row{takes("poold", 3, 2, 4), takes("peer", 2, 2, 2), missing}, Asks: asks,
	}}}
	on := &rig.Rig{Work: t.TempDir()}
	m, err := s.Measure(t.Context(), on, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	text, err := (&Report{Rig: on, Suites: []suite.Measured{m}}).Markdown()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

func TestReportShowsRowsAndVerdicts(t *testing.T) {
	text := reportOf(t, suite.Ask{Want: 3}, suite.Ask{Over: "peer", Want: 1.2, Bound: "Cats."}, suite.Ask{Over: "server", Want: 1})
	wants(
		t, text,
		"## Things\n\nAbout things.\n\n### one kind\n",
		"| poold | 3.00 (2.00 – 4.00) |\n| peer | 2.00 (2.00 – 2.00) |\n| server | not measured: there is no no-such-server |\n",
		"| poold | 3.00 (2.00 – 4.00) | at most 3.00 ns | met |\n",
		"| poold / peer | 1.50 (1.00 – 2.00) | at most 1.20 | **missed** |\n",
		"| poold / server | not measured | at most 1.00 | not measured |\n",
		"1 of 3 goals are met. 1 could not be measured here.\n\nMissed:\n\n"+
			"- Things, one kind: poold / peer is 1.50 (1.00 – 2.00); the goal is at most 1.20. Cats.\n\n## Things",
	)
}

func TestReportSaysWherePooldIsBehindThoughItIsAllowed(t *testing.T) {
	text := reportOf(t, suite.Ask{Over: "peer", Want: 2, Bound: "Dogs\nthat run."})
	wants(t, text, "1 of 1 goals are met.\n\nWithin what was asked, and still behind:\n\n"+
		"- Things, one kind: poold / peer is 1.50 (1.00 – 2.00); the goal is at most 2.00. Dogs that run.\n\n## Things")
}

func TestReportSaysThatNoComparisonIsLost(t *testing.T) {
	text := reportOf(t, suite.Ask{Want: 4})
	wants(t, text, "1 of 1 goals are met. Wherever poold was compared, it is ahead.\n\n## Things")
}
