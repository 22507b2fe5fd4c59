package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Rate is how many runs may start in a span of time, such as 50/s. The zero
// value is no limit.
type Rate struct {
	Text  string        // as it was written
	Every time.Duration // one start in so much time; 0: no limit
}

// The slowest and the fastest rate there are.
const (
	slowestRate = 24 * time.Hour
	fastestRate = time.Microsecond
)

var rateForm = regexp.MustCompile(`\A([0-9]+(?:\.[0-9]+)?)/([smhd])\z`)

// UnmarshalText accepts a number of starts and a unit of time: 50/s, 0.5/s,
// 600/m, 10/h, 1/d.
func (r *Rate) UnmarshalText(text []byte) error {
	word := string(text)
	const forms = "write 50/s, 0.5/s, 600/m or 10/h"
	found := rateForm.FindStringSubmatch(word)
	if found == nil {
		if strings.Trim(word, "0123456789.") == "" {
			return fmt.Errorf("rate %q lacks its unit; %s", word, forms)
		}
		return fmt.Errorf("%q is not a rate; %s", word, forms)
	}
	n, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		return fmt.Errorf("%q is not a rate; %s", word, forms)
	}
	if n == 0 {
		return fmt.Errorf("at %s nothing ever starts; write workers: 0 to hold everything back", word)
	}
	unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[found[2]]
	every := math.Round(float64(unit) / n)
	switch {
	case every < float64(fastestRate):
		return fmt.Errorf("%s is more than the 1000000/s that can be kept; leave the rate out, or lower it", word)
	case every > float64(slowestRate):
		return fmt.Errorf("%s is less than 1/d, the slowest rate; give the job a schedule instead", word)
	}
	*r = Rate{Text: word, Every: time.Duration(every)}
	return nil
}

// String is the rate as it was written; empty for none.
func (r Rate) String() string { return r.Text }

// PerKey says by what the runs of a pool are told apart.
type PerKey string

// The keys.
const (
	PerJob  PerKey = "job"
	PerArg  PerKey = "arg"
	PerHost PerKey = "host" // of the url of an http job
)

// Values lists what a key may be.
func (PerKey) Values() []string { return []string{"job", "arg", "host"} }

// Per is a limit for the runs of each key of a pool. The zero value is none.
type Per struct {
	Key     PerKey
	Workers int // at most so many at a time; 0: no limit
	Rate    Rate
}

// keySize is how many workers the runs of one key may take.
type keySize int

// UnmarshalText accepts a number from 1 on.
func (s *keySize) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || !wholeNumber.Match(text) || n < 1 || n > math.MaxInt32 {
		return fmt.Errorf("%q is not a number of workers; write 1, 2, …, or leave it out for no limit", text)
	}
	*s = keySize(n)
	return nil
}

// per checks the limit for each key of a pool.
func (l *loader) per(n *node, p path, raw *rawPer) Per {
	if raw == nil {
		return Per{}
	}
	const form = "write {key: host, workers: 2, rate: 1/s}"
	if n.kind == mapping && n.get("key") == nil {
		l.report.at(n, p, "has no key", form)
	}
	if n.kind == mapping && n.get("workers") == nil && n.get("rate") == nil {
		l.report.at(n, p, "has neither workers nor rate, and limits nothing", form)
	}
	return Per{Key: or(raw.Key, ""), Workers: int(or(raw.Workers, 0)), Rate: or(raw.Rate, Rate{})}
}
