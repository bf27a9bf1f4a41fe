// Package sasl is the server's side of authentication, for SMTP and IMAP alike.
//
// A protocol makes a [Server] for the mechanism that the client names, hands it
// each response of the client, decoded from base64, and sends each challenge until
// the server is done. A nil response says that the client sent none (no initial
// response); an empty one that it sent an empty one. SCRAM ends with the server's
// own proof: it is the last challenge, and the client answers it with an empty
// response, in SMTP (RFC 4954 section 4) as in IMAP (RFC 9051 section 6.2.2).
package sasl

import (
	"context"
	"errors"
	"fmt"

	gosasl "github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"
)

// MaxResponse bounds one response of a client, decoded.
const MaxResponse = 12 << 10

// The ways in which authentication ends. Any other error is a fault of ours, and
// temporary.
var (
	ErrCredentials = errors.New("sasl: wrong user or password")
	ErrSyntax      = errors.New("sasl: malformed response")
	ErrMechanism   = errors.New("sasl: mechanism not known")
)

// Mechanisms are what New knows, the strongest first.
var Mechanisms = []string{"SCRAM-SHA-256", "PLAIN", "LOGIN"}

// Verifier knows passwords. Its errors that mean wrong credentials wrap
// [ErrCredentials]; others are passed on as they are.
type Verifier interface {
	// Plain checks a password.
	Plain(ctx context.Context, user, password string) error
	// Scram gives the keys of RFC 5802 section 3; for an unknown user made-up ones.
	Scram(ctx context.Context, user string) (salt []byte, iterations int, storedKey, serverKey []byte, err error)
	// Proved is called after SCRAM succeeded: whether the user may log in at all.
	Proved(ctx context.Context, user string) error
}

// Server is one authentication. It is not for use by several goroutines.
type Server interface {
	// Next takes a response. Unless done, challenge must be sent and answered.
	Next(response []byte) (challenge []byte, done bool, err error)
	// User is who was authenticated, once Next said done.
	User() string
}

// New begins an authentication by mech, whose name is in capitals.
func New(ctx context.Context, mech string, v Verifier) (Server, error) {
	switch mech {
	case "PLAIN":
		p := &plain{}
		p.lib = gosasl.NewPlainServer(func(identity, user, password string) error {
			if identity != "" && identity != user { // acting for others is not offered
				return ErrCredentials
			}
			p.user = user
			return v.Plain(ctx, user, password)
		})
		return p, nil
	case "LOGIN":
		return &login{check: func(user, password string) error { return v.Plain(ctx, user, password) }}, nil
	case "SCRAM-SHA-256":
		return newScram(ctx, v)
	}
	return nil, ErrMechanism
}

// plain is RFC 4616.
type plain struct {
	lib  gosasl.Server
	user string
}

func (p *plain) Next(response []byte) ([]byte, bool, error) {
	if len(response) > MaxResponse {
		return nil, false, ErrSyntax
	}
	challenge, done, err := p.lib.Next(response)
	if err != nil && p.user == "" && !errors.Is(err, ErrCredentials) { // the library's own words
		return nil, false, fmt.Errorf("%w: %v", ErrSyntax, err)
	}
	return challenge, done && err == nil, err
}

func (p *plain) User() string { return p.user }

// login is the obsolete LOGIN, which old clients insist on: two prompts. The
// library has only its client.
type login struct {
	check func(user, password string) error
	user  string
	step  int
}

func (l *login) Next(response []byte) ([]byte, bool, error) {
	switch {
	case len(response) > MaxResponse:
		return nil, false, ErrSyntax
	case l.step == 0 && response == nil:
		l.step = 1
		return []byte("Username:"), false, nil
	case l.step <= 1:
		l.step = 2
		l.user = string(response)
		return []byte("Password:"), false, nil
	case l.step == 2:
		l.step = 3
		if l.user == "" {
			return nil, false, ErrSyntax
		}
		err := l.check(l.user, string(response))
		return nil, err == nil, err
	}
	return nil, false, ErrSyntax
}

func (l *login) User() string { return l.user }

// scramServer is RFC 5802 with SHA-256 (RFC 7677), without channel binding.
type scramServer struct {
	conv  *scram.ServerConversation
	fault error // of the verifier, hidden by the library
	ready func(user string) error
	begun bool
	final bool
}

func newScram(ctx context.Context, v Verifier) (Server, error) {
	s := &scramServer{ready: func(user string) error { return v.Proved(ctx, user) }}
	lib, err := scram.SHA256.NewServer(func(user string) (scram.StoredCredentials, error) {
		salt, n, stored, server, err := v.Scram(ctx, user)
		if err != nil {
			s.fault = err
			return scram.StoredCredentials{}, err
		}
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(salt), Iters: n},
			StoredKey:  stored, ServerKey: server,
		}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("sasl: %w", err)
	}
	s.conv = lib.NewConversation()
	return s, nil
}

func (s *scramServer) Next(response []byte) ([]byte, bool, error) {
	switch {
	case len(response) > MaxResponse:
		return nil, false, ErrSyntax
	case response == nil && !s.begun: // the client speaks first
		s.begun = true
		return []byte{}, false, nil
	case s.final:
		if len(response) != 0 {
			return nil, false, ErrSyntax
		}
		return nil, true, nil
	}
	first := s.conv.Username() == ""
	s.begun = true
	challenge, err := s.conv.Step(string(response))
	if err != nil {
		switch {
		case s.fault != nil:
			return nil, false, s.fault
		case first:
			return nil, false, fmt.Errorf("%w: %v", ErrSyntax, err)
		}
		return nil, false, ErrCredentials
	}
	if s.conv.Done() {
		if !s.conv.Valid() || s.conv.AuthzID() != "" && s.conv.AuthzID() != s.conv.Username() {
			return nil, false, ErrCredentials
		}
		if err := s.ready(s.conv.Username()); err != nil {
			return nil, false, err
		}
		s.final = true
	}
	return []byte(challenge), false, nil
}

func (s *scramServer) User() string { return s.conv.Username() }
