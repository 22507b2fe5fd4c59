package schedule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDoubts(t *testing.T) {
	for expr, want := range map[string][]string{
		"30 2 * * *":    nil,
		"*/15 * * * *":  nil,
		"0 */6 * * *":   nil,
		"0 0 * * 1-5":   nil,
		"0 0 1,15 * *":  nil,
		"* * * * *":     nil,
		"* 9-17 * * *":  nil,
		"0 0 1-7 * */7": nil, // both must hold
		"@every 7m":     nil,
		"@yearly":       nil,
		"@reboot":       nil,
		"0 0 1 2 1":     {"either of the two day fields will do: at 00:00 on day 1 of February or on Monday in February"},
		"0 9 13 * fri":  {"either of the two day fields will do: at 09:00 on day 13 of the month or on Friday"},
		"* 2 * * *":     {"runs 60 times on its days: in every minute: every minute from 02:00 to 02:59"},
		"*/7 * * * *":   {"is not every 7 minutes: each hour begins anew, 4 minutes after the last"},
		"0 */5 * * *":   {"is not every 5 hours: each day begins anew, 4 hours after the last"},
		"*/40 * * * *":  {"is not every 40 minutes: each hour begins anew, 20 minutes after the last"},
		"0 0 31 * *":    {"never comes in February, April, June, September and November"},
		"0 0 30 1,2 *":  {"never comes in February"},
		"0 0 29 2 *":    {"comes in February of leap years only"},
		"0 0 29 * *":    {"comes in February of leap years only"},
		"0 0 28-31 * *": nil,
	} {
		e, err := Parse(expr)
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for _, d := range e.Doubts() {
			got = append(got, d.Message)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expr, diff)
		}
	}
}
