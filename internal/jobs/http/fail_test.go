package http

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newTLS(t *testing.T, h nethttp.HandlerFunc, certs ...tls.Certificate) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are the point
	if len(certs) > 0 {
		srv.TLS = &tls.Config{Certificates: certs}
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// roots trusts the server's own certificate.
func roots(srv *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return pool
}

// certificate is one that signs itself.
func certificate(t *testing.T, from, until time.Time, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: from, NotAfter: until,
		DNSNames: names, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if len(names) == 0 {
		cert.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLSErrorsAreInWords(t *testing.T) {
	now := time.Now()
	good := newTLS(t, echo)
	old := newTLS(t, echo, certificate(t, now.Add(-48*time.Hour), time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC).AddDate(5, 0, 0)))
	early := newTLS(t, echo, certificate(t, now.Add(24*time.Hour), now.Add(48*time.Hour)))
	other := newTLS(t, echo, certificate(t, now.Add(-time.Hour), now.Add(time.Hour), "a.example", "b.example", "c.example", "d.example", "e.example", "f.example"))
	plain := serve(t, echo)
	tests := []struct {
		name, url string
		roots     *x509.CertPool
		want      string
	}{
		{"a certificate we trust is fine", good.URL, roots(good), ""},
		{"an authority we do not know", good.URL, x509.NewCertPool(), "signed by an unknown authority (O=Acme Co); add that to"},
		{"a certificate of old", old.URL, roots(old), "the certificate expired on 2025-01-02T03:04:05Z"},
		{"a certificate of tomorrow", early.URL, roots(early), "is this host's clock right?"},
		{"a certificate for others", strings.Replace(other.URL, "127.0.0.1", "localhost", 1), roots(other), "the certificate is not for localhost but for a.example, b.example, c.example, d.example, e.example, …"},
		{"https where there is http", strings.Replace(plain.URL, "http", "https", 1), nil, "the server speaks http and not https there"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := sendBy(t, newType(t, Options{Roots: tt.roots}), Settings{URL: tt.url}, "")
			if got.OK != (tt.want == "") || !strings.Contains(got.Error, tt.want) || !got.OK && !got.NoRetry {
				t.Errorf("got %+v\nwant %q", got, tt.want)
			}
		})
	}
}

func TestHTTPWhereThereIsTLSIsAStatus(t *testing.T) {
	srv := newTLS(t, echo)
	got, out := send(t, Settings{URL: strings.Replace(srv.URL, "https", "http", 1)}, "")
	if got.OK || !strings.Contains(got.Error, "400 Bad Request") || !strings.Contains(out, "HTTPS server") {
		t.Errorf("%+v, %q", got, out)
	}
}

func TestHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(nethttp.HandlerFunc(echo))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	got, out := sendBy(t, newType(t, Options{Roots: roots(srv)}), Settings{URL: srv.URL}, "")
	if !got.OK || !strings.HasPrefix(out, "HTTP/2.0 200 OK") {
		t.Errorf("%+v, %q", got, out)
	}
}

// listen accepts connections and hands each to f.
func listen(t *testing.T, f func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestNetworkErrorsAreInWordsAndRetried(t *testing.T) {
	closed := listen(t, func(c net.Conn) { io.ReadAtLeast(c, make([]byte, 1), 1) })
	garbage := listen(t, func(c net.Conn) {
		io.ReadAtLeast(c, make([]byte, 16), 16)
		io.WriteString(c, "SSH-2.0-OpenSSH\r\n\r\n")
	})
	tests := []struct{ name, url, want string }{
		{"nobody listens", "http://127.0.0.1:1/", "connection refused by 127.0.0.1:1; is the service running?"},
		{"no answer comes", "http://" + closed + "/", "the server c"}, // cut, or closed: the kernel's timing decides
		{"something else answers", "http://" + garbage + "/", "malformed HTTP"},
		{"no TLS answers", "https://" + garbage + "/", "the server speaks no TLS there"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := send(t, Settings{URL: tt.url}, "")
			if got.OK || got.Reason != "http" || !strings.HasPrefix(got.Error, "GET "+tt.url+": ") || !strings.Contains(got.Error, tt.want) {
				t.Errorf("got %+v\nwant %q", got, tt.want)
			}
			if got.NoRetry != strings.Contains(tt.want, "TLS") {
				t.Errorf("no retry: %v", got.NoRetry)
			}
		})
	}
}

func TestExplainNetwork(t *testing.T) {
	at := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}
	dial := func(err error) error {
		return &url.Error{Op: "Get", URL: "http://hunter2/", Err: &net.OpError{Op: "dial", Net: "tcp", Addr: at, Err: err}}
	}
	tests := []struct {
		err  error
		want string
	}{
		{dial(&net.DNSError{Name: "no.example", IsNotFound: true}), "there is no host no.example"},
		{dial(&net.DNSError{Name: "no.example", IsTimeout: true}), "no name server answered about no.example"},
		{dial(&net.DNSError{Name: "no.example", Err: "server misbehaving"}), "looking up no.example: server misbehaving"},
		{dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), "no way to reach 192.0.2.1:80"},
		{dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), "no way to reach 192.0.2.1:80"},
		{dial(os.NewSyscallError("connect", syscall.EACCES)), "may not connect to 192.0.2.1:80: permission denied"},
		{dial(os.ErrDeadlineExceeded), "no connection to 192.0.2.1:80 in time"},
		{&url.Error{Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "the server cut the connection"},
		{&url.Error{URL: "http://hunter2/", Err: io.EOF}, "the server closed the connection without an answer"},
		{fmt.Errorf("something else"), "something else"},
	}
	for _, tt := range tests {
		if got, final := explain(tt.err); got != tt.want || final {
			t.Errorf("explain(%v) = %q, %v; want %q, retried", tt.err, got, final, tt.want)
		}
	}
}
