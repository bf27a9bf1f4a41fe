package imapd_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"sampul/imapd"
)

// Going down says BYE to those who wait and to those who idle, and leaves nobody.
func TestShutdownSaysBye(t *testing.T) {
	s := serve(t, open(t))
	waits, idles := s.login("pegawai1"), s.login("pegawai2")
	idles.do("SELECT INBOX", "OK")
	idles.say("i IDLE\r\n")
	idles.line()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.ok(s.server.Shutdown(ctx))
	for name, c := range map[string]*client{"one that waits": waits, "one that idles": idles} {
		b, err := io.ReadAll(c.r)
		if err != nil || !strings.HasPrefix(string(b), "* BYE ") {
			t.Errorf("%s hears %q, %v", name, b, err)
		}
	}
}

// A held account's sessions end, those that idle too; others go on.
func TestEndSessionsSaysBye(t *testing.T) {
	s := serve(t, open(t))
	waits, idles, other := s.login("pegawai1"), s.login("pegawai1"), s.login("pegawai2")
	idles.do("SELECT INBOX", "OK")
	idles.say("i IDLE\r\n")
	idles.line()
	if n := s.server.EndSessions(s.people["pegawai1"].ID); n != 2 {
		t.Errorf("%d sessions ended, want 2", n)
	}
	for name, c := range map[string]*client{"one that waits": waits, "one that idles": idles} {
		b, err := io.ReadAll(c.r)
		if err != nil || !strings.HasPrefix(string(b), "* BYE this account is held") {
			t.Errorf("%s hears %q, %v", name, b, err)
		}
	}
	other.do("NOOP", "OK")
}

// The time until login is one for all that is said before it.
func TestNobodyStaysWithoutLogin(t *testing.T) {
	cfg := open(t)
	cfg.LoginTime = 300 * time.Millisecond
	s := serve(t, cfg)
	c := s.dial()
	for i := 0; ; i++ {
		if _, err := fmt.Fprintf(c, "n%d NOOP\r\n", i); err != nil {
			return
		}
		if l, err := c.r.ReadString('\n'); err != nil || strings.HasPrefix(l, "* BYE") {
			return
		}
	}
}

func TestSilentSessionEnds(t *testing.T) {
	cfg := open(t)
	cfg.Idle = 50 * time.Millisecond
	s := serve(t, cfg)
	for _, command := range []string{"x NOOP\r\n", "x IDLE\r\n"} {
		c := s.login("pegawai1")
		c.say(command)
		b, err := io.ReadAll(c.r)
		if err != nil || !strings.Contains(string(b), "\r\n* BYE ") {
			t.Fatalf("%q, then silence: %q, %v", command, b, err)
		}
	}
}

func TestTooManyConnections(t *testing.T) {
	s := serve(t, imapd.Config{Kind: imapd.IMAP, AllowPlaintextAuth: true, MaxConnections: 1})
	first := s.login("pegawai1")
	second := s.dialRaw()
	b, err := io.ReadAll(second)
	if err != nil || !strings.HasPrefix(string(b), "* BYE ") {
		t.Fatalf("one too many hears %q, %v", b, err)
	}
	first.do("NOOP", "OK")
}

// Whoever sends nonsense only is cut off.
func TestNonsenseEnds(t *testing.T) {
	s := serve(t, open(t))
	c := s.dial()
	c.say(strings.Repeat("a XYZZY\r\n", 30))
	b, _ := io.ReadAll(c.r)
	if n := strings.Count(string(b), "a BAD"); n > 20 || n == 0 || !strings.Contains(string(b), "* BYE") {
		t.Fatalf("%d times BAD: %q", n, b)
	}
}

// What was put behind STARTTLS in clear is not run (RFC 9051 section 11.1).
func TestCommandsBehindStartTLSDoNotRun(t *testing.T) {
	s := serve(t, imapd.Config{Kind: imapd.IMAP, TLS: certificate(t), AllowPlaintextAuth: true})
	c := s.dial()
	c.say("a STARTTLS\r\nb NOOP\r\nc LOGIN pegawai1@agensi-a.test \"" + password + "\"\r\n")
	b, _ := io.ReadAll(c.r)
	if strings.Contains(string(b), "b OK") || strings.Contains(string(b), "c OK") {
		t.Fatalf("run: %q", b)
	}
}
