package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRates(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1/s": time.Second, "50/s": 20 * time.Millisecond, "0.5/s": 2 * time.Second, "600/m": 100 * time.Millisecond,
		"10/h": 6 * time.Minute, "1/d": 24 * time.Hour, "1000000/s": time.Microsecond, "3/s": 333333333,
		"50": 0, "50/x": 0, "/s": 0, "-1/s": 0, "0/s": 0, "0.0/s": 0, "1.5.1/s": 0, "1e9/s": 0, "1000001000/m": 0,
		"2000000/s": 0, "0.5/d": 0, "1 /s": 0, "1/1s": 0, "∞/s": 0, strings.Repeat("9", 400) + "/s": 0,
	} {
		var r Rate
		err := r.UnmarshalText([]byte(text))
		switch {
		case want == 0 && err == nil:
			t.Errorf("%.20q is taken as %+v", text, r)
		case want > 0 && (err != nil || r.Every != want || r.String() != text):
			t.Errorf("%q: got %+v, %v; want one each %v", text, r, err, want)
		}
	}
}

func TestLimitsOfAPoolAreChecked(t *testing.T) {
	for pool, want := range map[string][]string{
		"rate: 50":                              {`"50" lacks its unit; write 50/s`},
		"rate: 0/s":                             {"nothing ever starts; write workers: 0"},
		"rate: ":                                {"has no value"},
		"rate: [1/s]":                           {"expected a value, found a list"},
		"per: {}":                               {"has no key; write {key: host", "limits nothing"},
		"per: {key: host}":                      {"has neither workers nor rate"},
		"per: {key: hots, workers: 1}":          {"did you mean host?"},
		"per: {key: arg, workers: 0}":           {`"0" is not a number of workers`},
		"per: {key: arg, workers: unlimited}":   {"leave it out for no limit"},
		"per: {key: job, rate: 1/s, limit: 1}":  {"unknown key"},
		"per: host":                             {"expected a mapping"},
		"rate: 1/s, per: {key: job, rate: 2/s}": nil,
	} {
		_, err := load(t, "pools: {p: {workers: 1, "+pool+"}}")
		if (err == nil) != (want == nil) {
			t.Errorf("%s: got %v, want %v", pool, err, want)
			continue
		}
		for _, words := range want {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%s: got %v, want %q in it", pool, err, words)
			}
		}
	}
}

func TestLimitsArePartOfAPoolsEntry(t *testing.T) {
	entry := func(pool string) string { return mustLoad(t, "pools: {p: {workers: 2"+pool+"}}").Pools["p"].Entry() }
	same := [][2]string{
		{", rate: 1/s", ", rate: 60/m"},
		{", per: {key: host, rate: 2/s}", ", per: {rate: 120/m, key: host}"},
	}
	for _, pair := range same {
		if entry(pair[0]) != entry(pair[1]) {
			t.Errorf("%s and %s say the same, and differ", pair[0], pair[1])
		}
	}
	seen := map[string]string{}
	for _, pool := range []string{
		"", ", rate: 1/s", ", rate: 2/s", ", per: {key: host, workers: 1}", ", per: {key: arg, workers: 1}",
		", per: {key: host, workers: 2}", ", per: {key: host, workers: 1, rate: 1/s}", ", per: {key: host, rate: 1/s}",
	} {
		if other, ok := seen[entry(pool)]; ok {
			t.Errorf("%q and %q have one entry", pool, other)
		}
		seen[entry(pool)] = pool
	}
	// A size set by hand before there were such limits holds on.
	if got, want := entry(""), "510b93c8"; !strings.HasPrefix(got, want) {
		t.Errorf("the entry of a pool without limits is %s, want %s…: sizes set by hand would end with an upgrade", got, want)
	}
	plan := Diff(mustLoad(t, "pools: {p: {workers: 2, rate: 1/s}}"), mustLoad(t, "pools: {p: {workers: 2, rate: 2/s}}"))
	if diff := cmp.Diff(Plan{PoolsChanged: []string{"p"}}, plan); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}
