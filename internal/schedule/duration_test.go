package schedule

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		{"0s", 0},
		{"30s", 30 * time.Second},
		{"1d", day},
		{"1d12h", day + 12*time.Hour},
		{"1.5d", 36 * time.Hour},
		{".5h", 30 * time.Minute},
		{"12h1d", day + 12*time.Hour},
		{"1h30m15s250ms", time.Hour + 30*time.Minute + 15*time.Second + 250*time.Millisecond},
		{"3us4µs5μs6ns", 12006 * time.Nanosecond},
		{"106751d", 106751 * day},
	} {
		if got, err := ParseDuration(c.text); err != nil || got != c.want {
			t.Errorf("%s: got %v, %v; want %v", c.text, got, err, c.want)
		}
	}
}

func TestParseDurationOffersAWayOut(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "empty duration; write 30s, 5m or 1d12h"},
		{"30", `duration "30" lacks its unit; write 30s or 30m`},
		{"0", "write 0s or 0m"},
		{"1.5", "write 1.5s or 1.5m"},
		{"1h30", `"30" lacks its unit`},
		{"-5m", "takes no sign"},
		{"+5m", "takes no sign"},
		{"5x", `the unit "x" is not known; there are d, h, m, s, ms, us and ns`},
		{"5 m", `the unit " m" is not known`},
		{"5M", `the unit "M" is not known`},
		{"5m\n", `the unit "m\n" is not known`},
		{"1w", `the unit "w" is not known`},
		{"h", "not numbers with units"},
		{"1.2.3s", `"1.2.3" is not a number`},
		{".s", `"." is not a number`},
		{"106752d", "longer than 292 years"},
		{"99999999999999999999s", "longer than 292 years"},
		{"106751d106751d", "longer than 292 years"},
		{strings.Repeat("9", 100_000), `…"`},
		{strings.Repeat("x", 100_000), `…"`},
	} {
		got, err := ParseDuration(c.text)
		if err == nil {
			t.Errorf("%q: accepted as %v", c.text, got)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || len(err.Error()) > 300 {
			t.Errorf("%.40q: got %.300q, want it to say %q", c.text, err, c.want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"},
		{30 * time.Second, "30s"},
		{90 * time.Second, "1m30s"},
		{time.Hour, "1h"},
		{24 * time.Hour, "1d"},
		{36 * time.Hour, "1d12h"},
		{30 * 24 * time.Hour, "30d"},
		{1500 * time.Millisecond, "1.5s"},
		{250 * time.Millisecond, "250ms"},
		{time.Hour + 250*time.Millisecond, "1h250ms"},
		{1500 * time.Nanosecond, "1.5µs"},
		{-90 * time.Minute, "-1h30m"},
		{math.MinInt64, "-106751d23h47m16.854775807s"},
	} {
		if got := FormatDuration(c.d); got != c.want {
			t.Errorf("%d: got %s, want %s", c.d, got, c.want)
		}
	}
}

func TestFormattedDurationsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "d"))
		if got, err := ParseDuration(FormatDuration(d)); err != nil || got != d {
			t.Fatalf("%d as %s reads back as %d, %v", d, FormatDuration(d), got, err)
		}
	})
}

func TestDurationInJSON(t *testing.T) {
	var v struct{ A, B Duration }
	if err := json.Unmarshal([]byte(`{"A": "1d12h", "B": "90m"}`), &v); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(v)
	if want := `{"A":"1d12h","B":"1h30m"}`; err != nil || string(raw) != want {
		t.Errorf("got %s, %v; want %s", raw, err, want)
	}
	if err := json.Unmarshal([]byte(`{"A": "90"}`), &v); err == nil || !strings.Contains(err.Error(), "lacks its unit") {
		t.Errorf("a bare number: got %v", err)
	}
}
