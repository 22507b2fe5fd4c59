package schedule

import (
	"fmt"
	"testing"
	"time"
)

func TestSplayIsStableAndSpreads(t *testing.T) {
	const span = time.Hour
	seen := map[time.Duration]bool{}
	for i := range 100 {
		host := fmt.Sprintf("host%d", i)
		got := Splay(host, "j", span)
		if got < 0 || got >= span || got != Splay(host, "j", span) {
			t.Fatalf("splay of %s is %v, then %v", host, got, Splay(host, "j", span))
		}
		seen[got] = true
	}
	if len(seen) < 80 {
		t.Errorf("100 hosts share %d moments", len(seen))
	}
	if Splay("h", "j", 0) != 0 {
		t.Error("no splay is no delay")
	}
}
