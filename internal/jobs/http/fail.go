package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/poold/poold/internal/jobs"
)

// failed is the outcome of a request that got no answer, or half of one.
func (c *call) failed(ctx context.Context, err error) jobs.Outcome {
	out := jobs.Outcome{Reason: "http"}
	if cause := context.Cause(ctx); cause != nil {
		out.Error = fmt.Sprintf("%s: %v", c.shown, cause)
		return out
	}
	text, final := explain(err)
	out.Error, out.NoRetry = c.shown+": "+c.reader.Mask(text), final
	return out
}

// explain says in words what went wrong, and whether it will go wrong again:
// a certificate does not become valid by asking once more.
func explain(err error) (text string, final bool) {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err // it repeats the url, with the secrets in it
	}
	if isRedirectError(err) {
		return err.Error(), true
	}
	if text := explainTLS(err); text != "" {
		return text, true
	}
	if text := explainNetwork(err); text != "" {
		return text, false
	}
	return err.Error(), false
}

func explainTLS(err error) string {
	var (
		name      x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("the certificate is not for %s but for %s", name.Host, namesOf(name.Certificate))
	case errors.As(err, &authority):
		return "the certificate is signed by an unknown authority" + issuerOf(authority.Cert) +
			"; add that to the host's trusted certificates"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate " + validity(invalid.Cert)
	case errors.As(err, &invalid):
		return "the certificate is not valid: " + invalid.Error()
	case errors.Is(err, nethttp.ErrSchemeMismatch):
		return "the server speaks http and not https there; change the url's scheme or port"
	case errors.As(err, &record):
		return "the server speaks no TLS there; change the url's scheme or port"
	case errors.As(err, &alert):
		return "the server refused TLS: " + alert.Error()
	}
	return ""
}

// mostNames bounds the names of a certificate in a message.
const mostNames = 5

func namesOf(cert *x509.Certificate) string {
	list := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		list = append(list, ip.String())
	}
	switch {
	case len(list) == 0:
		return "no host at all"
	case len(list) > mostNames:
		list = append(list[:mostNames], "…")
	}
	return strings.Join(list, ", ")
}

func issuerOf(cert *x509.Certificate) string {
	if cert == nil || cert.Issuer.String() == "" {
		return ""
	}
	return " (" + cert.Issuer.String() + ")"
}

func validity(cert *x509.Certificate) string {
	if cert.NotBefore.After(time.Now()) {
		return "is valid from " + cert.NotBefore.UTC().Format(time.RFC3339) + " on only; is this host's clock right?"
	}
	return "expired on " + cert.NotAfter.UTC().Format(time.RFC3339)
}

func explainNetwork(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "there is no host " + dns.Name
	case errors.As(err, &dns) && dns.IsTimeout:
		return "no name server answered about " + dns.Name
	case errors.As(err, &dns):
		return "looking up " + dns.Name + ": " + dns.Err
	case errors.Is(err, syscall.ENOENT):
		return "there is no socket " + addrOf(err) + "; is the service running?"
	case errors.Is(err, syscall.EACCES):
		return "may not connect to " + addrOf(err) + ": permission denied"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused by " + addrOf(err) + "; is the service running?"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no way to reach " + addrOf(err)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the server cut the connection"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the server closed the connection in the middle of its answer"
	case errors.Is(err, io.EOF):
		return "the server closed the connection without an answer"
	}
	return explainTimeout(err)
}

func explainTimeout(err error) string {
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		return ""
	}
	if addr := addrOf(err); addr != "" {
		return "no connection to " + addr + " in time"
	}
	return "the server did not answer in time: " + err.Error()
}

// addrOf is whom a connection was meant for.
func addrOf(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		return op.Addr.String()
	}
	return ""
}
