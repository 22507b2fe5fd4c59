package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Jobs lists the jobs by name.
func (c *Client) Jobs(ctx context.Context) ([]Job, error) {
	var list JobList
	err := c.get(ctx, "/jobs", nil, &list)
	return list.Jobs, err
}

// Job returns a job.
func (c *Client) Job(ctx context.Context, name string) (Job, error) {
	var j Job
	err := c.get(ctx, "/jobs/"+segment(name), nil, &j)
	return j, err
}

// Definition returns the effective definition of a job.
func (c *Client) Definition(ctx context.Context, name string) (Definition, error) {
	var d Definition
	err := c.get(ctx, "/jobs/"+segment(name)+"/definition", nil, &d)
	return d, err
}

// PauseJob lets no more runs of the job start.
func (c *Client) PauseJob(ctx context.Context, name string, hold Hold) (Job, error) {
	return c.job(ctx, name, "pause", hold)
}

// ResumeJob ends a pause.
func (c *Client) ResumeJob(ctx context.Context, name string) (Job, error) {
	return c.job(ctx, name, "resume", nil)
}

func (c *Client) job(ctx context.Context, name, verb string, body any) (Job, error) {
	var j Job
	err := c.post(ctx, "/jobs/"+segment(name)+"/"+verb, body, &j)
	return j, err
}

// OccurrencesQuery selects coming occurrences, of all jobs if none is named.
// From is inclusive, Until exclusive; a Count of 0 is the daemon's default.
type OccurrencesQuery struct {
	Jobs        []string
	From, Until string
	Count       int
}

// Occurrences lists coming occurrences in order.
func (c *Client) Occurrences(ctx context.Context, q OccurrencesQuery) ([]Occurrence, error) {
	query := url.Values{"job": q.Jobs}
	if q.From != "" {
		query.Set("from", q.From)
	}
	if q.Until != "" {
		query.Set("until", q.Until)
	}
	if q.Count > 0 {
		query.Set("count", strconv.Itoa(q.Count))
	}
	var list OccurrenceList
	err := c.get(ctx, "/occurrences", query, &list)
	return list.Occurrences, err
}

// Pools lists the pools by name.
func (c *Client) Pools(ctx context.Context) ([]Pool, error) {
	var list PoolList
	err := c.get(ctx, "/pools", nil, &list)
	return list.Pools, err
}

// Pool returns a pool.
func (c *Client) Pool(ctx context.Context, name string) (Pool, error) {
	var p Pool
	err := c.get(ctx, "/pools/"+segment(name), nil, &p)
	return p, err
}

// ResizePool sets the size of a pool by hand, or takes that back.
func (c *Client) ResizePool(ctx context.Context, name string, r Resize) (Pool, error) {
	var p Pool
	err := c.do(ctx, http.MethodPatch, "/pools/"+segment(name), nil, r.body(), &p)
	return p, err
}

// PausePool lets no more runs start in the pool.
func (c *Client) PausePool(ctx context.Context, name string, hold Hold) (Pool, error) {
	return c.pool(ctx, name, "pause", hold)
}

// DrainPool pauses the pool and lets what runs end.
func (c *Client) DrainPool(ctx context.Context, name string, hold Hold) (Pool, error) {
	return c.pool(ctx, name, "drain", hold)
}

// ResumePool ends a pause or a drain.
func (c *Client) ResumePool(ctx context.Context, name string) (Pool, error) {
	return c.pool(ctx, name, "resume", nil)
}

func (c *Client) pool(ctx context.Context, name, verb string, body any) (Pool, error) {
	var p Pool
	err := c.post(ctx, "/pools/"+segment(name)+"/"+verb, body, &p)
	return p, err
}

// Status returns the daemon at a glance.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.get(ctx, "/status", nil, &s)
	return s, err
}

// Inspect looks closely at one job, pool or run. A name that both a job and a
// pool have is the job's, unless written as pool/NAME.
func (c *Client) Inspect(ctx context.Context, name string) (Subject, error) {
	var s Subject
	err := c.get(ctx, "/status", values("of", name), &s)
	return s, err
}

// PauseAll lets nothing more start on the host.
func (c *Client) PauseAll(ctx context.Context, hold Hold) (Status, error) {
	return c.all(ctx, "pause", hold)
}

// DrainAll pauses the host and lets what runs end.
func (c *Client) DrainAll(ctx context.Context, hold Hold) (Status, error) {
	return c.all(ctx, "drain", hold)
}

// ResumeAll ends the pause or drain of the host. Pools and jobs paused by
// themselves stay so.
func (c *Client) ResumeAll(ctx context.Context) (Status, error) {
	return c.all(ctx, "resume", nil)
}

func (c *Client) all(ctx context.Context, verb string, body any) (Status, error) {
	var s Status
	err := c.post(ctx, "/"+verb, body, &s)
	return s, err
}

// Reload loads the configuration anew, or only says what that would change.
func (c *Client) Reload(ctx context.Context, dryRun bool) (Reload, error) {
	query := url.Values{}
	if dryRun {
		query.Set("dry_run", "true")
	}
	var r Reload
	err := c.do(ctx, http.MethodPost, "/reload", query, nil, &r)
	return r, err
}
