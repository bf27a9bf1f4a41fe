package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"sampul/store"
)

// A mailFrom is a message as a server elsewhere got it.
type mailFrom struct {
	from, helo, data string
	to               []string
	tls              bool
}

// A remote is a mail server elsewhere that remembers what it gets.
type remote struct {
	addr string
	srv  *smtp.Server

	mu     sync.Mutex
	got    []mailFrom
	rcpt   func(from, to string) error // nil takes everybody
	data   func(m mailFrom) error      // nil takes everything
	opened int
}

// freePort is a port that nobody uses on any of the addresses.
func freePort(t *testing.T, ips ...string) int {
	t.Helper()
next:
	for range 50 {
		ln, err := net.Listen("tcp", ips[0]+":0")
		if err != nil {
			t.Fatal(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		ln.Close()
		for _, ip := range ips[1:] {
			ln, err := net.Listen("tcp", fmt.Sprintf("%s:%d", ip, port))
			if err != nil {
				continue next
			}
			ln.Close()
		}
		return port
	}
	t.Fatal("no free port")
	return 0
}

// startRemote listens on ip:port until the test ends.
func startRemote(t *testing.T, ip string, port int, tc *tls.Config) *remote {
	t.Helper()
	ln, err := net.Listen("tcp", fmt.Sprintf("%s:%d", ip, port))
	if err != nil {
		t.Fatal(err)
	}
	return serveRemote(t, ln, tc)
}

func serveRemote(t *testing.T, ln net.Listener, tc *tls.Config) *remote {
	t.Helper()
	r := &remote{addr: ln.Addr().String()}
	r.srv = smtp.NewServer(r)
	r.srv.Domain, r.srv.TLSConfig, r.srv.EnableSMTPUTF8, r.srv.EnableDSN = "jauh.test", tc, true, true
	r.srv.MaxMessageBytes = 100 << 20
	r.srv.ErrorLog = discard{}
	go r.srv.Serve(ln)
	t.Cleanup(func() { r.srv.Close() })
	return r
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

// NewSession begins one.
func (r *remote) NewSession(c *smtp.Conn) (smtp.Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened++
	return &remoteSession{r: r, c: c}, nil
}

type remoteSession struct {
	r *remote
	c *smtp.Conn
	m mailFrom
}

func (s *remoteSession) Reset()        { s.m = mailFrom{} }
func (s *remoteSession) Logout() error { return nil }

func (s *remoteSession) Mail(from string, _ *smtp.MailOptions) error {
	_, secure := s.c.TLSConnectionState()
	s.m = mailFrom{from: from, helo: s.c.Hostname(), tls: secure}
	return nil
}

func (s *remoteSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.r.mu.Lock()
	refuse := s.r.rcpt
	s.r.mu.Unlock()
	if refuse != nil {
		if err := refuse(s.m.from, to); err != nil {
			return err
		}
	}
	s.m.to = append(s.m.to, to)
	return nil
}

func (s *remoteSession) Data(body io.Reader) error {
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	s.m.data = string(b)
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if s.r.data != nil {
		if err := s.r.data(s.m); err != nil {
			return err
		}
	}
	s.r.got = append(s.r.got, s.m)
	return nil
}

// mails is what came so far.
func (r *remote) mails() []mailFrom {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]mailFrom(nil), r.got...)
}

// wait waits until n messages are there, and gives them.
func (r *remote) wait(t *testing.T, n int) []mailFrom {
	t.Helper()
	eventually(t, fmt.Sprintf("%d messages at %s", n, r.addr), func() bool { return len(r.mails()) >= n })
	return r.mails()
}

// An authority signs certificates for servers elsewhere.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key, cert: cert, file: filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue makes a certificate for names, good until the time given.
func (a *authority) issue(until time.Time, names ...string) *tls.Config {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// do runs a command on the demo; it must succeed.
func (r *running) do(args ...string) string {
	r.t.Helper()
	out, bad, exit := sampul(r.t, "", append(args, "--dir", r.DataDir)...)
	if exit != 0 {
		r.t.Fatalf("sampul %s: exit %d\n%s%s", strings.Join(args, " "), exit, out, bad)
	}
	return out
}

// lines reads what a command prints with --json.
func lines[T any](r *running, args ...string) []T {
	r.t.Helper()
	var all []T
	d := json.NewDecoder(strings.NewReader(r.do(append(args, "--json")...)))
	for {
		var v T
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			r.t.Fatalf("sampul %s: %v", strings.Join(args, " "), err)
		}
		all = append(all, v)
	}
}

func (r *running) queue(args ...string) []store.QueueEntry {
	r.t.Helper()
	return lines[store.QueueEntry](r, append([]string{"queue", "list"}, args...)...)
}

// submit sends a message as an officer, by submission.
func (r *running) submit(from string, to []string, text string) error {
	a := r.account(from)
	c, err := smtp.DialStartTLS(r.Submission, r.tls())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Auth(sasl.NewPlainClient("", a.Address, a.Password)); err != nil {
		return err
	}
	return c.SendMail(from, to, strings.NewReader(text))
}

// offer sends a message to the MX as a stranger and gives the last reply.
func (r *running) offer(from string, to []string, text string) error {
	c, err := smtp.Dial(r.MX)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Hello("mx.luar.test"); err != nil {
		return err
	}
	return c.SendMail(from, to, strings.NewReader(text))
}

// note is a short message.
func note(from, to, subject string) string {
	return fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@ujian.test>\r\n\r\nIsi surat.\r\n",
		from, to, subject, time.Now().Format(time.RFC1123Z), rand.Text())
}

// detail is a refusal as it came over the wire.
func detail(err error) string {
	var e *smtp.SMTPError
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	return fmt.Sprintf("%d %d.%d.%d %s", e.Code, e.EnhancedCode[0], e.EnhancedCode[1], e.EnhancedCode[2], e.Message)
}
