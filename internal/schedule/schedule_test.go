package schedule

import "testing"

// parsed returns the schedule of a zone and expressions that are known good.
func parsed(t testing.TB, zone string, dst DST, texts ...string) Schedule {
	t.Helper()
	loc, err := LoadZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	s := Schedule{Zone: loc, DST: dst}
	for _, text := range texts {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Exprs = append(s.Exprs, e)
	}
	return s
}
