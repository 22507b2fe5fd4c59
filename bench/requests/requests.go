// Package requests measures jobs that send requests beside bare client code.
package requests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poold/poold/bench/rig"
	"github.com/poold/poold/bench/suite"
)

const about = "`GET` of a few bytes from a server on loopback, in Go, in bench's own process. The bare client is\n" +
	"the 20 lines of `net/http` that anybody would write: it sends, reads the answer and checks the\n" +
	"status. poold's requests are runs of a batch: each is on the disk before it is sent and when it\n" +
	"has ended, each answer is kept in a file, and each leaves a line in the log.\n" +
	"A server that answers at once leaves the processors as the only limit, which client, server and\n" +
	"daemon share; one that takes some time, as others on a network do, leaves them room."

const config = `
pools:
  web: {workers: %d}
jobs:
  get: {pool: web, overlap: allow, type: http, with: {url: "http://%s/"}}
`

const (
	byPoold  = "poold: the whole daemon"
	byClient = "Go: net/http"
)

// Suite is the measurement.
func Suite() suite.Suite {
	s := suite.Suite{
		Name: "requests", Title: "Sending requests", About: about,
		Alone: map[string]suite.Alone{"client": clientAlone},
	}
	for _, w := range []*web{{at: 8}, {at: 64}, {at: 64, takes: 20 * time.Millisecond}} {
		s.Groups = append(s.Groups, suite.Group{
			Name: w.name(), Rounds: 5, Quick: 1, Open: w.open, Close: w.close,
			Figures: []suite.Figure{{Name: "rate", Unit: "requests/s", Higher: true}, {Name: "connections", Unit: "for all requests"}},
			Rows: []suite.Row{
				{Name: byPoold, Measure: w.batch},
				{Name: byClient, Measure: w.client},
			},
			Asks: []suite.Ask{
				{
					Over: byClient, Want: 0.7,
					Bound: "The bare client and the server take some 50 µs of two processors for a request, a durable run alone some 85 (see the durable lifecycles): together 0.37 is all there is. The rest is the file of each answer: 30 µs, or several hundred on an ext4 without a journal that has just removed many files.",
				},
				{Figure: "connections", Want: float64(2 * w.at)}, // the transport dials ahead at times
			},
		})
	}
	return s
}

// web is a server and a daemon that sends to it.
type web struct {
	at      int
	takes   time.Duration // each answer
	server  http.Server
	addr    string
	serving sync.WaitGroup
	opened  atomic.Int64 // connections so far
	daemon  *rig.Daemon
}

func (w *web) name() string {
	if w.takes == 0 {
		return fmt.Sprintf("%d at once", w.at)
	}
	return fmt.Sprintf("%d at once, answered after %v", w.at, w.takes)
}

func (w *web) open(ctx context.Context, r *rig.Rig) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.addr = l.Addr().String()
	w.server.ReadHeaderTimeout = time.Minute
	w.server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		time.Sleep(w.takes)
		_, _ = io.WriteString(rw, "hello\n") // whoever asked misses it
	})
	w.server.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			w.opened.Add(1)
		}
	}
	w.serving.Go(func() { _ = w.server.Serve(l) }) // until close
	path, err := r.File("requests.yaml", fmt.Sprintf(config, w.at, w.addr))
	if err != nil {
		return err
	}
	w.daemon, err = r.Start(path, filepath.Join(r.Work, fmt.Sprintf("requests%d-%v", w.at, w.takes)))
	return err
}

func (w *web) close() error {
	var err error
	if w.daemon != nil {
		err = w.daemon.Stop()
	}
	err = errors.Join(err, w.server.Close())
	w.serving.Wait()
	return err
}

// howMany is fewer for a server that takes its time.
func (w *web) howMany(r *suite.Round) int {
	if w.takes > 0 {
		return r.Pick(8000, 4000, 200)
	}
	return r.Pick(20_000, 10_000, 200)
}

func (w *web) batch(ctx context.Context, r *suite.Round) error {
	lines, err := r.File("requests.txt", rig.Numbers(w.howMany(r)))
	if err != nil {
		return err
	}
	before := w.opened.Load()
	out, err := w.daemon.Do(ctx, "batch", "get", "--file", lines, "--wait", "--json")
	if err != nil {
		return err
	}
	var got struct {
		Succeeded int
		Wall      string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return fmt.Errorf("read the batch: %w", err)
	}
	wall, err := time.ParseDuration(got.Wall)
	if err != nil || got.Succeeded != w.howMany(r) {
		return errors.Join(fmt.Errorf("of %d requests %d succeeded", w.howMany(r), got.Succeeded), err)
	}
	r.Note("rate", float64(w.howMany(r))/wall.Seconds())
	r.Note("connections", float64(w.opened.Load()-before))
	return nil
}

func (w *web) client(ctx context.Context, r *suite.Round) error {
	before := w.opened.Load()
	got, err := r.Alone(ctx, "client", w.addr, strconv.Itoa(w.at), strconv.Itoa(w.howMany(r)))
	if err != nil {
		return err
	}
	r.Note("rate", got["rate"])
	r.Note("connections", float64(w.opened.Load()-before))
	return nil
}

// clientAlone sends requests to an address, so many at once, so many in all.
func clientAlone(ctx context.Context, args []string, note func(string, float64)) error {
	at, err1 := strconv.Atoi(args[1])
	n, err2 := strconv.ParseInt(args[2], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: at}}
	var next atomic.Int64
	var senders sync.WaitGroup
	failed := make(chan error, at)
	began := time.Now()
	for range at {
		senders.Go(func() {
			for next.Add(1) <= n {
				if err := get(ctx, &client, "http://"+args[0]+"/"); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	senders.Wait()
	note("rate", float64(n)/time.Since(began).Seconds())
	close(failed)
	return <-failed
}

func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return err
}
