package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"sampul/store"
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

// An application lives from its request to its end, each refusal with its own reason.
func TestApplicationLives(t *testing.T) {
	r := startDemo(t)
	const address = "notis@agensi-a.test"
	r.do("app", "request", address, "--owner", "ucadmin@agensi-a.test", "--ref", "R-7", "--quota", "hour=2", "--sender", "bil@agensi-a.test")
	var made struct{ Password string }
	if got := lines[struct{ Password string }](r, "app", "approve", address); len(got) == 1 {
		made = got[0]
	}
	if made.Password == "" {
		t.Fatal("no password was printed")
	}
	r.Application = demoAccount{Address: address, Password: made.Password}
	c := r.app()
	refused := func(from, want string) {
		t.Helper()
		_, err := notify(c, from, "pegawai1@agensi-a.test")
		if err == nil || !strings.Contains(detail(err), want) {
			t.Errorf("as %s: %s, want %q", from, detail(err), want)
		}
	}
	if _, err := notify(c, "bil@agensi-a.test", "pegawai1@agensi-a.test"); err != nil {
		t.Fatal(err)
	}
	refused("lain@agensi-a.test", "550 5.7.1 Penghantar <lain@agensi-a.test>")
	if _, err := notify(c, address, "pegawai2@agensi-a.test"); err != nil {
		t.Fatal(err)
	}
	refused(address, "450 4.7.1 Kuota 2 penerima (hour) habis; dibuka pada ")
	r.do("app", "set", address, "--quota", "hour=none", "--quota", "day=0")
	refused(address, "550 5.7.1 Kuota aplikasi ini 0 penerima (day)")
	r.do("app", "set", address, "--quota", "day=none", "--network", "192.0.2.0/24")
	refused(address, "550 5.7.1 Alamat 127.0.0.1 bukan rangkaian")
	hour := time.Now().Add(3 * time.Hour).Hour()
	r.do("app", "set", address, "--network", "any", "--hours", fmt.Sprintf("%02d-%02d", hour, (hour+1)%24))
	refused(address, "450 4.7.1 Di luar waktu aplikasi ini")
	r.do("app", "set", address, "--hours", "all", "--reach", "agency")
	if err := c.Mail(address, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt("pegawai1@agensi-b.test", nil); err == nil || !strings.Contains(detail(err), "tidak boleh menulis kepada") {
		t.Errorf("another agency: %v", err)
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	r.do("app", "suspend", address, "--reason", "siasatan")
	refused(address, "550 5.7.1 Aplikasi notis@agensi-a.test digantung (siasatan)")
	r.do("app", "resume", address)
	if _, err := notify(c, address, "pegawai1@agensi-a.test"); err != nil {
		t.Errorf("resumed: %v", err)
	}
	r.do("app", "end", address, "--reason", "projek tamat")
	refused(address, "550 5.7.1 Aplikasi notis@agensi-a.test telah ditamatkan (projek tamat)")
	if _, _, exit := sampul(t, "", "app", "resume", address, "--dir", r.DataDir); exit != 4 {
		t.Errorf("resumed after its end: exit %d", exit)
	}
	if n := len(lines[store.App](r, "app", "history", address)); n < 9 {
		t.Errorf("%d versions in its history", n)
	}
	for _, bad := range [][]string{{"--quota", "hour=9223372036854775808"}, {"--quota", "year=1"}, {"--hours", "25-26"}, {"--network", "x"}, {"--over", "drop"}} {
		if _, text, exit := sampul(t, "", append([]string{"app", "set", r.app0(), "--dir", r.DataDir}, bad...)...); exit != 2 {
			t.Errorf("%v: exit %d: %s", bad, exit, text)
		}
	}
	if _, text, exit := sampul(t, "", "app", "approve", address, "--until", "2020-01-01", "--dir", r.DataDir); exit != 2 || !strings.Contains(text, "has passed") {
		t.Errorf("an end in the past: exit %d: %s", exit, text)
	}
}

// app0 is the demo's own application.
func (r *running) app0() string { return "aplikasi@agensi-a.test" }
