package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/poold/poold/internal/api"
)

type outputInput struct {
	ByID
	Attempt int  `query:"attempt" minimum:"0" doc:"Counted from 1; without it the last."`
	Lines   int  `query:"lines" minimum:"0" maximum:"1000000" doc:"The last so many; without it all."`
	Follow  bool `query:"follow" doc:"Go on until the run is final, through all its attempts, or until the given attempt ends."`
}

// getOutput opens the output before it answers, so that what goes wrong then
// is a problem and not an answer cut short.
func (s *Server) getOutput(ctx context.Context, in *outputInput) (*huma.StreamResponse, error) {
	r, err := s.backend.Runs.Run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Attempt > r.Attempts {
		return nil, &Error{
			Code: api.CodeNotFound, Detail: fmt.Sprintf("run %d has no attempt %d", in.ID, in.Attempt),
			Hint: fmt.Sprintf("it was started %d times", r.Attempts),
		}
	}
	if in.Follow {
		return &huma.StreamResponse{Body: func(hc huma.Context) { s.follow(hc, in, r.Attempts) }}, nil
	}
	if in.Attempt == 0 {
		in.Attempt = r.Attempts
	}
	var source io.ReadCloser = http.NoBody
	if in.Attempt > 0 {
		source, err = s.backend.Runs.Output(ctx, in.ID, OutputRequest{Attempt: in.Attempt, Lines: in.Lines})
	}
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer source.Close()
		s.pour(streamTo(hc), source)
	}}, nil
}

// follow writes one attempt until it ends, or attempt after attempt until the
// run is final. When the server stops in between, the answer is cut off, so
// that nobody takes what came for all there is.
func (s *Server) follow(hc huma.Context, in *outputInput, started int) {
	w := streamTo(hc)
	ctx, stop := s.waiting(hc.Context(), 0)
	defer stop()
	next := max(in.Attempt, started, 1)
	if in.Attempt > 0 {
		next = in.Attempt
	}
	for lines := in.Lines; ; lines = 0 {
		r, err := s.awaitRun(ctx, ctx, in.ID, func(r *api.RunDetail) bool { return r.Attempts >= next || r.Final() })
		if err != nil {
			s.cutOff(in.ID, err)
		}
		if r.Attempts < next && r.Final() {
			return
		}
		s.pourAttempt(ctx, w, in.ID, OutputRequest{Attempt: next, Lines: lines, Follow: true})
		if err := context.Cause(ctx); err != nil {
			s.cutOff(in.ID, err)
		}
		if in.Attempt > 0 {
			return
		}
		next++
	}
}

func (s *Server) pourAttempt(ctx context.Context, w *stream, id int64, o OutputRequest) {
	source, err := s.backend.Runs.Output(ctx, id, o)
	if err != nil {
		s.cutOff(id, err)
	}
	defer source.Close()
	s.pour(w, source)
}

// pour copies the source, each piece as it comes.
func (s *Server) pour(w *stream, source io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := source.Read(buf)
		if n > 0 {
			w.write(buf[:n])
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			s.cutOff(0, err)
		}
	}
}

// cutOff ends an answer that has begun: the client sees the connection break.
func (s *Server) cutOff(id int64, err error) {
	s.log.Debug("output cut off", "run", id, "err", err)
	panic(http.ErrAbortHandler)
}

// stream is an answer whose pieces leave at once.
type stream struct {
	to      io.Writer
	control *http.ResponseController
}

// streamTo begins a plain text answer.
func streamTo(hc huma.Context) *stream {
	_, w := humago.Unwrap(hc)
	hc.SetHeader("Content-Type", "text/plain; charset=utf-8")
	hc.SetHeader("X-Content-Type-Options", "nosniff")
	hc.SetStatus(http.StatusOK)
	st := &stream{to: hc.BodyWriter(), control: http.NewResponseController(w)}
	_ = st.control.Flush()
	return st
}

func (st *stream) write(p []byte) {
	if _, err := st.to.Write(p); err != nil {
		panic(http.ErrAbortHandler) // the client has gone
	}
	_ = st.control.Flush()
}
