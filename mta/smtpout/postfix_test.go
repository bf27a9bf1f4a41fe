package smtpout

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sampul/internal/dns"
	"sampul/internal/dnstest"
	"sampul/internal/peers"
)

// Postfix as the remote exchanger: one transaction for those it has, over verified TLS.
func TestPostfix(t *testing.T) {
	ca := newCA(t)
	server := ca.leaf(hour, "mx1.jauh.test")
	dir := peers.Dir(t)
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	der, err := x509.MarshalPKCS8PrivateKey(server.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: server.Certificates[0].Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mx := peers.Postfix(t, peers.PostfixOptions{
		Hostname: "mx1.jauh.test", Domains: []string{"jauh.test"}, Users: []string{"b@jauh.test", "c@jauh.test"},
		Main: map[string]string{"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": cert, "smtpd_tls_key_file": key},
	})
	z := dnstest.New(t, host1)
	p := New(Options{Hostname: "sampul.agensi-a.test", Resolver: dns.New(z.Addr), RemotePort: mx.Port, TrustCA: ca.pool, AllowLoopback: true})
	t.Cleanup(p.Close)
	body := "From: <a@agensi-a.test>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0800\r\nMessage-ID: <1@agensi-a.test>\r\nSubject: satu\r\n\r\n.titik\r\n..\r\nsat\u00e9\r\n" + strings.Repeat(strings.Repeat("x", 200)+"\r\n", 5000)
	for n := 1; n <= 2; n++ {
		m := letterTo("b@jauh.test", "x@jauh.test", "c@jauh.test")
		m.Size, m.EightBit, m.Ret, m.To[0].Notify = int64(len(body)), true, "HDRS", "NEVER"
		m.Open = func(bool) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
		got := p.Send(context.Background(), Hop{Domain: "jauh.test", Security: Verified}, m)
		if s := strings.Join(lines(got), ", "); s != "delivered dot 2.0.0, permanent rcpt 5.1.1, delivered dot 2.0.0" {
			t.Fatalf("got %q, %+v", s, got)
		}
		if got[0].TLS != "TLS 1.3, verified" || !got[0].DSN {
			t.Errorf("got %+v", got[0])
		}
		for _, mail := range mx.Mail(t, "c@jauh.test", n) {
			if _, text, _ := strings.Cut(mail, "Subject: satu\n"); text != strings.ReplaceAll(body[strings.Index(body, "\r\n\r\n")+2:], "\r\n", "\n") {
				t.Errorf("arrived as %.300q", mail)
			}
		}
	}
	p.Forget(Hop{Domain: "jauh.test"})
	if r := p.Probe(context.Background(), jauh, "", "x@jauh.test"); !r.Permanent || r.Enhanced != "5.1.1" {
		t.Errorf("probe: %+v", r)
	}
}
