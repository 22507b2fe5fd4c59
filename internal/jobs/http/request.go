package http

import (
	"context"
	"errors"
	"fmt"
	"maps"
	nethttp "net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/jobs/secret"
)

// call is a request, ready to be sent.
type call struct {
	req    *nethttp.Request
	shown  string         // METHOD URL, without secrets
	reader *secret.Reader // knows the secrets in it
	socket string         // unix socket to send it to; empty: none
	guard  redirects
}

// newCall makes the request of the task's settings. What it reads, it reads
// now; it sends nothing.
func (h *Type) newCall(ctx context.Context, s *Settings, t jobs.Task) (*call, error) {
	c := &call{reader: secret.NewReader(h.secrets)}
	u, err := c.url(s, t)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	body, bodySecret, err := c.expand(s.Body, t)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	c.req, err = nethttp.NewRequestWithContext(ctx, s.method(), u.String(), strings.NewReader(body))
	if err != nil {
		return nil, errors.New("make the request: " + c.reader.Mask(err.Error()))
	}
	if c.socket, err = c.socketPath(s, t); err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	c.guard = redirects{follow: s.followsRedirects(), socket: s.Socket != "", secretBody: bodySecret}
	if err := c.setHeaders(s, t); err != nil {
		return nil, err
	}
	return c, nil
}

// socketPath is the unix socket to send to, or empty for none.
func (c *call) socketPath(s *Settings, t jobs.Task) (string, error) {
	path, _, err := c.expand(s.Socket, t)
	if err != nil || s.Socket == "" {
		return "", err
	}
	if message, hint := wrongSocket(path); message != "" {
		return "", fmt.Errorf("%s; %s", message, hint)
	}
	return path, nil
}

// url fills in the url twice: to be sent, and to be seen.
func (c *call) url(s *Settings, t jobs.Task) (*url.URL, error) {
	tmpl, err := secret.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	target := parseTarget(tmpl)
	value := func(p secret.Part) (string, error) {
		if p.Kind == secret.Place {
			return t.Expand(p.Text), nil
		}
		return c.reader.Read(p.Text)
	}
	u, err := target.fill(value)
	if err != nil {
		return nil, err
	}
	u.Fragment, u.RawFragment = "", ""
	c.shown = s.method() + " " + c.showURL(u)
	return u, nil
}

// showURL is a url for people: without passwords and the values of secrets.
func (c *call) showURL(u *url.URL) string { return c.reader.Mask(u.Redacted()) }

// expand fills in a text and tells whether a secret is in it.
func (c *call) expand(text string, t jobs.Task) (value string, secrets bool, err error) {
	tmpl, err := secret.Parse(text)
	if err != nil {
		return "", false, err
	}
	value, err = c.reader.Expand(tmpl, t.Expand)
	return value, tmpl.Has(secret.Reference), err
}

func (c *call) setHeaders(s *Settings, t jobs.Task) error {
	c.req.Header.Set("User-Agent", "poold")
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		value, hasSecret, err := c.expand(s.Headers[name], t)
		if err == nil {
			err = validValue(value)
		}
		if err != nil {
			return fmt.Errorf("headers.%s: %w", name, err)
		}
		if hasSecret {
			c.guard.secretHeaders = append(c.guard.secretHeaders, name)
		}
		if nethttp.CanonicalHeaderKey(name) == "Host" {
			c.req.Host = value
			continue
		}
		c.req.Header.Set(name, value)
	}
	return nil
}

// maxRedirects is how often a server may send a request elsewhere.
const maxRedirects = 10

// redirects decides whether to follow one, and what goes along.
type redirects struct {
	follow        bool
	socket        bool // the request goes through a unix socket
	secretHeaders []string
	secretBody    bool
}

// redirectError is a redirect that is not followed. To try again would lead
// to the same place.
type redirectError struct{ text string }

// Error says which redirect, and why.
func (e *redirectError) Error() string { return e.text }

// check is called before a redirect is followed. net/http leaves Authorization
// and Cookie behind when the host changes; the other secrets are for us.
func (r *redirects) check(req *nethttp.Request, via []*nethttp.Request) error {
	if !r.follow {
		return nethttp.ErrUseLastResponse
	}
	if len(via) > maxRedirects {
		return &redirectError{fmt.Sprintf("redirected more than %d times, last to %s; is it a loop?", maxRedirects, req.URL.Host)}
	}
	// It would name the url before, and the secrets in its query.
	req.Header.Del("Referer")
	first := via[0].URL
	if req.URL.Hostname() == first.Hostname() && (req.URL.Scheme == "https" || first.Scheme == "http") {
		return nil
	}
	switch {
	case r.socket:
		return &redirectError{fmt.Sprintf("redirected to %s, which is not behind the socket", req.URL.Host)}
	case r.secretBody && req.Body != nil && req.Body != nethttp.NoBody:
		return &redirectError{fmt.Sprintf("redirected to %s://%s; a body with a secret is not sent there", req.URL.Scheme, req.URL.Host)}
	}
	for _, name := range append([]string{"Authorization", "Cookie"}, r.secretHeaders...) {
		req.Header.Del(name)
	}
	return nil
}

// isRedirectError finds out whether a request ended at a redirect.
func isRedirectError(err error) bool {
	var redirect *redirectError
	return errors.As(err, &redirect)
}
