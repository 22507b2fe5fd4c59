package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Doubt says how an expression that is allowed may mean something else than its
// author thinks.
type Doubt struct {
	Message, Hint string
}

// Doubts lists the traps of cron that an expression may have fallen into.
func (e Expr) Doubts() []Doubt {
	if e.every > 0 || e.silent() {
		return nil
	}
	doubts := []Doubt{e.doubtDays(), e.doubtMinutes(), e.doubtStep(), e.doubtMonths()}
	return slices.DeleteFunc(doubts, func(d Doubt) bool { return d.Message == "" })
}

// doubtDays is about the two day fields, of which either will do.
func (e Expr) doubtDays() Doubt {
	doms, dows := values(e.spec.Dom), values(e.spec.Dow)
	if (e.spec.Dom|e.spec.Dow)&starBit != 0 || len(doms) == 31 || len(dows) == 7 {
		return Doubt{}
	}
	return Doubt{"either of the two day fields will do" + e.inWords(), "write * for the one that is not meant"}
}

// doubtMinutes is about "* 2 * * *", which is sixty times.
func (e Expr) doubtMinutes() Doubt {
	minutes, hours := values(e.spec.Minute), values(e.spec.Hour)
	if len(minutes) < 60 || len(hours) > 3 {
		return Doubt{}
	}
	return Doubt{
		fmt.Sprintf("runs %d times on its days: in every minute%s", 60*len(hours)*len(values(e.spec.Second)), e.inWords()),
		"write 0 for the minute to run once an hour",
	}
}

// doubtStep is about a step that does not divide its field: the distance is
// shorter where the field begins anew.
func (e Expr) doubtStep() Doubt {
	fields := strings.Fields(e.text)
	if e.text[0] == '@' {
		return Doubt{}
	}
	fields = fields[len(fields)-5:]
	for i, f := range []struct {
		name  string
		size  int
		set   uint64
		whole string
	}{{"minutes", 60, e.spec.Minute, "hour"}, {"hours", 24, e.spec.Hour, "day"}} {
		all := values(f.set)
		step, isStep := strings.CutPrefix(fields[i], "*/")
		if !isStep || len(all) < 2 || strings.Contains(step, ",") || f.size%(all[1]-all[0]) == 0 {
			continue
		}
		return Doubt{
			fmt.Sprintf("is not every %s %s: each %s begins anew, %d %s after the last", step, f.name, f.whole, f.size-all[len(all)-1], f.name),
			"for even distances write @every",
		}
	}
	return Doubt{}
}

// doubtMonths is about days that some of the months do not have.
func (e Expr) doubtMonths() Doubt {
	doms := values(e.spec.Dom)
	if e.spec.Dom&starBit != 0 || doms[0] < 29 || e.spec.Dow&starBit == 0 {
		return Doubt{}
	}
	var without []string
	for _, m := range values(e.spec.Month) {
		longest := time.Date(2001, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day()
		if doms[0] > longest {
			without = append(without, time.Month(m).String())
		}
	}
	if len(without) == 0 {
		return Doubt{}
	}
	hint := ""
	if len(values(e.spec.Month)) > 1 {
		hint = "for the last day of each month, run on the first of the next"
	}
	text := "never comes in " + joined(without)
	if doms[0] == 29 {
		text = "comes in February of leap years only"
	}
	return Doubt{text, hint}
}

// inWords is what the expression means, after a colon.
func (e Expr) inWords() string {
	if words := e.Describe(); words != e.text {
		return ": " + words
	}
	return ""
}
