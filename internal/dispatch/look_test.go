package dispatch

import (
	"testing"

	"github.com/poold/poold/internal/run"
)

func TestWatchersLeaveNothingBehind(t *testing.T) {
	d := New(Options{})
	first, stopFirst := d.Watch(1)
	second, stopSecond := d.Watch(1)
	stopFirst()
	if len(d.watched) != 1 {
		t.Error("the run is watched no more while somebody does")
	}
	d.changed(run.Run{ID: 1})
	<-first
	<-second
	third, stopThird := d.Watch(1)
	stopSecond() // of the change before
	select {
	case <-third:
		t.Error("told of a change that has not been")
	default:
	}
	if len(d.watched) != 1 {
		t.Error("a late stop of one watch took away another")
	}
	stopThird()
	if len(d.watched) != 0 {
		t.Errorf("%d runs are watched by nobody", len(d.watched))
	}
}
