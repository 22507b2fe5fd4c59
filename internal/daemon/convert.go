package daemon

import (
	"time"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/dispatch"
	"github.com/poold/poold/internal/schedule"
)

// wireSize is a pool's size as the API shows it: null for unlimited.
func wireSize(workers int) *int {
	if workers == dispatch.Unlimited {
		return nil
	}
	return &workers
}

func wireErrors(errs config.Errors) []api.ConfigNote {
	notes := make([]api.ConfigNote, len(errs))
	for i, e := range errs {
		notes[i] = api.ConfigNote{File: e.File, Line: e.Line, Column: e.Column, Key: e.Key, Message: e.Message, Hint: e.Hint}
	}
	return notes
}

// dispatchProgram is the configuration as dispatch needs it.
func dispatchProgram(c *config.Config) dispatch.Program {
	pools := make(map[string]dispatch.Pool, len(c.Pools))
	for name, p := range c.Pools {
		spec := dispatch.Pool{
			Name: name, Workers: p.Workers, QueueLimit: p.QueueLimit,
			OnShrink: dispatch.OnShrink(p.OnShrink), Entry: p.Entry(), Rate: p.Rate.Every,
			Per: dispatch.Per{Key: dispatch.Key(p.Per.Key), Workers: p.Per.Workers, Every: p.Per.Rate.Every},
		}
		for _, w := range p.Windows {
			at := schedule.Schedule{Exprs: []schedule.Expr{w.At}, Zone: c.Zone}
			spec.Windows = append(spec.Windows, dispatch.Window{At: at, Workers: w.Workers})
		}
		pools[name] = spec
	}
	return dispatch.Program{Registry: c.Registry, Jobs: c.Jobs, Pools: pools, Zone: c.Zone}
}

// until is when something that lasts so long from now ends; zero for 0.
func until(span time.Duration) time.Time {
	if span <= 0 {
		return time.Time{}
	}
	return time.Now().Add(span)
}
