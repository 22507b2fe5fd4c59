package sqlite

import (
	"sync"
	"time"
)

// Trouble is that the ledger cannot be written, as on a full disk: the last
// error, and since when nothing has been written.
type Trouble struct {
	Err   error // nil: there is none
	Since time.Time
}

// Trouble returns what keeps the ledger from being written, if anything does.
// It is over with the next write that works.
func (l *Ledger) Trouble() Trouble {
	l.writer.trouble.mu.Lock()
	defer l.writer.trouble.mu.Unlock()
	return l.writer.trouble.now
}

type trouble struct {
	mu  sync.Mutex
	now Trouble
}

func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now.Err == nil {
		t.now.Since = time.Now()
	}
	t.now.Err = err
}

func (t *trouble) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = Trouble{}
}
