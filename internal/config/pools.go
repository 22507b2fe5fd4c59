package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"

	"github.com/poold/poold/internal/schedule"
)

const (
	defaultQueueLimit = 1_000_000
	defaultMinWorkers = 4
)

// OnShrink says what becomes of the runs that a smaller pool has no room for.
type OnShrink string

// The ways to shrink a pool.
const (
	ShrinkFinish     OnShrink = "finish"      // they run on, nothing new starts
	ShrinkRequeue    OnShrink = "requeue"     // the newest are stopped and queued again
	ShrinkStopNewest OnShrink = "stop_newest" // the newest are stopped for good
	ShrinkStopOldest OnShrink = "stop_oldest" // the oldest are stopped for good
)

// Values lists the ways to shrink a pool.
func (OnShrink) Values() []string { return []string{"finish", "requeue", "stop_newest", "stop_oldest"} }

// Pool is a named limit with a queue, as the configuration defines it.
type Pool struct {
	Name       string
	Workers    int // Unlimited: as many as there are runs
	QueueLimit int
	OnShrink   OnShrink
	Windows    []Window
	Rate       Rate // of starts
	Per        Per
	DefinedAt  string // FILE:LINE; empty for the pool that is there by default
}

// Window gives a pool another size from the moments that At names on, until
// another window begins. Its moments are in the top-level time zone.
type Window struct {
	At      schedule.Expr
	Workers int
}

// Entry identifies the content of the pool's own entry: it stays the same
// until someone changes what the entry means. A size set by hand holds for as
// long.
func (p Pool) Entry() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "poold-pool-1 %d %d %s", p.Workers, p.QueueLimit, p.OnShrink)
	for _, w := range p.Windows {
		fmt.Fprintf(sum, " %q %d", w.At.String(), w.Workers)
	}
	if p.Rate.Every > 0 {
		fmt.Fprintf(sum, " rate %d", p.Rate.Every)
	}
	if p.Per.Key != "" {
		fmt.Fprintf(sum, " per %s %d %d", p.Per.Key, p.Per.Workers, p.Per.Rate.Every)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Largest is the most workers that the entry ever gives the pool.
func (p Pool) Largest() int {
	largest := p.Workers
	for _, w := range p.Windows {
		largest = max(largest, w.Workers)
	}
	return largest
}

// defaultPool builds the pool that is there even where nobody defines it.
func (l *loader) defaultPool() {
	if !l.isDefined("pools", DefaultPool) {
		l.config.Pools[DefaultPool] = Pool{
			Name: DefaultPool, Workers: max(defaultMinWorkers, l.options.CPUs),
			QueueLimit: defaultQueueLimit, OnShrink: ShrinkFinish,
		}
	}
}

// pool builds one pool.
func (l *loader) pool(p path, key, n *node) {
	var raw rawPool
	if !l.decoder.decode(n, p, reflect.ValueOf(&raw).Elem()) && n.kind != mapping {
		return
	}
	pool := Pool{
		Name:       key.text,
		Workers:    int(or(raw.Workers, 0)),
		QueueLimit: or(raw.QueueLimit, defaultQueueLimit),
		OnShrink:   or(raw.OnShrink, ShrinkFinish),
		Rate:       or(raw.Rate, Rate{}),
		Per:        l.per(n.get("per"), p.key("per"), raw.Per),
		DefinedAt:  key.where(),
	}
	if raw.Workers == nil && n.get("workers") == nil {
		l.report.at(key, p, "has no workers", "write workers: 4, or workers: unlimited")
	}
	if pool.QueueLimit < 1 {
		l.report.check(n.at("queue_limit"), p.key("queue_limit"), "must be 1 or more", "")
	}
	for i, w := range raw.Windows {
		pool.Windows = append(pool.Windows, l.window(n.at("windows", i), p.key("windows").index(i), w))
	}
	l.config.Pools[pool.Name] = pool
}

// window checks one window of a pool.
func (l *loader) window(n *node, p path, raw rawWindow) Window {
	for _, key := range []string{"at", "workers"} {
		if n.kind == mapping && n.get(key) == nil {
			l.report.at(n, p, fmt.Sprintf("has no %s", key), `write {at: "0 22 * * *", workers: 40}`)
		}
	}
	w := Window{Workers: int(or(raw.Workers, 0))}
	if raw.At != nil {
		w.At = raw.At.Expr
	}
	if w.At.Reboot() {
		l.report.check(n.at("at"), p.key("at"), "@reboot begins no window", "name times, such as 0 22 * * *")
	}
	return w
}
