package schedule

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// independent returns the lines of a file that testdata/independent/README.md
// explains.
func independent(t testing.TB, name string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/independent", name))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// zoneSeries is what an independent implementation says of one zone.
type zoneSeries struct {
	zone  *time.Location
	rules []byte    // of the zone
	start time.Time // of the two years
	all   [][]byte  // by expression: the times, coded
}

// readSeries reads occurrences.gz. The zones' rules are in it, so that it stays
// true when those of the host have changed.
func readSeries(t *testing.T) (exprs []string, series []zoneSeries) {
	t.Helper()
	exprs = independent(t, "expressions.txt")
	f, err := os.Open("testdata/independent/occurrences.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReaderSize(unzipped, 1<<20)
	for _, line := range independent(t, "zones.txt") {
		name, year, _ := strings.Cut(line, " ")
		rules := make([]byte, number64(t, in))
		if _, err := io.ReadFull(in, rules); err != nil {
			t.Fatal(err)
		}
		zone, err := time.LoadLocationFromTZData(name, rules)
		if err != nil {
			t.Fatal(err)
		}
		start, err := time.Parse("2006", year)
		if err != nil {
			t.Fatal(err)
		}
		s := zoneSeries{zone: zone, rules: rules, start: start}
		for range exprs {
			coded := make([]byte, number64(t, in))
			if _, err := io.ReadFull(in, coded); err != nil {
				t.Fatal(err)
			}
			s.all = append(s.all, coded)
		}
		series = append(series, s)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Fatal("occurrences.gz holds more than zones.txt and expressions.txt say")
	}
	return exprs, series
}

func number64(t testing.TB, in io.ByteReader) uint64 {
	t.Helper()
	n, err := binary.ReadUvarint(in)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// leftOut are the occurrences that croniter, in all two years and zones, does
// not name and ought to: in leap years and with some steps in others, it steps
// from the end of February over 1 March.
const leftOut = 136

// TestEveryOccurrenceOfTwoYearsIsThatOfAnIndependentImplementation compares
// with croniter and zoneinfo, which share no code with this package.
func TestEveryOccurrenceOfTwoYearsIsThatOfAnIndependentImplementation(t *testing.T) {
	exprs, series := readSeries(t)
	if len(exprs) < 200 || len(series) < 10 {
		t.Fatalf("%d expressions in %d zones are too few", len(exprs), len(series))
	}
	type task struct {
		zoneSeries
		expr  string
		coded []byte
	}
	tasks := make(chan task)
	var workers sync.WaitGroup
	var same, missing atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for c := range tasks {
				n, left := c.compare(t, c.expr, c.coded)
				same.Add(n)
				missing.Add(left)
			}
		})
	}
	for _, s := range series {
		for i, expr := range exprs {
			tasks <- task{s, expr, s.all[i]}
		}
	}
	close(tasks)
	workers.Wait()
	if missing.Load() != leftOut {
		t.Errorf("croniter leaves out %d occurrences on 1 March, want %d", missing.Load(), leftOut)
	}
	t.Logf("%d occurrences of %d expressions in %d zones are the same", same.Load(), len(exprs), len(series))
}

// compare compares the occurrences of one expression. It returns how many are
// the same, and how many the other side leaves out for its known mistake.
func (s zoneSeries) compare(t *testing.T, text string, coded []byte) (same, missing int64) {
	e, err := Parse(text)
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	steppedDays := strings.Contains(strings.Fields(text)[len(strings.Fields(text))-3], "*/")
	// By the clocks of the zone, the two years go from their first second to
	// their last.
	from := time.Date(s.start.Year(), 1, 1, 0, 0, 0, 0, s.zone)
	until := time.Date(s.start.Year()+2, 1, 1, 0, 0, 0, 0, s.zone)
	m := Schedule{Exprs: []Expr{e}, Zone: s.zone}.merge(from.Unix() - 1)
	want, in := s.start.Unix()-48*3600, bytes.NewReader(coded)
	for in.Len() > 0 {
		want += int64(number64(t, in))
		got, ok := m.next()
		for ok && m.last < want && steppedDays && got.At.Month() == time.March && got.At.Day() == 1 {
			missing++
			got, ok = m.next()
		}
		if !ok || m.last != want {
			t.Errorf("%s in %v: occurrence %d is %v, want %v", text, s.zone, same, got.At, time.Unix(want, 0).In(s.zone))
			return same, missing
		}
		same++
	}
	if more, ok := m.next(); ok && more.At.Before(until) {
		t.Errorf("%s in %v: %v is one too many", text, s.zone, more.At)
	}
	return same, missing
}
