package imapd_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"sampul/imapd"
	"sampul/internal/gate"
	"sampul/internal/guard"
	"sampul/internal/message"
	"sampul/internal/seal"
	"sampul/internal/spool"
	"sampul/policy"
	"sampul/store"
	"sampul/store/bolt"
)

// The tests of this package see the server as clients do: from its connection, over a
// real store.

// stub refuses what says so in its subject, and lets the rest pass.
type stub struct{}

func (stub) Judge(_ context.Context, m *policy.Mail) (*policy.Verdict, error) {
	switch subject := m.Index.Parts[0].Get("Subject"); {
	case !m.Append || m.Purpose != gate.Mailbox || m.Account == "":
		return nil, errors.New("not asked as APPEND has to ask")
	case strings.Contains(subject, "[RAHSIA]"):
		return &policy.Verdict{Class: policy.Rahsia, Action: policy.Reject, Code: 550, Enhanced: "5.7.1", Incident: "I-7",
			Text: "Mesej ini tidak boleh disimpan. / This message can't be kept. (rujukan I-7)"}, nil
	case strings.Contains(subject, "[ROSAK]"):
		return nil, errors.New("the engine is down")
	}
	return &policy.Verdict{Passed: gate.Mint(m.SHA256, m.Purpose, "TERBUKA", "t", "v")}, nil
}

// watchful fails the test when a session panicked, which its client may not notice.
type watchful struct{ t testing.TB }

func (watchful) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (w watchful) WithAttrs([]slog.Attr) slog.Handler         { return w }
func (w watchful) WithGroup(string) slog.Handler              { return w }
func (w watchful) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "session failed" {
		r.Attrs(func(a slog.Attr) bool { w.t.Errorf("a session panicked: %v", a); return true })
	}
	return nil
}

// suite is a store with two people in it, and a server before it.
type suite struct {
	t      testing.TB
	store  *bolt.Engine
	server *imapd.Server
	addr   string
	people map[string]*store.Account
}

const password = "kata laluan"

func serve(t testing.TB, cfg imapd.Config) *suite {
	t.Helper()
	ctx := context.Background()
	e, err := bolt.Open(ctx, bolt.Options{Dir: t.TempDir(), Key: seal.Ephemeral(), Reserve: 1, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	s := &suite{t: t, store: e, people: map[string]*store.Account{}}
	s.ok(e.AddAgency(ctx, store.System, store.Agency{Name: "agensi-a"}))
	s.ok(e.AddDomain(ctx, store.System, store.Domain{Name: "agensi-a.test", Agency: "agensi-a"}))
	for _, name := range []string{"pegawai1", "pegawai2"} {
		a, err := e.AddAccount(ctx, store.System, store.Account{Address: name + "@agensi-a.test", Agency: "agensi-a",
			Kind: store.Personal, Role: store.RoleOfficer}, password)
		s.ok(err)
		s.people[name] = a
	}
	area, err := spool.New(t.TempDir(), 4096)
	s.ok(err)
	cfg.Hostname = "imap.agensi-a.test"
	s.server = imapd.New(cfg, imapd.Deps{Store: e, Judge: stub{}, Spool: area, Guard: guard.New(time.Now), Conns: guard.NewConns(20000), Log: slog.New(watchful{t})})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.ok(err)
	s.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		shut, stop := context.WithTimeout(context.Background(), 5*time.Second)
		defer stop()
		if err := s.server.Shutdown(shut); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *suite) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// deliver files a message with its trace as SMTP would, and waits until it is there.
func (s *suite) deliver(name, mailbox, trace, body string) {
	s.t.Helper()
	a := s.people[name]
	before, err := s.store.MailboxStatus(context.Background(), store.System, a.ID, mailbox)
	s.ok(err)
	env := &store.Envelope{QueueID: rand.Text()[:10], Received: time.Unix(1700000000, 0), Prefix: []byte(trace),
		Recipients: []store.Recipient{{Path: a.Address, Account: a.ID, Agency: a.Agency, Mailbox: mailbox}}}
	b := []byte(body)
	s.ok(s.store.Accept(context.Background(), env, bytes.NewReader(b), message.Parse(b),
		gate.Mint(sha256.Sum256(b), gate.Mailbox, "TERBUKA", "t", "v")))
	for {
		now, err := s.store.MailboxStatus(context.Background(), store.System, a.ID, mailbox)
		s.ok(err)
		if now.Messages > before.Messages {
			return
		}
		select {
		case <-s.store.Failed():
			s.t.Fatal(s.store.Err())
		case <-time.After(time.Millisecond): // filing tells nobody but those who watch
		}
	}
}

func certificate(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"imap.agensi-a.test"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// client speaks in whole lines.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
	n int
}

func (s *suite) dialRaw() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	s.ok(err)
	s.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

func (s *suite) dial() *client {
	s.t.Helper()
	c := s.dialRaw()
	cl := &client{t: s.t, Conn: c, r: bufio.NewReader(c)}
	cl.line()
	return cl
}

func (s *suite) login(name string) *client {
	s.t.Helper()
	c := s.dial()
	c.do(fmt.Sprintf("LOGIN %s@agensi-a.test %q", name, password), "OK")
	return c
}

func (c *client) line() string {
	c.t.Helper()
	l, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%v after %q", err, l)
	}
	return strings.TrimRight(l, "\r\n")
}

func (c *client) say(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// do runs a command, and gives what is said up to its tagged answer, which has to
// begin with want.
func (c *client) do(command, want string) []string {
	c.t.Helper()
	c.n++
	tag := fmt.Sprintf("x%d", c.n)
	c.say(tag + " " + command + "\r\n")
	return c.until(tag, command, want)
}

func (c *client) until(tag, command, want string) []string {
	c.t.Helper()
	var said []string
	for {
		l := c.line()
		if rest, ok := strings.CutPrefix(l, tag+" "); ok {
			if !strings.HasPrefix(rest, want) {
				c.t.Fatalf("%s: %q after %q, want %s", command, l, said, want)
			}
			return append(said, rest)
		}
		said = append(said, l)
	}
}

// has fails unless one line matches the pattern, whole.
func has(t testing.TB, said []string, pattern string) {
	t.Helper()
	re := regexp.MustCompile("^(?:" + pattern + ")$")
	for _, l := range said {
		if re.MatchString(l) {
			return
		}
	}
	t.Fatalf("no line is\n%s\nin\n%s", pattern, strings.Join(said, "\n"))
}

// hasNot fails if one line matches.
func hasNot(t testing.TB, said []string, pattern string) {
	t.Helper()
	re := regexp.MustCompile("^(?:" + pattern + ")$")
	for _, l := range said {
		if re.MatchString(l) {
			t.Fatalf("%q is said in\n%s", l, strings.Join(said, "\n"))
		}
	}
}

func surat(subject, text string) string {
	return "From: Orang Luar <orang@luar.test>\r\nTo: pegawai1@agensi-a.test\r\nSubject: " + subject +
		"\r\nDate: Mon, 1 Jan 2024 09:00:00 +0800\r\nMessage-ID: <" + rand.Text() + "@luar.test>\r\n\r\n" + text + "\r\n"
}

func (c *client) add(mailbox, body string) {
	c.t.Helper()
	c.do(fmt.Sprintf("APPEND %s {%d+}\r\n%s", mailbox, len(body), body), "OK")
}

// noDeadline is for benchmarks, which go on for as long as they like.
var noDeadline time.Time
