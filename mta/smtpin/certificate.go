package smtpin

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"sampul/internal/sasl"
	"sampul/store"
)

// clientTLS lets clients show a certificate. One that is shown to submission or LMTP must
// be good, none is good too. On MX any will do: servers of the world show one that their
// own authority gave them, and would not deliver, or deliver in clear.
func clientTLS(c *tls.Config, kind Kind, cas *x509.CertPool) *tls.Config {
	if c == nil || cas == nil {
		return c
	}
	c = c.Clone()
	c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, cas
	if kind == MX {
		c.ClientAuth = tls.RequestClientCert
	}
	return c
}

// verified is the client's certificate when it is good; nil without one.
func (s *session) verified() *x509.Certificate {
	certs := s.tls.PeerCertificates
	if len(certs) == 0 || s.srv.cfg.ClientCAs == nil {
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{Roots: s.srv.cfg.ClientCAs, Intermediates: between,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		s.log.Info("client certificate does not count", "remote", s.ip, "sha256", fingerprint(certs[0]), "err", err)
		return nil
	}
	return certs[0]
}

// fingerprint names a certificate for logs.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:8])
}

// certificateNote stands in the Received field: a name that cannot end the comment.
func certificateNote(c *x509.Certificate) string {
	name := c.Subject.CommonName
	if name == "" && len(c.EmailAddresses) > 0 {
		name = c.EmailAddresses[0]
	}
	if len(name) > 100 {
		name = name[:100]
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune("()\\\"<>", r) {
			return '?'
		}
		return r
	}, name)
	return "(client certificate " + name + " sha256:" + fingerprint(c) + ")"
}

// external says whether AUTH EXTERNAL can be used (RFC 4422 appendix A).
func (s *session) external() bool {
	c := s.cert
	return c != nil && len(c.EmailAddresses) > 0 && s.srv.deps.CertAccount != nil
}

// authExternal logs in whom the certificate names. An identity asked for must be one of
// its addresses.
func (s *session) authExternal(ctx context.Context, initial string, given bool) error {
	if !s.external() {
		return errMechanism
	}
	if !given {
		s.say(reply(334, "", ""))
		line, err := s.readLine(maxAuthLine)
		switch {
		case err != nil:
			s.lost(err)
			s.over = true
			return nil
		case line == "*":
			return errCancelled
		}
		initial = line
	}
	asked, err := decodeInitial(initial)
	if err != nil || len(asked) > sasl.MaxResponse {
		return errBase64
	}
	for _, address := range s.cert.EmailAddresses {
		if len(asked) > 0 && !strings.EqualFold(string(asked), address) {
			continue
		}
		a, err := s.srv.deps.CertAccount(ctx, address)
		if err != nil {
			return &Reply{454, "4.7.0", "logins cannot be checked now, try again later", err}
		}
		if a != nil {
			return s.loggedIn(a, "EXTERNAL")
		}
	}
	s.log.Warn("login failed", "mech", "EXTERNAL", "remote", s.ip, "certificate", fingerprint(s.cert))
	return errLogin
}

// loggedIn is the end of every login.
func (s *session) loggedIn(a *store.Account, mech string) error {
	if !a.Active() {
		s.log.Warn("login refused", "account", a.Address, "remote", s.ip, "mech", mech, "held", a.Held)
		return errHeldLogin
	}
	s.setAccount(a)
	s.mech = mech
	if g := s.srv.deps.Guard; g != nil {
		g.Succeeded(s.ip, a.Address)
	}
	s.log.Info("login", "account", a.Address, "remote", s.ip, "mech", mech)
	return reply(235, "2.7.0", "welcome")
}

// setAccount also tells EndSessions whose session this is.
func (s *session) setAccount(a *store.Account) {
	s.account = a
	id := store.AccountID(0)
	if a != nil {
		id = a.ID
	}
	s.owner.Store(uint64(id))
}

// challenge sends 334 and what is asked.
func (s *session) challenge(b []byte) { s.say(reply(334, "", base64.StdEncoding.EncodeToString(b))) }
