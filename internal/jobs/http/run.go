package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"strconv"
	"strings"
	"time"

	"github.com/poold/poold/internal/jobs"
)

// Run executes one attempt.
func (h *Type) Run(ctx context.Context, t jobs.Task) jobs.Outcome {
	s, err := decode(t.With)
	if err != nil {
		return notStarted(err)
	}
	if problems := s.check(); len(problems) > 0 {
		return notStarted(fmt.Errorf("settings: %s", problems[0].Message))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := h.newCall(ctx, &s, t)
	if err != nil {
		return notStarted(err)
	}
	client := nethttp.Client{Transport: h.transport(c.socket), CheckRedirect: c.guard.check}
	began := time.Now()
	resp, err := client.Do(c.req)
	if err != nil {
		return c.failed(ctx, err)
	}
	out := &sink{w: t.Output}
	err = c.receive(resp, out, time.Since(began), s.maxBody(), cancel)
	if out.err != nil {
		h.log.Warn("the answer to a request could not be kept", "job", t.Job, "run", t.Run, "attempt", t.Attempt, "err", out.err)
	}
	return c.outcome(ctx, &s, resp, err)
}

func notStarted(err error) jobs.Outcome {
	return jobs.Outcome{Reason: "start", Error: err.Error()}
}

// outcome judges an answer. An unexpected status says more than a body that
// then broke off.
func (c *call) outcome(ctx context.Context, s *Settings, resp *nethttp.Response, err error) jobs.Outcome {
	if !s.expects(resp.StatusCode) {
		out := jobs.Outcome{Reason: "http", NoRetry: !mayPass(resp.StatusCode)}
		out.Error = fmt.Sprintf("%s: %s, expected %s", c.route(resp), c.reader.Mask(resp.Status), s.expectedText())
		if !out.NoRetry {
			out.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
		}
		return out
	}
	if err != nil {
		return c.failed(ctx, fmt.Errorf("the answer broke off: %w", err))
	}
	return jobs.Outcome{OK: true}
}

// route is what was asked for, and where that led.
func (c *call) route(resp *nethttp.Response) string {
	if resp.Request == nil || resp.Request == c.req {
		return c.shown
	}
	return c.shown + " -> " + c.showURL(resp.Request.URL)
}

// mayPass says whether another attempt may meet another status.
func mayPass(status int) bool {
	return status == nethttp.StatusRequestTimeout || status == nethttp.StatusTooManyRequests || status >= 500
}

// maxRetryAfter bounds how long a server may put us off.
const maxRetryAfter = time.Hour

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		if seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return max(0, time.Duration(seconds)*time.Second)
	}
	date, err := nethttp.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(0, date.Sub(now)), maxRetryAfter)
}

// What lies beyond max_body is read and dropped within these bounds, so that
// the connection can be used again; past them, it is closed instead.
const (
	drainBytes = 256 << 10
	drainTime  = 500 * time.Millisecond
)

// receive writes the head and the beginning of the answer to out. It returns
// the error of reading the answer; those of writing stay in out.
func (c *call) receive(resp *nethttp.Response, out *sink, took time.Duration, keep int64, cancel func()) error {
	defer resp.Body.Close()
	masked := c.reader.Writer(out)
	fmt.Fprint(masked, c.head(resp, took))
	_, err := io.Copy(masked, io.LimitReader(resp.Body, keep))
	masked.Flush() // out remembers its error
	if err != nil {
		return err
	}
	defer time.AfterFunc(drainTime, cancel).Stop()
	dropped, err := io.CopyN(io.Discard, resp.Body, drainBytes)
	switch {
	case dropped > 0 && errors.Is(err, io.EOF):
		fmt.Fprintf(out, "\n[… %d bytes dropped: max_body is %v …]\n", dropped, jobs.Size(keep))
	case dropped > 0 || !errors.Is(err, io.EOF):
		fmt.Fprintf(out, "\n[… the rest dropped: max_body is %v …]\n", jobs.Size(keep))
	}
	return nil
}

// head is what stands in front of the body.
func (c *call) head(resp *nethttp.Response, took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", resp.Proto, resp.Status)
	if resp.ContentLength >= 0 {
		fmt.Fprintf(&b, ", %d bytes", resp.ContentLength)
	}
	fmt.Fprintf(&b, ", %v\n", took.Round(time.Millisecond))
	if resp.Request != nil && resp.Request != c.req {
		fmt.Fprintf(&b, "from %s\n", c.showURL(resp.Request.URL))
	}
	b.WriteByte('\n')
	return b.String()
}

// sink remembers the first error of an output and takes the rest in silence:
// a request has done its work even where its answer cannot be kept.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.err == nil {
		_, s.err = s.w.Write(p)
	}
	return len(p), nil
}
