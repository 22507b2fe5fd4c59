package sqlite

import (
	"fmt"
	"time"

	"github.com/poold/poold/internal/run"
)

// latest is how a job's runs ended last, as far as one transaction knows.
type latest struct {
	success, failure      int64
	succeededAt, failedAt time.Time
	failing               bool // the failure was recorded after the success
}

// jobEnd is a success or a failure of a job.
type jobEnd struct {
	job   string
	run   int64
	state run.State
	at    time.Time
}

// noteEnd remembers a success or a failure; the transaction writes it at its
// end, once for each job.
func (t *tx) noteEnd(r *run.Run, state run.State, at time.Time) {
	if state == run.Succeeded || state == run.Failed {
		t.ended = append(t.ended, jobEnd{r.Job, r.ID, state, at})
	}
}

// gatherEnds keeps what the operations so far have noted.
func (t *tx) gatherEnds() {
	for _, e := range t.ended {
		if t.ends == nil {
			t.ends = map[string]latest{}
		}
		last := t.ends[e.job]
		if last.failing = e.state == run.Failed; last.failing {
			last.failure, last.failedAt = e.run, e.at
		} else {
			last.success, last.succeededAt = e.run, e.at
		}
		t.ends[e.job] = last
	}
	t.ended = t.ended[:0]
}

func (t *tx) storeEnds() error {
	const query = `INSERT INTO latest (job, success, success_at, failure, failure_at, failing) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (job) DO UPDATE SET
			success = coalesce(excluded.success, success), success_at = coalesce(excluded.success_at, success_at),
			failure = coalesce(excluded.failure, failure), failure_at = coalesce(excluded.failure_at, failure_at),
			failing = excluded.failing`
	for job, last := range t.ends {
		failing := 0
		if last.failing {
			failing = 1
		}
		err := t.exec(query, job, optionalID(last.success), last.succeededAt, optionalID(last.failure), last.failedAt, failing)
		if err != nil {
			return fmt.Errorf("note the last end of job %q: %w", job, err)
		}
	}
	return nil
}
