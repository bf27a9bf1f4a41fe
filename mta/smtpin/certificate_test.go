package smtpin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"sampul/store"
)

// authority makes client certificates, and the pool that knows it.
type authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var der []byte
	a.key, der = a.sign(tmpl, nil)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.cert = cert
	a.pool.AddCert(cert)
	return a
}

func (a *authority) sign(tmpl *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent := a.cert
	if by == nil {
		by, parent = key, tmpl
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), by)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, der
}

func (a *authority) client(name string, emails ...string) tls.Certificate {
	a.t.Helper()
	key, der := a.sign(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		EmailAddresses: emails, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func ownCertificates(_ context.Context, address string) (*store.Account, error) {
	if address == pegawai.Address {
		return pegawai, nil
	}
	return nil, nil
}

// startTLS opens a session under TLS with a certificate.
func startTLS(t *testing.T, addr string, cert tls.Certificate) *talk {
	t.Helper()
	c := newTalk(t, connect(t, addr))
	c.ask("", "220")
	c.ask("EHLO klien.test", "250")
	c.ask("STARTTLS", "220")
	c.tls(cert)
	return c
}

func TestClientCertificates(t *testing.T) {
	ca := newAuthority(t)
	f := &fake{}
	addr, _ := startWith(t, Config{Kind: Submission, ClientCAs: ca.pool}, Deps{Store: f, CertAccount: ownCertificates})

	c := startTLS(t, addr, ca.client("Pegawai) (Satu", "lain@agensi-a.test", pegawai.Address))
	if lines := string(c.ask("EHLO klien.test", "250")); !strings.Contains(lines, " AUTH EXTERNAL SCRAM-SHA-256") && !strings.Contains(lines, "AUTH EXTERNAL SCRAM-SHA-256") {
		t.Fatalf("with a certificate the server offers %s", lines)
	}
	c.ask("AUTH EXTERNAL "+base64.StdEncoding.EncodeToString([]byte("ketua@agensi-a.test")), "535 5.7.8")
	c.ask("AUTH EXTERNAL *", "501 5.5.2")
	c.ask("AUTH EXTERNAL", "334")
	c.ask("*", "501 5.7.0")
	c.ask("AUTH EXTERNAL", "334")
	c.ask(base64.StdEncoding.EncodeToString([]byte(pegawai.Address)), "235")
	c.ask("MAIL FROM:<pegawai1@agensi-a.test>", "250")
	c.ask("RCPT TO:<b@jauh.test>", "250")
	c.ask("DATA", "354")
	c.ask("From: pegawai1@agensi-a.test\r\n\r\n.", "250")
	if got := string(f.last(t).env.Prefix); !strings.Contains(got, "\r\n\t(client certificate Pegawai? ?Satu sha256:") {
		t.Errorf("the prefix is %q", got)
	}

	c = startTLS(t, addr, ca.client("Pegawai Satu", pegawai.Address))
	c.ask("EHLO klien.test", "250")
	c.ask("AUTH EXTERNAL =", "235")

	c = startTLS(t, addr, tls.Certificate{}) // none is good too, and opens nothing
	c.ask("EHLO klien.test", "250")
	c.ask("AUTH EXTERNAL =", "504")
	c.ask("AUTH PLAIN AHBlZ2F3YWkxQGFnZW5zaS1hLnRlc3QAa2F0YQ==", "235")

	c = startTLS(t, addr, newAuthority(t).client("Pegawai Satu", pegawai.Address)) // another authority
	if _, err := c.c.Write([]byte("EHLO klien.test\r\n")); err == nil {
		if line, err := c.r.ReadString('\n'); err == nil {
			t.Errorf("with a certificate of strangers the server says %q", line)
		}
	}
}

func TestHeldAccountsDoNotLogInWithCertificates(t *testing.T) {
	ca := newAuthority(t)
	held := *pegawai
	held.Held = "stolen"
	addr, _ := startWith(t, Config{Kind: Submission, ClientCAs: ca.pool}, Deps{Store: &fake{}, CertAccount: func(context.Context, string) (*store.Account, error) { return &held, nil }})
	c := startTLS(t, addr, ca.client("Pegawai Satu", pegawai.Address))
	c.ask("EHLO klien.test", "250")
	c.ask("AUTH EXTERNAL =", "535 5.7.8 this account is held")
	c.ask("MAIL FROM:<pegawai1@agensi-a.test>", "530")
}

// Servers of the world show certificates of authorities that are not ours, and deliver.
func TestStrangersCertificatesOnMX(t *testing.T) {
	ca := newAuthority(t)
	for name, tt := range map[string]struct {
		by    *authority
		noted bool
	}{"ours": {ca, true}, "another's": {newAuthority(t), false}} {
		f := &fake{}
		addr, _ := startWith(t, Config{Kind: MX, ClientCAs: ca.pool}, Deps{Store: f})
		c := startTLS(t, addr, tt.by.client("mx.luar.test"))
		c.ask("EHLO luar.test", "250")
		c.ask("MAIL FROM:<a@luar.test>", "250")
		c.ask("RCPT TO:<pegawai1@agensi-a.test>", "250")
		c.ask("DATA", "354")
		c.ask("Subject: a\r\n\r\n.", "250")
		if got := string(f.last(t).env.Prefix); strings.Contains(got, "(client certificate ") != tt.noted {
			t.Errorf("%s: the prefix is %q", name, got)
		}
	}
}
