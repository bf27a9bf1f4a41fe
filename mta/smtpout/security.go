package smtpout

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"sampul/internal/dns"
	"sampul/mta/sts"
	"sampul/mta/tlsrpt"
)

// need is how much of TLS an endpoint must give.
type need uint8

const (
	tlsNever  need = iota
	tlsMay         // where offered, unverified
	tlsMust        // encrypted, unverified: TLSA records that are of no use (RFC 7672 section 2.2)
	tlsVerify      // encrypted, and the certificate is checked
)

// A demand is what one endpoint owes: the strongest of its policies.
type demand struct {
	need need
	why  string // what asks for it, for people: "MTA-STS", "DANE", "REQUIRETLS", "the configuration"

	tlsa  []dns.TLSA // with tlsVerify, DANE decides instead of the CAs
	names []string   // one of which the certificate must have
	under string     // or one below this domain, for the host itself
	sni   string

	requireTLS bool
	domain     string        // whose TLS report counts it, "" for none
	policy     tlsrpt.Policy // under which it is counted
	problem    *sts.Problem  // why no MTA-STS policy could be had
	watch      []string      // names that a policy in testing wants; nothing is refused for it
	unlisted   bool          // the policy does not list the host
}

// proof is what TLS came to when it came up.
func (d *demand) proof() string {
	switch {
	case d.need < tlsVerify:
		return "unverified"
	case d.tlsa != nil:
		return "DANE"
	case d.why == "MTA-STS":
		return d.why
	}
	return "verified"
}

// refuse makes the fault one that the message's own demand decides: what REQUIRETLS wants
// and no host gives is told to the sender at once (RFC 8689 section 4.2.1).
func (d *demand) refuse(f *fault) *fault {
	if d.requireTLS && (!f.lost || f.cert) {
		f.permanent, f.code, f.enhanced = true, 550, "5.7.30"
		f.text = "REQUIRETLS: " + f.text
	}
	return f
}

// refusal is a fault of policy.
func refusal(enhanced, tlsType, format string, args ...any) *fault {
	f := &fault{stage: StagePolicy, code: 451, enhanced: enhanced, tlsType: tlsType, text: fmt.Sprintf(format, args...)}
	f.permanent = strings.HasPrefix(enhanced, "5")
	if f.permanent {
		f.code = 550
	}
	return f
}

// base is the demand of a destination before its hosts are looked at.
type base struct {
	sec        Security
	requireTLS bool
	domain     string
	mx         bool // hosts come from MX, not from a setting
	secure     bool // and that answer was validated
	policy     *sts.Policy
	problem    *sts.Problem
	tlsaPort   int
}

func (p *Pool) base(ctx context.Context, hop Hop, m *Message, mx, secure bool) base {
	b := base{sec: p.security(hop), requireTLS: m.RequireTLS, domain: hop.Domain, mx: mx, secure: secure}
	if mx && b.sec != NoTLS && p.STS != nil {
		b.policy, b.problem = p.STS.Get(ctx, hop.Domain)
		if b.policy != nil && b.policy.Mode == sts.None {
			b.policy = nil
		}
	}
	return b
}

// demandOf is what the host must give. secureAddr says that its addresses were validated,
// and name where its CNAMEs led.
func (p *Pool) demandOf(ctx context.Context, b base, host, name string, secureAddr bool) (demand, *fault) {
	d := demand{need: tlsMay, requireTLS: b.requireTLS, sni: host}
	if b.sec == NoTLS {
		if b.requireTLS {
			return d, refusal("5.7.30", "", "the message requires TLS (REQUIRETLS), and TLS is switched off for %s", b.domain)
		}
		return demand{need: tlsNever}, nil
	}
	if b.mx {
		d.domain = b.domain
		d.policy = tlsrpt.Policy{Type: "no-policy-found", Domain: b.domain}
	}
	// DANE first: MTA-STS must not override it (RFC 8461 section 2).
	if b.secure && secureAddr && name != "" {
		done, f := p.dane(ctx, &d, b, host, name)
		if f != nil || done {
			return d, f
		}
	}
	if b.sec == DANEOnly {
		d.why = "dane-only"
		return d, refusal("4.7.4", "dane-required", "%s is set to dane-only, and %s has no usable TLSA record that is signed", b.domain, host)
	}
	listed := false
	if b.policy != nil {
		d.policy = tlsrpt.Policy{Type: "sts", Strings: b.policy.Lines, Domain: b.domain, MXHosts: b.policy.MX}
		listed = b.policy.Match(host)
		d.unlisted = !listed
		switch b.policy.Mode {
		case sts.Enforce:
			d.need, d.why, d.names = tlsVerify, "MTA-STS", []string{host}
			if !listed {
				return d, refusal("4.7.5", "validation-failure", "%s is not among the hosts of the MTA-STS policy of %s", host, b.domain)
			}
		case sts.Testing:
			d.watch = []string{host}
		}
	} else if b.problem != nil {
		d.problem = b.problem
		d.policy = tlsrpt.Policy{Type: "sts", Domain: b.domain}
	}
	return d, d.verify(b, host, listed)
}

// verify adds what the suite's setting and REQUIRETLS ask for. A host name from an answer
// that nobody validated proves nothing, since whoever forged it has a certificate for it:
// then the certificate must be for the recipients' domain, or for a host below it.
func (d *demand) verify(b base, host string, listed bool) *fault {
	if b.sec != Verified && !b.requireTLS {
		return nil
	}
	trusted := !b.mx || b.secure || listed
	if b.requireTLS && !trusted {
		d.why = "REQUIRETLS"
		return refusal("5.7.30", "", "the message requires TLS (REQUIRETLS), and neither DNSSEC nor MTA-STS proves that %s serves %s", host, b.domain)
	}
	d.need = tlsVerify
	if d.why == "" {
		d.why = "the configuration"
		if b.requireTLS {
			d.why = "REQUIRETLS"
		}
	}
	if trusted {
		d.names = []string{host}
		return nil
	}
	d.names = []string{b.domain}
	d.under = b.domain
	return nil
}

// dane reads the TLSA records of a host. done says that they decide.
func (p *Pool) dane(ctx context.Context, d *demand, b base, host, name string) (done bool, f *fault) {
	records, at, err := p.tlsa(ctx, b.tlsaPort, host, name)
	switch {
	case errors.Is(err, dns.ErrNone), errors.Is(err, dns.ErrOff):
		return false, nil
	case err != nil: // RFC 7672 section 2.1.1: as if the host could not be reached
		f := refusal("4.7.5", "dnssec-invalid", "the TLSA records of %s could not be had: %s", host, printable(err.Error()))
		if errors.Is(err, dns.ErrTemp) {
			f.tlsType = "dane-required"
		}
		f.stage = StageDNS
		d.policy = tlsrpt.Policy{Type: "tlsa", Domain: b.domain, MXHosts: []string{host}}
		d.why = "DANE"
		return false, f
	case len(records) == 0:
		return false, nil
	}
	d.policy = tlsrpt.Policy{Type: "tlsa", Strings: tlsaStrings(records), Domain: b.domain, MXHosts: []string{host}}
	d.why, d.sni = "DANE", at
	d.tlsa = usable(records)
	d.names = []string{at, host, b.domain}
	if len(d.tlsa) > 0 {
		d.need = tlsVerify
		return true, nil
	}
	if b.sec == DANEOnly || b.requireTLS {
		return false, d.refuse(refusal("4.7.5", "tlsa-invalid", "none of the TLSA records of %s is usable", host))
	}
	d.tlsa, d.names, d.need = nil, nil, tlsMust
	if b.sec == Verified || b.policy != nil && b.policy.Mode == sts.Enforce {
		return false, nil // no DANE to be had; the other policies hold
	}
	return true, nil
}

// tlsa looks for records at the end of the CNAMEs, then at the name itself (RFC 7672
// section 2.2.3). Records in an answer that nobody validated do not count.
func (p *Pool) tlsa(ctx context.Context, port int, host, name string) ([]dns.TLSA, string, error) {
	for _, at := range []string{name, host} {
		records, info, err := p.Resolver.TLSA(ctx, port, at)
		if err == nil && info.Secure {
			return records, at, nil
		}
		if err != nil && !errors.Is(err, dns.ErrNone) || name == host {
			return nil, at, err
		}
	}
	return nil, host, nil
}

// A verdict is what a handshake found out about the certificate, asked for or not.
type verdict struct {
	err     error  // why the certificate was refused
	tlsType string // of err, for TLSRPT
	watched error  // what a policy in testing would have refused
}

// config is for one handshake. The certificate is judged here, so that each failure has
// its name and a policy in testing can be watched.
func (d *demand) config(p *Pool, host string, seen *verdict) *tls.Config {
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         d.sni,
		InsecureSkipVerify: true, // VerifyConnection does it
		ClientSessionCache: nil,
	}
	if d.need < tlsVerify {
		c.CipherSuites = allCiphers // old TLS is better than none
	}
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		certs := cs.PeerCertificates
		if d.watch != nil {
			if seen.watched = p.pkix(certs, host, d.watch, ""); d.unlisted {
				seen.watched = fmt.Errorf("%s is not among the hosts of the policy", host)
			}
		}
		if d.need < tlsVerify {
			return nil
		}
		if d.tlsa != nil {
			seen.err = matchDANE(certs, d.tlsa, d.names, p.CertTime())
		} else {
			seen.err = p.pkix(certs, host, d.names, d.under)
		}
		seen.tlsType = resultType(seen.err)
		return seen.err
	}
	return c
}

var allCiphers = func() (out []uint16) {
	for _, c := range tls.CipherSuites() {
		out = append(out, c.ID)
	}
	return append(out, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)
}()

// pkix checks a chain against the CAs, and the name: one of names, or host when it lies
// below under.
func (p *Pool) pkix(certs []*x509.Certificate, host string, names []string, under string) error {
	if len(certs) == 0 {
		return errNoCertificate
	}
	if under != "" && strings.HasSuffix("."+host, "."+under) {
		names = append([]string{host}, names...)
	}
	if err := p.roots.Verify(certs, p.CertTime()); err != nil {
		return err
	}
	return hasName(certs[0], names)
}

var errNoCertificate = errors.New("no certificate was shown")

// hasName says whether the certificate is for one of the names.
func hasName(c *x509.Certificate, names []string) (err error) {
	for _, n := range names {
		if err = c.VerifyHostname(n); err == nil {
			return nil
		}
	}
	return err
}

// resultType names a failure as RFC 8460 section 4.3 does.
func resultType(err error) string {
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &host):
		return "certificate-host-mismatch"
	case errors.As(err, &authority):
		return "certificate-not-trusted"
	case errors.As(err, &invalid):
		if invalid.Reason == x509.Expired {
			return "certificate-expired"
		}
		return "certificate-not-trusted"
	}
	return "validation-failure"
}
