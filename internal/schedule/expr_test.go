package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseNamesTheFieldAndTheWayOut(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", `schedule "": empty; write five fields such as "30 2 * * *", or @daily`},
		{"  ", "empty; write five fields"},
		{"* * *", "has 3 of the five fields minute, hour, day of month, month, day of week"},
		{"* * * * * * *", "has 7 of the five fields"},
		{"0 25 * * *", `schedule "0 25 * * *": hour: 25 is above 23`},
		{"60 * * * *", "minute: 60 is above 59"},
		{"60 * * * * *", "second: 60 is above 59"},
		{"* * 0 * *", "day of month: 0 is below 1"},
		{"* * 32 * *", "day of month: 32 is above 31"},
		{"* * * 13 *", "month: 13 is above 12"},
		{"* * * * 8", "day of week: 8 is above 7"},
		{"99999999999999999999 * * * *", `minute: "99999999999999999999" is above 59`},
		{"x * * * *", `minute: "x" is not a number from 0 to 59`},
		{"* * * foo *", `month: "foo" is neither a number from 1 to 12 nor a name such as FEB`},
		{"0 2 * * * root", `day of week: "root" is neither a number from 0 to 7 nor a name such as MON`},
		{"* * L * *", `day of month: "L" is not a number`},
		{"+5 * * * *", `minute: "+5" is not a number`},
		{"-5 * * * *", `minute: "-5" lacks a number`},
		{"5- * * * *", `minute: "5-" lacks a number`},
		{"1-2-3 * * * *", `minute: "2-3" is not a number`},
		{"*-5 * * * *", `minute: "*" is not a number`},
		{"1,,2 * * * *", "minute: empty between commas"},
		{", * * * *", "minute: empty between commas"},
		{"*/0 * * * *", "minute: a step of 0 leads nowhere; write 1 or more"},
		{"*/ * * * *", `minute: the step "" is not a number`},
		{"1/2/3 * * * *", `minute: the step "2/3" is not a number`},
		{"*/x * * * *", `minute: the step "x" is not a number`},
		{"*/90 * * * *", "minute: a step of 90 is longer than the field, which starts again after 59; for longer intervals write @every"},
		{"0 */25 * * *", "hour: a step of 25 is longer than the field"},
		{"0 0 */1001 * *", `day of month: the step "1001" is too long`},
		{"0 0 */99999999999999999999 * *", "is too long"},
		{"0 22-2 * * *", "hour: the range 22-2 runs backwards; write 22-23,0-2"},
		{"0 0 * * sat-mon", "day of week: the range sat-mon runs backwards; write sat-6,0-mon"},
		{"? * * * *", "minute: ? is not taken; write *"},
		{"0 0 ? * MON", "day of month: ? is not taken; write *"},
		{"61 25 * * *", "minute: 61 is above 59; hour: 25 is above 23"},
		{"0 0 31 2 *", "never comes: none of its months has such a day"},
		{"0 0 31 2,4,6,9,11 *", "never comes"},
		{"0 0 30,31 feb */2", "never comes"},
		{"TZ=UTC 0 0 * * *", "write it as time_zone beside the schedule"},
		{"CRON_TZ=Europe/Berlin 0 0 * * *", "write it as time_zone beside the schedule"},
		{"TZ=UTC", "write it as time_zone beside the schedule"},
		{"@every", "@every lacks its interval; write @every 5m"},
		{"@every 5", `@every: duration "5" lacks its unit; write 5s or 5m`},
		{"@every 500ms", "@every: 500ms is not a whole number of seconds from 1s on"},
		{"@every 1.5s", "@every: 1.5s is not a whole number"},
		{"@every 0s", "@every: 0s is not a whole number"},
		{"@every -5m", "takes no sign"},
		{"@fortnightly", `"@fortnightly" is not known; there are @yearly`},
		{"@daily 5", `@daily stands alone, but "5" follows it`},
		{"@", `"@" is not known`},
		{strings.Repeat("*", 5000), `…"`},
	} {
		e, err := Parse(c.text)
		if err == nil {
			t.Errorf("%q: accepted as %v", c.text, e.Describe())
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %q, want it to say %q", c.text, err, c.want)
		}
		if len(err.Error()) > 400 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error is no line of its own: %q", c.text, err)
		}
	}
}

func TestParseReadsFieldsAsSets(t *testing.T) {
	for _, c := range []struct {
		text string
		of   func(Expr) uint64
		want []int
	}{
		{"5 0 * * *", minuteOf, []int{5}},
		{"05 0 * * *", minuteOf, []int{5}},
		{"1,3,5-7 0 * * *", minuteOf, []int{1, 3, 5, 6, 7}},
		{"10-20/5 0 * * *", minuteOf, []int{10, 15, 20}},
		{"*/20 0 * * *", minuteOf, []int{0, 20, 40}},
		{"*/60 0 * * *", minuteOf, []int{0}},
		{"55/2 0 * * *", minuteOf, []int{55, 57, 59}},
		{"5,5,5 0 * * *", minuteOf, []int{5}},
		{"0 0 * JAN,mar-May *", monthOf, []int{1, 3, 4, 5}},
		{"0 0 * */4 *", monthOf, []int{1, 5, 9}},
		{"0 0 * * 0", weekdayOf, []int{0}},
		{"0 0 * * 7", weekdayOf, []int{0}},
		{"0 0 * * 0-7", weekdayOf, []int{0, 1, 2, 3, 4, 5, 6}},
		{"0 0 * * 5-7", weekdayOf, []int{0, 5, 6}},
		{"0 0 * * 1-7/2", weekdayOf, []int{0, 1, 3, 5}},
		{"0 0 * * 1/2", weekdayOf, []int{1, 3, 5}},
		{"0 0 * * 7/2", weekdayOf, []int{0}},
		{"0 0 * * */2", weekdayOf, []int{0, 2, 4, 6}},
		{"0 0 * * */7", weekdayOf, []int{0}},
		{"0 0 * * Mon,WED,fri-sun", weekdayOf, []int{0, 1, 3, 5, 6}},
		{"0 0 * * sun-tue", weekdayOf, []int{0, 1, 2}},
	} {
		e, err := Parse(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(c.want, values(c.of(e))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
}

func minuteOf(e Expr) uint64  { return e.spec.Minute }
func monthOf(e Expr) uint64   { return e.spec.Month }
func weekdayOf(e Expr) uint64 { return e.spec.Dow }

func TestParseKeepsWhatItRead(t *testing.T) {
	for _, c := range []struct {
		text     string
		wildcard bool
		every    time.Duration
		reboot   bool
	}{
		{"30 2 * * *", false, 0, false},
		{"30 0-23 * * *", false, 0, false},
		{"5,* 2 * * *", false, 0, false},
		{"* 30 2 * * *", false, 0, false},
		{"*/5 2 * * *", true, 0, false},
		{"5 */2 * * *", true, 0, false},
		{"@hourly", true, 0, false},
		{"@daily", false, 0, false},
		{"@Midnight", false, 0, false},
		{"@annually", false, 0, false},
		{"@every 1d12h", true, 36 * time.Hour, false},
		{"@every\t5m", true, 5 * time.Minute, false},
		{"@reboot", false, 0, true},
		{"30\t2  * * *", false, 0, false},
		{"0 0 31 2 mon", false, 0, false}, // either: Mondays in February come
	} {
		e, err := Parse(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		if e.Wildcard() != c.wildcard || e.Every() != c.every || e.Reboot() != c.reboot || e.String() != c.text {
			t.Errorf("%q: got wildcard %v, every %v, reboot %v, text %q", c.text, e.Wildcard(), e.Every(), e.Reboot(), e)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"30 2 * * *", "at 02:30 every day"},
		{"5 30 2 * * *", "at 02:30:05 every day"},
		{"0 6,18 * * *", "at 06:00 and 18:00 every day"},
		{"0 */6 * * *", "at 00:00, 06:00, 12:00 and 18:00 every day"},
		{"* * * * *", "every minute"},
		{"*/5 * * * *", "every 5 minutes"},
		{"*/5 * * 1 *", "every 5 minutes in January"},
		{"0,30 * * * *", "every 30 minutes"},
		{"1,7,20 * * * *", "at minutes 1, 7 and 20 of every hour"},
		{"*/15 9-17 * * mon-fri", "every 15 minutes from 09:00 to 17:59 on Monday to Friday"},
		{"@hourly", "at minute 0 of every hour"},
		{"30 */2 * * *", "every 2 hours from 00:30 on"},
		{"0 9-17 * * 1-5", "every hour from 09:00 to 17:00 on Monday to Friday"},
		{"* * * * * *", "every second"},
		{"*/10 * * * * *", "every 10 seconds"},
		{"0 0 1 * *", "at 00:00 on day 1 of the month"},
		{"0 0 1,15 * *", "at 00:00 on days 1 and 15 of the month"},
		{"@yearly", "at 00:00 on day 1 of January"},
		{"@weekly", "at 00:00 on Sunday"},
		{"0 0 * * fri-sun", "at 00:00 on Friday to Sunday"},
		{"0 0 * * 1-7", "at 00:00 every day"},
		{"0 0 1-31 * 1", "at 00:00 every day"},
		{"0 0 * jan,jul *", "at 00:00 every day in January and July"},
		{"0 0 * feb mon", "at 00:00 on Monday in February"},
		{"0 0 1 * MON", "at 00:00 on day 1 of the month or on Monday"},
		{"0 0 1-7 * */7", "at 00:00 on Sunday that falls on days 1 to 7 of the month"},
		{"@every 1d", "every day"},
		{"@every 90m", "every 90 minutes"},
		{"@every 1h0m5s", "every 1h5s"},
		{"@reboot", "once after every boot"},
		{"*/7 * * * *", "*/7 * * * *"},
		{"0 0 */2 * *", "0 0 */2 * *"},
		{"0 0 * 1,3,5,7,9,11,12 1", "0 0 * 1,3,5,7,9,11,12 1"},
		{"3,9 1,4,9 * * *", "3,9 1,4,9 * * *"},
		{"7 * 9 * * *", "7 * 9 * * *"},
	} {
		e, err := Parse(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := e.Describe(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.text, got, c.want)
		}
	}
	for _, c := range []struct {
		exprs []string
		want  string
	}{
		{[]string{"30 2 * * *"}, "at 02:30 every day, Europe/Berlin"},
		{[]string{"0 9-17 * * 1-5", "0 0 1 * *"}, "every hour from 09:00 to 17:00 on Monday to Friday and at 00:00 on day 1 of the month, Europe/Berlin"},
		{[]string{"*/5 * * * *"}, "every 5 minutes"},
		{[]string{"@every 90m", "@reboot"}, "every 90 minutes and once after every boot"},
		{nil, ""},
	} {
		if got := parsed(t, "Europe/Berlin", DST{}, c.exprs...).Describe("Europe/Berlin"); got != c.want {
			t.Errorf("%v: got %q, want %q", c.exprs, got, c.want)
		}
	}
	if got := (Expr{}).Describe(); got != "never" {
		t.Errorf("the zero expression: got %q", got)
	}
}

// FuzzParse holds that no text makes the package panic or search for long, and
// that what is accepted comes and is understood again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"30 2 * * *", "*/5 * * * * *", "0 0 29 2 */7", "0 0 */100,1-7 * MON", "@every 1d12h", "@reboot",
		"TZ=UTC * * * * *", "@every 292y", "1-2-3/4 , * * *", "\x00 * * * *", "0 0 31 2 *", "5/ * ? L W#",
	} {
		f.Add(text)
	}
	zone, err := LoadZone("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		if e.Describe() == "" {
			t.Errorf("%q is described by nothing", text)
		}
		again, err := Parse(e.String())
		if err != nil || again != e {
			t.Errorf("%q reads as %+v, then as %+v: %v", text, e, again, err)
		}
		s := Schedule{Exprs: []Expr{e}, Zone: zone}
		o, ok := s.Next(now)
		if ok != !e.Reboot() || ok && !o.At.After(now) {
			t.Errorf("%q: next is %v, %v", text, o, ok)
		}
		if _, ok := s.Last(now); ok == e.Reboot() {
			t.Errorf("%q: last is there: %v", text, ok)
		}
		s.DueTail(now.AddDate(-1, 0, 0), now, 3)
	})
}
