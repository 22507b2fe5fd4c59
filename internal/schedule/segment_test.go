package schedule

import (
	"strings"
	"testing"
	"time"
)

// TestSegmentsOfEveryZone holds what walk takes for granted of package time:
// segments join, each has one offset, its start is true, and no shift is as
// long as the segments beside it.
func TestSegmentsOfEveryZone(t *testing.T) {
	from := time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	until := time.Date(2110, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	for name := range strings.FieldsSeq(zoneNames) {
		zone, err := LoadZone(name)
		if err != nil {
			t.Error(err)
			continue
		}
		shifted := int64(farPast)
		for at := from; at < until; {
			seg := segmentAt(zone, at)
			if seg.start > at || seg.end <= at {
				t.Fatalf("%s: %d lies outside of its segment %+v", name, at, seg)
			}
			if offsetAt(zone, max(at, seg.start)) != seg.offset || offsetAt(zone, seg.end-1) != seg.offset {
				t.Fatalf("%s: the offset changes within %+v", name, seg)
			}
			if seg.end == farFuture {
				break
			}
			if shift := offsetAt(zone, seg.end) - seg.offset; shift != 0 {
				if max(shift, -shift) >= maxShift || seg.end-shifted < maxShift {
					t.Errorf("%s: shift of %ds at %d, the one before at %d", name, shift, seg.end, shifted)
				}
				shifted = seg.end
			}
			at = seg.end
		}
	}
}

func TestSegmentOfTheLastDayOfALeapYear(t *testing.T) {
	zone, err := LoadZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2040, 12, 31, 12, 0, 0, 0, time.UTC).Unix()
	if seg := segmentAt(zone, at); seg.end != at+12*3600 {
		t.Errorf("ends %ds later, want the turn of the year", seg.end-at)
	}
}
