package http

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/poold/poold/internal/jobs"
)

// checked runs Check on settings in JSON and gives each problem as
// "path: message; hint".
func checked(t *testing.T, with string) []string {
	t.Helper()
	var got []string
	for _, p := range New(Options{}).Check(json.RawMessage(with)) {
		got = append(got, fmt.Sprintf("%v: %s; %s", p.Path, p.Message, p.Hint))
	}
	return got
}

func TestCheckFindsNothingWrong(t *testing.T) {
	for _, with := range []string{
		`{"url":"http://localhost"}`,
		`{"url":"{arg}"}`,
		`{"url":"https://u:${cred:pw}@[::1]:${env:PORT}/a/{arg}?r={run_id}&t=${file:/run/t}#x"}`,
		`{"url":"${cred:webhook}"}`,
		`{"url":"${env:SCHEME}://host/{arg}"}`,
		`{"url":"${env:BASE}/users/{arg}"}`,
		`{"url":"http://h/","method":"PATCH","socket":"/run/x.sock","headers":{"X-Run":"{run_id}","Authorization":"Bearer ${cred:t}"},"body":"{arg}"}`,
		`{"url":"http://h/","socket":"@abstract","expect_status":["200","3xx","400-404",500],"max_body":"0"}`,
	} {
		if got := checked(t, with); got != nil {
			t.Errorf("%s: %q", with, got)
		}
	}
}

func TestCheckFindsProblems(t *testing.T) {
	long := strings.Repeat("x", 108)
	tests := []struct{ name, with, want string }{
		{"a request goes somewhere", `{}`, "[]: there is no url; set url"},
		{"an unknown key is refused", `{"url":"http://h","timeout":"1s"}`, "unknown field"},
		{"a url has a scheme", `{"url":"example.org/x"}`, "[url]: the url does not begin with http:// or https://"},
		{"other schemes are refused", `{"url":"file:///etc/passwd"}`, "[url]: the url does not begin with"},
		{"a url has a host", `{"url":"http:///x"}`, "[url]: the url has no host"},
		{"a url can be read", `{"url":"http://h:x/"}`, "[url]: the url cannot be read: invalid port"},
		{"a reference in a url is checked", `{"url":"http://h/${HOME}"}`, "[url]: ${HOME} is no reference"},
		{"an argument chooses no host", `{"url":"http://{arg}/"}`, "[url]: {arg} must not choose where the request goes; it may stand behind the host"},
		{"an argument chooses no part of a host", `{"url":"http://a.{arg}.org/"}`, "{arg} must not choose where"},
		{"an argument chooses no port", `{"url":"http://h:{arg}/"}`, "{arg} must not choose where"},
		{"an argument is no user", `{"url":"http://{arg}@h/"}`, "{arg} must not choose where"},
		{"an argument chooses no scheme", `{"url":"{arg}://h/"}`, "{arg} must not choose where"},
		{"an argument with more around it is no url", `{"url":"{arg}?x=1"}`, "{arg} must not choose where"},
		{"an argument does not extend a secret host", `{"url":"${env:BASE}{arg}/"}`, "{arg} must not choose where"},
		{"an argument does not follow a secret scheme", `{"url":"${env:S}://{arg}/"}`, "{arg} must not choose where"},
		{"a method is a word", `{"url":"http://h","method":"GET /x"}`, `[method]: "GET /x" is no method`},
		{"a method is in capitals", `{"url":"http://h","method":"post"}`, `since case counts; write POST`},
		{"a method is fixed", `{"url":"http://h","method":"{arg}"}`, "[method]: {arg} is not replaced here"},
		{"CONNECT cannot be sent", `{"url":"http://h","method":"CONNECT"}`, "[method]: CONNECT is for proxies"},
		{"a socket is an absolute path", `{"url":"http://h","socket":"x.sock"}`, `[socket]: "x.sock" is not an absolute path`},
		{"a socket is fixed", `{"url":"http://h","socket":"/run/{arg}"}`, "[socket]: {arg} is not replaced here"},
		{"a socket's path is short", `{"url":"http://h","socket":"/` + long + `"}`, "[socket]: no socket can have that path"},
		{"a header's name is a word", `{"url":"http://h","headers":{"a b":"c"}}`, `[headers a b]: "a b" cannot be the name of a header`},
		{"a header's name is fixed", `{"url":"http://h","headers":{"{arg}":"c"}}`, "[headers {arg}]: {arg} is not replaced in the name"},
		{"a header stands on one line", `{"url":"http://h","headers":{"A":"b\r\nC: d"}}`, "[headers A]: the value of a header cannot hold a line break"},
		{"a header is given once", `{"url":"http://h","headers":{"Accept":"a","accept":"b"}}`, "[headers accept]: Accept and accept are one header"},
		{"the transport's headers are its own", `{"url":"http://h","headers":{"content-length":"1"}}`, "Content-Length is set by poold itself"},
		{"a reference in a header is checked", `{"url":"http://h","headers":{"A":"${x}"}}`, "[headers A]: ${x} is no reference"},
		{"a reference in the body is checked", `{"url":"http://h","body":"${x}"}`, "[body]: ${x} is no reference"},
		{"a status is one of the forms", `{"url":"http://h","expect_status":["ok"]}`, `"ok" is no status; write 200, 2xx or 200-204`},
		{"a status has a range", `{"url":"http://h","expect_status":[99]}`, `"99" is no status`},
		{"a range runs upwards", `{"url":"http://h","expect_status":["204-200"]}`, "runs backwards"},
		{"a size has a unit", `{"url":"http://h","max_body":"100"}`, "has no unit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checked(t, tt.with)
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q\nwant one with %q", got, tt.want)
			}
		})
	}
}

func TestStatusKeepsItsForm(t *testing.T) {
	var got []Status
	if err := json.Unmarshal([]byte(`[200, "204", "3XX", "400-404", "500-599"]`), &got); err != nil {
		t.Fatal(err)
	}
	want := []Status{{200, 200}, {204, 204}, {300, 399}, {400, 404}, {500, 599}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	raw, err := json.Marshal(got)
	if err != nil || string(raw) != `["200","204","3xx","400-404","5xx"]` {
		t.Errorf("got %s, %v", raw, err)
	}
}

func TestWhatIsExpected(t *testing.T) {
	list := Settings{ExpectStatus: []Status{{200, 200}, {404, 410}}}
	for code, want := range map[int]bool{200: true, 201: false, 404: true, 407: true, 410: true, 411: false} {
		if got := list.expects(code); got != want {
			t.Errorf("expects(%d) = %v", code, got)
		}
	}
	if (&Settings{}).expects(300) || !(&Settings{}).expects(299) {
		t.Error("the default is not 2xx")
	}
	if !list.followsRedirects() || (&Settings{ExpectStatus: []Status{{200, 301}}}).followsRedirects() {
		t.Error("redirects are followed unless one is expected")
	}
}

func TestDefaults(t *testing.T) {
	zero := jobs.Size(0)
	if got := (&Settings{}).method() + (&Settings{Body: "x"}).method() + (&Settings{Body: "x", Method: "PUT"}).method(); got != "GETPOSTPUT" {
		t.Errorf("methods %s", got)
	}
	if got, none := (&Settings{}).maxBody(), (&Settings{MaxBody: &zero}).maxBody(); got != 1<<20 || none != 0 {
		t.Errorf("kept %d by default, %d of none", got, none)
	}
}

func TestCheckArg(t *testing.T) {
	const whole, path, query, header = `{"url":"{arg}"}`, `{"url":"http://h/a/{arg}"}`, `{"url":"${cred:b}/?q={arg}"}`, `{"url":"http://h/","headers":{"X":"{arg}"}}`
	tests := []struct{ name, with, arg, want string }{
		{"a url is a url", whole, "https://example.org/a?b=c", ""},
		{"a path is no url", whole, "/a", "does not begin with http"},
		{"other schemes are no url", whole, "javascript:alert(1)", "does not begin with http"},
		{"a url without a host is none", whole, "http:///x", "no host"},
		{"no argument is no url", whole, "", "does not begin with http"},
		{"a url stands on one line", whole, "http://h/\nx", "cannot be read"},
		{"anything goes into a path", path, "ä b?c#d%2f&", ""},
		{"a slash is escaped", path, "a/b", ""},
		{"nothing climbs", path, "../admin?x", `".." as a part of the path`},
		{"nothing climbs alone", path, "..", `".." as a part of the path`},
		{"a dot stays nowhere", path, ".", `"." as a part of the path`},
		{"a path is not cut short", path, "", "{arg} is empty"},
		{"anything goes into a query", query, "../&=\r\n", ""},
		{"nothing may be in a query", query, "", ""},
		{"a header stands on one line", header, "a\r\nSet-Cookie: x", "headers.X: the value of a header cannot hold a line break"},
		{"a header has no control characters", header, "a\x00", "control character"},
		{"a tab is fine in a header", header, "a\tb", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := New(Options{}).CheckArg(json.RawMessage(tt.with), tt.arg)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want none", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
