package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	nethttp "net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/secret"
)

// Settings is `with:` of a job of type http.
type Settings struct {
	Method       string            `json:"method,omitempty"` // default: GET, with a body POST
	URL          string            `json:"url,omitempty"`
	Socket       string            `json:"socket,omitempty"` // unix socket to send the request to
	Headers      map[string]string `json:"headers,omitempty"`
	Body         string            `json:"body,omitempty"`
	ExpectStatus []Status          `json:"expect_status,omitempty"` // default: 2xx
	MaxBody      *jobs.Size        `json:"max_body,omitempty"`      // of the answer, kept as output; default 1MiB
}

// defaultMaxBody is how much of a body is kept unless the job says otherwise.
const defaultMaxBody = 1 << 20

func (s *Settings) maxBody() int64 {
	if s.MaxBody == nil {
		return defaultMaxBody
	}
	return int64(*s.MaxBody)
}

func (s *Settings) method() string {
	switch {
	case s.Method != "":
		return s.Method
	case s.Body != "":
		return nethttp.MethodPost
	}
	return nethttp.MethodGet
}

// decode reads canonical settings.
func decode(with json.RawMessage) (Settings, error) {
	var s Settings
	if len(with) == 0 {
		return s, nil
	}
	d := json.NewDecoder(bytes.NewReader(with))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("read settings: %w", err)
	}
	return s, nil
}

// Status is a range of status codes, written 200, 2xx or 200-204.
type Status struct{ From, To int }

var statusForm = regexp.MustCompile(`\A(?:([1-5])xx|([1-5]\d\d)(?:-([1-5]\d\d))?)\z`)

// UnmarshalText reads one of the forms.
func (s *Status) UnmarshalText(text []byte) error {
	m := statusForm.FindStringSubmatch(strings.ToLower(string(text)))
	if m == nil {
		return fmt.Errorf("%q is no status; write 200, 2xx or 200-204", text)
	}
	if m[1] != "" {
		class, _ := strconv.Atoi(m[1]) // one digit, by the form
		*s = Status{class * 100, class*100 + 99}
		return nil
	}
	s.From, _ = strconv.Atoi(m[2])
	s.To = s.From
	if m[3] != "" {
		s.To, _ = strconv.Atoi(m[3])
	}
	if s.To < s.From {
		return fmt.Errorf("%q runs backwards; write the lower status first", text)
	}
	return nil
}

// UnmarshalJSON reads a string in one of the forms, or a number.
func (s *Status) UnmarshalJSON(raw []byte) error {
	return s.UnmarshalText(bytes.Trim(raw, `"`))
}

// MarshalText writes the shortest form.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String is the shortest form.
func (s Status) String() string {
	switch {
	case s.From == s.To:
		return strconv.Itoa(s.From)
	case s.From%100 == 0 && s.To == s.From+99:
		return strconv.Itoa(s.From/100) + "xx"
	}
	return fmt.Sprintf("%d-%d", s.From, s.To)
}

func (s *Settings) expected() []Status {
	if len(s.ExpectStatus) == 0 {
		return []Status{{200, 299}}
	}
	return s.ExpectStatus
}

func (s *Settings) expects(code int) bool {
	return slices.ContainsFunc(s.expected(), func(r Status) bool { return r.From <= code && code <= r.To })
}

// followsRedirects is false where a redirect is itself what is expected.
func (s *Settings) followsRedirects() bool {
	return !slices.ContainsFunc(s.expected(), func(r Status) bool { return r.From < 400 && r.To >= 300 })
}

func (s *Settings) expectedText() string {
	var list []string
	for _, r := range s.expected() {
		list = append(list, r.String())
	}
	return strings.Join(list, " or ")
}

// problems collects what Check finds.
type problems []jobs.Problem

func (p *problems) add(message, hint string, path ...any) {
	*p = append(*p, jobs.Problem{Path: path, Message: message, Hint: hint})
}

var token = regexp.MustCompile("\\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\\z")

func (s *Settings) check() []jobs.Problem {
	var p problems
	s.checkMethod(&p)
	s.checkURL(&p)
	s.checkSocket(&p)
	s.checkHeaders(&p)
	if _, err := secret.Parse(s.Body); err != nil {
		p = append(p, secret.Problem(err, "body"))
	}
	return p
}

func (s *Settings) checkMethod(p *problems) {
	switch {
	case s.Method == "":
	case jobs.Placeholder(s.Method) != "":
		p.add(jobs.Placeholder(s.Method)+" is not replaced here", "write the method itself", "method")
	case !token.MatchString(s.Method):
		p.add(fmt.Sprintf("%q is no method", s.Method), "write GET, POST, PUT, …", "method")
	case s.Method != strings.ToUpper(s.Method):
		p.add(fmt.Sprintf("%q is no method, since case counts", s.Method), "write "+strings.ToUpper(s.Method), "method")
	case s.Method == nethttp.MethodConnect:
		p.add("CONNECT is for proxies and cannot be sent", "write another method", "method")
	}
}

func (s *Settings) checkURL(p *problems) {
	tmpl, err := secret.Parse(s.URL)
	switch {
	case s.URL == "":
		p.add("there is no url", "set url to where the request goes")
	case err != nil:
		*p = append(*p, secret.Problem(err, "url"))
	default:
		if err := parseTarget(tmpl).check(); err != nil {
			p.add(err.message, err.hint, "url")
		}
	}
}

// maxSocket is how long the kernel lets the path of a socket be.
const maxSocket = 107

func (s *Settings) checkSocket(p *problems) {
	tmpl, err := secret.Parse(s.Socket)
	switch {
	case s.Socket == "":
	case jobs.Placeholder(s.Socket) != "":
		p.add(jobs.Placeholder(s.Socket)+" is not replaced here", "write the path itself", "socket")
	case err != nil:
		*p = append(*p, secret.Problem(err, "socket"))
	case tmpl.Has(secret.Reference):
		// read at the attempt's start, and checked then
	default:
		if message, hint := wrongSocket(s.Socket); message != "" {
			p.add(message, hint, "socket")
		}
	}
}

// wrongSocket says why the path cannot be that of a socket, or nothing.
func wrongSocket(path string) (message, hint string) {
	switch {
	case path == "" || (!filepath.IsAbs(path) && path[0] != '@'):
		return fmt.Sprintf("%q is not an absolute path", path), "begin it with /, or with @ for an abstract socket"
	case len(path) > maxSocket || strings.ContainsRune(path, 0):
		return "no socket can have that path", fmt.Sprintf("it has at most %d bytes and no zero byte", maxSocket)
	}
	return "", ""
}

// ownHeaders are written by the transport from what it knows better.
func ownHeaders() []string {
	return []string{"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}
}

func (s *Settings) checkHeaders(p *problems) {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		canonical := nethttp.CanonicalHeaderKey(name)
		switch {
		case jobs.Placeholder(name) != "":
			p.add(jobs.Placeholder(name)+" is not replaced in the name of a header", "write the name itself", "headers", name)
		case !token.MatchString(name):
			p.add(fmt.Sprintf("%q cannot be the name of a header", name), "write letters, digits and -", "headers", name)
		case slices.Contains(ownHeaders(), canonical):
			p.add(canonical+" is set by poold itself", "remove it", "headers", name)
		case seen[canonical] != "":
			p.add(fmt.Sprintf("%s and %s are one header", seen[canonical], name), "keep one of them", "headers", name)
		}
		seen[canonical] = name
		if _, err := secret.Parse(s.Headers[name]); err != nil {
			*p = append(*p, secret.Problem(err, "headers", name))
		} else if err := validValue(s.Headers[name]); err != nil {
			p.add(err.Error(), "write the value on one line", "headers", name)
		}
	}
}

// validValue says whether s may be the value of a header.
func validValue(s string) error {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\r' || c == '\n':
			return errors.New("the value of a header cannot hold a line break")
		case c < ' ' && c != '\t', c == 0x7f:
			return errors.New("the value of a header cannot hold a control character")
		}
	}
	return nil
}

// checkArg fills the argument in wherever it goes, with a stand-in for what
// is not known yet.
func (s *Settings) checkArg(arg string) error {
	t := jobs.Task{Arg: arg, Run: 1}
	tmpl, err := secret.Parse(s.URL)
	if err != nil {
		return err
	}
	if tmpl.HasPlace(jobs.PlaceArg) {
		target := parseTarget(tmpl)
		if _, err := target.fill(target.standIn(arg)); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		if !strings.Contains(s.Headers[name], jobs.PlaceArg) {
			continue
		}
		if err := validValue(t.Expand(s.Headers[name])); err != nil {
			return fmt.Errorf("headers.%s: %w", name, err)
		}
	}
	return nil
}
