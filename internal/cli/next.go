package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
	"github.com/poold/poold/internal/config"
	"github.com/poold/poold/internal/schedule"
)

const (
	defaultCount   = 5       // occurrences of each job
	maxOccurrences = 100_000 // of all jobs together
)

func (a *app) nextCommand() *cobra.Command {
	var q api.OccurrencesQuery
	var path string
	cmd := &cobra.Command{
		Use: "next [JOB…]", Short: "Coming occurrences",
		Long: `List coming occurrences in order, with the zone's offset. A mark says that one
was moved out of a gap of the clocks (dst_gap), that its time of day comes twice
(dst_fold), or that it falls into a calendar of not_during. What splay adds on this
host is in the time. With --config no daemon is needed.`,
		Example: `  poold next
  poold next nightly-backup --count 20
  poold next --config config.yaml --from 2026-03-29 --until 2026-03-30`,
		ValidArgsFunction: a.completeNames(a.jobNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("count") && q.Count < 1 {
				return usage("", "--count %d is below 1", q.Count)
			}
			q.Jobs = args
			list, err := a.occurrences(cmd.Context(), path, q)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(api.OccurrenceList{Occurrences: list})
			}
			t := newTable("AT", "JOB", "WHEN", "MARK")
			for _, o := range list {
				t.add(o.At.Format("Mon 2006-01-02 15:04:05 -0700"), o.Job, a.age(&api.Time{Time: o.At.Time}), cell{markText(&o), yellow})
			}
			a.show(t, "nothing is due")
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&path, "config", "", "read this configuration, and ask no daemon")
	flags.IntVar(&q.Count, "count", 0, "so many of each job (default 5; with --until all)")
	flags.StringVar(&q.From, "from", "", "inclusive; without it now: 22:00, tomorrow 02:30, +2h, 2026-01-02")
	flags.StringVar(&q.Until, "until", "", "exclusive")
	return cmd
}

// markText says what is unusual about a moment.
func markText(o *api.Occurrence) string {
	var words []string
	if o.Mark != "" {
		words = append(words, o.Mark)
	}
	switch {
	case o.DeferredTo != nil:
		words = append(words, "deferred to "+o.DeferredTo.Format("2006-01-02 15:04:05"))
	case o.NotDuring != nil:
		words = append(words, "not during "+*o.NotDuring)
	}
	return strings.Join(words, ", ")
}

func (a *app) occurrences(ctx context.Context, path string, q api.OccurrencesQuery) ([]api.Occurrence, error) {
	if path == "" {
		return a.daemon().Occurrences(ctx, q)
	}
	cfg, err := a.hooks.Load(path)
	if err != nil {
		return nil, err
	}
	return a.occurrencesOf(cfg, q)
}

// span is the time for which occurrences are listed.
type span struct {
	from, until time.Time // until: zero for no end
	count       int       // per job; 0: no limit
}

// occurrencesOf lists what the schedules of a configuration name.
func (a *app) occurrencesOf(cfg *config.Config, q api.OccurrencesQuery) ([]api.Occurrence, error) {
	s, err := a.spanOf(cfg, q)
	if err != nil {
		return nil, err
	}
	jobs := q.Jobs
	if len(jobs) == 0 {
		jobs = enabledJobs(cfg)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("ask for the host's name: %w", err)
	}
	list := []api.Occurrence{}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(jobs))) {
		if _, ok := cfg.Jobs[name]; !ok {
			return nil, a.unknownJob(cfg, name)
		}
		splay := schedule.Splay(host, name, time.Duration(cfg.Jobs[name].Splay))
		if list, err = s.appendOf(list, name, cfg.Timetable(name), cfg.Blackouts(name), splay); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(list, func(x, y api.Occurrence) int { return x.At.Compare(y.At.Time) })
	return list, nil
}

func (a *app) spanOf(cfg *config.Config, q api.OccurrencesQuery) (s span, err error) {
	s = span{from: a.now(), count: q.Count}
	if q.From != "" {
		if s.from, err = schedule.ParseTime(q.From, a.now(), cfg.Zone, schedule.Future); err != nil {
			return s, usage("", "--from: %v", err)
		}
	}
	if q.Until != "" {
		if s.until, err = schedule.ParseTime(q.Until, a.now(), cfg.Zone, schedule.Future); err != nil {
			return s, usage("", "--until: %v", err)
		}
	}
	if q.From != "" && q.Until != "" && !s.until.After(s.from) {
		return s, usage("swap them; until is exclusive", "until is not after from")
	}
	if s.count == 0 && q.Until == "" {
		s.count = defaultCount
	}
	return s, nil
}

// appendOf adds the occurrences of one job, as they are with its splay.
func (s span) appendOf(list []api.Occurrence, job string, t schedule.Schedule, b *schedule.Blackouts, splay time.Duration) ([]api.Occurrence, error) {
	after := s.from.Add(-splay - 1) // from is inclusive, Next is not
	for n := 0; s.count == 0 || n < s.count; n++ {
		o, ok := t.Next(after)
		if !ok || !s.until.IsZero() && !o.At.Add(splay).Before(s.until) {
			break
		}
		if len(list) == maxOccurrences {
			return nil, usage("name jobs, or bring --until nearer", "there are more than %d occurrences", maxOccurrences)
		}
		moment := api.Occurrence{Job: job, At: api.ZonedTime{Time: o.At.Add(splay)}, Mark: o.Mark}
		if out, in := b.At(o.At); in {
			moment.NotDuring = &out.Calendar
			if b.Defer && out.Stands(t, o.At) {
				moment.DeferredTo = &api.ZonedTime{Time: out.Until.Add(splay)}
			}
		}
		list = append(list, moment)
		after = o.At
	}
	return list, nil
}

func enabledJobs(cfg *config.Config) []string {
	var names []string
	for name, def := range cfg.Jobs {
		if def.Enabled {
			names = append(names, name)
		}
	}
	return names
}

func (a *app) unknownJob(cfg *config.Config, name string) error {
	known := slices.Sorted(maps.Keys(cfg.Jobs))
	if near := api.Nearest(name, known); near != "" {
		return &api.Problem{Code: api.CodeNotFound, Detail: fmt.Sprintf("there is no job %q", name), Hint: "did you mean " + near + "?"}
	}
	return &api.Problem{Code: api.CodeNotFound, Detail: fmt.Sprintf("there is no job %q", name)}
}
