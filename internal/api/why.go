package api

import (
	"context"
	"net/url"
	"strconv"
)

// Why tells what became of the due moments of a job.
type Why struct {
	Job      string      `json:"job"`
	Schedule []string    `json:"schedule" nullable:"false"`
	TimeZone string      `json:"time_zone" doc:"In which the sentences tell times."`
	From     *Time       `json:"from" doc:"Of the span that was asked for, inclusive."`
	Until    *Time       `json:"until" doc:"Exclusive."`
	Moments  []WhyMoment `json:"moments" nullable:"false" doc:"In order of time."`
	More     bool        `json:"more" doc:"There are earlier ones in the span."`
	LeftOut  int         `json:"left_out" doc:"How many, as far as the schedule tells."`
	Next     *WhyMoment  `json:"next" doc:"The next moment, where the span has no end."`
	Notes    []string    `json:"notes" nullable:"false" doc:"What else happened, or why there is nothing to tell."`
}

// WhyMoment is a due moment, and what became of it.
type WhyMoment struct {
	At       ZonedTime `json:"at"`
	Mark     string    `json:"mark" enum:",dst_gap,dst_fold"`
	Outcome  string    `json:"outcome" enum:"queued,running,succeeded,failed,canceled,skipped,future,pending,before,unnamed,unknown"`
	Reason   *string   `json:"reason" doc:"Of the run."`
	Run      *int64    `json:"run" doc:"The run, or the skipped row that stands for the moment."`
	Count    *int      `json:"count" doc:"How many moments that row stands for, if several."`
	Until    *Time     `json:"until" doc:"The last of these moments."`
	Sentence string    `json:"sentence"`
	Look     string    `json:"look" doc:"The command that shows more."`
}

// WhyQuery selects moments: one, or those of a span. Zero values select the
// latest.
type WhyQuery struct {
	At, Since, Until string
	Limit            int
}

// Why returns what became of the due moments of a job.
func (c *Client) Why(ctx context.Context, job string, q WhyQuery) (Why, error) {
	query := url.Values{}
	for name, value := range map[string]string{"at": q.At, "since": q.Since, "until": q.Until} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	var w Why
	err := c.get(ctx, "/jobs/"+segment(job)+"/why", query, &w)
	return w, err
}
