package sqlite

import (
	"fmt"
	"time"

	"github.com/poold/poold/internal/run"
)

// Finish records the end of an attempt, or of a run that never started, with
// all that follows from it, and calls done when it is durable. A run that is
// not in the state End.From gives run.ErrStale, so that repeating a call does
// no harm; so does one that is to end without a start, and has been started
// since it was read. Ended.Ready names the run itself too, where it is queued
// again and ready at once.
func (l *Ledger) Finish(e run.End, done func(run.Ended, error)) {
	var ended run.Ended
	l.writer.submit(&op{
		what: "finish",
		done: func(err error) {
			if err != nil {
				ended = run.Ended{}
			}
			done(ended, err)
		},
		apply: func(t *tx) error {
			f := finish{tx: t, e: &e}
			err := f.record()
			ended = f.ended
			return err
		},
	})
}

// finish is one End on its way into the ledger.
type finish struct {
	tx    *tx
	e     *run.End
	ended run.Ended
}

func (f *finish) record() error {
	e, t := f.e, f.tx
	pool, err := t.poolOf(e.Run)
	if err != nil {
		return err
	}
	onItsWay, err := f.onItsWay()
	if err != nil {
		return err
	}
	switch {
	case e.Next.State.Final():
		err = f.final()
	case e.Next.State == run.Queued:
		err = f.again()
	default:
		return refuse(fmt.Errorf("run %d cannot end as %q", e.Run.ID, e.Next.State))
	}
	if err != nil {
		return err
	}
	t.noteEnd(e.Run, e.Next.State, e.Finished)
	t.count(pool, delta(e.Next.State, e.From, run.Queued), delta(e.Next.State, e.From, run.Running))
	if err := t.moveLine(e.Run.Batch, e.From, e.Next.State, e.Finished, f.busy()); err != nil {
		return err
	}
	if onItsWay {
		if err := f.wake(); err != nil {
			return err
		}
	}
	if !e.Next.State.Final() {
		return nil
	}
	return f.follow()
}

// onItsWay says whether the run held something or was about to ask for it. One
// that was held back has passed that on already.
func (f *finish) onItsWay() (bool, error) {
	if f.e.From != run.Queued || len(f.e.Release) == 0 {
		return true, nil
	}
	ready, err := pick(f.tx, number, "SELECT ready FROM runs WHERE id = ?", f.e.Run.ID)
	if err != nil {
		return false, fmt.Errorf("read run %d: %w", f.e.Run.ID, err)
	}
	return ready == 1, nil
}

// delta is by how much a move from one state to another changes the number of
// runs in the state s.
func delta(to, from, s run.State) int {
	n := 0
	if to == s {
		n++
	}
	if from == s {
		n--
	}
	return n
}

func (f *finish) busy() time.Duration {
	if a := f.e.Attempt; a != nil && a.FinishedAt.After(a.StartedAt) {
		return a.FinishedAt.Sub(a.StartedAt)
	}
	return 0
}

// final records that nothing more becomes of the run. Its last attempt is kept
// on the run's own row.
func (f *finish) final() error {
	e := f.e
	if e.Attempt == nil {
		const query = `UPDATE runs SET state = ?, reason = ?, ready = NULL, waits = NULL, finished_at = ?, error = ?
			WHERE id = ? AND state = ? AND attempts = ?`
		return f.update(query, string(e.Next.State), string(e.Next.Reason), e.Finished, e.Next.Error,
			e.Run.ID, string(e.From), e.Run.Attempts)
	}
	a := e.Attempt
	if !f.onRow() {
		const query = `UPDATE runs SET state = ?, reason = ?, ready = NULL, waits = NULL, finished_at = ?, error = ?,
			exit_code = ?, signal = ?, output_bytes = ? WHERE id = ? AND state = ?`
		err := f.update(query, string(e.Next.State), string(e.Next.Reason), e.Finished, e.Next.Error,
			a.ExitCode, a.Signal, optionalID(a.OutputBytes), e.Run.ID, string(e.From))
		if err != nil {
			return err
		}
		return f.addAttempt()
	}
	if e.Next.State == run.Succeeded && a.Signal == "" && e.Next.Error == "" && e.Next.Reason == "" {
		const query = `UPDATE runs SET state = 'succeeded', finished_at = ?, outcome = ?, worker = ?, exit_code = ?,
			output_bytes = ? WHERE id = ? AND state = 'running'`
		return f.update(query, e.Finished, plain(a.Outcome), a.Worker, a.ExitCode, optionalID(a.OutputBytes), e.Run.ID)
	}
	const query = `UPDATE runs SET state = ?, reason = ?, finished_at = ?, error = ?, outcome = ?, worker = ?,
		exit_code = ?, signal = ?, output_bytes = ? WHERE id = ? AND state = ?`
	return f.update(query, string(e.Next.State), string(e.Next.Reason), e.Finished, e.Next.Error,
		plain(a.Outcome), a.Worker, a.ExitCode, a.Signal, optionalID(a.OutputBytes), e.Run.ID, string(e.From))
}

// onRow says whether the run's row can hold all that is known of the attempt:
// it always can unless the caller's own record of the start differs.
func (f *finish) onRow() bool {
	e := f.e
	a := e.Attempt
	return e.From == run.Running && a.Number == e.Run.Attempts && a.Error == e.Next.Error &&
		a.StartedAt.Equal(e.Run.StartedAt) && a.FinishedAt.Equal(e.Finished)
}

func (f *finish) update(query string, args ...any) error {
	n, err := f.tx.change(query, args...)
	if err != nil {
		return fmt.Errorf("run %d: %w", f.e.Run.ID, err)
	}
	if n == 0 {
		return stale(f.e.Run.ID, "end")
	}
	return nil
}

// again queues the run once more. Its attempt goes into the table of attempts.
func (f *finish) again() error {
	e := f.e
	due := e.Next.DueAt
	if due.IsZero() {
		due = e.Finished
	}
	ready, refund := 1, 0
	if due.After(e.Finished) {
		ready, f.ended.NextDue = 0, due
	}
	if e.Next.Refund {
		refund = 1
	}
	var exitCode *int
	var signal string
	if e.Attempt != nil {
		exitCode, signal = e.Attempt.ExitCode, e.Attempt.Signal
	}
	const query = `UPDATE runs SET state = 'queued', reason = ?, ready = ?, waits = NULL, due_at = ?,
		tries = max(0, tries - ?), error = ?, exit_code = ?, signal = ?, outcome = NULL, worker = NULL, output_bytes = NULL
		WHERE id = ? AND state = ?`
	err := f.update(query, string(e.Next.Reason), ready, due, refund, e.Next.Error, exitCode, signal,
		e.Run.ID, string(e.From))
	if err != nil {
		return err
	}
	if err := f.addAttempt(); err != nil || ready == 0 {
		return err
	}
	again, err := f.tx.placeReady(e.Run.ID)
	f.ended.Ready = append(f.ended.Ready, again...)
	return err
}

func (f *finish) addAttempt() error {
	a := f.e.Attempt
	if a == nil {
		return nil
	}
	err := f.tx.exec(`INSERT INTO attempts (run, number, worker, started_at, finished_at, outcome, exit_code, signal,
		error, output_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		f.e.Run.ID, a.Number, a.Worker, a.StartedAt, a.FinishedAt, a.Outcome, a.ExitCode, a.Signal, a.Error,
		optionalID(a.OutputBytes))
	if err != nil {
		return fmt.Errorf("add attempt %d of run %d: %w", a.Number, f.e.Run.ID, err)
	}
	return nil
}

// wake makes those ready who may have what the run held, or might have taken.
func (f *finish) wake() error {
	for _, res := range f.e.Release {
		woken, err := f.tx.wakeOne(res)
		if err != nil {
			return err
		}
		f.ended.Ready = append(f.ended.Ready, woken...)
	}
	return nil
}
