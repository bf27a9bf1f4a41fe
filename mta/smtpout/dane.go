package smtpout

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"sampul/internal/dns"
)

// Certificate usages, selectors and matching types of RFC 6698 with the names of RFC 7218.
const (
	daneTA = 2
	daneEE = 3

	selectCert = 0
	selectSPKI = 1

	matchFull   = 0
	matchSHA256 = 1
	matchSHA512 = 2
)

var errDANE = errors.New("no TLSA record matches the certificate")

// usable are the records that SMTP can work with (RFC 7672 section 3.1.3: PKIX-TA and
// PKIX-EE are not), and of each usage and selector only the strongest digest (RFC 7671
// section 9): it is no help to an attacker that a weaker one stands beside it.
func usable(records []dns.TLSA) (out []dns.TLSA) {
	type kind struct{ usage, selector uint8 }
	best := map[kind]uint8{}
	var good []dns.TLSA
	for _, r := range records {
		size, ok := map[uint8]int{matchFull: len(r.Data), matchSHA256: 32, matchSHA512: 64}[r.Matching]
		if r.Usage != daneTA && r.Usage != daneEE || r.Selector > selectSPKI || !ok || len(r.Data) != size || size == 0 {
			continue
		}
		good = append(good, r)
		k := kind{r.Usage, r.Selector}
		best[k] = max(best[k], r.Matching)
	}
	for _, r := range good {
		if r.Matching == matchFull || r.Matching == best[kind{r.Usage, r.Selector}] {
			out = append(out, r)
		}
	}
	return out
}

// matchDANE checks the chain that a server showed against usable records. With DANE-EE the
// key alone counts, neither name nor dates (RFC 7672 section 3.1.1); with DANE-TA the
// chain must lead to the anchor and the certificate must have one of the names.
func matchDANE(certs []*x509.Certificate, records []dns.TLSA, names []string, now time.Time) error {
	if len(certs) == 0 {
		return errNoCertificate
	}
	err := errDANE
	for _, r := range records {
		switch r.Usage {
		case daneEE:
			if matches(certs[0], r) {
				return nil
			}
		case daneTA:
			for i, c := range certs[1:] {
				if !matches(c, r) {
					continue
				}
				if terr := anchored(certs, i+1, names, now); terr == nil {
					return nil
				} else if errors.Is(err, errDANE) {
					err = terr
				}
			}
		}
	}
	return err
}

// anchored checks the chain to its i-th certificate, and the name.
func anchored(certs []*x509.Certificate, i int, names []string, now time.Time) error {
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	opts.Roots.AddCert(certs[i])
	for _, c := range certs[1:i] {
		opts.Intermediates.AddCert(c)
	}
	if _, err := certs[0].Verify(opts); err != nil {
		return err
	}
	return hasName(certs[0], names)
}

func matches(c *x509.Certificate, r dns.TLSA) bool {
	data := c.Raw
	if r.Selector == selectSPKI {
		data = c.RawSubjectPublicKeyInfo
	}
	switch r.Matching {
	case matchSHA256:
		sum := sha256.Sum256(data)
		data = sum[:]
	case matchSHA512:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return subtle.ConstantTimeCompare(data, r.Data) == 1
}

func tlsaStrings(records []dns.TLSA) (out []string) {
	for _, r := range records {
		out = append(out, fmt.Sprintf("%d %d %d %X", r.Usage, r.Selector, r.Matching, r.Data))
	}
	return out
}
