package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/schedule"
)

// defaultCount is how many occurrences of a job are listed unless said.
const defaultCount = 5

func (s *Server) jobRoutes(routes huma.API) {
	handle(s, routes, get("list-jobs", "/jobs", "List jobs"), func(ctx context.Context, _ *nothing) (*answer[api.JobList], error) {
		jobs, err := s.backend.Jobs.Jobs(ctx)
		return reply(api.JobList{Jobs: orEmpty(jobs)}, err)
	})
	handle(s, routes, get("get-job", "/jobs/{name}", "One job"), func(ctx context.Context, in *ByName) (*answer[api.Job], error) {
		return reply(s.backend.Jobs.Job(ctx, in.Name))
	})
	handle(s, routes, get("get-definition", "/jobs/{name}/definition", "The effective definition of a job, and where each value came from"),
		func(ctx context.Context, in *ByName) (*answer[api.Definition], error) {
			return reply(s.backend.Jobs.Definition(ctx, in.Name))
		})
	handle(s, routes, get("list-occurrences", "/occurrences", "Coming occurrences, in order"), s.listOccurrences)

	start := post("start-run", "/jobs/{name}/run", "Make one run of a job")
	start.status = http.StatusCreated
	handle(s, routes, start, s.startRun)
	batch := post("start-batch", "/jobs/{name}/batch", "Make one run of a job for each line, all or none")
	batch.status, batch.maxBody, batch.unchecked = http.StatusCreated, maxBatchBody, true
	handle(s, routes, batch, s.startBatch)
	describeBody[api.StartBatch](routes, batch)

	handle(s, routes, post("pause-job", "/jobs/{name}/pause", "Let no more runs of a job start"), s.pauseJob)
	handle(s, routes, post("resume-job", "/jobs/{name}/resume", "End the pause of a job"), func(ctx context.Context, in *ByName) (*answer[api.Job], error) {
		return reply(s.backend.JobHold.ResumeJob(ctx, in.Name))
	})
}

type occurrencesInput struct {
	Job   []string `query:"job,explode" doc:"May be given several times; without it all jobs."`
	From  string   `query:"from" doc:"Inclusive; without it now."`
	Until string   `query:"until" doc:"Exclusive."`
	Count int      `query:"count" minimum:"0" maximum:"100000" doc:"Per job; 5 unless given, or no limit with until."`
}

func (s *Server) listOccurrences(ctx context.Context, in *occurrencesInput) (*answer[api.OccurrenceList], error) {
	from, err := s.moment("from", in.From, schedule.Future)
	if err != nil {
		return nil, err
	}
	until, err := s.moment("until", in.Until, schedule.Future)
	if err != nil {
		return nil, err
	}
	if err := inOrder("from", from, until); err != nil {
		return nil, err
	}
	if from.IsZero() {
		from = time.Now()
	}
	if in.Count == 0 && until.IsZero() {
		in.Count = defaultCount
	}
	q := OccurrenceQuery{Jobs: in.Job, From: from, Until: until, Count: in.Count}
	list, err := s.backend.Jobs.Occurrences(ctx, q)
	return reply(api.OccurrenceList{Occurrences: orEmpty(list)}, err)
}

type startInput struct {
	ByName
	Body *api.Start
}

func (s *Server) startRun(ctx context.Context, in *startInput) (*answer[api.Run], error) {
	start := api.Start{}
	if in.Body != nil {
		start = *in.Body
	}
	if start.Queue && start.Force {
		return nil, Invalid("queue and force exclude each other", "queue waits for an earlier run, force runs beside it")
	}
	at, err := s.moment("at", start.At, schedule.Future)
	if err != nil {
		return nil, err
	}
	if !at.IsZero() && time.Since(at) > time.Minute {
		// A mistyped date would start what was meant for another night.
		return nil, Invalid(fmt.Sprintf("at: %s has passed", at.In(s.backend.Host.Zone()).Format(time.RFC3339)), "leave it out for a run that starts at once")
	}
	return reply(s.backend.Starter.StartRun(ctx, in.Name, StartRequest{
		Arg: api.Or(start.Arg, ""), Priority: start.Priority, At: at, Queue: start.Queue, Force: start.Force,
	}))
}

// batchInput takes the body as it is: validated piece by piece, a million lines
// would stand in memory three times.
type batchInput struct {
	ByName
	RawBody []byte `contentType:"application/json"`
}

type batchAnswer struct {
	Status int
	Body   api.Batch
}

func (s *Server) startBatch(ctx context.Context, in *batchInput) (*batchAnswer, error) {
	var start api.StartBatch
	if !utf8.Valid(in.RawBody) {
		return nil, Invalid(fmt.Sprintf("read the batch: %v", errNotUTF8), "")
	}
	decoder := json.NewDecoder(bytes.NewReader(in.RawBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&start); err != nil {
		return nil, Invalid(fmt.Sprintf("read the batch: %v", err), `send {"lines": ["…", …]}`)
	}
	if len(start.Lines) == 0 {
		return nil, Invalid("a batch of no lines", "give at least one line")
	}
	b, existing, err := s.backend.Starter.StartBatch(ctx, in.Name, BatchRequest{Lines: start.Lines, Priority: start.Priority, ID: start.ID})
	if err != nil {
		return nil, err
	}
	out := &batchAnswer{Status: http.StatusCreated, Body: b}
	if existing {
		out.Status = http.StatusOK
	}
	return out, nil
}

type nameHoldInput struct {
	ByName
	HoldInput
}

func (s *Server) pauseJob(ctx context.Context, in *nameHoldInput) (*answer[api.Job], error) {
	hold, err := in.hold()
	if err != nil {
		return nil, err
	}
	return reply(s.backend.JobHold.PauseJob(ctx, in.Name, hold))
}
