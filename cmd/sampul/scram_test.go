package main

import (
	"errors"
	"net/smtp"
	"testing"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/xdg-go/scram"
)

// scramClient speaks SCRAM-SHA-256 for both libraries' clients.
type scramClient struct{ conv *scram.ClientConversation }

func newScram(t *testing.T, user, password string) *scramClient {
	t.Helper()
	c, err := scram.SHA256.NewClient(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	return &scramClient{c.NewConversation()}
}

func (s *scramClient) next(challenge []byte) ([]byte, error) {
	if s.conv.Done() {
		return nil, errors.New("the server goes on after its end")
	}
	out, err := s.conv.Step(string(challenge))
	return []byte(out), err
}

// As a client of IMAP.
type scramIMAP struct{ *scramClient }

func (s scramIMAP) Start() (string, []byte, error) {
	b, err := s.next(nil)
	return "SCRAM-SHA-256", b, err
}

func (s scramIMAP) Next(challenge []byte) ([]byte, error) { return s.next(challenge) }

// As a client of SMTP.
type scramSMTP struct{ *scramClient }

func (s scramSMTP) Start(*smtp.ServerInfo) (string, []byte, error) {
	b, err := s.next(nil)
	return "SCRAM-SHA-256", b, err
}

func (s scramSMTP) Next(challenge []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	return s.next(challenge)
}

// With SCRAM the password is never sent, and the server proves that it knows it too.
func TestScram(t *testing.T) {
	r := startDemo(t)
	a := r.account("pegawai1@agensi-a.test")
	for password, want := range map[string]bool{a.Password: true, "bukan ini": false} {
		c, err := imapclient.DialTLS(r.IMAPS, &imapclient.Options{TLSConfig: r.tls()})
		if err != nil {
			t.Fatal(err)
		}
		login := newScram(t, a.Address, password)
		if err := c.Authenticate(scramIMAP{login}); (err == nil) != want || want && !login.conv.Valid() {
			t.Errorf("IMAP, right password %v: %v", want, err)
		}
		c.Close()

		s, err := smtp.Dial(r.Submission)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.StartTLS(r.tls()); err != nil {
			t.Fatal(err)
		}
		login = newScram(t, a.Address, password)
		if err := s.Auth(scramSMTP{login}); (err == nil) != want || want && !login.conv.Valid() {
			t.Errorf("SMTP, right password %v: %v", want, err)
		}
		s.Close()
	}
}
