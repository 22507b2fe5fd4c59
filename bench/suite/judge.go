package suite

import "fmt"

// Verdict is what became of an ask.
type Verdict struct {
	Ask
	What string // what was judged, in words
	Wish string // what was asked, as in "at most 0.15"; "" when nothing was
	Got  Stat

	Missed bool // it was measured, and is not what was asked
	Behind bool // it was measured, and the other row is better
	Gain   float64
}

// Judge judges the group's asks in their order.
func (g *Group) Judge(r *Results) []Verdict {
	out := make([]Verdict, 0, len(g.Asks))
	for _, a := range g.Asks {
		out = append(out, g.judge(a, r))
	}
	return out
}

func (g *Group) judge(a Ask, r *Results) Verdict {
	if a.Row == "" {
		a.Row = g.Rows[0].Name
	}
	f := g.Figures[0]
	for _, other := range g.Figures {
		if a.Figure == other.Name {
			f = other
		}
	}
	v := Verdict{Ask: a}
	own := key{a.Row, f.Name}
	limit := 1.0 // what parity is
	unit := ""
	switch {
	case a.Over != "":
		v.What = a.Row + " / " + a.Over
		v.Got = r.compare(own, key{a.Over, f.Name}, func(a, b float64) float64 { return a / b })
	case a.Minus != "":
		v.What, limit, unit = a.Row+" − "+a.Minus, 0, " "+f.Unit
		v.Got = r.compare(own, key{a.Minus, f.Name}, func(a, b float64) float64 { return a - b })
	default:
		v.What, unit = a.Row, " "+f.Unit
		v.Got = r.Of(a.Row, f.Name)
	}
	if len(g.Figures) > 1 {
		v.What += ", " + f.Name
	}
	if a.Want != 0 {
		v.Wish = map[bool]string{true: "at least ", false: "at most "}[f.Higher] + Number(a.Want) + unit
	}
	if v.Got.Rounds == 0 {
		return v
	}
	v.Missed = a.Want != 0 && worse(f, v.Got.Median, a.Want)
	v.Behind = (a.Over != "" || a.Minus != "") && worse(f, v.Got.Median, limit)
	if a.Over != "" {
		v.Gain = v.Got.Median
		if !f.Higher {
			v.Gain = 1 / v.Got.Median
		}
	}
	return v
}

func worse(f Figure, got, than float64) bool {
	if f.Higher {
		return got < than
	}
	return got > than
}

// String says in one word what became of it.
func (v Verdict) String() string {
	switch {
	case v.Got.Rounds == 0:
		return "not measured"
	case v.Missed:
		return "**missed**"
	case v.Wish != "":
		return "met"
	case v.Behind:
		return "behind"
	}
	return ""
}

// Check says what is wrong with how a suite is written.
func (s *Suite) Check() error {
	seen := map[string]bool{}
	for i := range s.Groups {
		g := &s.Groups[i]
		if g.Name == "" || seen[g.Name] {
			return fmt.Errorf("suite %s: a group named %q, twice or not at all", s.Name, g.Name)
		}
		seen[g.Name] = true
		if err := g.check(); err != nil {
			return fmt.Errorf("suite %s, group %s: %w", s.Name, g.Name, err)
		}
	}
	return nil
}

func (g *Group) check() error {
	rows, figures := map[string]bool{"": true}, map[string]bool{"": true}
	for _, r := range g.Rows {
		if rows[r.Name] {
			return fmt.Errorf("a row named %q, twice or not at all", r.Name)
		}
		rows[r.Name] = true
	}
	for _, f := range g.Figures {
		figures[f.Name] = true
	}
	if len(rows) == 1 || len(g.Figures) == 0 || g.Rounds < 1 || g.Quick < 1 {
		return fmt.Errorf("it has no rows, no figures or no rounds")
	}
	for _, a := range g.Asks {
		if !rows[a.Row] || !rows[a.Over] || !rows[a.Minus] || !figures[a.Figure] || a.Over != "" && a.Minus != "" {
			return fmt.Errorf("an ask of %q over %q minus %q, figure %q: one of them is not there", a.Row, a.Over, a.Minus, a.Figure)
		}
	}
	return nil
}
