package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	eventPulse   = 15 * time.Second // a comment keeps the connection alive
	eventTimeout = 10 * time.Second // for a reader to take what is written
)

func (s *Server) eventRoutes(routes huma.API) {
	e := get("stream-events", "/events", "What changes, as server-sent events: run, pool, batch, reload; dropped, when the reader was too slow")
	e.stream = "text/event-stream"
	handle(s, routes, e, func(context.Context, *nothing) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: s.streamEvents}, nil
	})
}

func (s *Server) streamEvents(hc huma.Context) {
	_, w := humago.Unwrap(hc)
	hc.SetHeader("Content-Type", "text/event-stream")
	hc.SetHeader("Cache-Control", "no-store")
	hc.SetStatus(http.StatusOK)
	control := http.NewResponseController(w)
	send := func(text string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(eventTimeout))
		_, err := w.Write([]byte(text))
		return err == nil && control.Flush() == nil
	}
	events, stop := s.hub.subscribe()
	defer stop()
	ctx, cancel := s.waiting(hc.Context(), 0)
	defer cancel()
	pulse := time.NewTicker(eventPulse)
	defer pulse.Stop()

	for ok := send(": poold\n\n"); ok; {
		select {
		case e, more := <-events:
			if !more {
				send("event: dropped\ndata: {}\n\n")
				return
			}
			ok = send(eventText(e))
		case <-pulse.C:
			ok = send(": \n\n")
		case <-ctx.Done():
			return
		}
	}
}

// eventText is an event on the wire. JSON holds no line breaks.
func eventText(e Event) string {
	data, err := json.Marshal(e.Data)
	if err != nil {
		panic(fmt.Sprintf("write event: %v", err)) // impossible: the types are our own
	}
	return "event: " + e.Name + "\ndata: " + string(data) + "\n\n"
}
