package api

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"
)

// longPoll is how long one request waits for a run or a batch to become final;
// it is asked again until it is.
const longPoll = "30s"

// RunsQuery selects runs; an empty field selects all. Since and Until are times
// as an operator writes them, read in the daemon's zone.
type RunsQuery struct {
	Job, Pool, Batch, State string
	Since, Until            string
	Before                  int64 // only ids below: the next page
	Limit                   int   // of one page
}

// Runs lists one page of runs, newest first.
func (c *Client) Runs(ctx context.Context, q RunsQuery) ([]Run, error) {
	query := values("job", q.Job, "pool", q.Pool, "batch", q.Batch, "state", q.State,
		"since", q.Since, "until", q.Until, "before", number(q.Before), "limit", number(int64(q.Limit)))
	var list RunList
	err := c.get(ctx, "/runs", query, &list)
	return list.Runs, err
}

// EachRun calls do with the selected runs, newest first, at most limit of them;
// 0 is no limit. It fetches page by page, so that any number passes through.
func (c *Client) EachRun(ctx context.Context, q RunsQuery, limit int, do func(Run) error) error {
	for done := 0; ; {
		q.Limit = MaxPage
		if limit > 0 {
			q.Limit = min(MaxPage, limit-done)
		}
		page, err := c.Runs(ctx, q)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := do(r); err != nil {
				return err
			}
		}
		done += len(page)
		if len(page) < q.Limit || done == limit {
			return nil
		}
		q.Before = page[len(page)-1].ID
	}
}

// Failing lists the last failed run of every job that failed since then and
// has not succeeded since.
func (c *Client) Failing(ctx context.Context, since string) ([]Run, error) {
	var list RunList
	err := c.get(ctx, "/runs", values("failing", "true", "since", since), &list)
	return list.Runs, err
}

// Run returns a run and its attempts.
func (c *Client) Run(ctx context.Context, id int64) (RunDetail, error) {
	var r RunDetail
	err := c.get(ctx, runPath(id), nil, &r)
	return r, err
}

// WaitRun returns the run once it is final.
func (c *Client) WaitRun(ctx context.Context, id int64) (RunDetail, error) {
	for {
		var r RunDetail
		if err := c.get(ctx, runPath(id), values("wait", longPoll), &r); err != nil {
			return r, err
		}
		if r.Final() {
			return r, nil
		}
	}
}

// OutputQuery says which part of a run's output is wanted.
type OutputQuery struct {
	Attempt int  // 0: the last
	Lines   int  // the last so many; 0: all
	Follow  bool // go on until the run is final, through all its attempts
}

// Output returns the output of a run, as bytes came from it. The caller closes
// it.
func (c *Client) Output(ctx context.Context, id int64, q OutputQuery) (io.ReadCloser, error) {
	query := values("attempt", number(int64(q.Attempt)), "lines", number(int64(q.Lines)))
	if q.Follow {
		query.Set("follow", "true")
	}
	resp, err := c.send(ctx, http.MethodGet, runPath(id)+"/output", query, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Act does one thing to one run. Retry returns the new run.
func (c *Client) Act(ctx context.Context, do Action, id int64) (Run, error) {
	var r Run
	err := c.post(ctx, runPath(id)+"/"+string(do), nil, &r)
	return r, err
}

// ActAll does one thing to all selected runs.
func (c *Client) ActAll(ctx context.Context, do Action, sel Selection) (Acted, error) {
	var acted Acted
	err := c.post(ctx, "/runs/"+string(do), sel, &acted)
	return acted, err
}

// StartRun makes one run of a job.
func (c *Client) StartRun(ctx context.Context, job string, start Start) (Run, error) {
	var r Run
	err := c.post(ctx, "/jobs/"+segment(job)+"/run", start, &r)
	return r, err
}

// StartBatch makes one run of a job for each line. It reports whether the batch
// was there already, by its name.
func (c *Client) StartBatch(ctx context.Context, job string, start StartBatch) (b Batch, existing bool, err error) {
	if start.Lines == nil {
		start.Lines = []string{}
	}
	status, err := c.exchange(ctx, http.MethodPost, "/jobs/"+segment(job)+"/batch", nil, start, &b)
	return b, status == http.StatusOK, err
}

// Batch returns a batch. With a wait above zero the answer comes when the batch
// is done, or after that time.
func (c *Client) Batch(ctx context.Context, id string, wait time.Duration) (Batch, error) {
	var b Batch
	query := values()
	if wait > 0 {
		query.Set("wait", wait.String())
	}
	err := c.get(ctx, "/batches/"+segment(id), query, &b)
	return b, err
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
