package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/poold/poold/internal/api"
)

const day = 24 * time.Hour

// age says how long ago, or how far ahead, an instant is.
func (a *app) age(t *api.Time) string {
	if t == nil {
		return ""
	}
	d := a.now().Sub(t.Time)
	if d < 0 {
		return "in " + rough(-d)
	}
	return rough(d) + " ago"
}

// rough is a duration in one or two units.
func rough(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	case d < 10*time.Hour:
		return pair(d, time.Hour, "h", time.Minute, "m")
	case d < 2*day:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return strconv.Itoa(int(d/day)) + "d"
}

func pair(d, big time.Duration, bigUnit string, small time.Duration, smallUnit string) string {
	text := strconv.Itoa(int(d/big)) + bigUnit
	if rest := d % big / small; rest > 0 {
		text += strconv.Itoa(int(rest)) + smallUnit
	}
	return text
}

// took is a measured duration with three digits or so.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return pair(d.Round(time.Second), time.Minute, "m", time.Second, "s")
	case d < day:
		return pair(d.Round(time.Minute), time.Hour, "h", time.Minute, "m")
	}
	return pair(d.Round(time.Hour), day, "d", time.Hour, "h")
}

// fine is a short measured duration, with two digits or so.
func fine(d api.Duration) string {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if time.Duration(d) >= unit {
			return time.Duration(d).Round(unit / 10).String()
		}
	}
	return time.Duration(d).String()
}

// runTook is how long a run's last attempt took, or has taken so far.
func (a *app) runTook(r *api.Run) string {
	if r.StartedAt == nil {
		return ""
	}
	end := a.now()
	if r.FinishedAt != nil {
		end = r.FinishedAt.Time
	}
	return took(max(0, end.Sub(r.StartedAt.Time)))
}

// stamp is an instant with the day and the offset.
func (a *app) stamp(t *api.Time) string {
	if t == nil {
		return ""
	}
	return t.In(a.zone).Format("Mon 2006-01-02 15:04:05 -0700")
}

// state is a run's state in its colour.
func state(name string) cell {
	colours := map[string]string{
		api.StateRunning: blue, api.StateSucceeded: green, api.StateFailed: red,
		api.StateCanceled: yellow, api.StateSkipped: dim,
	}
	return cell{text: name, colour: colours[name]}
}

// why is what stands behind a run's state: the reason, with the exit status or
// the signal.
func why(r *api.Run) string {
	reason := api.Or(r.Reason, "")
	switch {
	case reason == "exit" && r.ExitCode != nil:
		return "exit " + strconv.Itoa(*r.ExitCode)
	case reason == "signal" && r.Signal != nil:
		return "signal " + *r.Signal
	case r.Count != nil:
		return fmt.Sprintf("%s ×%d", reason, *r.Count)
	}
	return reason
}

// workersText is a pool's size.
func workersText(n *int) string {
	if n == nil {
		return "unlimited"
	}
	return strconv.Itoa(*n)
}

// plural is a count of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// size is a number of bytes for people.
func size(n int64) string {
	value, unit := float64(n), 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	text := strconv.FormatFloat(value, 'f', 1, 64)
	return strings.TrimSuffix(text, ".0") + " " + units[unit]
}

// held says that something is paused or draining, until when and why.
func (a *app) held(draining bool, reason *string, until *api.Time) string {
	text := "paused"
	if draining {
		text = "draining"
	}
	if until != nil {
		text += " until " + a.stamp(until)
	}
	if reason != nil {
		text += ": " + *reason
	}
	return text
}
