package smtpout

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// backend is a go-smtp server that keeps what comes.
type backend struct {
	mu  sync.Mutex
	got []string
	opt []*smtp.MailOptions
}

type backendSession struct {
	b   *backend
	opt *smtp.MailOptions
}

func (b *backend) NewSession(*smtp.Conn) (smtp.Session, error) { return &backendSession{b: b}, nil }
func (s *backendSession) Reset()                               {}
func (s *backendSession) Logout() error                        { return nil }
func (s *backendSession) Mail(_ string, o *smtp.MailOptions) error {
	s.opt = o
	return nil
}
func (s *backendSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "x") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "who?"}
	}
	return nil
}
func (s *backendSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.got = append(s.b.got, string(b))
	s.b.opt = append(s.b.opt, s.opt)
	return nil
}

// A server that is not ours understands what we say, octet by octet.
func TestLibraryServer(t *testing.T) {
	ca := newCA(t)
	b := &backend{}
	srv := smtp.NewServer(b)
	srv.Domain = "mx1.jauh.test"
	srv.TLSConfig = ca.leaf(hour, "mx1.jauh.test")
	srv.EnableDSN, srv.EnableSMTPUTF8 = true, true
	srv.MaxLineLength = 1 << 20
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan error)
	go func() { over <- srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close(); <-over })

	p, _ := world(t, host1, Options{TrustCA: ca.pool}, nil)
	p.RemotePort = int(netip.MustParseAddrPort(ln.Addr().String()).Port())
	hop := Hop{Domain: "jauh.test", Security: Verified}
	bodies := []string{
		letter, "", "\r\n", ".\r\n..\r\n", "a: b\r\n\r\n" + strings.Repeat(".", 5000) + "\r\n",
		"a: b\r\n\r\n" + strings.Repeat("sat\xc3\xa9 baris\r\n", 50000),
	}
	for _, body := range bodies {
		m := letterTo("b@jauh.test", "x@jauh.test")
		m.Size, m.EightBit, m.Ret, m.EnvID = int64(len(body)), true, "HDRS", "abc"
		m.Open = func(bool) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
		got := p.Send(context.Background(), hop, m)
		if s := strings.Join(lines(got), ", "); s != "delivered dot 2.0.0, permanent rcpt 5.1.1" || !got[0].DSN || got[0].TLS != "TLS 1.3, verified" {
			t.Fatalf("got %q, %+v", s, got)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, body := range bodies {
		if !bytes.Equal([]byte(b.got[i]), []byte(body)) {
			t.Errorf("message %d arrived with %d octets of %d", i, len(b.got[i]), len(body))
		}
		if o := b.opt[i]; o.Size != int64(len(body)) || o.Body != smtp.Body8BitMIME || o.Return != smtp.DSNReturnHeaders || o.EnvelopeID != "abc" {
			t.Errorf("message %d: %+v", i, o)
		}
	}
}

// BenchmarkSend is a message of 4 KB over a connection that is kept, to a server in the same
// process.
func BenchmarkSend(b *testing.B) {
	peer := &fakeMX{}
	p, _ := world(b, host1, Options{MaxUse: 1 << 30}, peer)
	body := "Subject: a\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 56)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		m := letterTo("b@jauh.test")
		m.Open = func(bool) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
		for pb.Next() {
			if r := p.Send(context.Background(), jauh, m)[0]; !r.Delivered {
				b.Fatalf("%+v", r)
			}
		}
	})
}
