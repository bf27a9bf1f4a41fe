package sasl

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	gosasl "github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"
)

var errDown = errors.New("the directory is down")

// one knows one user, whose SCRAM keys come from the library itself.
type one struct{ user, password string }

func (o one) Plain(_ context.Context, user, password string) error {
	switch {
	case user == "down":
		return errDown
	case user == o.user && password == o.password:
		return nil
	}
	return ErrCredentials
}

func (o one) Scram(_ context.Context, user string) ([]byte, int, []byte, []byte, error) {
	if user == "down" {
		return nil, 0, nil, nil, errDown
	}
	c, err := scram.SHA256.NewClient(o.user, o.password, "")
	if err != nil {
		return nil, 0, nil, nil, err
	}
	k, err := c.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "garam123garam123", Iters: 4096})
	return []byte(k.Salt), k.Iters, k.StoredKey, k.ServerKey, err
}

func (o one) Proved(_ context.Context, user string) error {
	if user != o.user {
		return ErrCredentials
	}
	return nil
}

// scramClient makes a go-sasl client of the other library.
type scramClient struct{ *scram.ClientConversation }

func (c scramClient) Start() (string, []byte, error) {
	s, err := c.Step("")
	return "SCRAM-SHA-256", []byte(s), err
}

func (c scramClient) Next(challenge []byte) ([]byte, error) {
	s, err := c.Step(string(challenge))
	return []byte(s), err
}

func client(t testing.TB, mech, user, password string) gosasl.Client {
	switch mech {
	case "PLAIN":
		return gosasl.NewPlainClient("", user, password)
	case "LOGIN":
		return gosasl.NewLoginClient(user, password)
	}
	c, err := scram.SHA256.NewClient(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	return scramClient{c.NewConversation()}
}

// talk plays the client against the server, with or without an initial response.
func talk(t *testing.T, s Server, c gosasl.Client, initial bool) error {
	t.Helper()
	_, response, err := c.Start()
	if err != nil {
		t.Fatal(err)
	}
	if !initial {
		challenge, done, err := s.Next(nil)
		if done || err != nil {
			t.Fatalf("without a response: done %v, %v", done, err)
		}
		if response == nil { // LOGIN answers the prompt
			if response, err = c.Next(challenge); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 10 {
		if response == nil {
			response = []byte{}
		}
		challenge, done, err := s.Next(response)
		if done || err != nil {
			return err
		}
		if response, err = c.Next(challenge); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("no end after 10 rounds")
	return nil
}

func TestMechanisms(t *testing.T) {
	v := one{"pegawai1@agensi-a.test", "rahsia dapur"}
	for _, mech := range Mechanisms {
		for _, initial := range []bool{true, false} {
			if mech == "LOGIN" && initial {
				continue // its client has none
			}
			for _, tt := range []struct {
				user, password string
				want           error
			}{
				{v.user, v.password, nil},
				{v.user, "salah", ErrCredentials},
				{"lain@agensi-a.test", v.password, ErrCredentials},
				{"down", v.password, errDown},
			} {
				s, err := New(t.Context(), mech, v)
				if err != nil {
					t.Fatal(err)
				}
				if err := talk(t, s, client(t, mech, tt.user, tt.password), initial); !errors.Is(err, tt.want) {
					t.Errorf("%s as %s: got %v, want %v", mech, tt.user, err, tt.want)
				}
				if tt.want == nil && s.User() != v.user {
					t.Errorf("%s: user is %q", mech, s.User())
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	v := one{"a@b.test", "kata"}
	for _, tt := range []struct {
		name, mech string
		responses  []string
		want       error
	}{
		{"acting for another", "PLAIN", []string{"other\x00a@b.test\x00kata"}, ErrCredentials},
		{"own name as identity", "PLAIN", []string{"a@b.test\x00a@b.test\x00kata"}, nil},
		{"one NUL", "PLAIN", []string{"a@b.test\x00kata"}, ErrSyntax},
		{"too long", "PLAIN", []string{"\x00a@b.test\x00" + strings.Repeat("x", MaxResponse)}, ErrSyntax},
		{"no user", "LOGIN", []string{"", "kata"}, ErrSyntax},
		{"junk", "SCRAM-SHA-256", []string{"junk"}, ErrSyntax},
		{"channel binding", "SCRAM-SHA-256", []string{"p=tls-unique,,n=a,r=abc"}, ErrSyntax},
	} {
		s, err := New(t.Context(), tt.mech, v)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range tt.responses {
			if _, _, err = s.Next([]byte(r)); err != nil {
				break
			}
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := New(t.Context(), "CRAM-MD5", v); !errors.Is(err, ErrMechanism) {
		t.Errorf("unknown mechanism: %v", err)
	}
}

// No sequence of responses authenticates without the password.
func FuzzResponses(f *testing.F) {
	f.Add("PLAIN", []byte("\x00a@b.test\x00salah"), []byte(""))
	f.Add("LOGIN", []byte("a@b.test"), []byte("salah"))
	f.Add("SCRAM-SHA-256", []byte("n,,n=a@b.test,r=abc"), []byte("c=biws,r=abc,p=AAAA"))
	f.Fuzz(func(t *testing.T, mech string, first, second []byte) {
		s, err := New(t.Context(), mech, one{"a@b.test", "kata laluan yang panjang"})
		if err != nil {
			return
		}
		if bytes.Contains(append(append([]byte{}, first...), second...), []byte("kata laluan yang panjang")) {
			return
		}
		for _, r := range [][]byte{first, second, {}} {
			_, done, err := s.Next(r)
			if done {
				t.Fatalf("%s let %q %q in", mech, first, second)
			}
			if err != nil {
				return
			}
		}
	})
}
