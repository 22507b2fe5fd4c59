package http

import (
	nethttp "net/http"
	"strings"
	"testing"
)

// twoHosts serves a host that redirects every request to another one, which
// answers with what it was sent.
func twoHosts(t *testing.T, code int) (from string) {
	t.Helper()
	other := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.Referer() != "" {
			t.Errorf("referer %q", r.Referer())
		}
		echo(w, r)
	})
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	return serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		nethttp.Redirect(w, r, elsewhere+"/other", code)
	}).URL
}

func TestARedirectIsFollowedAndNamed(t *testing.T) {
	srv := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		switch r.URL.Path {
		case "/a":
			nethttp.Redirect(w, r, "/b?t=hunter2%2Bx", nethttp.StatusFound)
		case "/gone":
			nethttp.Redirect(w, r, "/404", nethttp.StatusFound)
		case "/404":
			w.WriteHeader(nethttp.StatusNotFound)
		default:
			echo(w, r)
		}
	})
	got, out := send(t, Settings{URL: srv.URL + "/a", Headers: map[string]string{"X-Test": "${env:TOKEN}"}}, "")
	if !got.OK || !strings.Contains(out, "\nfrom "+srv.URL+"/b?t=***\n\nGET /b?t=*** host") || !strings.Contains(out, " x=*** ") {
		t.Errorf("%+v, %q", got, out)
	}
	got, _ = send(t, Settings{URL: srv.URL + "/gone"}, "")
	if want := "GET " + srv.URL + "/gone -> " + srv.URL + "/404: 404 Not Found, expected 2xx"; got.Error != want {
		t.Errorf("got %q\nwant %q", got.Error, want)
	}
}

func TestSecretsStayWithTheirHost(t *testing.T) {
	headers := map[string]string{"Authorization": "Basic abcd", "X-Test": "${env:TOKEN}"}
	got, out := send(t, Settings{URL: twoHosts(t, 302) + "/?t=${env:TOKEN}", Headers: headers}, "")
	if !got.OK || !strings.HasSuffix(out, " x= auth= body=") {
		t.Errorf("%+v, %q", got, out)
	}
	withUser := strings.Replace(twoHosts(t, 302), "://", "://u:${env:PW}@", 1)
	if got, out = send(t, Settings{URL: withUser}, ""); !got.OK || !strings.Contains(out, " auth= ") {
		t.Errorf("%+v, %q", got, out)
	}
	got, out = send(t, Settings{URL: twoHosts(t, 302), Headers: map[string]string{"X-Test": "plain"}}, "")
	if !got.OK || !strings.Contains(out, " x=plain ") {
		t.Errorf("a header without a secret is gone: %+v, %q", got, out)
	}
	got, _ = send(t, Settings{URL: twoHosts(t, 307), Body: "${env:TOKEN}"}, "")
	if got.OK || !got.NoRetry || !strings.Contains(got.Error, "a body with a secret is not sent there") {
		t.Errorf("%+v", got)
	}
	if got, out = send(t, Settings{URL: twoHosts(t, 307), Body: "plain"}, ""); !got.OK || !strings.HasSuffix(out, "body=plain") {
		t.Errorf("%+v, %q", got, out)
	}
}

func TestSecretsAreNotSentInTheClear(t *testing.T) {
	plain := serve(t, echo)
	secure := newTLS(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		nethttp.Redirect(w, r, plain.URL, nethttp.StatusFound)
	})
	got, out := sendBy(t, newType(t, Options{Roots: roots(secure)}), Settings{URL: secure.URL, Headers: map[string]string{"X-Test": "${env:TOKEN}", "Authorization": "Basic abcd"}}, "")
	if !got.OK || !strings.Contains(out, " x= auth= ") {
		t.Errorf("%+v, %q", got, out)
	}
}

func TestARedirectLoopEnds(t *testing.T) {
	requests := 0
	srv := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		requests++
		nethttp.Redirect(w, r, "/", nethttp.StatusFound)
	})
	got, _ := send(t, Settings{URL: srv.URL}, "")
	if got.OK || !got.NoRetry || !strings.Contains(got.Error, "redirected more than 10 times") || requests != 11 {
		t.Errorf("%+v after %d requests", got, requests)
	}
}
