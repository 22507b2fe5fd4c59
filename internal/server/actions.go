package server

import (
	"context"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/run"
)

// cancelers is how many runs are canceled at a time: together they share the
// ledger's commits.
const cancelers = 1000

// action is one thing done to runs.
type action struct {
	name  api.Action
	about string
	do    func(ctx context.Context, id int64) (api.Run, error)
	many  func(ctx context.Context, ids []int64) []error // does it to many at once; nil: one after the other, in order
	takes []run.State                                    // the states it acts on
	means []run.State                                    // those of a selection that names none
	// newestFirst is the order of a selection.
	newestFirst bool
}

func (s *Server) actions() []action {
	active, queued := []run.State{run.Queued, run.Running}, []run.State{run.Queued}
	final := []run.State{run.Succeeded, run.Failed, run.Canceled, run.Skipped}
	do := s.backend.Actions
	return []action{
		{name: api.Cancel, about: "End a run", do: do.Cancel, many: do.CancelAll, takes: active, means: active},
		{
			name: api.Retry, about: "Make a new run of a final one", do: do.Retry,
			takes: final, means: []run.State{run.Failed, run.Canceled},
		},
		// The last one bumped is in front: newest first leaves the oldest there.
		{
			name: api.Bump, about: "Move a queued run to the head of its pool's queue", do: do.Bump,
			newestFirst: true, takes: queued, means: queued,
		},
	}
}

func (s *Server) actionRoutes(routes huma.API) {
	for _, a := range s.actions() {
		one := post(string(a.name)+"-run", "/runs/{id}/"+string(a.name), a.about)
		handle(s, routes, one, func(ctx context.Context, in *ByID) (*answer[api.Run], error) {
			return reply(a.do(ctx, in.ID))
		})
		all := post(string(a.name)+"-runs", "/runs/"+string(a.name), a.about+", of all selected")
		handle(s, routes, all, func(ctx context.Context, in *selectionInput) (*answer[api.Acted], error) {
			return reply(s.actAll(ctx, a, in.Body))
		})
	}
}

type selectionInput struct {
	Body api.Selection
}

// actAll does the action to what is selected. What cannot be done to one run
// is reported and does not keep the others from it.
func (s *Server) actAll(ctx context.Context, a action, sel api.Selection) (api.Acted, error) {
	ids, err := s.selected(ctx, a, sel)
	if err != nil {
		return api.Acted{}, err
	}
	acted := api.Acted{Runs: []api.Run{}, Refused: []api.Refused{}}
	if len(ids) > 0 && sel.Limit > 0 && len(ids) >= sel.Limit {
		acted.Next = slices.Min(ids)
	}
	if sel.DryRun {
		acted.Count = len(ids)
		return acted, nil
	}
	if a.many == nil {
		for _, id := range ids {
			r, err := a.do(ctx, id)
			note(&acted, id, err, func() (api.Run, error) { return r, nil })
		}
		return acted, ctx.Err()
	}
	for step := range slices.Chunk(ids, cancelers) {
		for i, err := range a.many(ctx, step) {
			note(&acted, step[i], err, func() (api.Run, error) {
				r, err := s.backend.Runs.Run(ctx, step[i])
				return r.Run, err
			})
		}
		if ctx.Err() != nil {
			break
		}
	}
	slices.SortFunc(acted.Runs, func(x, y api.Run) int { return int(x.ID - y.ID) })
	return acted, ctx.Err()
}

// note takes down what became of one run, which is read where it is to be shown.
func note(acted *api.Acted, id int64, err error, read func() (api.Run, error)) {
	if err != nil {
		p := problemOf(err)
		acted.Refused = append(acted.Refused, api.Refused{ID: id, Code: p.Code, Detail: p.Detail})
		return
	}
	acted.Count++
	if len(acted.Runs) >= api.MaxPage {
		return
	}
	if r, err := read(); err == nil {
		acted.Runs = append(acted.Runs, r)
	}
}

// selected lists the ids that a selection means, in the action's order.
func (s *Server) selected(ctx context.Context, a action, sel api.Selection) ([]int64, error) {
	filtered := sel.Batch != "" || sel.Job != "" || sel.Pool != "" || sel.State != ""
	switch {
	case len(sel.IDs) > 0 && filtered:
		return nil, Invalid("a selection is by ids or by batch, job, pool and state, not both", "")
	case len(sel.IDs) > 0:
		return sel.IDs, nil
	case !filtered:
		return nil, Invalid("nothing is selected", "name runs, or a batch, job, pool or state")
	}
	f := run.Filter{Batch: sel.Batch, Job: sel.Job, Pool: sel.Pool, States: states(sel.State), Limit: api.MaxPage, Before: sel.Before}
	if f.States == nil {
		f.States = a.means
	}
	if !slices.Contains(a.takes, f.States[0]) {
		return nil, Invalid(fmt.Sprintf("%s is for runs that are %s, not %s", a.name, words(a.takes), sel.State), "")
	}
	if err := s.checkNames(ctx, sel.Job, sel.Pool, sel.Batch); err != nil {
		return nil, err
	}
	ids, err := s.pages(ctx, f, sel.Limit)
	if !a.newestFirst {
		slices.Reverse(ids)
	}
	return ids, err
}

// pages lists the ids of all runs that the filter lets through, or at most so
// many, newest first.
func (s *Server) pages(ctx context.Context, f run.Filter, most int) ([]int64, error) {
	var ids []int64
	for {
		if most > 0 {
			f.Limit = min(api.MaxPage, most-len(ids))
		}
		page, err := s.backend.Runs.Runs(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range page {
			ids = append(ids, page[i].ID)
		}
		if len(page) < f.Limit || len(ids) == most {
			return ids, nil
		}
		f.Before = page[len(page)-1].ID
	}
}

// words joins states for a sentence.
func words(list []run.State) string {
	text := string(list[0])
	for i, state := range list[1:] {
		if i == len(list)-2 {
			text += " or " + string(state)
		} else {
			text += ", " + string(state)
		}
	}
	return text
}
