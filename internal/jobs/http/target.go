package http

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/secret"
)

// where is the part of a url in which something stands.
type where int

const (
	inScheme where = iota
	inUser
	inHost
	inPath
	inQuery // and in the fragment, which is never sent
)

// target is a url with what is filled in, each with where it stands.
type target struct {
	tmpl  secret.Template
	at    []where
	whole bool // nothing but the argument, which is a url itself
}

// parseTarget finds out where everything stands. A reference in front may be
// all of a base url: what follows it up to the next / is still in the host.
func parseTarget(tmpl secret.Template) target {
	t := target{tmpl: tmpl, at: make([]where, len(tmpl))}
	t.whole = len(tmpl) == 1 && tmpl[0] == secret.Part{Kind: secret.Place, Text: jobs.PlaceArg}
	var before strings.Builder
	for i, part := range tmpl {
		t.at[i] = whereAfter(before.String(), t.startsWithSecret())
		if t.at[i] == inHost && userFollows(tmpl[i+1:]) {
			t.at[i] = inUser
		}
		if part.Kind == secret.Text {
			before.WriteString(part.Text)
		} else {
			before.WriteByte('x')
		}
	}
	return t
}

func (t target) startsWithSecret() bool {
	return len(t.tmpl) > 0 && t.tmpl[0].Kind == secret.Reference
}

func whereAfter(before string, base bool) where {
	_, rest, ok := strings.Cut(before, "://")
	if !ok {
		if !base || before == "" {
			return inScheme
		}
		rest = before
	}
	switch {
	case strings.ContainsAny(rest, "?#"):
		return inQuery
	case strings.Contains(rest, "/"):
		return inPath
	}
	return inHost
}

// userFollows says whether the rest of the authority holds an @, so that what
// stands in front of it names a user or is a password.
func userFollows(rest secret.Template) bool {
	for _, part := range rest {
		if part.Kind != secret.Text {
			continue
		}
		if i := strings.IndexAny(part.Text, "@/?#"); i >= 0 {
			return part.Text[i] == '@'
		}
	}
	return false
}

// targetError is something wrong in a url.
type targetError struct{ message, hint string }

// Error is the message with the hint.
func (e *targetError) Error() string { return e.message + "; " + e.hint }

// check says what is wrong with the url whatever is filled in, or nil.
func (t target) check() *targetError {
	if t.whole {
		return nil
	}
	for i, part := range t.tmpl {
		if part.Kind == secret.Place && t.at[i] < inPath {
			return &targetError{
				part.Text + " must not choose where the request goes",
				"it may stand behind the host; or let the url be exactly {arg}, which is then a url itself",
			}
		}
	}
	_, err := t.fill(t.standIn("1"))
	var wrong *targetError
	if errors.As(err, &wrong) {
		return wrong
	}
	return nil
}

// standIn gives values to try a url with: 1, which may stand anywhere behind
// the scheme, for all but the argument and a secret in front.
func (t target) standIn(arg string) func(secret.Part) (string, error) {
	base := "http://1"
	if len(t.tmpl) > 1 && strings.HasPrefix(t.tmpl[1].Text, "://") {
		base = "http"
	}
	return func(part secret.Part) (string, error) {
		switch {
		case part.Text == jobs.PlaceArg:
			return arg, nil
		case t.startsWithSecret() && part == t.tmpl[0]:
			return base, nil
		}
		return "1", nil
	}
}

// fill makes the url, each value escaped for where it stands. A value of a
// placeholder never changes the shape of the url; a secret, which comes from
// the operator as the url does, may bring along the host or several folders.
func (t target) fill(value func(secret.Part) (string, error)) (*url.URL, error) {
	var b strings.Builder
	for i, part := range t.tmpl {
		if part.Kind == secret.Text {
			b.WriteString(part.Text)
			continue
		}
		v, err := value(part)
		if err != nil {
			return nil, err
		}
		if part.Kind == secret.Place && t.at[i] == inPath && v == "" {
			return nil, &targetError{part.Text + " is empty, and the path of the url needs it", "give the run an argument"}
		}
		b.WriteString(t.escape(v, part.Kind, t.at[i]))
	}
	u, err := url.Parse(b.String())
	if err != nil {
		return nil, t.unreadable(err)
	}
	return u, t.checkFilled(u)
}

// unreadable says what is wrong with the text of the url, unless that might
// show a part of a secret.
func (t target) unreadable(err error) error {
	message := "the url cannot be read with its secrets filled in"
	var parse *url.Error
	if errors.As(err, &parse) && !t.tmpl.Has(secret.Reference) {
		message = "the url cannot be read: " + parse.Err.Error()
	}
	return &targetError{message, "write http://HOST/PATH, special characters escaped"}
}

func (t target) checkFilled(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return &targetError{"the url does not begin with http:// or https://", "write it in full"}
	case u.Hostname() == "":
		return &targetError{"the url has no host", "write http://HOST/PATH"}
	case t.whole || !t.placeInPath():
		return nil
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return &targetError{fmt.Sprintf("%q as a part of the path would change the path", segment), "give another argument"}
		}
	}
	return nil
}

func (t target) placeInPath() bool {
	for i, part := range t.tmpl {
		if part.Kind == secret.Place && t.at[i] == inPath {
			return true
		}
	}
	return false
}

func (t target) escape(v string, kind secret.Kind, at where) string {
	switch {
	case t.whole, at == inScheme, at == inHost:
		return v
	case kind == secret.Reference && at == inPath:
		return encode(v, "/")
	}
	return encode(v, "")
}

// encode escapes all bytes but letters, digits, - . _ ~ and those to keep.
func encode(s, keep string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-._~", c) >= 0, strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
