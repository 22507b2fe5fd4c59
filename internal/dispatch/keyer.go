package dispatch

import (
	"sync"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// Per is what a pool allows to the runs of each key; the zero value limits
// nothing.
type Per struct {
	Key     Key
	Workers int           // runs at a time; 0: no limit
	Every   time.Duration // one start in so much time; 0: no limit
}

// Key says by what the runs of a pool are told apart.
type Key string

// The keys.
const (
	PerJob  Key = "job"
	PerArg  Key = "arg"
	PerHost Key = "host"
)

// keys lists them all.
func keys() []Key { return []Key{PerJob, PerArg, PerHost} }

// soon is how long a run of a key whose rate is used up may wait in memory for
// its turn; longer waits are on the disk.
const soon = time.Second

// The ready runs of a key that wait for others to start: enough to have the
// next at hand until another is made ready, which takes a transaction.
const (
	atHandLeast = 4
	atHandMost  = 64
	atHandSlow  = 1 // where the rate leaves time for a transaction
)

// slow is a rate that does.
const slow = 100 * time.Millisecond

// atHand is how many runs of a key should be ready at a time.
func (p Per) atHand() int {
	switch {
	case p.Every >= slow:
		return atHandSlow
	case p.Workers > 0:
		return min(max(2*p.Workers, atHandLeast), atHandMost)
	}
	return 4 * atHandLeast
}

// keyer tells the keys of runs by one configuration. It is called by the ledger
// as well.
type keyer struct {
	pools    map[string]Pool
	registry jobs.Registry

	mu    sync.Mutex
	hosts map[*jobs.Definition]func(arg string) string
}

// hostsMost bounds the definitions remembered.
const hostsMost = 10_000

// per is the run.PerKey of the configuration.
func (k *keyer) per(r *run.Run) (on run.Resource, ready int) {
	per := k.pools[r.Pool].Per
	if per.Key == "" {
		return "", 0
	}
	key := k.key(per.Key, r)
	if key == "" {
		return "", 0
	}
	return run.PerResource(r.Pool, string(per.Key), key), per.atHand()
}

// key is the key of the run, or empty.
func (k *keyer) key(kind Key, r *run.Run) string {
	switch kind {
	case PerJob:
		return r.Job
	case PerArg:
		return r.Arg
	case PerHost:
		return k.hostOf(r.Def)(r.Arg)
	}
	return ""
}

// hostOf returns how the hosts of a definition's runs are told.
func (k *keyer) hostOf(def *jobs.Definition) func(arg string) string {
	if def == nil {
		return noHost
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if host, ok := k.hosts[def]; ok {
		return host
	}
	host := noHost
	if typ, ok := k.registry.Lookup(def.Type); ok {
		if hosted, ok := typ.(jobs.Hosted); ok {
			host = hosted.Host(def.With)
		}
	}
	if k.hosts == nil || len(k.hosts) >= hostsMost {
		k.hosts = map[*jobs.Definition]func(string) string{}
	}
	k.hosts[def] = host
	return host
}

func noHost(string) string { return "" }
