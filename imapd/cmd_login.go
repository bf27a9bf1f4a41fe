package imapd

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"sampul/imapd/wire"
	"sampul/internal/sasl"
	"sampul/store"
)

var (
	errLoginFirstTLS = &no{"NO", "PRIVACYREQUIRED", "passwords are taken through TLS alone: STARTTLS first"}
	errLoginPaused   = &no{"NO", "LIMIT", "too many failed logins, wait a while"}
	errLogin         = &no{"NO", "AUTHENTICATIONFAILED", "wrong address or password"}
	errLoginState    = &no{"NO", "AUTHORIZATIONFAILED", "this account is not active, ask your administrator"}
	errLoginDown     = &no{"NO", "UNAVAILABLE", "logins cannot be checked now, try again later"}
	errNoMail        = &no{"NO", "AUTHORIZATIONFAILED", "this account sends only, it has no mailboxes"}
)

func login(ctx context.Context, s *session, c *call) error {
	if err := s.in.SP(); err != nil {
		return err
	}
	if !s.mayLogin() {
		return errLoginFirstTLS
	}
	user, err := s.in.AString()
	if err != nil {
		return err
	}
	if err := s.in.SP(); err != nil {
		return err
	}
	password, err := s.in.AString()
	if err != nil {
		return err
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	v := &verifier{s: s}
	if err := v.Plain(ctx, user, password); err != nil {
		return s.loginFailed(v, "LOGIN", err)
	}
	return s.welcome(c, v, "LOGIN")
}

// authenticate is AUTHENTICATE, with an initial response where one is given (RFC 4959).
func authenticate(ctx context.Context, s *session, c *call) error {
	if err := s.in.SP(); err != nil {
		return err
	}
	mech, err := s.in.Word()
	if err != nil {
		return err
	}
	if !s.mayLogin() {
		return errLoginFirstTLS
	}
	var response []byte
	if more, err := s.in.More(); err != nil {
		return err
	} else if more {
		if response, err = s.initial(); err != nil {
			return err
		}
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	v := &verifier{s: s}
	server, err := sasl.New(ctx, mech, v)
	if err != nil {
		return refuse("CANNOT", "this mechanism is not known")
	}
	for {
		challenge, done, err := server.Next(response)
		if err != nil {
			return s.loginFailed(v, mech, err)
		}
		if done {
			return s.welcome(c, v, mech)
		}
		s.puts("+ " + base64.StdEncoding.EncodeToString(challenge) + "\r\n")
		line, err := s.in.Line(sasl.MaxResponse * 4 / 3)
		if err != nil {
			return err
		}
		if line == "*" {
			return wire.SyntaxError("authentication cancelled")
		}
		if response, err = decodeResponse(line); err != nil {
			return err
		}
	}
}

func (s *session) initial() ([]byte, error) {
	text, err := s.in.AString()
	if err != nil {
		return nil, err
	}
	return decodeResponse(text)
}

// decodeResponse reads base64; "=" is an empty response (RFC 4959), which some clients
// also send where an empty line is meant.
func decodeResponse(text string) ([]byte, error) {
	if text == "=" {
		return []byte{}, nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, wire.SyntaxError("not base64")
	}
	return b, nil
}

// welcome is a login that was right.
func (s *session) welcome(c *call, v *verifier, mech string) error {
	if v.account.Kind == store.Application {
		return errNoMail
	}
	s.account = v.account
	s.owner.Store(uint64(v.account.ID))
	s.actor = store.Actor{Agency: v.account.Agency, Account: v.account.ID, Role: store.RoleOfficer}
	s.state = authenticated
	if g := s.srv.deps.Guard; g != nil {
		g.Succeeded(s.ip, s.account.Address)
	}
	s.log = s.log.With("account", s.account.Address)
	s.log.Info("login", "remote", s.ip, "mech", mech)
	c.code, c.text = "CAPABILITY "+s.capabilities(), "welcome"
	return nil
}

func (s *session) loginFailed(v *verifier, mech string, err error) error {
	var n *no
	switch {
	case errors.As(err, &n):
		return err
	case errors.Is(err, sasl.ErrSyntax):
		return wire.SyntaxError("malformed response")
	case !errors.Is(err, sasl.ErrCredentials):
		s.log.Error("login cannot be checked", "err", err)
		return errLoginDown
	}
	var wait time.Duration
	if g := s.srv.deps.Guard; g != nil {
		g.Failed(s.ip, strings.ToLower(v.user))
		wait = g.Wait(s.ip, strings.ToLower(v.user))
	}
	s.errors++
	s.log.Warn("login failed", "user", v.user, "remote", s.ip, "mech", mech, "wait_s", int(wait.Seconds()))
	return errLogin
}

// verifier asks the directory, and remembers whom.
type verifier struct {
	s       *session
	user    string
	account *store.Account
}

func (v *verifier) paused() error {
	if g := v.s.srv.deps.Guard; g != nil && g.Wait(v.s.ip, strings.ToLower(v.user)) > 0 {
		v.s.log.Warn("login refused", "user", v.user, "remote", v.s.ip, "why", "too many wrong passwords from there: see ban list")
		return errLoginPaused
	}
	return nil
}

func (v *verifier) Plain(ctx context.Context, user, password string) error {
	v.user = user
	if err := v.paused(); err != nil {
		return err
	}
	a, err := v.s.srv.deps.Store.Login(ctx, user, password)
	switch {
	case errors.Is(err, store.ErrBadPassword):
		return sasl.ErrCredentials
	case errors.Is(err, store.ErrAccountState):
		return errLoginState
	}
	v.account = a
	return err
}

func (v *verifier) Scram(ctx context.Context, user string) ([]byte, int, []byte, []byte, error) {
	v.user = user
	if err := v.paused(); err != nil {
		return nil, 0, nil, nil, err
	}
	a, k, err := v.s.srv.deps.Store.ScramKeys(ctx, user)
	v.account = a
	return k.Salt, k.Iterations, k.StoredKey, k.ServerKey, err
}

func (v *verifier) Proved(context.Context, string) error {
	switch {
	case v.account == nil:
		return sasl.ErrCredentials
	case !v.account.Active():
		return errLoginState
	}
	return nil
}
