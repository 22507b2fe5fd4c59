package report

import (
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/poold/poold/bench/suite"
)

// The places of the plot, in pixels.
const (
	plotWidth  = 760
	labelWidth = 330
	rightSpace = 70
	barHeight  = 14
	rowHeight  = 24
	topSpace   = 58
	axisSpace  = 24
	margin     = 14
)

// plotStyle brings its own page, white or dark as the reader has it, so that the
// text is read wherever the plot is shown.
const plotStyle = `
  .page { fill: #ffffff }
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px }
  .note, .tick { fill: #57606a; font-size: 12px }
  .grid { stroke: #8c959f; stroke-opacity: .35 }
  .parity { stroke: #57606a }
  .ahead { fill: #1a7f6b }
  .behind { fill: #bc4c00 }
  .spread { stroke: #24292f; stroke-opacity: .7 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 }
    text { fill: #e6edf3 }
    .note, .tick { fill: #9198a1 }
    .parity { stroke: #9198a1 }
    .ahead { fill: #3fb497 }
    .behind { fill: #f0883e }
    .spread { stroke: #e6edf3 }
  }
`

// bar is one ratio of the plot: how many times as good poold is.
type bar struct {
	Label             string
	Gain, Least, Most float64
}

// bars are the ratios that have a label for the plot and were measured.
func (r *Report) bars() []bar {
	var out []bar
	for _, s := range r.Suites {
		for _, g := range groups(s) {
			for _, v := range g.Verdicts {
				if v.Plot != "" && v.Gain > 0 && !math.IsInf(v.Gain, 0) {
					out = append(out, barOf(v))
				}
			}
		}
	}
	return out
}

func barOf(v suite.Verdict) bar {
	b := bar{Label: v.Plot, Gain: v.Gain, Least: v.Got.Least, Most: v.Got.Most}
	if v.Gain != v.Got.Median { // less is better
		b.Least, b.Most = 1/v.Got.Most, 1/v.Got.Least
	}
	return b
}

// scale places ratios on a logarithmic axis.
type scale struct{ low, high float64 }

// scaleOf spans all bars, to whole powers of ten, and parity.
func scaleOf(bars []bar) scale {
	s := scale{1, 10}
	for _, b := range bars {
		s.low = min(s.low, math.Pow(10, math.Floor(math.Log10(b.Least))))
		s.high = max(s.high, math.Pow(10, math.Ceil(math.Log10(b.Most))))
	}
	return s
}

func (s scale) at(ratio float64) float64 {
	span := math.Log10(s.high) - math.Log10(s.low)
	return labelWidth + (plotWidth-labelWidth-rightSpace)*(math.Log10(ratio)-math.Log10(s.low))/span
}

// Plot draws the main ratios; "" when there are none.
func (r *Report) Plot() string {
	bars := r.bars()
	if len(bars) == 0 {
		return ""
	}
	s := scaleOf(bars)
	bottom := topSpace + rowHeight*len(bars)
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	say(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="%d %d %d %d" width="%[3]d" role="img" aria-labelledby="title words">`,
		-margin, -margin, plotWidth+2*margin, bottom+axisSpace+2*margin)
	say(`<title id="title">poold beside other tools</title>`)
	say(`<desc id="words">%s</desc>`, html.EscapeString(inWords(bars)))
	say(`<style>%s</style>`, plotStyle)
	say(`<rect class="page" x="%d" y="%d" width="100%%" height="100%%" rx="6"/>`, -margin, -margin)
	say(`<text class="title" x="0" y="18">How many times as fast poold is</text>`)
	say(`<text class="note" x="0" y="38">medians of rounds that took turns; the line is the spread; logarithmic</text>`)
	for tick := s.low; tick < s.high*1.5; tick *= 10 {
		class := "grid"
		if math.Abs(tick-1) < 0.01 {
			class = "parity"
		}
		say(`<line class="%s" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, class, s.at(tick), s.at(tick), topSpace-6, bottom)
		say(`<text class="tick" x="%.1f" y="%d" text-anchor="middle">%g×</text>`, s.at(tick), bottom+18, tick)
	}
	for i, b := range bars {
		out.WriteString(b.draw(s, topSpace+rowHeight*i))
	}
	say(`</svg>`)
	return out.String()
}

// draw draws a bar from parity on, in a row that begins at y.
func (b bar) draw(s scale, y int) string {
	class := "ahead"
	if b.Gain < 1 {
		class = "behind"
	}
	from, to := min(s.at(1), s.at(b.Gain)), max(s.at(1), s.at(b.Gain))
	middle := y + barHeight/2
	var out strings.Builder
	fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", labelWidth-10, y+barHeight-2, html.EscapeString(b.Label))
	fmt.Fprintf(&out, `<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d" rx="2"/>`+"\n", class, from, y, max(to-from, 1), barHeight)
	fmt.Fprintf(&out, `<line class="spread" x1="%.1f" x2="%.1f" y1="%d" y2="%[3]d"/>`+"\n", s.at(b.Least), s.at(b.Most), middle)
	fmt.Fprintf(&out, `<text x="%.1f" y="%d">%s×</text>`+"\n", max(to, s.at(b.Most))+6, y+barHeight-2, suite.Number(b.Gain))
	return out.String()
}

// inWords says the same to who does not see it.
func inWords(bars []bar) string {
	var parts []string
	for _, b := range bars {
		parts = append(parts, fmt.Sprintf("%s: %s times", b.Label, suite.Number(b.Gain)))
	}
	return "How many times as fast poold is. " + strings.Join(parts, "; ") + "."
}
