package main

import (
	"fmt"
	"net/smtp"
	"strings"
	"testing"
)

// sendMany sends n short messages from one account to another in one session, and gives
// how many were taken and what ended it.
func (r *running) sendMany(from, to string, n int) (taken int, err error) {
	r.t.Helper()
	c, err := smtp.Dial(r.Submission)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(r.tls()); err != nil {
		r.t.Fatal(err)
	}
	if err := c.Auth(smtp.PlainAuth("", from, r.account(from).Password, "127.0.0.1")); err != nil {
		r.t.Fatal(err)
	}
	for ; taken < n; taken++ {
		if err := c.Mail(from); err != nil {
			return taken, err
		}
		if err := c.Rcpt(to); err != nil {
			return taken, err
		}
		w, err := c.Data()
		if err != nil {
			return taken, err
		}
		fmt.Fprintf(w, "From: %s\r\nTo: %s\r\nSubject: Nombor %d\r\n\r\nHalo\r\n", from, to, taken)
		if err := w.Close(); err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// A demo has the sending limits of serve, and holds an account that passes them, unless
// it is started to measure.
func TestDemoHoldsWhoSendsTooMuch(t *testing.T) {
	const from, to = "pegawai1@agensi-a.test", "pegawai2@agensi-a.test"
	r := startDemo(t)
	n, err := r.sendMany(from, to, 310)
	if n != 300 || err == nil || !strings.Contains(err.Error(), "held") {
		t.Errorf("%d were taken, then %v", n, err)
	}
	if out, _, _ := sampul(t, "", "account", "show", from, "--dir", r.DataDir); !strings.Contains(out, "more than 300 messages in an hour") {
		t.Errorf("account show: %s", out)
	}
	r = startDemo(t, "--no-limits")
	if n, err := r.sendMany(from, to, 310); n != 310 || err != nil {
		t.Errorf("without limits %d were taken, then %v", n, err)
	}
}
