package http_test

import (
	"encoding/json"
	"testing"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/http"
)

func TestTheHostOfARequestIsThatOfItsURL(t *testing.T) {
	for _, c := range []struct{ url, arg, want string }{
		{"{arg}", "https://Example.ORG:8443/a?b#c", "example.org"},
		{"{arg}", "HTTP://user:pass@example.org.", "example.org"},
		{"{arg}", "http://[2001:DB8::1]:80/", "2001:db8::1"},
		{"{arg}", "/no/host", ""},
		{"{arg}", "http://%zz/", ""},
		{"{arg}", "", ""},
		{"https://API.example.org:81/items/{arg}", "x", "api.example.org"},
		{"https://example.org?q={arg}", "http://elsewhere/", "example.org"},
		{"https://example.org/{arg}@elsewhere/", "x", "example.org"},
		{"https://${env:USER}:${env:PASS}@example.org/{arg}", "x", "example.org"},
		{"${env:BASE}/items/{arg}", "x", "${env:BASE}"},
		{"${file:/run/base}/items/{arg}", "x", "${file:/run/base}"},
		{"https://${env:NAME}.example.org/{arg}", "x", "${env:NAME}.example.org"},
		{"", "x", ""},
	} {
		with, err := json.Marshal(map[string]string{"url": c.url})
		if err != nil {
			t.Fatal(err)
		}
		var typ jobs.Hosted = http.New(http.Options{})
		if got := typ.Host(with)(c.arg); got != c.want {
			t.Errorf("url %s with %q: got host %q, want %q", c.url, c.arg, got, c.want)
		}
	}
	if got := http.New(http.Options{}).Host(json.RawMessage(`{`))("x"); got != "" {
		t.Errorf("broken settings: got host %q", got)
	}
}
