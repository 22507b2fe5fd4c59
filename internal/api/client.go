package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client talks to a daemon over its unix socket. It may be used by several
// goroutines at once.
type Client struct {
	socket string
	http   *http.Client
}

// New returns a client for the daemon at the socket. It connects when asked
// for something, not before.
func New(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		dialer := net.Dialer{Timeout: 5 * time.Second}
		conn, err := dialer.DialContext(ctx, "unix", socket)
		if err != nil && ctx.Err() == nil {
			return nil, &NoDaemonError{Socket: socket, Err: reason(err)}
		}
		return conn, err
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Close lets idle connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// reason strips a dial error down to what a person needs: the socket is named
// already.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// get asks for a document.
func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.do(ctx, http.MethodGet, path, query, nil, into)
}

// post sends a document, or nothing, and takes the answer.
func (c *Client) post(ctx context.Context, path string, body, into any) error {
	return c.do(ctx, http.MethodPost, path, nil, body, into)
}

func (c *Client) do(ctx context.Context, method, path string, query url.Values, body, into any) error {
	_, err := c.exchange(ctx, method, path, query, body, into)
	return err
}

// exchange is one request and its answer, whose status it returns.
func (c *Client) exchange(ctx context.Context, method, path string, query url.Values, body, into any) (int, error) {
	resp, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if into == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	} else {
		err = json.NewDecoder(resp.Body).Decode(into)
	}
	if err != nil {
		return 0, c.broken(ctx, fmt.Errorf("read the answer to %s %s: %w", method, path, err))
	}
	return resp.StatusCode, nil
}

// send makes the request; an answer above 299 is an error.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	req, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	if resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, problemOf(resp)
	}
	return resp, nil
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	// Names come escaped in path, so it is parsed and not taken as it is.
	target, err := url.Parse("http://poold" + Prefix + path)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	target.RawQuery = query.Encode()
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), content)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	return req, nil
}

// unreached says what kept an answer from coming. A daemon that went away in
// the middle is no daemon either.
func (c *Client) unreached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if missing := (*NoDaemonError)(nil); errors.As(err, &missing) {
		return missing
	}
	return c.broken(ctx, err)
}

func (c *Client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if gone(err) {
		return &NoDaemonError{Socket: c.socket, Err: errors.New("it closed the connection")}
	}
	return err
}

func gone(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// problemOf reads an error answer. One that is no problem document, as from
// something else that listens at the socket, becomes a problem too.
func problemOf(resp *http.Response) error {
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	p := &Problem{}
	if json.Unmarshal(raw, p) == nil && p.Code != "" {
		return p
	}
	text, _, _ := strings.Cut(strings.TrimSpace(string(raw)), "\n")
	return &Problem{
		Status: resp.StatusCode, Code: CodeInternal, Title: http.StatusText(resp.StatusCode),
		Detail: fmt.Sprintf("the daemon answered %s: %.200s", resp.Status, text),
	}
}

// segment escapes a name for a path.
func segment(name string) string { return url.PathEscape(name) }

func runPath(id int64) string { return "/runs/" + strconv.FormatInt(id, 10) }

// values builds a query of what is set.
func values(pairs ...string) url.Values {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return query
}
