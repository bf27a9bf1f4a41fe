package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// subject is whose certificate a client is shown.
func subject(t *testing.T, c *tls.Config, roots *x509.CertPool) *x509.Certificate {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	go func() { _ = tls.Server(server, c).Handshake() }()
	conn := tls.Client(client, &tls.Config{RootCAs: roots, ServerName: "mail.agensi-a.test"})
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	return conn.ConnectionState().PeerCertificates[0]
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	clock := func() time.Time { return now }
	ca, cert, key, err := Authority(dir, now, "mail.agensi-a.test", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Load(cert, key, clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	pool := func() *x509.CertPool {
		b, err := os.ReadFile(ca)
		if err != nil {
			t.Fatal(err)
		}
		p := x509.NewCertPool()
		if !p.AppendCertsFromPEM(b) {
			t.Fatal("no CA in its file")
		}
		return p
	}
	first := subject(t, f.Config(), pool())

	if _, _, _, err := Authority(dir, now, "mail.agensi-a.test"); err != nil {
		t.Fatal(err)
	}
	if again := subject(t, f.Config(), pool()); !again.Equal(first) {
		t.Error("a good certificate was made again")
	}
	now = now.AddDate(1, 0, 0) // it is about to end
	if _, _, _, err := Authority(dir, now, "mail.agensi-a.test"); err != nil {
		t.Fatal(err)
	}
	if c, err := x509.ParseCertificate(f.current().Certificate[0]); err != nil || c.Equal(first) {
		t.Errorf("the renewed certificate is not served: %v", err)
	}
	// A file that is half written leaves the old one.
	if err := os.WriteFile(cert, []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if f.current() == nil {
		t.Error("a damaged file took the certificate away")
	}
	if _, err := Load(cert, key, clock, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a damaged file was loaded at start")
	}
	if _, err := Load(filepath.Join(dir, "none"), key, clock, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a missing file was loaded")
	}
}
