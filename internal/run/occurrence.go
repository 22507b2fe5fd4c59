package run

import (
	"strconv"
	"strings"
	"time"
)

// OccurrenceKey names an occurrence once and for all. The epoch tells apart the
// two times that a clock which was set back names the same instant.
func OccurrenceKey(job string, at time.Time, epoch int) string {
	key := job + "@" + at.UTC().Format(time.RFC3339)
	if epoch > 0 {
		key += "#" + strconv.Itoa(epoch)
	}
	return key
}

// The error of a run that is skipped for another names that one.
const (
	inTheWayBefore = "run "
	inTheWayAfter  = " was not done"
)

// InTheWayError is the error of a run that is skipped for an earlier one.
func InTheWayError(id int64) string { return inTheWayBefore + formatID(id) + inTheWayAfter }

// InTheWay returns the run for which this one was skipped, or 0.
func (r *Run) InTheWay() int64 {
	if r.State != Skipped || r.Reason != ReasonOverlap {
		return 0
	}
	text, ok := strings.CutPrefix(r.Error, inTheWayBefore)
	if !ok {
		return 0
	}
	id, err := strconv.ParseInt(strings.TrimSuffix(text, inTheWayAfter), 10, 64)
	if err != nil {
		return 0
	}
	return id
}
