package main

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// app is a connection of an application, logged in.
func (r *running) app() *smtp.Client {
	r.t.Helper()
	c, err := smtp.DialStartTLS(r.Submission, r.tls())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	if err := c.Auth(sasl.NewPlainClient("", r.Application.Address, r.Application.Password)); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// notify sends one message and gives the last reply.
func notify(c *smtp.Client, from, to string) (string, error) {
	if err := c.Mail(from, nil); err != nil {
		return "", err
	}
	if err := c.Rcpt(to, nil); err != nil {
		_ = c.Reset()
		return "", err
	}
	w, err := c.Data()
	if err != nil {
		return "", err
	}
	if _, err := fmt.Fprint(w, note(from, to, "Notis")); err != nil {
		return "", err
	}
	res, err := w.CloseWithResponse()
	if err != nil {
		return "", err
	}
	return res.StatusText, nil
}

var quotaReply = regexp.MustCompile(`queued as [0-9A-Za-z]{10} quota hour=(\d+) day=(\d+)$`)

// The reply tells how much of the quotas is used.
func TestReplyTellsTheQuota(t *testing.T) {
	r := startDemo(t)
	c := r.app()
	for i := range 3 {
		text, err := notify(c, r.Application.Address, "pegawai1@agensi-a.test")
		if err != nil {
			t.Fatal(err)
		}
		m := quotaReply.FindStringSubmatch(text)
		if m == nil || m[1] != fmt.Sprint(i+1) {
			t.Errorf("reply %d: %q", i, text)
		}
	}
	eventually(t, "three notices", func() bool { return len(r.inbox("pegawai1@agensi-a.test")) == 3 })
	if _, err := notify(c, "pegawai1@agensi-a.test", "pegawai1@agensi-a.test"); err == nil {
		t.Error("sent as an officer")
	}
}
