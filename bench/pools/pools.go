// Package pools measures the worker pool by itself, in memory, beside other
// pools for Go and beside the least that the same work takes without one.
package pools

import (
	"github.com/poold/poold/bench/suite"
)

const about = "`internal/pool` alone: no ledger, no files, no processes. All rows of a group do the\n" +
	"same work, count its end with one `sync.WaitGroup`, and are timed from the first\n" +
	"submission until the last end. Unless it says otherwise there are 8 workers. Peers are\n" +
	"used as their documentation advises, and in their fastest way that keeps the bound: the\n" +
	"comments in `bench/pools` say which. A static split gives each goroutine its share\n" +
	"before the clock starts: it has no queue and no order, and bounds what a pool can do."

// workers is how many there are where a group does not say otherwise.
const workers = 8

// rounds are those of a full run.
const rounds = 6

// Suite is the measurement.
func Suite() suite.Suite {
	s := suite.Suite{
		Name: "pools", Title: "The worker pool", About: about,
		Modules: []string{
			"github.com/panjf2000/ants/v2", "github.com/alitto/pond/v2", "github.com/gammazero/workerpool",
			"github.com/Jeffail/tunny", "github.com/sourcegraph/conc", "golang.org/x/sync",
		},
		Alone: map[string]suite.Alone{},
	}
	s.Groups = append(s.Groups, empty(1), fresh(), empty(8))
	s.Groups = append(s.Groups, spin(1), spin(10))
	s.Groups = append(s.Groups, sleeps(10), sleeps(20))
	s.Groups = append(s.Groups, urgent(), growth())
	s.Groups = append(s.Groups, crowd(s.Alone), idle(s.Alone))
	return s
}
