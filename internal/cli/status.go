package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status [JOB|POOL|RUN]", Short: "The daemon at a glance, or one thing closely", Args: cobra.MaximumNArgs(1),
		Long: `Without an argument: the daemon, its pools, what runs and what is paused. Of a
job, a pool or a run: where it is defined, when it runs next, its last runs, what
holds it back and what it printed last. job/NAME and pool/NAME tell two of one
name apart.`,
		ValidArgsFunction: a.completeNames(a.anyNames(a.jobNames, a.poolNames, a.runIDs)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				s, err := a.daemon().Inspect(cmd.Context(), args[0])
				return a.printSubject(&s, err)
			}
			s, err := a.daemon().Status(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(s)
			}
			a.printStatus(&s)
			return nil
		},
	}
}

// printStatus prints what is out of the ordinary first.
func (a *app) printStatus(s *api.Status) {
	a.printHeld(s)
	a.print("%s poold %s on %s, up %s, pid %d", a.dot(api.StateSucceeded), clean(s.Version), clean(s.Host), rough(time.Duration(s.Uptime)), s.PID)
	a.field("Config", clean(s.Config))
	a.field("State", clean(s.StateDir))
	a.field("Time zone", clean(s.TimeZone))
	if r := s.LastReload; r != nil {
		a.field("Reload", a.reloadText(r))
	}
	if l := s.Lateness; l != nil {
		a.field("Lateness", fmt.Sprintf("p50 %s, p99 %s, at most %s, of the last %s", fine(l.P50), fine(l.P99), fine(l.Max), plural(l.Starts, "scheduled start")))
	}
	a.print("")
	a.show(a.poolsTable(s.Pools), "there are no pools")
	if len(s.Running) == 0 {
		a.print("\nnothing runs")
		return
	}
	a.print("")
	t := newTable("RUN", "JOB", "ARG", "POOL", "STARTED", "TOOK")
	for i := range s.Running {
		r := &s.Running[i]
		t.add(r.ID, r.Job, api.Or(r.Arg, ""), r.Pool, a.age(r.StartedAt), a.runTook(r))
	}
	t.print(a.stdout, a.screen)
}

// printHeld prints what is paused or set by hand, and what waits for a restart.
func (a *app) printHeld(s *api.Status) {
	var lines []string
	if s.WriteError != nil {
		lines = append(lines, "nothing can be recorded since "+a.stamp(s.WriteErrorAt)+": "+*s.WriteError+
			"; nothing starts, and what ends is tried again")
	}
	if s.Paused || s.Draining {
		lines = append(lines, "the host is "+a.held(s.Draining, s.PauseReason, s.PauseUntil))
	}
	for i := range s.Pools {
		if note := a.poolNote(&s.Pools[i]); note != "" {
			lines = append(lines, "pool "+s.Pools[i].Name+": "+note)
		}
	}
	for _, j := range s.PausedJobs {
		lines = append(lines, "job "+j.Name+" is "+a.held(false, j.PauseReason, j.PauseUntil))
	}
	if len(s.NeedsRestart) > 0 {
		lines = append(lines, "changed, and waiting for a restart: "+strings.Join(s.NeedsRestart, ", "))
	}
	for _, line := range lines {
		a.print("%s", paint(a.screen, yellow, "! "+clean(line)))
	}
	if len(lines) > 0 {
		a.print("")
	}
}

func (a *app) reloadText(r *api.Reload) string {
	text := a.stamp(r.At) + " (" + a.age(r.At) + ") by " + r.Trigger
	if len(r.Errors) > 0 {
		return paint(a.screen, red, clean(text)+", refused: "+plural(len(r.Errors), "error")+"; poold check says which")
	}
	return clean(text)
}

func (a *app) printSubject(s *api.Subject, err error) error {
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(s)
	}
	switch {
	case s.Run != nil:
		a.printRun(s.Run)
	case s.Job != nil:
		a.printJobStatus(s.Job)
	case s.Pool != nil:
		a.print("%s pool %s", a.dot(""), clean(s.Pool.Name))
		a.field("Workers", fmt.Sprintf("%s, %d busy, %d queued", workersText(s.Pool.Workers), s.Pool.Busy, s.Pool.Queued))
		if limits := limitsText(s.Pool); limits != "" {
			a.field("Limits", clean(limits))
		}
		a.field("Ended", fmt.Sprintf("%d succeeded, %d failed", s.Pool.Succeeded, s.Pool.Failed))
		a.field("Note", clean(a.poolNote(s.Pool)))
	}
	a.fieldOf("Defined", s.DefinedAt)
	a.field("Usually", usualText(s.Usual))
	for _, o := range s.Next {
		a.field("Next", o.At.Format("Mon 2006-01-02 15:04:05 -0700")+" ("+a.age(&api.Time{Time: o.At.Time})+")")
	}
	for _, held := range s.HeldBack {
		a.field("Held back", paint(a.screen, yellow, clean(held)))
	}
	a.printSubjectRuns(s)
	return nil
}

func (a *app) printJobStatus(j *api.Job) {
	last := ""
	if j.LastRun != nil {
		last = j.LastRun.State
	}
	title := clean(j.Name)
	if j.Description != nil {
		title += " - " + clean(*j.Description)
	}
	a.print("%s %s", a.dot(last), title)
	a.field("Type", clean(j.Type)+", pool "+clean(j.Pool))
	schedule := clean(strings.Join(j.Schedule, "; "))
	if j.InWords != "" {
		schedule += " (" + clean(j.InWords) + ")"
	}
	a.field("Schedule", schedule)
}

func (a *app) printSubjectRuns(s *api.Subject) {
	if len(s.Runs) > 0 {
		a.print("")
		t := runsTable()
		for i := range s.Runs {
			a.addRun(t, &s.Runs[i])
		}
		t.print(a.stdout, a.screen)
	}
	if s.Output == nil {
		return
	}
	a.print("")
	for line := range strings.Lines(*s.Output) {
		a.print("  %s", clean(strings.TrimRight(line, "\r\n")))
	}
}
