package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

func (a *app) whyCommand() *cobra.Command {
	var q api.WhyQuery
	cmd := &cobra.Command{
		Use: "why JOB", Short: "What became of a job's due moments, and why", Args: cobra.ExactArgs(1),
		Long: `Say in sentences what became of the moments at which a job was due: the last ten,
those of a span, or the one of --at. Each comes with the command that shows more.
Where the schedule does not name the moment of --at, its nearest ones are told.`,
		Example: `  poold why nightly-backup
  poold why nightly-backup --at 02:30
  poold why nightly-backup --since yesterday --limit 100`,
		ValidArgsFunction: a.completeNames(a.jobNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case q.At != "" && (q.Since != "" || q.Until != ""):
				return usage("", "--at is for one moment, --since and --until are for all of a span")
			case cmd.Flags().Changed("limit") && (q.Limit < 1 || q.Limit > 500):
				return usage("", "--limit is 1 to 500")
			}
			w, err := a.daemon().Why(cmd.Context(), args[0], q)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(w)
			}
			a.printWhy(&w, q)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.At, "at", "", "this moment alone: 02:30 (the last one), yesterday 02:30, -3h, +2h")
	flags.StringVar(&q.Since, "since", "", "inclusive")
	flags.StringVar(&q.Until, "until", "", "exclusive; without it now")
	flags.IntVar(&q.Limit, "limit", 0, "the newest so many moments (default 10)")
	return cmd
}

func (a *app) printWhy(w *api.Why, q api.WhyQuery) {
	a.print("%s", clean(heading(w, q)))
	moments := alike(w.Moments)
	if w.Next != nil {
		moments = append(moments, stretch{WhyMoment: *w.Next, last: w.Next.At.Time, n: 1})
	}
	for _, m := range moments {
		at := m.At.Format("Mon 2006-01-02 15:04:05 -0700")
		if m.n > 1 {
			at = fmt.Sprintf("%s to %s (%d moments)", at, m.last.Format("2006-01-02 15:04:05"), m.n)
		}
		a.print("")
		a.print("%s", paint(a.screen, bold, clean(at)))
		a.print("  %s", clean(m.Sentence))
		a.print("  %s", paint(a.screen, dim, clean(m.Look)))
	}
	if len(w.Notes) > 0 {
		a.print("")
	}
	for _, note := range w.Notes {
		a.print("%s", clean(note))
	}
}

// heading says which moments are told of.
func heading(w *api.Why, q api.WhyQuery) string {
	what := "no schedule"
	if len(w.Schedule) > 0 {
		what = strings.Join(w.Schedule, "; ")
		if w.TimeZone != "" {
			what += ", " + w.TimeZone
		}
	}
	text := w.Job + " (" + what + ")"
	if q.At != "" {
		return text
	}
	n := len(w.Moments)
	switch {
	case w.LeftOut > 0:
		text += fmt.Sprintf(": the last %s; %d earlier with --limit", plural(n, "moment"), w.LeftOut)
	case w.More:
		text += fmt.Sprintf(": the last %s; earlier ones with --limit", plural(n, "moment"))
	default:
		text += ": " + plural(n, "moment")
	}
	return text
}

// stretch is moments one after another of which the same is said.
type stretch struct {
	api.WhyMoment
	last time.Time
	n    int
}

func alike(moments []api.WhyMoment) []stretch {
	var all []stretch
	for _, m := range moments {
		if n := len(all); n > 0 && all[n-1].Sentence == m.Sentence && all[n-1].Look == m.Look && m.Run != nil {
			all[n-1].last, all[n-1].n = m.At.Time, all[n-1].n+1
			continue
		}
		all = append(all, stretch{WhyMoment: m, last: m.At.Time, n: 1})
	}
	return all
}
