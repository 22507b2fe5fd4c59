package scheduler

import (
	"strconv"
	"strings"
	"time"

	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// A watermark says what it was decided for: the schedule, as scheduleHash
// tells, an "@", and the offset of the schedule's zone at that time, in
// seconds. The offset shows when the rules of the zone have changed since, as
// they do with an update of tzdata, while the daemon ran or not.

// scheduleHash tells whether a watermark belongs to the schedule as it is now.
func scheduleHash(t schedule.Schedule) string {
	var text strings.Builder
	text.WriteString(t.Zone.String() + " " + string(t.DST.Gap) + " " + string(t.DST.Fold))
	for _, e := range t.Exprs {
		text.WriteString("|" + e.String())
	}
	return text.String()
}

// stamp makes the watermark say what it was decided for.
func (e *entry) stamp() {
	offset := offsetAt(e.table.Zone, e.mark.At)
	if !e.isStamped(offset) {
		e.mark.Schedule = e.table.hash + "@" + strconv.Itoa(offset)
	}
}

// isStamped spares most watermarks a text of their own.
func (e *entry) isStamped(offset int) bool {
	var digits [20]byte
	before, ok := strings.CutPrefix(e.mark.Schedule, e.table.hash)
	return ok && len(before) > 0 && before[0] == '@' && before[1:] == string(strconv.AppendInt(digits[:0], int64(offset), 10))
}

// decidedFor says whether a watermark belongs to the schedule of that hash.
func decidedFor(mark run.Watermark, hash string) bool {
	rest, ok := strings.CutPrefix(mark.Schedule, hash)
	return ok && (rest == "" || rest[0] == '@')
}

// followRules moves the watermark where the zone's rules have changed since it
// was set, so that its clocks showed another time then than they are now said
// to have shown. The local time up to which all was decided stays: a time that
// the change repeats is not due again, and one that it skips is due, late, for
// grace and catch-up to decide. What follows elapsed time is not concerned.
func (e *entry) followRules() {
	_, text, _ := strings.Cut(strings.TrimPrefix(e.mark.Schedule, e.table.hash), "@")
	before, err := strconv.Atoi(text)
	if err != nil || elapsed(e.table.Schedule) {
		return
	}
	shift := offsetAt(e.table.Zone, e.mark.At) - before
	e.mark.At = e.mark.At.Add(-time.Duration(shift) * time.Second)
	if shift > 0 {
		e.mark.Epoch++ // an instant may come again, for another local time
	}
}

func offsetAt(zone *time.Location, at time.Time) int {
	_, offset := at.In(zone).Zone()
	return offset
}
