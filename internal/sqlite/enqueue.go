package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/run"
)

// Enqueue records the submissions, all of them or none, and is durable when it
// returns. What was there already by its key is returned as it is; a batch
// that was there is returned without its runs.
func (l *Ledger) Enqueue(ctx context.Context, subs []run.Submission, now time.Time) ([]run.Submitted, error) {
	var got []run.Submitted
	err := l.writer.do(ctx, "enqueue", mayRefuseLate(subs), func(t *tx) error {
		got = make([]run.Submitted, len(subs))
		for i := range subs {
			if err := t.submit(&subs[i], &got[i], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// mayRefuseLate says whether a refusal may come after something was written.
func mayRefuseLate(subs []run.Submission) bool {
	for i := range subs {
		if len(subs) > 1 || subs[i].Batch || subs[i].Len() > 1 {
			return true
		}
	}
	return false
}

func (t *tx) submit(sub *run.Submission, got *run.Submitted, now time.Time) error {
	if sub.Def == nil {
		return refuse(errors.New("a submission without a definition"))
	}
	s := submission{tx: t, sub: sub, got: got, now: now, placer: placer{tx: t}}
	var err error
	if s.def, err = t.definition(sub.Def); err != nil {
		return err
	}
	if sub.Batch {
		err = s.batch()
	} else {
		err = s.runs()
		got.Existing = err == nil && len(got.Runs) > 0 && s.existing == len(got.Runs)
	}
	if err != nil {
		return err
	}
	if sub.Watermark != nil {
		return t.setWatermark(sub.Def.Name, *sub.Watermark)
	}
	return nil
}

// submission is one Submission on its way into the ledger.
type submission struct {
	tx       *tx
	sub      *run.Submission
	got      *run.Submitted
	now      time.Time
	def      int64
	batchID  string
	existing int
	counted  batchRow
	verdicts map[string]verdict // of a batch: by argument
	placer   placer
}

// verdict is what the rule of overlap says about a run.
type verdict struct {
	admission run.Admission
	inWay     []int64 // runs that are active
}

func (s *submission) runs() error {
	most := s.sub.Len()
	if s.sub.Batch {
		most = min(most, run.MostSubmitted)
	}
	s.got.Runs = make([]run.Run, 0, most)
	for i := range s.sub.Len() {
		n := s.sub.At(i)
		r, err := s.one(&n)
		if err != nil {
			return err
		}
		if r.Batch == s.batchID {
			s.counted.Total++
			s.counted.move("", r.State)
		}
		if len(s.got.Runs) < most {
			s.got.Runs = append(s.got.Runs, r)
		} else {
			s.got.More = true
		}
	}
	return nil
}

// one records one run, or finds the one that has its key.
func (s *submission) one(n *run.New) (run.Run, error) {
	if n.Key != "" {
		if r, ok, err := s.tx.byKey(n.Key); err != nil || ok {
			s.existing++
			return r, err
		}
	}
	r := s.draft(n)
	if r.State == run.Queued {
		if err := s.admit(n, &r); err != nil {
			return r, err
		}
	}
	if r.State.Final() {
		r.FinishedAt, r.DueAt, r.ExpiresAt = s.now, time.Time{}, time.Time{}
	}
	if r.State == run.Skipped && s.batchID == "" {
		old, folded, known, err := s.tx.fold(n, &r)
		if err != nil || folded {
			if known {
				s.existing++
			}
			return old, err
		}
	}
	if r.State == run.Queued && due(&r) {
		on, err := s.placer.place(&r)
		if err != nil {
			return r, err
		}
		if on != "" {
			r.Waits, r.Reason = string(on), heldReason(on)
		}
	}
	if err := s.tx.insertRun(&r, s.def, n.Key); err != nil {
		return r, err
	}
	s.tx.noteEnd(&r, r.State, r.FinishedAt)
	return r, nil
}

// draft is the run as it is asked for.
func (s *submission) draft(n *run.New) run.Run {
	def := s.sub.Def
	r := run.Run{
		Job: def.Name, Pool: def.Pool, Type: def.Type, Def: def, Slots: def.Slots,
		State: n.State, Reason: n.Reason, Error: n.Error, Trigger: n.Trigger,
		Arg: n.Arg, Batch: s.batchID, Priority: n.Priority, Parent: n.Parent,
		Exclusive: run.Exclusive(n.Overlap), EnqueuedAt: s.now.UTC(),
		ScheduledAt: n.ScheduledAt.UTC(), DueAt: n.DueAt.UTC(), ExpiresAt: n.ExpiresAt.UTC(),
		Count: max(1, n.Count), Until: n.Until.UTC(),
	}
	if r.State == "" {
		r.State = run.Queued
	}
	if r.DueAt.IsZero() {
		r.DueAt = r.EnqueuedAt
	}
	return r
}

// admit applies the rules of overlap and of the queue's limit: the run stays
// queued, becomes skipped, or is refused.
func (s *submission) admit(n *run.New, r *run.Run) error {
	v, err := s.verdict(n)
	if err != nil {
		return err
	}
	switch v.admission {
	case run.Reject:
		if s.sub.Refuse {
			return refuse(&run.ConflictError{Job: r.Job, Run: v.inWay[0]})
		}
		r.State, r.Reason = run.Skipped, run.ReasonOverlap
		r.Error = run.InTheWayError(v.inWay[0])
		return nil
	case run.AdmitReplace:
		s.got.Replace = append(s.got.Replace, v.inWay...)
	}
	if limit := s.sub.QueueLimit; limit > 0 && s.tx.queued(r.Pool) >= limit {
		if s.sub.Refuse {
			return refuse(fmt.Errorf("pool %q has %d runs waiting: %w", r.Pool, s.tx.queued(r.Pool), run.ErrQueueFull))
		}
		r.State, r.Reason = run.Skipped, run.ReasonQueueFull
	}
	return nil
}

// verdict applies the rule of overlap. Lines of one batch never conflict: what
// was there before the first line with an argument decides for all of them.
func (s *submission) verdict(n *run.New) (verdict, error) {
	switch n.Overlap {
	case jobs.OverlapAllow, jobs.OverlapQueueAll, "":
		return verdict{}, nil
	}
	if v, ok := s.verdicts[n.Arg]; ok {
		if v.admission == run.AdmitReplace {
			v.inWay = nil // named with the first line
		}
		return v, nil
	}
	v, err := s.tx.overlap(n.Overlap, s.sub.Def.Name, n.Arg)
	if err == nil && s.batchID != "" {
		if s.verdicts == nil {
			s.verdicts = map[string]verdict{}
		}
		s.verdicts[n.Arg] = v
	}
	return v, err
}

// overlap looks at the active runs of the job and argument. It reads no more of
// them than the rule needs.
func (t *tx) overlap(rule jobs.Overlap, job, arg string) (verdict, error) {
	query := `SELECT id, state FROM runs INDEXED BY runs_active
		WHERE job = ? AND arg IS ? AND finished_at IS NULL`
	switch rule {
	case jobs.OverlapSkip:
		query += " LIMIT 1"
	case jobs.OverlapQueue:
		query += " AND state = 'queued' LIMIT 1"
	}
	var queued, running int
	var v verdict
	err := t.query(query, []any{job, arg}, func(col []driver.Value) error {
		if run.State(text(col[1])) == run.Queued {
			queued++
		} else {
			running++
		}
		v.inWay = append(v.inWay, number(col[0]))
		return nil
	})
	if err != nil {
		return verdict{}, fmt.Errorf("look for an overlap: %w", err)
	}
	v.admission = run.AdmitBy(rule, queued, running)
	return v, nil
}
