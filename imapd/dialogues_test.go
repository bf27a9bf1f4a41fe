package imapd_test

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"sampul/imapd"
	"sampul/internal/dialogue"
)

// Each dialogue is played before an INBOX of three messages: testdata/berlapis.eml with
// a trace, and two plain ones. Its client has not logged in, nor read the greeting.
func TestDialoguesFromOutside(t *testing.T) {
	raw, err := os.ReadFile("testdata/berlapis.eml")
	if err != nil {
		t.Fatal(err)
	}
	nested := strings.ReplaceAll(string(raw), "\n", "\r\n")
	dialogue.Play(t, "testdata/outside/*.txtar", func(t *testing.T, name string) net.Conn {
		s := serve(t, imapd.Config{Kind: imapd.IMAP, TLS: certificate(t), AllowPlaintextAuth: !strings.HasPrefix(name, "tls"), MaxMessage: 5000})
		s.deliver("pegawai1", "INBOX", "Return-Path: <orang@luar.test>\r\n", nested)
		s.deliver("pegawai1", "INBOX", "Return-Path: <>\r\n", "From: a@luar.test\r\nSubject: dua\r\n\r\nIsi dua.\r\n")
		s.deliver("pegawai1", "INBOX", "", "From: b@luar.test\r\nSubject: =?utf-8?q?mesyuarat_p=C3=A9nting?=\r\nDate: Tue, 2 Jan 2024 01:00:00 +0800\r\n\r\nIsi tiga yang lebih panjang.\r\n")
		c, err := net.Dial("tcp", s.addr)
		s.ok(err)
		c.SetDeadline(time.Now().Add(time.Minute))
		return c
	})
}
