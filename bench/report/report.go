// Package report writes down what was measured: the document and its plot.
package report

import (
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
)

const page = `# Benchmarks

Measured by ` + "`make bench`" + ` on {{.When}}, in {{.Took}}; run it for the figures of your machine.
{{if .Short}}This was a short run, which shows less than it seems to: few rounds, little work.
{{end}}` + "`make bench-quick`" + ` takes two minutes and only prints; ` + "`./bench/run.sh -only NAME`" + ` measures one
chapter: {{.Names}}.

Each figure is the median of some rounds with (least – most). What is compared
was measured in the same rounds, in turn, in an order that rotates. A ratio is
that of the medians, with the spread of the rounds' own. Other work on the machine
is part of what is measured.
{{if .Plot}}
![{{.Plot}}](img/benchmarks.svg)
{{end}}
| | |
|---|---|
{{range .Facts}}| {{.Name}} | {{.Value}} |
{{end}}
## Where poold is not ahead

{{.Met}} of {{.Asked}} goals are met.{{if .Unmeasured}} {{.Unmeasured}} could not be measured here.{{end -}}
{{if not (or .Missed .Behind)}} Wherever poold was compared, it is ahead.{{end}}
{{if .Missed}}
Missed:

{{range .Missed}}- {{.}}
{{end}}{{end}}{{if .Behind}}
Within what was asked, and still behind:

{{range .Behind}}- {{.}}
{{end}}{{end}}{{range .Suites}}{{template "suite" .}}{{end}}`

const chapter = `{{define "suite"}}
## {{.Title}}

{{.About}}
{{range groups .}}
### {{.Name}}
{{if .About}}
{{.About}}
{{end}}
| |{{range .Figures}} {{if .Name}}{{.Name}}, {{end}}{{.Unit}} |{{end}}
|---|{{range .Figures}}--:|{{end}}
{{range .Lines}}| {{.Row}} |{{range .Cells}} {{.}} |{{end}}
{{end}}{{if .Verdicts}}
| | measured | goal | |
|---|--:|--:|---|
{{range .Verdicts}}| {{.What}} | {{.Got}} | {{.Wish}} | {{.}} |
{{end}}{{end}}{{end}}{{end}}`

// Report is what is said about some suites.
type Report struct {
	Rig    *rig.Rig
	Took   time.Duration
	Suites []suite.Measured
}

// group is a suite's group with what came out.
type group struct {
	*suite.Group
	Verdicts []suite.Verdict
	Lines    []line
}

type line struct {
	Row   string
	Cells []string
}

func groups(m suite.Measured) []group {
	out := make([]group, 0, len(m.Results))
	for i, r := range m.Results {
		g := group{Group: &m.Groups[i], Verdicts: m.Groups[i].Judge(r)}
		for _, row := range g.Rows {
			g.Lines = append(g.Lines, line{row.Name, cells(g.Group, row.Name, r)})
		}
		out = append(out, g)
	}
	return out
}

func cells(g *suite.Group, row string, r *suite.Results) []string {
	out := make([]string, 0, len(g.Figures))
	for i, f := range g.Figures {
		got := r.Of(row, f.Name)
		switch absent := r.Absent(row); {
		case got.Rounds > 0:
			out = append(out, got.String())
		case absent != "" && i == 0:
			out = append(out, "not measured: "+absent)
		default:
			out = append(out, "")
		}
	}
	return out
}

// Markdown is the document.
func (r *Report) Markdown() (string, error) {
	text, err := template.New("").Funcs(template.FuncMap{"groups": groups}).Parse(chapter)
	if err != nil {
		return "", err
	}
	if text, err = text.Parse(page); err != nil {
		return "", err
	}
	t := r.tally()
	var names []string
	for _, s := range r.Suites {
		names = append(names, "`"+s.Name+"`")
	}
	var out strings.Builder
	err = text.Execute(&out, map[string]any{
		"When": time.Now().Format(time.DateOnly), "Took": r.Took.Round(time.Second), "Short": r.Rig.Size != rig.Full,
		"Names": strings.Join(names, ", "), "Facts": machine(r.Rig.Work, r.Suites), "Plot": plotWords(r.bars()),
		"Met": t.met, "Asked": t.asked, "Unmeasured": t.unmeasured, "Missed": t.missed, "Behind": t.behind,
		"Suites": r.Suites,
	})
	return out.String(), err
}

// plotWords is the text in place of the plot; "" when there is none.
func plotWords(bars []bar) string {
	if len(bars) == 0 {
		return ""
	}
	return inWords(bars)
}

// tally is what became of all asks.
type tally struct {
	asked, met, unmeasured int
	missed, behind         []string // sentences
}

func (r *Report) tally() tally {
	var t tally
	for _, s := range r.Suites {
		for _, g := range groups(s) {
			for _, v := range g.Verdicts {
				t.count(fmt.Sprintf("%s, %s", s.Title, g.Name), v)
			}
		}
	}
	return t
}

func (t *tally) count(where string, v suite.Verdict) {
	sentence := fmt.Sprintf("%s: %s is %s", where, v.What, v.Got)
	if v.Wish != "" {
		t.asked++
		sentence += "; the goal is " + v.Wish
	}
	sentence += "."
	if v.Bound != "" {
		sentence += " " + strings.Join(strings.Fields(v.Bound), " ")
	}
	switch {
	case v.Wish != "" && v.Got.Rounds == 0:
		t.unmeasured++
	case v.Missed:
		t.missed = append(t.missed, sentence)
	case v.Wish != "":
		t.met++
	}
	if v.Behind && !v.Missed {
		t.behind = append(t.behind, sentence)
	}
}
