package tlsfiles

import (
	"crypto/x509"
	"time"
)

// Roots are the CAs that count for connections to others: the system's, and those that the
// operator adds, such as a government's own.
type Roots struct {
	system, added *x509.CertPool
}

// NewRoots joins the system's CAs with others, nil for none.
func NewRoots(added *x509.CertPool) *Roots {
	system, err := x509.SystemCertPool()
	if err != nil { // a machine without CAs: those added count alone
		system = x509.NewCertPool()
	}
	return &Roots{system, added}
}

// Verify checks the chain that a server showed, its own certificate first, to any of the
// CAs. It looks at no name.
func (r *Roots) Verify(certs []*x509.Certificate, now time.Time) error {
	opts := x509.VerifyOptions{
		CurrentTime: now, Intermediates: x509.NewCertPool(), Roots: r.system,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, c := range certs[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := certs[0].Verify(opts)
	if err == nil || r.added == nil {
		return err
	}
	opts.Roots = r.added
	_, err = certs[0].Verify(opts) // its error tells more: an own CA was meant
	return err
}
