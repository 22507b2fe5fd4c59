package sqlite

import (
	"fmt"
	"strconv"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// follow sets off the jobs that follow this one: once for a run, or once for a
// batch when its last line has ended.
func (f *finish) follow() error {
	e := f.e
	state, key, arg := e.Next.State, strconv.FormatInt(e.Run.ID, 10), e.Run.Arg
	if id := e.Run.Batch; id != "" {
		b, err := f.tx.loadBatch(id)
		if err != nil {
			return err
		}
		if !b.Done() {
			return nil
		}
		f.ended.BatchEnd = id
		state, key, arg = b.Result(), "batch:"+id, ""
	}
	for i := range e.Follow {
		next := &e.Follow[i]
		if next.Def == nil || !run.Fires(next.Def.After, e.Run.Job, state) {
			continue
		}
		fires, err := f.tx.sees(next.Def, e.Run.Job)
		if err != nil {
			return err
		}
		if fires {
			if err := f.fire(next, "after:"+next.Def.Name+":"+key, arg); err != nil {
				return fmt.Errorf("set off job %q: %w", next.Def.Name, err)
			}
		}
	}
	return nil
}

// sees notes that the upstream job has ended as the job wants it, and says
// whether that sets the job off: at once, or with match: all when every
// upstream job has since the last time.
func (t *tx) sees(def *jobs.Definition, upstream string) (bool, error) {
	names := def.After.Upstream()
	if def.After.Match != jobs.MatchAll || len(names) < 2 {
		return true, nil
	}
	err := t.exec("INSERT INTO after_seen (job, upstream) VALUES (?, ?) ON CONFLICT DO NOTHING", def.Name, upstream)
	if err != nil {
		return false, fmt.Errorf("note the end of job %q: %w", upstream, err)
	}
	for _, name := range names {
		seen, err := pick(t, number,
			"SELECT count(*) FROM after_seen WHERE job = ? AND upstream = ?", def.Name, name)
		if err != nil || seen == 0 {
			return false, err
		}
	}
	return true, t.exec("DELETE FROM after_seen WHERE job = ?", def.Name)
}

// fire records the run of a job that follows, by the same rules as any other
// run; nobody waits for an answer, so what they forbid is skipped.
func (f *finish) fire(next *run.Follow, key, arg string) error {
	n := next.New
	n.Key, n.Arg, n.Parent, n.Trigger = key, arg, f.e.Run.ID, run.TriggerAfter
	if n.State == "" {
		n.State = run.Queued
	}
	if next.Skip != "" {
		n.State, n.Reason = run.Skipped, next.Skip
	}
	sub := run.Submission{Def: next.Def, Runs: []run.New{n}, QueueLimit: next.QueueLimit}
	var got run.Submitted
	if err := f.tx.submit(&sub, &got, f.e.Finished); err != nil {
		return err
	}
	f.ended.Replace = append(f.ended.Replace, got.Replace...)
	if got.Existing {
		return nil
	}
	for _, r := range got.Runs {
		switch {
		case r.State != run.Queued || r.Waits != "":
		case !r.DueAt.After(r.EnqueuedAt):
			f.ended.Ready = append(f.ended.Ready, r)
		case f.ended.NextDue.IsZero() || r.DueAt.Before(f.ended.NextDue):
			f.ended.NextDue = r.DueAt
		}
	}
	return nil
}
