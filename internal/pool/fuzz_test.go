package pool

import (
	"testing"
	"testing/synctest"
)

// FuzzPool turns bytes into operations, and compares the pool with the model
// after each: what runs and in what order it started, whose turn is next, what
// every call returned, and each counter. The bound and the limits of keys cannot
// be passed, nor a task be lost or run twice, without a difference. A goroutine
// that is left at the end of the bubble fails the test.
func FuzzPool(f *testing.F) {
	f.Add([]byte("\x00\x00\x01\x00\x00\x01\x00\x00\x01\x04\x00\x00"))
	f.Add([]byte("\x01keys and permits, pause and resume, cancel and close"))
	f.Add([]byte("\x01\x0f\x00\x01\x0f\x01\x02\x12\x03\x00\x08\x21\x00\x0e\x11\x05"))
	f.Add([]byte("1k00801c$2920712A70000000000000000000000000000000000")) // a growth lets a submitter in
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		limit, kinds := 0, endingKinds
		if data[0]&1 == 1 {
			limit, kinds = 3, waitingKinds
		}
		ops := decodeOps(data[1:], kinds)
		var err error
		synctest.Test(t, func(*testing.T) { err = play(limit, ops) })
		if err != nil {
			t.Fatalf("%v\nafter %+v", err, ops)
		}
	})
}

// decodeOps makes an operation of every three bytes, up to a hundred.
func decodeOps(data []byte, kinds []string) (ops []op) {
	for ; len(data) > 2 && len(ops) < 100; data = data[3:] {
		ops = append(ops, op{
			Kind: kinds[int(data[0])%len(kinds)],
			A:    int(data[1] & 7), B: int(data[1] >> 3 & 7), C: int(data[2]) % 6,
		})
	}
	return ops
}
