package schedule

import (
	"math"
	"time"
)

// farPast and farFuture bound the first and the last segment of a zone. They
// leave room to add an offset without overflow.
const (
	farPast   = math.MinInt64 / 4
	farFuture = math.MaxInt64 / 4
)

// maxShift is longer than any shift of a zone: the longest ones, a day, are
// those of places that changed sides of the date line.
const maxShift = 2 * secondsPerDay

const secondsPerDay = 24 * 60 * 60

// segment is a stretch of instants [start, end) throughout which a zone keeps
// one offset, all in seconds. The instant i shows the nominal time i+offset,
// which is local date and time written as if it were UTC.
//
// Neighbouring segments may have the same offset: package time cuts at the
// turn of the year too, and where only a zone's abbreviation changes.
type segment struct {
	start, end, offset int64
}

// segmentAt returns the segment of the zone that the instant lies in.
func segmentAt(zone *time.Location, instant int64) segment {
	t := time.Unix(instant, 0).In(zone)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	seg := segment{start: farPast, end: farFuture, offset: int64(offset)}
	if !start.IsZero() {
		seg.start = start.Unix()
	}
	if !end.IsZero() {
		seg.end = end.Unix()
	}
	if seg.end <= instant {
		// Where a rule governs, package time lets every year end after 365
		// days. On the last day of a leap year that is already over.
		seg.end = time.Date(t.UTC().Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()
	}
	return seg
}

// offsetAt returns the zone's offset at the instant.
func offsetAt(zone *time.Location, instant int64) int64 {
	_, offset := time.Unix(instant, 0).In(zone).Zone()
	return int64(offset)
}

// secondPassEnd returns the nominal time before which the segment repeats
// what the one before it showed already; farPast if it repeats nothing.
func (s segment) secondPassEnd(zone *time.Location) int64 {
	if s.start == farPast {
		return farPast
	}
	if before := offsetAt(zone, s.start-1); before > s.offset {
		return s.start + before
	}
	return farPast
}

// firstPassStart returns the nominal time from which on the next segment
// shows again what this one shows; farFuture if it repeats nothing.
func (s segment) firstPassStart(zone *time.Location) int64 {
	if s.end == farFuture {
		return farFuture
	}
	if after := offsetAt(zone, s.end); after < s.offset {
		return s.end + after
	}
	return farFuture
}
