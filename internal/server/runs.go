package server

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/run"
	"github.com/poold/poold/internal/schedule"
)

func (s *Server) runRoutes(routes huma.API) {
	handle(s, routes, get("list-runs", "/runs", "List runs, newest first"), s.listRuns)
	handle(s, routes, get("get-run", "/runs/{id}", "One run and its attempts; with wait, once it is final"), s.getRun)
	handle(s, routes, get("get-batch", "/batches/{id}", "One batch; with wait, once it is done"), s.getBatch)
	output := get("get-output", "/runs/{id}/output", "What a run printed")
	output.stream = "text/plain"
	handle(s, routes, output, s.getOutput)
}

type listInput struct {
	Job     string   `query:"job"`
	Pool    string   `query:"pool"`
	Batch   string   `query:"batch"`
	State   []string `query:"state" enum:"queued,running,succeeded,failed,canceled,skipped" doc:"Several are separated by commas."`
	Since   string   `query:"since" doc:"Enqueued at or after: RFC 3339, 22:00, yesterday, -24h, 7d, …"`
	Until   string   `query:"until" doc:"Enqueued before."`
	Before  int64    `query:"before" minimum:"0" doc:"Only ids below: the next page."`
	Limit   int      `query:"limit" minimum:"1" maximum:"1000" default:"50"`
	Failing bool     `query:"failing" doc:"Instead: the last failed run of each job that failed since and has not succeeded since."`
}

func (s *Server) listRuns(ctx context.Context, in *listInput) (*answer[api.RunList], error) {
	since, err := s.moment("since", in.Since, schedule.Past)
	if err != nil {
		return nil, err
	}
	if in.Failing {
		runs, err := s.backend.Runs.Failing(ctx, since)
		return reply(api.RunList{Runs: orEmpty(runs)}, err)
	}
	until, err := s.moment("until", in.Until, schedule.Past)
	if err != nil {
		return nil, err
	}
	if err := inOrder("since", since, until); err != nil {
		return nil, err
	}
	f := run.Filter{
		Job: in.Job, Pool: in.Pool, Batch: in.Batch, States: states(in.State...),
		Since: since, Until: until, Before: in.Before, Limit: in.Limit,
	}
	runs, err := s.backend.Runs.Runs(ctx, f)
	if err == nil && len(runs) == 0 && in.Before == 0 {
		err = s.checkNames(ctx, in.Job, in.Pool, in.Batch)
	}
	return reply(api.RunList{Runs: orEmpty(runs)}, err)
}

// checkNames refuses a mistyped name where nothing was found: an empty list
// would pass for good news. A job that is gone from the configuration but not
// from the ledger was found.
func (s *Server) checkNames(ctx context.Context, job, pool, batch string) (err error) {
	if job != "" {
		_, err = s.backend.Jobs.Job(ctx, job)
	}
	if err == nil && pool != "" {
		_, err = s.backend.Pools.Pool(ctx, pool)
	}
	if err == nil && batch != "" {
		_, err = s.backend.Starter.Batch(ctx, batch)
	}
	return err
}

type getRunInput struct {
	ByID
	Wait string `query:"wait" doc:"Answer when the run is final, or after this duration, at most 1m."`
}

func (s *Server) getRun(ctx context.Context, in *getRunInput) (*answer[api.RunDetail], error) {
	wait, err := span("wait", in.Wait)
	if err != nil {
		return nil, err
	}
	if wait == 0 {
		return reply(s.backend.Runs.Run(ctx, in.ID))
	}
	waiting, stop := s.waiting(ctx, min(wait, maxWait))
	defer stop()
	return reply(s.awaitRun(ctx, waiting, in.ID, func(r *api.RunDetail) bool { return r.Final() }))
}

// awaitRun returns the run once it is as wanted, or as it is when waiting ends.
func (s *Server) awaitRun(ctx, waiting context.Context, id int64, wanted func(*api.RunDetail) bool) (api.RunDetail, error) {
	for {
		changed, leave := s.hub.change(waitKey{run: id})
		r, err := s.backend.Runs.Run(ctx, id)
		if err != nil || wanted(&r) || waiting.Err() != nil {
			leave()
			return r, err
		}
		pause(waiting, changed)
		leave()
	}
}

type getBatchInput struct {
	ID   string `path:"id" maxLength:"200"`
	Wait string `query:"wait" doc:"Answer when the batch is done, or after this duration, at most 1m."`
}

func (s *Server) getBatch(ctx context.Context, in *getBatchInput) (*answer[api.Batch], error) {
	wait, err := span("wait", in.Wait)
	if err != nil {
		return nil, err
	}
	waiting, stop := s.waiting(ctx, min(max(wait, time.Nanosecond), maxWait))
	defer stop()
	for {
		changed, leave := s.hub.change(waitKey{batch: in.ID})
		b, err := s.backend.Starter.Batch(ctx, in.ID)
		if err != nil || b.Done() || wait == 0 || waiting.Err() != nil {
			leave()
			return reply(b, err)
		}
		pause(waiting, changed)
		leave()
	}
}

// pause waits for a change, or for the end of waiting.
func pause(waiting context.Context, changed <-chan struct{}) {
	select {
	case <-changed:
	case <-waiting.Done():
	}
}

func states(names ...string) []run.State {
	var list []run.State
	for _, name := range names {
		if name != "" {
			list = append(list, run.State(name))
		}
	}
	return list
}

// orEmpty makes a list that is [] and not null on the wire.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
