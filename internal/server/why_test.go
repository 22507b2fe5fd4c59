package server

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

func TestWhyReadsItsTimesInThePast(t *testing.T) {
	f := newFake()
	get := func(query url.Values) int {
		t.Helper()
		return ask(t, f, http.MethodGet, "/api/v1/jobs/backup/why?"+query.Encode(), "").Code
	}
	if got := get(url.Values{"at": {"2026-01-10T02:30:00Z"}}); got != http.StatusOK {
		t.Fatalf("at a moment: %d", got)
	}
	if want := time.Date(2026, 1, 10, 2, 30, 0, 0, time.UTC); !f.why.At.Equal(want) || f.why.Limit != defaultMoments {
		t.Errorf("it asks for %+v", f.why)
	}
	if got := get(url.Values{"at": {"-1h"}}); got != http.StatusOK || !f.why.At.Before(time.Now()) {
		t.Errorf("an hour ago: %d, %v", got, f.why.At)
	}
	for name, query := range map[string]url.Values{
		"a moment and a span":    {"at": {"now"}, "since": {"yesterday"}},
		"a span that ends first": {"since": {"now"}, "until": {"yesterday"}},
		"more than there may be": {"limit": {"501"}},
		"what is no time":        {"at": {"sometime"}},
		"what is no parameter":   {"when": {"now"}},
	} {
		if got := get(query); got != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, got)
		}
	}
}
