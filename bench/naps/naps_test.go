package naps

import (
	"testing"
	"time"
)

func TestBatchIsRead(t *testing.T) {
	const out = `{"batch": "b1", "total": 40, "succeeded": 40, "wall": "412.5ms", "ideal": "401ms"}`
	wall, ideal, err := read([]byte(out), 40)
	if err != nil || wall != 412500*time.Microsecond || ideal != 401*time.Millisecond {
		t.Errorf("got %v, %v, %v", wall, ideal, err)
	}
	for name, out := range map[string]string{
		"one has failed": `{"succeeded": 39, "wall": "1s", "ideal": "1s"}`,
		"no wall time":   `{"succeeded": 40, "ideal": "1s"}`,
		"no ideal":       `{"succeeded": 40, "wall": "1s"}`,
		"not JSON":       `b1`,
	} {
		if _, _, err := read([]byte(out), 40); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
