package server

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/poold/poold/internal/api"
)

// maxWorkers is the most that a pool may be resized to by hand; more is a
// mistyped number, or unlimited.
const maxWorkers = 1_000_000

func (s *Server) poolRoutes(routes huma.API) {
	handle(s, routes, get("list-pools", "/pools", "List pools"), func(ctx context.Context, _ *nothing) (*answer[api.PoolList], error) {
		pools, err := s.backend.Pools.Pools(ctx)
		return reply(api.PoolList{Pools: orEmpty(pools)}, err)
	})
	handle(s, routes, get("get-pool", "/pools/{name}", "One pool"), func(ctx context.Context, in *ByName) (*answer[api.Pool], error) {
		return reply(s.backend.Pools.Pool(ctx, in.Name))
	})
	resize := endpoint{id: "resize-pool", method: http.MethodPatch, path: "/pools/{name}", summary: "Set the size of a pool by hand, or take that back"}
	handle(s, routes, resize, s.resizePool)

	control := s.backend.Control
	s.holdPool(routes, post("pause-pool", "/pools/{name}/pause", "Let no more runs start in a pool"), control.PausePool)
	s.holdPool(routes, post("drain-pool", "/pools/{name}/drain", "Pause a pool and let what runs end"), control.DrainPool)
	handle(s, routes, post("resume-pool", "/pools/{name}/resume", "End the pause or drain of a pool"), func(ctx context.Context, in *ByName) (*answer[api.Pool], error) {
		return reply(control.ResumePool(ctx, in.Name))
	})
}

func (s *Server) holdPool(routes huma.API, e endpoint, do func(context.Context, string, Hold) (api.Pool, error)) {
	handle(s, routes, e, func(ctx context.Context, in *nameHoldInput) (*answer[api.Pool], error) {
		hold, err := in.hold()
		if err != nil {
			return nil, err
		}
		return reply(do(ctx, in.Name, hold))
	})
}

type resizeInput struct {
	ByName
	Body struct {
		Workers  workers `json:"workers,omitempty"`
		OnShrink string  `json:"on_shrink,omitempty" enum:"finish,requeue,stop_newest,stop_oldest" doc:"What becomes of runs above the new size; without it what the configuration says."`
		For      string  `json:"for,omitempty" doc:"Ends by itself after this duration."`
		Reset    bool    `json:"reset,omitempty" doc:"Back to the size the configuration asks for."`
	}
}

// workers tells null, unlimited, from not given at all.
type workers struct {
	given bool
	n     *int
}

// Schema describes the two forms for the API's description.
func (workers) Schema(huma.Registry) *huma.Schema {
	least, most := 0.0, float64(maxWorkers)
	return &huma.Schema{
		Type: huma.TypeInteger, Nullable: true, Minimum: &least, Maximum: &most,
		Description: "null: unlimited; 0 holds everything back.",
	}
}

// UnmarshalJSON is called for null too.
func (w *workers) UnmarshalJSON(raw []byte) error {
	w.given = true
	return json.Unmarshal(raw, &w.n)
}

func (s *Server) resizePool(ctx context.Context, in *resizeInput) (*answer[api.Pool], error) {
	if in.Body.Reset == in.Body.Workers.given {
		return nil, Invalid("give either workers or reset", "")
	}
	if in.Body.Reset && (in.Body.For != "" || in.Body.OnShrink != "") {
		return nil, Invalid("reset takes no for and no on_shrink", "")
	}
	d, err := limit(in.Body.For)
	if err != nil {
		return nil, err
	}
	return reply(s.backend.Control.ResizePool(ctx, in.Name, ResizeRequest{
		Workers: in.Body.Workers.n, OnShrink: in.Body.OnShrink, For: d, Reset: in.Body.Reset,
	}))
}
