package suite

import "testing"

func TestStat(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Stat
		text   string
	}{
		{nil, Stat{}, "not measured"},
		{[]float64{7}, Stat{1, 7, 7, 7}, "7.00"},
		{[]float64{3, 1}, Stat{2, 2, 1, 3}, "2.00 (1.00 – 3.00)"},
		{[]float64{9, 1, 2}, Stat{3, 2, 1, 9}, "2.00 (1.00 – 9.00)"},
		{[]float64{4, 1, 3, 2}, Stat{4, 2.5, 1, 4}, "2.50 (1.00 – 4.00)"},
	} {
		if got := statOf(c.values); got != c.want || got.String() != c.text {
			t.Errorf("%v: got %+v, %s; want %+v, %s", c.values, got, got, c.want, c.text)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.00421: "0.0042", 0.25: "0.25", 1.416: "1.42", 12.34: "12.3", 358.4: "358",
		999.6: "1000", 1234.5: "1,234", 1234567: "1,234,567", -0.3: "-0.30", -12345: "-12,345",
	} {
		if got := Number(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}
