package http

import (
	"net/url"
	"strings"
	"testing"

	"github.com/poold/poold/internal/jobs/secret"
)

func filled(t *testing.T, tmpl string, values map[string]string) (*url.URL, error) {
	t.Helper()
	parsed, err := secret.Parse(tmpl)
	if err != nil {
		t.Fatal(err)
	}
	return parseTarget(parsed).fill(func(p secret.Part) (string, error) { return values[p.Text], nil })
}

func TestFillEscapesForWhereItStands(t *testing.T) {
	values := map[string]string{
		"{arg}": "a/b?c&d=e#f %", "{run_id}": "7", "cred:pw": "p@ss/w:rd", "env:HOST": "api.example.org:8080",
		"cred:token": "x+y&z", "cred:path": "T0/B0/x y", "cred:base": "https://u:p@h:1/base",
	}
	const arg = "a%2Fb%3Fc%26d%3De%23f%20%25"
	tests := []struct{ name, in, want string }{
		{"an argument in the path is one part of it", "http://h/x/{arg}/y", "http://h/x/" + arg + "/y"},
		{"an argument in the query is one value", "http://h/?q={arg}&r={run_id}", "http://h/?q=" + arg + "&r=7"},
		{"a password is escaped", "http://u:${cred:pw}@h/", "http://u:p%40ss%2Fw:rd@h/"},
		{"a secret host is a host", "http://${env:HOST}/x", "http://api.example.org:8080/x"},
		{"a secret in the query is one value", "http://h/?t=${cred:token}", "http://h/?t=x%2By%26z"},
		{"a secret in the path may hold folders", "http://h/${cred:path}", "http://h/T0/B0/x%20y"},
		{"a secret base is taken whole", "${cred:base}/x/{arg}", "https://u:p@h:1/base/x/" + arg},
		{"what is written stays as it is", "http://h/a%2Fb?c=d+e", "http://h/a%2Fb?c=d+e"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := filled(t, tt.in, values)
			if err != nil {
				t.Fatal(err)
			}
			// A colon in a password may stand as it is.
			want, err := url.Parse(strings.Replace(tt.want, "w:rd", "w%3Ard", 1))
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != want.String() {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestAWholeUrlIsTakenAsItIs(t *testing.T) {
	const in = "https://example.org/a/../b?c=d&e"
	got, err := filled(t, "{arg}", map[string]string{"{arg}": in})
	if err != nil || got.String() != in {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestBadUrlsNeverShowWhatIsInThem(t *testing.T) {
	for _, base := range []string{"http://hunter2:hunter2/", "hunter2", "http://h/\x00hunter2", "http://%zzhunter2/"} {
		_, err := filled(t, "${cred:base}", map[string]string{"cred:base": base})
		if err == nil {
			t.Errorf("%q is taken for a url", base)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q shows in %q", base, err)
		}
	}
}

func FuzzFill(f *testing.F) {
	for _, arg := range []string{"x", "../admin?x", "..", "%2e%2e", "a/b", "\r\n", "?", "#", "@evil.org", "\\..\\"} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		tmpl, err := secret.Parse("http://host/a/{arg}/b?q={arg}&last=1")
		if err != nil {
			t.Fatal(err)
		}
		u, err := parseTarget(tmpl).fill(func(secret.Part) (string, error) { return arg, nil })
		if err != nil {
			return
		}
		// Whatever the argument, the url keeps its shape.
		parts := strings.Split(u.EscapedPath(), "/")
		if u.Host != "host" || u.User != nil || u.Fragment != "" || len(parts) != 4 || parts[1] != "a" || parts[3] != "b" {
			t.Fatalf("%q changed the url: %s", arg, u)
		}
		if got, err := url.PathUnescape(parts[2]); err != nil || got != arg {
			t.Errorf("part %q, want %q", got, arg)
		}
		if q := u.Query(); len(q) != 2 || q.Get("q") != arg || q.Get("last") != "1" {
			t.Errorf("query %v, want %q", q, arg)
		}
	})
}
