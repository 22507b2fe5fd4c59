package daemon

import (
	"testing"
	"time"
)

func TestStepsTellASetClockFromASleepingHost(t *testing.T) {
	noon := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name        string
		after       clocks
		step, slept time.Duration
	}{
		{"a minute passes", clocks{noon.Add(time.Minute), time.Minute, time.Minute}, 0, 0},
		{"the clock is set forward", clocks{noon.Add(9 * time.Minute), time.Minute, time.Minute}, 8 * time.Minute, 0},
		{"the clock is set back", clocks{noon.Add(-5 * time.Minute), time.Minute, time.Minute}, -6 * time.Minute, 0},
		{"the host sleeps", clocks{noon.Add(time.Hour), time.Hour, time.Minute}, 0, 59 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s steps
			if step, slept, _ := s.look(clocks{wall: noon}); step != 0 || slept != 0 {
				t.Fatalf("the first look says %v, %v", step, slept)
			}
			step, slept, at := s.look(tt.after)
			if step != tt.step || slept != tt.slept || !at.Equal(tt.after.wall) {
				t.Errorf("got %v, %v at %v, want %v, %v", step, slept, at, tt.step, tt.slept)
			}
		})
	}
}
