package server

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/schedule"
)

// defaultMoments is how many moments are told of unless said.
const defaultMoments = 10

// MaxMoments is the most moments that one answer tells of.
const MaxMoments = 500

func (s *Server) whyRoutes(routes huma.API) {
	handle(s, routes, get("why", "/jobs/{name}/why", "What became of the due moments of a job, and why"), s.why)
}

type whyInput struct {
	ByName
	At    string `query:"at" doc:"This moment alone; with its nearest ones where the schedule does not name it."`
	Since string `query:"since" doc:"Inclusive."`
	Until string `query:"until" doc:"Exclusive; without it now."`
	Limit int    `query:"limit" minimum:"0" maximum:"500" doc:"At most so many, the newest; 10 unless given."`
}

func (s *Server) why(ctx context.Context, in *whyInput) (*answer[api.Why], error) {
	if in.At != "" && (in.Since != "" || in.Until != "") {
		return nil, Invalid("at and a span exclude each other", "at is for one moment, since and until are for all of a span")
	}
	q := WhyQuery{Limit: in.Limit}
	if q.Limit == 0 {
		q.Limit = defaultMoments
	}
	var err error
	if q.At, err = s.moment("at", in.At, schedule.Past); err != nil {
		return nil, err
	}
	if q.Since, err = s.moment("since", in.Since, schedule.Past); err != nil {
		return nil, err
	}
	if q.Until, err = s.moment("until", in.Until, schedule.Past); err != nil {
		return nil, err
	}
	if err := inOrder("since", q.Since, q.Until); err != nil {
		return nil, err
	}
	return reply(s.backend.Why.Why(ctx, in.Name, q))
}
