package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/poold/poold/internal/api"
)

// exampleHost starts a daemon on one of the documented examples.
func exampleHost(t *testing.T, name string) *host {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../examples", name))
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, string(text))
	h.start()
	return h
}

// naps is how many naps of a tenth of a second the test takes; the example
// speaks of a thousand.
const naps = 200

func TestNapsRunAsManyAtOnceAsThePoolHasWorkers(t *testing.T) {
	t.Parallel()
	h := exampleHost(t, "naps.yaml")
	for _, workers := range []int{10, 20} {
		h.poold("", "pool", "resize", "naps", strconv.Itoa(workers))
		stdout, stderr := h.poold(strings.Join(numbered(naps), "\n"), "batch", "nap", "--wait")
		id := strings.TrimSpace(stdout)
		t.Logf("%d workers: %s", workers, strings.TrimSpace(stderr))
		want := regexp.MustCompile(fmt.Sprintf(`%d runs, %d succeeded, 0 failed; wall \S+, ideal \S+, \S+ %% above ideal`, naps, naps))
		if !want.MatchString(strings.ReplaceAll(stderr, " below ", " above ")) {
			t.Errorf("the summary is %q", stderr)
		}
		runs := h.batchRuns(id)
		if got := mostAtOnce(runs); got != workers {
			t.Errorf("with %d workers %d runs were under way at once", workers, got)
		}
		checkLines(t, runs, naps)
	}
}

// batchRuns lists the runs of a batch in order of its lines.
func (h *host) batchRuns(id string) []api.Run {
	h.t.Helper()
	var list []api.Run
	err := h.client.EachRun(h.t.Context(), api.RunsQuery{Batch: id}, 0, func(r api.Run) error {
		list = append(list, r)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

// checkLines checks that each line was run once, in order.
func checkLines(t *testing.T, runs []api.Run, lines int) {
	t.Helper()
	if len(runs) != lines {
		t.Fatalf("the batch has %d runs, want %d", len(runs), lines)
	}
	for i, r := range runs {
		if got, want := api.Or(r.Arg, ""), strconv.Itoa(i+1); got != want || r.Attempts != 1 {
			t.Errorf("run %d has the argument %q and %d attempts, want %q and 1", r.ID, got, r.Attempts, want)
		}
	}
}

// mostAtOnce is how many of the runs were under way at one moment.
func mostAtOnce(runs []api.Run) int {
	type moment struct {
		at   time.Time
		step int
	}
	var moments []moment
	for _, r := range runs {
		moments = append(moments, moment{r.StartedAt.Time, 1}, moment{r.FinishedAt.Time, -1})
	}
	slices.SortFunc(moments, func(a, b moment) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.step, b.step)) // an end frees a worker
	})
	now, most := 0, 0
	for _, m := range moments {
		now += m.step
		most = max(most, now)
	}
	return most
}

// The sites of the crawler's test, and their pages.
const (
	sites = 30
	pages = 90
)

// site serves pages, some of them with hindrances, and watches how many
// requests are under way, in all and to each of its hosts.
type site struct {
	now, most atomic.Int32
	mu        sync.Mutex
	asked     map[string]int
	moments   map[string][]time.Time // of requests, by host
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.now.Add(-1)
	for now := s.now.Add(1); ; {
		most := s.most.Load()
		if now <= most || s.most.CompareAndSwap(most, now) {
			break
		}
	}
	s.mu.Lock()
	s.moments[r.Host] = append(s.moments[r.Host], time.Now())
	s.asked[r.URL.Path]++
	times := s.asked[r.URL.Path]
	s.mu.Unlock()
	time.Sleep(100 * time.Millisecond) // a page takes its time
	number, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/page/"))
	switch {
	case r.UserAgent() != "poold-example":
		http.Error(w, "who are you?", http.StatusForbidden)
	case number == 13:
		http.NotFound(w, r)
	case number%50 == 7 && times == 1:
		http.Error(w, "too busy", http.StatusServiceUnavailable)
	default:
		fmt.Fprintf(w, "<title>page %d</title>\n%s", number, strings.Repeat("text ", number))
	}
}

// serve makes the site answer at so many addresses of this machine.
func (s *site) serve(t *testing.T, hosts int) (urls []string) {
	t.Helper()
	for i := range hosts {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:0", i+2))
		if err != nil {
			t.Fatal(err)
		}
		server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: s}}
		server.Start()
		t.Cleanup(server.Close)
		urls = append(urls, server.URL)
	}
	return urls
}

func TestACrawlIsPoliteToEachHost(t *testing.T) {
	t.Parallel()
	served := &site{asked: map[string]int{}, moments: map[string][]time.Time{}}
	urls := served.serve(t, sites)
	h := exampleHost(t, "crawler.yaml")
	var addresses strings.Builder
	for i := range pages { // all of one site, then all of the next
		fmt.Fprintf(&addresses, "%s/page/%d\n", urls[i*sites/pages], i+1)
	}
	h.write("pages.txt", addresses.String())
	stdout, _ := h.poold("", "batch", "fetch", "--file", "pages.txt")
	b := h.awaitBatch(strings.TrimSpace(stdout), time.Minute)
	if b.Total != pages || b.Succeeded != pages-1 || b.Failed != 1 {
		t.Errorf("the batch ended as %+v, want all but one succeeded", b)
	}
	if most := served.most.Load(); most > 20 || most < 10 {
		t.Errorf("%d requests were under way at once, want at most 20 and not much less", most)
	}
	for host, at := range served.moments {
		if span := at[len(at)-1].Sub(at[0]); span < time.Duration(len(at)-1)*time.Second-200*time.Millisecond {
			t.Errorf("%s was asked %d times in %v, want one a second", host, len(at), span)
		}
	}
	for i, r := range h.batchRuns(b.Batch) {
		h.checkPage(served, i+1, r)
	}
}

// checkPage checks the run that fetched a page.
func (h *host) checkPage(served *site, number int, r api.Run) {
	h.t.Helper()
	state, requests := api.StateSucceeded, 1
	switch {
	case number == 13:
		state = api.StateFailed // a 404 is not tried again
	case number%50 == 7:
		requests = 2
	}
	asked := served.asked[fmt.Sprintf("/page/%d", number)]
	if r.State != state || r.Attempts != requests || asked != requests {
		h.t.Errorf("page %d: %s after %d attempts and %d requests; want %s after %d", number, r.State, r.Attempts, asked, state, requests)
	}
	if number%60 != 0 {
		return
	}
	_, page, _ := strings.Cut(h.output(r.ID), "\n\n") // the first line says how it was answered
	if want := fmt.Sprintf("<title>page %d</title>\n%s", number, strings.Repeat("text ", number)); page != want {
		h.t.Errorf("page %d was kept as %.60q…, want %.60q…", number, page, want)
	}
}

func TestTheWordsOfGosOwnDocumentationAreCounted(t *testing.T) {
	t.Parallel()
	files := documentation(t)
	h := exampleHost(t, "text.yaml")
	stdout, _ := h.poold(strings.Join(files, "\n"), "batch", "words", "--wait")
	runs := h.batchRuns(strings.TrimSpace(stdout))
	if len(runs) != len(files) {
		t.Fatalf("the batch has %d runs, want %d", len(runs), len(files))
	}
	for i, r := range runs {
		text, err := os.ReadFile(files[i])
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%d %s\n", len(bytes.Fields(text)), files[i])
		if got := h.output(r.ID); got != want {
			t.Errorf("run %d printed %q, want %q", r.ID, got, want)
		}
	}
}

// documentation lists texts that come with Go.
func documentation(t *testing.T) []string {
	t.Helper()
	root := runtime.GOROOT() //nolint:staticcheck // the tests run where Go is
	var files []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && (filepath.Ext(path) == ".md" || filepath.Ext(path) == ".txt") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 50 {
		t.Skipf("%s has %d texts: %v", root, len(files), err)
	}
	return files[:min(len(files), 300)]
}

// output is what a run's last attempt printed.
func (h *host) output(id int64) string {
	h.t.Helper()
	stream, err := h.client.Output(h.t.Context(), id, api.OutputQuery{})
	if err != nil {
		h.t.Fatal(err)
	}
	defer stream.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(stream); err != nil {
		h.t.Fatal(err)
	}
	return text.String()
}
