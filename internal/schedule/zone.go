package schedule

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
	_ "time/tzdata" // zones work on hosts without a tz database
)

// LoadZone returns the zone of a name such as Europe/Berlin, by the rules that
// the host's tz database has now. The empty name and "Local" stand for the
// host's zone. The error for an unknown name offers one that is close to it.
func LoadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return hostZone(), nil
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		return zone, nil
	}
	hint := "write a name such as Europe/Berlin or UTC"
	if near := nearZone(name); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	return nil, fmt.Errorf("time zone %s is not known; %s", clip(name), hint)
}

// hostZone is the host's zone as it is now, named "Local". Package time reads it
// once and keeps it for as long as the process lives.
func hostZone() *time.Location {
	name, isSet := os.LookupEnv("TZ")
	if name = strings.TrimPrefix(name, ":"); isSet && !filepath.IsAbs(name) {
		return time.Local
	}
	if name == "" {
		name = "/etc/localtime"
	}
	rules, err := os.ReadFile(name)
	if err != nil {
		return time.Local
	}
	zone, err := time.LoadLocationFromTZData("Local", rules)
	if err != nil {
		return time.Local
	}
	return zone
}

// Rules identifies the rules of a zone: two zones with the same show the same
// times throughout this century.
func Rules(zone *time.Location) string {
	sum := fnv.New128a()
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	end := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	last := int64(math.MinInt64)
	for at < end {
		seg := segmentAt(zone, at)
		if seg.offset != last { // package time cuts where nothing changes, too
			fmt.Fprintln(sum, at, seg.offset)
			last = seg.offset
		}
		at = seg.end
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// nearZone returns the zone whose name, or whose last part, is closest to a
// misspelt one; empty if none is close.
func nearZone(name string) string {
	const longest = 40 // longer than any zone's name
	if len(name) > longest {
		return ""
	}
	name = strings.ReplaceAll(strings.ToLower(name), " ", "_")
	near, least := "", 2*(len(name)/4+1)
	for zone := range strings.FieldsSeq(zoneNames) {
		lower := strings.ToLower(zone)
		cost := 2 * editDistance(name, lower)
		if place := lower[strings.LastIndex(lower, "/")+1:]; !strings.Contains(name, "/") {
			cost = min(cost, 2*editDistance(name, place)+1) // UTC before Etc/UTC
		}
		if cost < least {
			near, least = zone, cost
		}
	}
	return near
}

// editDistance returns how many bytes must be put in, taken out or changed to
// make one text the other.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
