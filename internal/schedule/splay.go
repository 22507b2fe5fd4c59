package schedule

import (
	"hash/fnv"
	"time"
)

// Splay is the fixed delay of a job on a host: within the span, spread over
// hosts and jobs by a hash of both.
func Splay(host, job string, span time.Duration) time.Duration {
	if span <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(host + "\x00" + job))
	return time.Duration(h.Sum64() % uint64(span)).Truncate(time.Second)
}
