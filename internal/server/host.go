package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/run"
)

const (
	subjectRuns  = 5       // how many runs are shown of a job or a pool
	subjectLines = 10      // how many lines of output
	subjectBytes = 1 << 20 // and how much of it, should the lines be long
)

func (s *Server) hostRoutes(routes huma.API) {
	handle(s, routes, get("get-status", "/status", "The daemon at a glance; with of, one job, pool or run"), s.getStatus)
	handle(s, routes, post("reload", "/reload", "Load the configuration anew"), s.reload)
	hold := s.backend.Hold
	s.holdAll(routes, post("pause-all", "/pause", "Let nothing more start"), hold.PauseAll)
	s.holdAll(routes, post("drain-all", "/drain", "Let nothing more start, and what runs end"), hold.DrainAll)
	handle(s, routes, post("resume-all", "/resume", "End the pause or drain of the host"), func(ctx context.Context, _ *nothing) (*answer[api.Status], error) {
		if err := hold.ResumeAll(ctx); err != nil {
			return nil, err
		}
		return reply(s.backend.Host.Status(ctx))
	})
}

func (s *Server) holdAll(routes huma.API, e endpoint, do func(context.Context, Hold) error) {
	handle(s, routes, e, func(ctx context.Context, in *HoldInput) (*answer[api.Status], error) {
		hold, err := in.hold()
		if err != nil {
			return nil, err
		}
		if err := do(ctx, hold); err != nil {
			return nil, err
		}
		return reply(s.backend.Host.Status(ctx))
	})
}

type reloadInput struct {
	DryRun bool `query:"dry_run" doc:"Only say what it would change."`
}

func (s *Server) reload(ctx context.Context, in *reloadInput) (*answer[api.Reload], error) {
	// Whoever asked may hang up; a reload that has begun is not given up.
	return reply(s.backend.Host.Reload(context.WithoutCancel(ctx), in.DryRun))
}

type statusInput struct {
	Of string `query:"of" doc:"A run's id, or the name of a job or a pool; job/NAME and pool/NAME tell two of one name apart. The answer is a Subject then."`
}

func (s *Server) getStatus(ctx context.Context, in *statusInput) (*answer[any], error) {
	if in.Of == "" {
		status, err := s.backend.Host.Status(ctx)
		return reply[any](status, err)
	}
	subject, err := s.inspect(ctx, in.Of)
	return reply[any](subject, err)
}

// inspect looks up what the name means: a number is a run, else it is a job,
// else a pool.
func (s *Server) inspect(ctx context.Context, name string) (api.Subject, error) {
	if id, err := strconv.ParseInt(name, 10, 64); err == nil {
		return s.inspectRun(ctx, id)
	}
	if pool, ok := strings.CutPrefix(name, "pool/"); ok {
		return s.inspectPool(ctx, pool)
	}
	job, only := strings.CutPrefix(name, "job/")
	subject, err := s.inspectJob(ctx, job)
	if only || !errors.Is(err, run.ErrNotFound) {
		return subject, err
	}
	pool, poolErr := s.inspectPool(ctx, name)
	if errors.Is(poolErr, run.ErrNotFound) {
		return pool, s.nothingCalled(ctx, name)
	}
	return pool, poolErr
}

// nothingCalled is the error of a name that nothing has.
func (s *Server) nothingCalled(ctx context.Context, name string) error {
	var known []string
	jobs, err := s.backend.Jobs.Jobs(ctx)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		known = append(known, j.Name)
	}
	pools, err := s.backend.Pools.Pools(ctx)
	if err != nil {
		return err
	}
	for _, p := range pools {
		known = append(known, p.Name)
	}
	e := &Error{Code: api.CodeNotFound, Detail: "there is no job, pool or run " + strconv.Quote(name)}
	e.Hint = "poold jobs and poold pools list them; of a batch, poold runs --batch " + strconv.Quote(name)
	if near := api.Nearest(name, known); near != "" {
		e.Hint = "did you mean " + near + "?"
	}
	return e
}

func (s *Server) inspectRun(ctx context.Context, id int64) (api.Subject, error) {
	r, err := s.backend.Runs.Run(ctx, id)
	if err != nil {
		return api.Subject{}, err
	}
	subject := newSubject("run")
	subject.Run = &r
	if j, err := s.backend.Jobs.Job(ctx, r.Job); err == nil { // it may be gone from the configuration
		subject.DefinedAt = j.DefinedAt
	}
	return s.complete(ctx, subject, idText(id), &r.Run)
}

func (s *Server) inspectJob(ctx context.Context, name string) (api.Subject, error) {
	j, err := s.backend.Jobs.Job(ctx, name)
	if err != nil {
		return api.Subject{}, err
	}
	subject := newSubject("job")
	subject.Job, subject.DefinedAt = &j, j.DefinedAt
	if subject.Runs, err = s.backend.Runs.Runs(ctx, run.Filter{Job: name, Limit: subjectRuns}); err != nil {
		return subject, err
	}
	usual, err := s.backend.Stats.UsualTime(ctx, name)
	if err != nil {
		return subject, err
	}
	if usual.Count() > 0 {
		spread := wireSpread(&usual)
		subject.Usual = &spread
	}
	q := OccurrenceQuery{Jobs: []string{name}, From: time.Now(), Count: 1}
	if subject.Next, err = s.backend.Jobs.Occurrences(ctx, q); err != nil {
		return subject, err
	}
	var last *api.Run
	for i := range subject.Runs {
		if subject.Runs[i].Attempts > 0 {
			last = &subject.Runs[i]
			break
		}
	}
	return s.complete(ctx, subject, name, last)
}

func (s *Server) inspectPool(ctx context.Context, name string) (api.Subject, error) {
	p, err := s.backend.Pools.Pool(ctx, name)
	if err != nil {
		return api.Subject{}, err
	}
	subject := newSubject("pool")
	subject.Pool, subject.DefinedAt = &p, p.DefinedAt
	if subject.Runs, err = s.backend.Runs.Runs(ctx, run.Filter{Pool: name, Limit: subjectRuns}); err != nil {
		return subject, err
	}
	return s.complete(ctx, subject, name, nil)
}

// complete adds what holds the subject back, and what the run printed.
func (s *Server) complete(ctx context.Context, subject api.Subject, name string, printed *api.Run) (api.Subject, error) {
	held, err := s.backend.Host.HeldBack(ctx, subject.Kind, name)
	if err != nil {
		return subject, err
	}
	subject.HeldBack, subject.Runs, subject.Next = orEmpty(held), orEmpty(subject.Runs), orEmpty(subject.Next)
	if printed == nil || printed.Attempts == 0 {
		return subject, nil
	}
	source, err := s.backend.Runs.Output(ctx, printed.ID, OutputRequest{Attempt: printed.Attempts, Lines: subjectLines})
	if err != nil {
		return subject, err
	}
	defer source.Close()
	text, err := io.ReadAll(io.LimitReader(source, subjectBytes))
	subject.Output = api.Text(string(bytes.ToValidUTF8(text, []byte("\uFFFD"))))
	return subject, err
}

func newSubject(kind string) api.Subject { return api.Subject{Kind: kind} }
