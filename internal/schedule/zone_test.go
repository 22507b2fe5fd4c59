package schedule

import (
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
	if zone, _ := LoadZone(""); zone != time.Local {
		t.Error("the empty name is not the host's zone")
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
