package schedule

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// night is what Debian's cron did on one night on which clocks change: by
// expression, the minutes in which it started the job.
type night struct {
	zone   *time.Location
	began  time.Time
	starts map[string][]string
}

const minuteUTC = "15:04"

func readNights(t *testing.T) []*night {
	t.Helper()
	_, series := readSeries(t)
	zones := map[string]*time.Location{}
	for _, s := range series {
		zones[s.zone.String()] = s.zone
	}
	var nights []*night
	for _, line := range independent(t, "nights.txt") {
		at, rest, _ := strings.Cut(line, " ")
		if at != "night" {
			n := nights[len(nights)-1]
			n.starts[rest] = append(n.starts[rest], at)
			continue
		}
		name, clock, _ := strings.Cut(rest, " ")
		n := &night{zone: zones[name], starts: map[string][]string{}}
		n.began = local(t, n.zone, clock)
		nights = append(nights, n)
	}
	return nights
}

// TestChangeNightsAreThoseOfDebiansCron compares with cron itself. One thing
// differs, and on purpose: of an expression that names several moments which a
// gap skips, cron starts the job for each of them at its end; here it starts
// once.
func TestChangeNightsAreThoseOfDebiansCron(t *testing.T) {
	nights := readNights(t)
	if len(nights) != 18 {
		t.Fatalf("%d nights, want 18", len(nights))
	}
	same, repeated := 0, 0
	for _, n := range nights {
		for _, text := range independent(t, "night-expressions.txt") {
			e, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			s := Schedule{Exprs: []Expr{e}, Zone: n.zone}
			due, _ := s.Due(n.began, n.began.Add(4*time.Hour+20*time.Minute), 0)
			var got, moved []string
			for _, o := range due {
				got = append(got, o.At.UTC().Format(minuteUTC))
				if o.Mark == MarkGap {
					moved = append(moved, o.At.UTC().Format(minuteUTC))
				}
			}
			var want []string
			for _, at := range n.starts[text] {
				if slices.Contains(want, at) && slices.Contains(moved, at) {
					repeated++
					continue
				}
				want = append(want, at)
				same++
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s in %v, the night of %v (-cron +poold):\n%s", text, n.zone, n.began, diff)
			}
		}
	}
	if repeated != 26 {
		t.Errorf("cron starts %d times more at the end of a gap, want 26", repeated)
	}
	t.Logf("%d starts are the same", same)
}
