package peers

import (
	"errors"
	"net/smtp"
	"strings"
	"syscall"
	"testing"
)

// Two of them, each a remote server of the other: what the end-to-end tests do with one.
func TestPostfix(t *testing.T) {
	there := Postfix(t, PostfixOptions{Hostname: "mx.jauh.test", Domains: []string{"jauh.test"}, Users: []string{"a.b@jauh.test", "c@jauh.test"}})
	here := Postfix(t, PostfixOptions{
		Hostname: "mx.dekat.test", Domains: []string{"dekat.test"}, Transport: map[string]string{"*": "smtp:" + bracketed(there), "dekat.test": ":"}, Relay: true,
	})
	here.Send(t, "x@dekat.test", []string{"a.b@jauh.test", "y@dekat.test"}, "From: x@dekat.test\nSubject: satu\n\nisi\n")
	got := there.Mail(t, "a.b@jauh.test", 1)[0]
	if !strings.Contains(got, "Subject: satu\n") || !strings.Contains(got, "from mx.dekat.test") {
		t.Errorf("got %s", got)
	}
	here.Mail(t, "y@dekat.test", 1)
	if err := smtp.SendMail(here.Address, nil, "x@dekat.test", []string{"c@jauh.test"}, []byte("Subject: dua\r\n\r\nisi\r\n")); err != nil {
		t.Error(err)
	}
	there.Mail(t, "c@jauh.test", 1)
	if err := smtp.SendMail(there.Address, nil, "x@dekat.test", []string{"tiada@jauh.test"}, nil); err == nil || !strings.Contains(err.Error(), "550") {
		t.Errorf("an unknown user: %v", err)
	}
	if err := smtp.SendMail(there.Address, nil, "x@dekat.test", []string{"z@lain.test"}, nil); err == nil || !strings.Contains(err.Error(), "554") {
		t.Errorf("another domain: %v", err)
	}
	here.SetTransport(t, map[string]string{"*": "error:tutup", "dekat.test": ":"})
	here.Send(t, "x@dekat.test", []string{"c@jauh.test"}, "Subject: tiga\n\nisi\n")
	if bounce := here.Mail(t, "x@dekat.test", 1)[0]; !strings.Contains(bounce, "tutup") {
		t.Errorf("the bounce says %s", bounce)
	}
	if q := here.Queue(); !strings.Contains(q, "empty") {
		t.Errorf("the queue has %s", q)
	}
	here.Stop()
	if err := answers("tcp", here.Address)(); err == nil {
		t.Error("it still listens after it was stopped")
	}
	if err := syscall.Kill(-here.pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("processes of it are left: %v", err)
	}
}

func bracketed(p *PostfixServer) string {
	return "[127.0.0.1]" + strings.TrimPrefix(p.Address, "127.0.0.1")
}
