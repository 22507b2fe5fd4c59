package server

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

// statsOf is the span of the statistics unless said.
const statsOf = 24 * time.Hour

func (s *Server) statsRoutes(routes huma.API) {
	handle(s, routes, get("get-stats", "/stats", "How the runs of each job went that were enqueued in a span and have ended"), s.getStats)
}

type statsInput struct {
	Job   []string `query:"job,explode" doc:"May be given several times; without it all jobs."`
	Since string   `query:"since" doc:"Enqueued at or after; without it a day ago."`
	Until string   `query:"until" doc:"Enqueued before; without it now."`
}

func (s *Server) getStats(ctx context.Context, in *statsInput) (*answer[api.StatsList], error) {
	until, err := s.moment("until", in.Until, schedule.Past)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	since, err := s.moment("since", in.Since, schedule.Past)
	if err != nil {
		return nil, err
	}
	if since.IsZero() {
		since = now.Add(-statsOf)
		if !until.IsZero() {
			since = until.Add(-statsOf)
		}
	}
	if err := inOrder("since", since, until); err != nil {
		return nil, err
	}
	stats, err := s.backend.Stats.Stats(ctx, in.Job, since, until)
	if err != nil {
		return nil, err
	}
	if until.IsZero() {
		until = now
	}
	list := api.StatsList{Since: api.At(since), Until: api.At(until), Stats: make([]api.JobStats, len(stats))}
	found := map[string]bool{}
	for i := range stats {
		list.Stats[i] = wireStats(&stats[i])
		found[stats[i].Job] = true
	}
	for _, job := range in.Job {
		if !found[job] { // mistyped, perhaps
			if err := s.checkNames(ctx, job, "", ""); err != nil {
				return nil, err
			}
		}
	}
	return reply(list, nil)
}

func wireStats(s *run.Stats) api.JobStats {
	return api.JobStats{
		Job: s.Job, Runs: s.Runs, Succeeded: s.Succeeded, Failed: s.Failed, Canceled: s.Canceled, Skipped: s.Skipped,
		Took: wireSpread(&s.Took), Waited: wireSpread(&s.Waited),
	}
}

func wireSpread(s *run.Spread) api.Spread {
	if s.Count() == 0 {
		return api.Spread{}
	}
	return api.Spread{P50: api.Span(s.Of(0.5)), P95: api.Span(s.Of(0.95)), Max: api.Span(s.Max)}
}
