package durable

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
)

// redis is a Redis server that has every command on the disk before it answers.
type redis struct{ server *rig.Server }

func (d *redis) create(r *rig.Rig) error {
	var err error
	d.server, err = r.NewServer("redis", "redis")
	return err
}

func (d *redis) remove() error { return d.server.Remove() }

const redisConfig = `
bind 127.0.0.1
port %d
dir %s
requirepass %s
appendonly yes
appendfsync always
save ""
`

// start starts it, empty.
func (d *redis) start(ctx context.Context) (asynq.RedisClientOpt, error) {
	if err := d.server.FreePort(); err != nil {
		return asynq.RedisClientOpt{}, err
	}
	config, err := d.server.File("redis.conf", fmt.Sprintf(redisConfig, d.server.Port, d.server.Dir(""), d.server.Password))
	if err != nil {
		return asynq.RedisClientOpt{}, err
	}
	if err := os.RemoveAll(d.server.Dir("appendonlydir")); err != nil {
		return asynq.RedisClientOpt{}, err
	}
	opt := asynq.RedisClientOpt{Addr: fmt.Sprintf("127.0.0.1:%d", d.server.Port), Password: d.server.Password, PoolSize: callers}
	return opt, d.server.Start(ctx, d.server.Command(ctx, "redis-server", config), func(context.Context) error {
		client := asynq.NewClient(opt)
		defer client.Close()
		return client.Ping()
	})
}

// asynq measures asynq on Redis. An asynq server takes one task after the
// other, each with a flush; several that share the workers take them side by
// side.
func (p *peers) asynq(servers, jobs int) func(context.Context, *suite.Round) error {
	return func(ctx context.Context, r *suite.Round) (err error) {
		opt, err := p.redis.start(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.redis.server.Stop()) }()
		return measureAsynq(ctx, r, opt, servers, r.Pick(jobs, jobs/5, 200))
	}
}

func measureAsynq(ctx context.Context, r *suite.Round, opt asynq.RedisClientOpt, servers, jobs int) error {
	var ended atomic.Int64
	for range servers {
		server := asynq.NewServer(opt, asynq.Config{
			Concurrency: workers / servers, LogLevel: asynq.FatalLevel, TaskCheckInterval: time.Millisecond,
		})
		err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
			ended.Add(1)
			return nil
		}))
		if err != nil {
			return err
		}
		defer server.Shutdown()
	}
	client := asynq.NewClient(opt)
	defer client.Close()
	inspector := asynq.NewInspector(opt)
	defer inspector.Close()

	began := time.Now()
	err := each(jobs, func() error { _, err := client.EnqueueContext(ctx, asynq.NewTask("nothing", nil)); return err })
	if err == nil {
		err = untilEmpty(ctx, inspector, &ended, int64(jobs))
	}
	r.Note("", float64(jobs)/time.Since(began).Seconds())
	return err
}

// untilEmpty waits until all tasks were executed and recorded as such, which
// removes them.
func untilEmpty(ctx context.Context, inspector *asynq.Inspector, ended *atomic.Int64, jobs int64) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		if ended.Load() >= jobs {
			info, err := inspector.GetQueueInfo("default")
			if err != nil || info.Size == 0 {
				return err
			}
		}
		if err := rig.Wait(ctx, time.Millisecond); err != nil {
			return fmt.Errorf("of %d tasks %d were executed: %w", jobs, ended.Load(), err)
		}
	}
}
