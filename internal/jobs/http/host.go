package http

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/secret"
)

var _ jobs.Hosted = (*Type)(nil)

// Host tells which host a request goes to: that of the url, in lower case and
// without its port. Where the url is the argument it depends on that, else no
// argument changes it. A host that is read from a secret goes by the name of
// the secret: nothing is read for this.
func (*Type) Host(with json.RawMessage) func(arg string) string {
	none := func(string) string { return "" }
	s, err := decode(with)
	if err != nil {
		return none
	}
	tmpl, err := secret.Parse(s.URL)
	if err != nil {
		return none
	}
	if parseTarget(tmpl).whole {
		return hostOf
	}
	host := hostIn(tmpl)
	return func(string) string { return host }
}

// hostOf is the host of a url, or empty.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

// hostIn is the host of a url that is not all argument. Behind the host
// anything may be filled in; before it, only secrets.
func hostIn(tmpl secret.Template) string {
	var text strings.Builder
	for _, part := range tmpl {
		switch part.Kind {
		case secret.Text:
			text.WriteString(part.Text)
		case secret.Reference:
			text.WriteString("${" + part.Text + "}")
		case secret.Place:
			text.WriteByte('x')
		}
	}
	rest := text.String()
	if _, behind, ok := strings.Cut(rest, "://"); ok {
		rest = behind
	}
	authority := cutAuthority(rest)
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	if strings.Contains(authority, "${") {
		return authority
	}
	return hostOf("//" + authority)
}

// cutAuthority is what stands before the path, the query and the fragment. The
// name of a secret may hold a slash.
func cutAuthority(rest string) string {
	inSecret := false
	for i := range len(rest) {
		switch c := rest[i]; {
		case c == '{' && i > 0 && rest[i-1] == '$':
			inSecret = true
		case c == '}':
			inSecret = false
		case !inSecret && (c == '/' || c == '?' || c == '#'):
			return rest[:i]
		}
	}
	return rest
}
