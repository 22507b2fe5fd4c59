package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/run"
)

// Error is an error with a code of the API, and with what a person can do about
// it.
type Error struct {
	Code   string // one of api's
	Detail string
	Hint   string
	Errors []api.ConfigNote // of api.CodeConfigInvalid
}

// Error gives the detail.
func (e *Error) Error() string { return e.Detail }

// UnknownName refuses a name that is none of the known ones, and offers the one
// that was probably meant. It is a run.ErrNotFound.
func UnknownName(kind, name string, known []string) error {
	e := &Error{Code: api.CodeNotFound, Detail: fmt.Sprintf("there is no %s %q", kind, name)}
	switch near := api.Nearest(name, known); {
	case near != "":
		e.Hint = fmt.Sprintf("did you mean %s?", near)
	case len(known) == 0:
		e.Hint = fmt.Sprintf("the configuration defines no %s", kind)
	case len(known) <= 8:
		e.Hint = "there is " + strings.Join(known, ", ")
	default:
		e.Hint = fmt.Sprintf("poold %ss lists them", kind)
	}
	return e
}

// InvalidConfig refuses a configuration for its errors.
func InvalidConfig(notes []api.ConfigNote) error {
	detail := "the configuration has an error"
	if len(notes) != 1 {
		detail = fmt.Sprintf("the configuration has %d errors", len(notes))
	}
	return &Error{
		Code: api.CodeConfigInvalid, Detail: detail, Errors: notes,
		Hint: "nothing was changed; the daemon goes on with the configuration it has",
	}
}

// Invalid refuses a request.
func Invalid(detail, hint string) error {
	return &Error{Code: api.CodeInvalid, Detail: detail, Hint: hint}
}

// Is makes an unknown name a run.ErrNotFound.
func (e *Error) Is(target error) bool {
	return target == run.ErrNotFound && e.Code == api.CodeNotFound
}

// statuses gives every code its HTTP status: the one table of both.
func statuses() map[string]int {
	return map[string]int{
		api.CodeInvalid:       http.StatusUnprocessableEntity,
		api.CodeNotFound:      http.StatusNotFound,
		api.CodeConflict:      http.StatusConflict,
		api.CodeStale:         http.StatusConflict,
		api.CodeQueueFull:     http.StatusTooManyRequests,
		api.CodeConfigInvalid: http.StatusUnprocessableEntity,
		api.CodeUnsupported:   http.StatusNotImplemented,
		api.CodeUnavailable:   http.StatusServiceUnavailable,
		api.CodeTooLarge:      http.StatusRequestEntityTooLarge,
		api.CodeInternal:      http.StatusInternalServerError,
	}
}

// problemOf turns an error of the backend into what the API tells.
func problemOf(err error) *api.Problem {
	p := classify(err)
	p.Type = "about:blank"
	p.Status = statuses()[p.Code]
	p.Title = http.StatusText(p.Status)
	return p
}

func classify(err error) *api.Problem {
	var own *Error
	var conflict *run.ConflictError
	switch {
	case errors.As(err, &own):
		return &api.Problem{Code: own.Code, Detail: err.Error(), Hint: own.Hint, Errors: own.Errors}
	case errors.As(err, &conflict):
		return &api.Problem{
			Code: api.CodeConflict, Run: conflict.Run,
			Detail: fmt.Sprintf("run %d of job %s is not done, and its overlap rule lets no other start", conflict.Run, conflict.Job),
			Hint:   "--queue waits for it, --force runs beside it",
		}
	case errors.Is(err, run.ErrNotFound):
		return &api.Problem{
			Code: api.CodeNotFound, Detail: err.Error(),
			Hint: "poold runs lists what there is; retention removes old runs",
		}
	case errors.Is(err, run.ErrBatchKey):
		return &api.Problem{Code: api.CodeInvalid, Detail: err.Error()}
	case errors.Is(err, run.ErrStale):
		return &api.Problem{Code: api.CodeStale, Detail: err.Error()}
	case errors.Is(err, run.ErrQueueFull):
		return &api.Problem{
			Code: api.CodeQueueFull, Detail: err.Error(),
			Hint: "submit again when runs have ended, or raise queue_limit of the pool",
		}
	case errors.Is(err, run.ErrClosed), errors.Is(err, errStopping):
		return &api.Problem{Code: api.CodeUnavailable, Detail: "the daemon is stopping"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &api.Problem{Code: api.CodeUnavailable, Detail: "the request was given up: " + err.Error()}
	}
	return &api.Problem{Code: api.CodeInternal, Detail: err.Error()}
}

// errStopping ends whatever waits when the server stops.
var errStopping = errors.New("the daemon is stopping")

// asProblem gives errors that the framework found the form of all others.
func asProblem(_ huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	return frameworkProblem(model), nil
}

func frameworkProblem(model *huma.ErrorModel) *api.Problem {
	p := &api.Problem{Type: "about:blank", Title: model.Title, Status: model.Status, Detail: model.Detail}
	var found []string
	for _, e := range model.Errors {
		found = append(found, placeOf(e.Location)+": "+e.Message)
	}
	if len(found) > 0 {
		p.Detail = strings.Join(found, "; ")
	}
	switch {
	case model.Status == http.StatusRequestEntityTooLarge:
		p.Code = api.CodeTooLarge
	case model.Status == http.StatusNotFound:
		p.Code = api.CodeNotFound
	case model.Status < http.StatusInternalServerError:
		p.Code = api.CodeInvalid
	default:
		p.Code = api.CodeInternal
	}
	return p
}

// placeOf names a field or a parameter as the one who asked has written it: the
// framework's place of the first of two states is query.state[0].
func placeOf(location string) string {
	if name, ok := strings.CutPrefix(location, "query."); ok {
		name, _, _ = strings.Cut(name, "[")
		return name
	}
	return strings.TrimPrefix(strings.TrimPrefix(location, "body."), "path.")
}
