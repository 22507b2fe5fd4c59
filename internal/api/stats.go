package api

import "context"

// JobStats are how the runs of a job went that were enqueued in a span of time
// and have ended.
type JobStats struct {
	Job       string `json:"job"`
	Runs      int    `json:"runs"`
	Succeeded int    `json:"succeeded"`
	Failed    int    `json:"failed"`
	Canceled  int    `json:"canceled"`
	Skipped   int    `json:"skipped"`
	Took      Spread `json:"took" doc:"The last attempts of those that succeeded or failed."`
	Waited    Spread `json:"waited" doc:"From when they were due until their last start."`
}

// Spread is how durations are spread: null where there are none.
type Spread struct {
	P50 *Duration `json:"p50" doc:"Half of them are not longer; exact for up to 1024, else at most 1/128 too large."`
	P95 *Duration `json:"p95" doc:"95 of 100 are not longer; as exact."`
	Max *Duration `json:"max"`
}

// StatsList is the statistics of jobs over a span.
type StatsList struct {
	Since *Time      `json:"since"`
	Until *Time      `json:"until"`
	Stats []JobStats `json:"stats" nullable:"false"`
}

// StatsQuery says which statistics are wanted: of the named jobs, or of all.
// Since and Until are times as an operator writes them, read in the daemon's
// zone; an empty Since is a day ago.
type StatsQuery struct {
	Jobs         []string
	Since, Until string
}

// Stats returns the statistics of jobs, by name.
func (c *Client) Stats(ctx context.Context, q StatsQuery) (StatsList, error) {
	query := values("since", q.Since, "until", q.Until)
	query["job"] = q.Jobs
	var list StatsList
	err := c.get(ctx, "/stats", query, &list)
	return list, err
}
