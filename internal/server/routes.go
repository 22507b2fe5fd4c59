package server

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/poold/poold/internal/api"
)

// answer is the output of most operations: one document.
type answer[T any] struct {
	Body T
}

func reply[T any](body T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	return &answer[T]{Body: body}, nil
}

// endpoint is what tells one operation from another.
type endpoint struct {
	id, method, path, summary string
	status                    int    // of success, 200 if not set
	maxBody                   int64  // maxBody if not set
	unchecked                 bool   // the handler checks the body itself
	stream                    string // the media type of an answer that is no document
}

// handle registers an operation. Its errors go through the one table.
func handle[I, O any](s *Server, routes huma.API, e endpoint, do func(context.Context, *I) (*O, error)) {
	op := e.operation(routes)
	huma.Register(routes, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err == nil {
			return out, nil
		}
		p := problemOf(err)
		if p.Code == api.CodeInternal {
			s.log.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("operation", e.id), slog.Any("err", err))
		}
		return nil, p
	})
}

func (e endpoint) operation(routes huma.API) huma.Operation {
	if e.maxBody == 0 {
		e.maxBody = maxBody
	}
	problem := routes.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[api.Problem](), true, "Problem")
	op := huma.Operation{
		OperationID: e.id, Method: e.method, Path: api.Prefix + e.path, Summary: e.summary,
		DefaultStatus: e.status, MaxBodyBytes: e.maxBody, SkipValidateBody: e.unchecked,
		// guard bounds the time instead, without a deadline that stays behind.
		BodyReadTimeout: -1,
		Responses: map[string]*huma.Response{
			"default": {
				Description: "Problem",
				Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: problem}},
			},
		},
	}
	if e.stream != "" {
		text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
		op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{e.stream: text}}
	}
	return op
}

func get(id, path, summary string) endpoint {
	return endpoint{id: id, method: http.MethodGet, path: path, summary: summary}
}

func post(id, path, summary string) endpoint {
	return endpoint{id: id, method: http.MethodPost, path: path, summary: summary}
}

// nothing is the input of operations that take none.
type nothing struct{}

// ByID is the input of operations on one run. It is exported, as are ByName and
// HoldInput, since the framework passes over unexported embedded types.
type ByID struct {
	ID int64 `path:"id" minimum:"1" doc:"Of the run."`
}

// ByName is the input of operations on one job or pool.
type ByName struct {
	Name string `path:"name" maxLength:"63"`
}

// HoldInput is the input of a pause or a drain.
type HoldInput struct {
	Body *api.Hold
}

func (in *HoldInput) hold() (Hold, error) {
	if in.Body == nil {
		return Hold{}, nil
	}
	d, err := limit(in.Body.For)
	return Hold{For: d, Reason: in.Body.Reason}, err
}

// describeBody describes the body of an operation that reads it itself.
func describeBody[T any](routes huma.API, e endpoint) {
	schema := routes.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	routes.OpenAPI().Paths[api.Prefix+e.path].Post.RequestBody.Content["application/json"].Schema = schema
}
