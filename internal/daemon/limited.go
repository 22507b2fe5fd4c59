package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/run"
)

// wireLimits adds the limits beside its size to a pool, and how many runs wait
// for them.
func (b *backend) wireLimits(ctx context.Context, p *api.Pool, stuck int) error {
	spec := b.d.current.Load().Pools[p.Name]
	p.Rate = api.Text(spec.Rate.String())
	if spec.Per.Key == "" {
		return nil
	}
	p.Per = &api.Per{Key: string(spec.Per.Key), Rate: api.Text(spec.Per.Rate.String())}
	if n := spec.Per.Workers; n > 0 {
		p.Per.Workers = &n
	}
	held, err := b.d.ledger.HeldPer(ctx, p.Name)
	if err != nil {
		return fmt.Errorf("count what is held in pool %q: %w", p.Name, err)
	}
	p.Held = held + stuck
	return nil
}

// limitWords says which limits beside the size of its pool hold a run back.
func (b *backend) limitWords(r *run.Run) []string {
	var words []string
	spec := b.d.current.Load().Pools[r.Pool]
	l := b.d.pools.Limited(r)
	now := time.Now()
	if l.NextAt.After(now) {
		words = append(words, b.rateWords(r.Pool, spec.Rate, "", l.NextAt))
	}
	if l.Key == "" {
		return words
	}
	key := string(l.Kind) + " " + l.Key
	if l.Per.Workers > 0 && l.Running >= l.Per.Workers {
		words = append(words, fmt.Sprintf("%d of %d workers of pool %s for %s are busy", l.Running, l.Per.Workers, r.Pool, key))
	}
	if l.KeyNextAt.After(now) {
		words = append(words, b.rateWords(r.Pool, spec.Per.Rate, " for "+key, l.KeyNextAt))
	}
	if len(words) == 0 && run.Resource(r.Waits).IsPer() {
		words = append(words, fmt.Sprintf("other runs of %s go first", key))
	}
	return words
}

func (b *backend) rateWords(pool string, rate config.Rate, whom string, next time.Time) string {
	return fmt.Sprintf("pool %s starts %s at most%s; next at %s", pool, rate, whom, next.In(b.Zone()).Format(time.RFC3339))
}
