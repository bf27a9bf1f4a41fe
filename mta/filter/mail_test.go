package filter

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"sampul/internal/message"
)

// prefix is what this server put before the messages of these tests.
const prefix = "Return-Path: <orang@luar.test>\r\n" +
	"Received: from luar.test\r\n\tby mx.dalam.test; Tue, 24 Nov 2026 10:00:00 +0800\r\n" +
	"Authentication-Results: mx.dalam.test; spf=pass\r\n"

// mail is a message of which lines end with LF for easy reading.
func mail(text string) *Mail {
	b := []byte(strings.ReplaceAll(text, "\n", "\r\n"))
	return &Mail{
		ID: "4fKx9TqLm2", Scope: In, IP: netip.MustParseAddr("192.0.2.7"), Port: 2525, HELO: "luar.test",
		From: "orang@luar.test", To: []string{"pegawai1@dalam.test", "pegawai2@dalam.test"}, Agency: "agensi-a",
		Prefix: []byte(prefix), Body: bytes.NewReader(b), Index: message.Parse(b),
	}
}

const plainText = "From: orang@luar.test\nTo: pegawai1@dalam.test\nSubject: cuba\nX-Test: satu\nX-Test: dua\n\nApa khabar?\n"

// chain makes a chain and closes it after the test. Its log goes to the buffer.
func chain(t testing.TB, opt Options, cfgs ...Config) (*Chain, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	opt.Hostname = "mx.dalam.test"
	c, err := NewChain(cfgs, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, &log
}

// ask runs the chain and fails the test when that is not possible.
func ask(t testing.TB, c *Chain, m *Mail) *Outcome {
	t.Helper()
	o, err := c.Run(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

// applied is prefix and message after o, lines ending with LF.
func applied(t testing.TB, m *Mail, o *Outcome) (string, string) {
	t.Helper()
	p, r, err := Apply(m, o)
	if err != nil {
		t.Fatal(err)
	}
	if r == nil {
		r = io.NewSectionReader(m.Body, 0, m.Index.Size)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{string(p), string(b)} {
		if bare := strings.ReplaceAll(s, "\r\n", ""); strings.ContainsAny(bare, "\r\n") {
			t.Fatalf("a line does not end with CRLF: %q", s)
		}
	}
	return strings.ReplaceAll(string(p), "\r\n", "\n"), strings.ReplaceAll(string(b), "\r\n", "\n")
}
