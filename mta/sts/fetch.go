package sts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"sampul/internal/tlsfiles"
)

// fetchTime is all that a fetch may take (RFC 8461 section 3.3).
const fetchTime = time.Minute

// Result types of RFC 8460 section 4.3.2 for what goes wrong.
const (
	FetchError   = "sts-policy-fetch-error"
	InvalidError = "sts-policy-invalid"
	WebPKIError  = "sts-webpki-invalid"
)

// A Problem is why a domain that announces a policy has none that can be used.
type Problem struct {
	Type string // FetchError, InvalidError or WebPKIError
	Err  error
}

func (p *Problem) Error() string { return p.Err.Error() }
func (p *Problem) Unwrap() error { return p.Err }

func problem(kind, format string, args ...any) *Problem {
	return &Problem{kind, fmt.Errorf(format, args...)}
}

// newClient fetches policies: over HTTPS alone, with the names of our resolver, and nowhere
// but where the domain itself says.
func newClient(o *Options) *http.Client {
	port := o.HTTPSPort
	if port == 0 {
		port = 443
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		addrs, _, err := o.Resolver.IPs(ctx, host)
		if err != nil {
			return nil, err
		}
		err = fmt.Errorf("%s has no address that may be asked", host)
		var d net.Dialer
		for _, a := range addrs {
			if !o.AllowLoopback && !public(a) {
				continue
			}
			var c net.Conn
			if c, err = d.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), strconv.Itoa(port))); err == nil {
				return c, nil
			}
		}
		return nil, err
	}
	return &http.Client{
		Timeout:       fetchTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dial,
			TLSClientConfig:        config(o),
			TLSHandshakeTimeout:    30 * time.Second,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// public leaves out addresses of this machine: a domain must not make us ask ourselves.
func public(a netip.Addr) bool {
	a = a.Unmap()
	return !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast()
}

// certError is a certificate that does not prove the policy's host.
type certError struct{ err error }

func (e *certError) Error() string { return "certificate: " + e.err.Error() }
func (e *certError) Unwrap() error { return e.err }

// config checks certificates against the system's CAs and those added (RFC 8461 section 3.3).
func config(o *Options) *tls.Config {
	cas := tlsfiles.NewRoots(o.TrustCA)
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return &certError{errors.New("none was shown")}
			}
			err := cas.Verify(cs.PeerCertificates, o.Clock())
			if err == nil {
				err = cs.PeerCertificates[0].VerifyHostname(cs.ServerName)
			}
			if err != nil {
				return &certError{err}
			}
			return nil
		},
	}
}

// fetch gets the policy of a domain, RFC 8461 section 3.3.
func (c *Cache) fetch(ctx context.Context, domain string) (*Policy, *Problem) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	url := "https://mta-sts." + domain + "/.well-known/mta-sts.txt"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, problem(FetchError, "%w", err)
	}
	res, err := c.client.Do(req)
	if err != nil {
		var cert *certError
		if errors.As(err, &cert) {
			return nil, problem(WebPKIError, "%w", err)
		}
		return nil, problem(FetchError, "%w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK { // redirects too: they are not followed
		return nil, problem(FetchError, "%s answers %s", url, res.Status)
	}
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || kind != "text/plain" {
		return nil, problem(InvalidError, "%s is %.60q, not text/plain", url, res.Header.Get("Content-Type"))
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, MaxSize+1))
	if err != nil {
		return nil, problem(FetchError, "%w", err)
	}
	p, err := Parse(b)
	if err != nil {
		return nil, problem(InvalidError, "%s: %w", url, err)
	}
	return p, nil
}
