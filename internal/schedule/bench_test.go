package schedule

import (
	"testing"
	"time"
)

func BenchmarkNext(b *testing.B) {
	for _, text := range []string{"* * * * *", "*/5 * * * *", "30 2 * * *", "0 9 * * 1-5", "0 0 1 * *", "0 0 1 1 *", "@every 5m"} {
		b.Run(text, func(b *testing.B) {
			s := parsed(b, "Europe/Berlin", DST{}, text)
			after := time.Date(2026, 6, 3, 2, 30, 0, 0, time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := s.Next(after); !ok {
					b.Fatal("no occurrence")
				}
			}
		})
	}
}

func BenchmarkLast(b *testing.B) {
	s := parsed(b, "Europe/Berlin", DST{}, "30 2 * * *")
	until := time.Date(2026, 6, 3, 2, 0, 0, 0, time.UTC)
	for b.Loop() {
		if _, ok := s.Last(until); !ok {
			b.Fatal("no occurrence")
		}
	}
}

// BenchmarkDue measures what one more occurrence costs.
func BenchmarkDue(b *testing.B) {
	s := parsed(b, "Europe/Berlin", DST{}, "* * * * * *")
	after := time.Date(2026, 6, 3, 2, 30, 0, 0, time.UTC)
	m := s.merge(after.Unix())
	for b.Loop() {
		m.next()
	}
}

func BenchmarkDueTail(b *testing.B) {
	until := time.Date(2026, 6, 3, 2, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		gap   time.Duration
		exprs []string
	}{
		{"two weeks of seconds", 14 * 24 * time.Hour, []string{"* * * * * *"}},
		{"two weeks of seconds beside an @every", 14 * 24 * time.Hour, []string{"* * * * * *", "@every 1s"}},
		{"fifty-six years of seconds", 56 * 365 * 24 * time.Hour, []string{"* * * * * *"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := parsed(b, "Europe/Berlin", DST{}, c.exprs...)
			for b.Loop() {
				if _, dropped, _, _ := s.DueTail(until.Add(-c.gap), until, 10); dropped == 0 {
					b.Fatal("none dropped")
				}
			}
		})
	}
}
