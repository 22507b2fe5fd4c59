package schedule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadZone(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"", "Local"}, {"Local", "Local"}, {"UTC", "UTC"}, {"Europe/Berlin", "Europe/Berlin"}, {"Etc/GMT+5", "Etc/GMT+5"},
	} {
		if zone, err := LoadZone(c.name); err != nil || zone.String() != c.want {
			t.Errorf("%q: got %v, %v; want %s", c.name, zone, err, c.want)
		}
	}
	now := time.Now()
	zone, _ := LoadZone("")
	if got, want := now.In(zone).Format(time.RFC3339), now.Format(time.RFC3339); got != want {
		t.Errorf("the empty name is not the host's zone: it is %s there, and %s here", got, want)
	}
}

// rulesOf returns the coded rules of a zone.
func rulesOf(t *testing.T, name string) []byte {
	t.Helper()
	_, series := readSeries(t)
	for _, s := range series {
		if s.zone.String() == name {
			return s.rules
		}
	}
	t.Fatalf("no rules of %s", name)
	return nil
}

func TestTheHostsZoneIsTheOneItHasNow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "localtime")
	t.Setenv("TZ", ":"+file)
	summer := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{"Europe/Berlin": "14:00", "America/New_York": "08:00"} {
		if err := os.WriteFile(file, rulesOf(t, name), 0o600); err != nil {
			t.Fatal(err)
		}
		zone, err := LoadZone("")
		if err != nil || summer.In(zone).Format("15:04") != want || zone.String() != "Local" {
			t.Errorf("with %s it is %v in %v (%v), want %s in Local", name, summer.In(zone), zone, err, want)
		}
	}
}

func TestRulesTellZonesApart(t *testing.T) {
	named := func(name string) *time.Location {
		zone, err := LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		return zone
	}
	first, again := named("Europe/Berlin"), named("Europe/Berlin")
	if Rules(first) != Rules(again) {
		t.Error("one zone, loaded twice, has two kinds of rules")
	}
	if Rules(named("Europe/Berlin")) != Rules(named("Europe/Stockholm")) {
		t.Error("Berlin and Stockholm have the same clocks in this century")
	}
	seen := map[string]string{}
	for _, name := range []string{"UTC", "Europe/Berlin", "Europe/London", "Africa/Cairo", "Asia/Kathmandu", "America/New_York"} {
		rules := Rules(named(name))
		if other := seen[rules]; other != "" {
			t.Errorf("%s and %s have the same rules", name, other)
		}
		seen[rules] = name
	}
}

func TestLoadZoneOffersANameThatIsClose(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"Europe/Berln", "did you mean Europe/Berlin?"},
		{"europe/berlin", "did you mean Europe/Berlin?"},
		{"Berlin", "did you mean Europe/Berlin?"},
		{"New York", "did you mean America/New_York?"},
		{"Amerika/New_York", "did you mean America/New_York?"},
		{"utc", "did you mean UTC?"},
		{"PST", "write a name such as Europe/Berlin or UTC"},
		{"Nowhere/Land", "write a name such as Europe/Berlin or UTC"},
		{"../../etc/passwd", "write a name such as"},
		{"/etc/localtime", "write a name such as"},
		{"UTC+2:30 ", "write a name such as"},
		{strings.Repeat("Europe/", 10_000), "write a name such as"},
	} {
		zone, err := LoadZone(c.name)
		if err == nil {
			t.Errorf("%.40q: loaded %v", c.name, zone)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || len(err.Error()) > 200 {
			t.Errorf("%.40q: got %.300q, want it to say %q", c.name, err, c.want)
		}
	}
}
