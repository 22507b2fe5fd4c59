package suite

import (
	"strings"
	"testing"
)

func measured(g *Group, rounds ...map[string]float64) *Results {
	r := newResults()
	for _, round := range rounds {
		for row, v := range round {
			r.note(row, g.Figures[0].Name, v)
		}
	}
	return r
}

func two(f Figure, asks ...Ask) *Group {
	return &Group{
		Name: "g", Rounds: 3, Quick: 1, Figures: []Figure{f},
		Rows: []Row{{Name: "poold"}, {Name: "peer"}}, Asks: asks,
	}
}

func TestAsksAreJudgedByTheDirectionOfTheFigure(t *testing.T) {
	cost, rate := Figure{Unit: "ns"}, Figure{Unit: "runs/s", Higher: true}
	for name, c := range map[string]struct {
		figure Figure
		ask    Ask
		poold  float64 // the peer has 100
		want   string
		behind bool
	}{
		"a cost within a ratio":                     {cost, Ask{Over: "peer", Want: 0.5}, 40, "met", false},
		"a cost at the very limit":                  {cost, Ask{Over: "peer", Want: 0.5}, 50, "met", false},
		"a cost past a ratio":                       {cost, Ask{Over: "peer", Want: 0.5}, 60, "**missed**", false},
		"a cost within a ratio above one is behind": {cost, Ask{Over: "peer", Want: 1.4}, 120, "met", true},
		"a rate above a ratio":                      {rate, Ask{Over: "peer", Want: 5}, 600, "met", false},
		"a rate below a ratio":                      {rate, Ask{Over: "peer", Want: 5}, 400, "**missed**", false},
		"a rate below a ratio under one is behind":  {rate, Ask{Over: "peer", Want: 0.8}, 90, "met", true},
		"a difference":                              {cost, Ask{Minus: "peer", Want: 5}, 104, "met", true},
		"a difference that is too much":             {cost, Ask{Minus: "peer", Want: 5}, 106, "**missed**", true},
		"a figure by itself":                        {rate, Ask{Want: 12}, 13, "met", false},
		"a figure by itself that is too little":     {rate, Ask{Want: 12}, 11, "**missed**", false},
		"a comparison of which nothing is asked":    {cost, Ask{Over: "peer"}, 90, "", false},
		"one that poold loses":                      {cost, Ask{Over: "peer"}, 110, "behind", true},
	} {
		t.Run(name, func(t *testing.T) {
			g := two(c.figure, c.ask)
			v := g.Judge(measured(g, map[string]float64{"poold": c.poold, "peer": 100}))[0]
			if v.String() != c.want || v.Behind != c.behind {
				t.Errorf("got %q, behind %v of %+v; want %q, %v", v.String(), v.Behind, v, c.want, c.behind)
			}
		})
	}
}

func TestWhatWasNotMeasuredIsNeitherMetNorMissed(t *testing.T) {
	g := two(Figure{Unit: "ns"}, Ask{Over: "peer", Want: 2})
	v := g.Judge(measured(g, map[string]float64{"poold": 1}))[0]
	if v.String() != "not measured" || v.Missed || v.Behind {
		t.Errorf("got %q of %+v", v.String(), v)
	}
}

func TestRatioIsThatOfTheMediansWithTheSpreadOfTheRounds(t *testing.T) {
	g := two(Figure{Unit: "ns"}, Ask{Over: "peer"})
	v := g.Judge(measured(
		g,
		map[string]float64{"poold": 10, "peer": 100}, // 0.1
		map[string]float64{"poold": 30, "peer": 50},  // 0.6
		map[string]float64{"poold": 20, "peer": 200}, // 0.1
	))[0]
	if want := (Stat{Rounds: 3, Median: 0.2, Least: 0.1, Most: 0.6}); v.Got != want {
		t.Errorf("got %+v, want %+v", v.Got, want)
	}
	if v.Gain != 5 {
		t.Errorf("a fifth of the cost is a gain of %v", v.Gain)
	}
}

func TestWordsOfAVerdict(t *testing.T) {
	g := two(Figure{Name: "wall", Unit: "s"}, Ask{Minus: "peer", Want: 0.15}, Ask{Want: 12_000}, Ask{Over: "peer", Want: 2})
	g.Figures = append(g.Figures, Figure{Name: "memory", Unit: "MB"})
	var got []string
	for _, v := range g.Judge(newResults()) {
		got = append(got, v.What+": "+v.Wish)
	}
	want := "poold − peer, wall: at most 0.15 s|poold, wall: at most 12,000 s|poold / peer, wall: at most 2.00"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
}

func TestCheckFindsWhatIsNotThere(t *testing.T) {
	cost := Figure{Unit: "ns"}
	for name, g := range map[string]*Group{
		"an unknown row":        two(cost, Ask{Row: "pool"}),
		"an unknown peer":       two(cost, Ask{Over: "peers"}),
		"an unknown figure":     two(cost, Ask{Figure: "wall"}),
		"over and minus at one": two(cost, Ask{Over: "peer", Minus: "peer"}),
		"no rows":               {Name: "g", Rounds: 1, Quick: 1, Figures: []Figure{cost}},
		"a row twice":           {Name: "g", Rounds: 1, Quick: 1, Figures: []Figure{cost}, Rows: []Row{{Name: "a"}, {Name: "a"}}},
		"no rounds":             {Name: "g", Figures: []Figure{cost}, Rows: []Row{{Name: "a"}}},
	} {
		if err := (&Suite{Name: "s", Groups: []Group{*g}}).Check(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := (&Suite{Name: "s", Groups: []Group{*two(cost, Ask{Over: "peer"})}}).Check(); err != nil {
		t.Error(err)
	}
}
