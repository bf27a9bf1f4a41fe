package smtpin

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"sampul/internal/sasl"
	"sampul/store"
)

// auth is AUTH, RFC 4954.
func (s *session) auth(ctx context.Context, arg string) error {
	switch {
	case !s.submission():
		return reply(502, "5.5.1", "not offered")
	case !s.mayAuth():
		return errTLSFirst
	case s.account != nil:
		return reply(503, "5.5.1", "logged in already")
	}
	if s.paused("") {
		s.log.Warn("login refused", "remote", s.ip, "why", "too many wrong passwords from there: see ban list")
		return errLoginsPaused
	}
	mech, initial, given := strings.Cut(arg, " ")
	mech = strings.ToUpper(mech)
	if mech == "EXTERNAL" {
		return s.authExternal(ctx, initial, given)
	}
	v := &verifier{store: s.srv.deps.Store, paused: s.paused}
	server, err := sasl.New(ctx, mech, v)
	if err != nil {
		return errMechanism
	}
	var response []byte
	if given {
		if response, err = decodeInitial(initial); err != nil {
			return errBase64
		}
	}
	for {
		challenge, done, err := server.Next(response)
		if err != nil {
			return s.loginFailed(v, mech, err)
		}
		if done {
			break
		}
		s.challenge(challenge)
		line, err := s.readLine(maxAuthLine)
		switch {
		case errors.Is(err, errLong):
			return errLong
		case err != nil:
			s.lost(err)
			s.over = true
			return nil
		case line == "*":
			return errCancelled
		}
		if response, err = base64.StdEncoding.DecodeString(line); err != nil {
			return errBase64
		}
	}
	return s.loggedIn(v.account, mech)
}

// decodeInitial reads an initial response; "=" is an empty one (RFC 4954 section 4).
func decodeInitial(s string) ([]byte, error) {
	if s == "=" {
		return []byte{}, nil
	}
	return base64.StdEncoding.DecodeString(s)
}

func (s *session) paused(user string) bool {
	g := s.srv.deps.Guard
	return g != nil && g.Wait(s.ip, strings.ToLower(user)) > 0
}

func (s *session) loginFailed(v *verifier, mech string, err error) error {
	switch {
	case errors.Is(err, sasl.ErrSyntax):
		return errBase64
	case errors.Is(err, errLoginsPaused):
		s.log.Warn("login refused", "user", v.user, "remote", s.ip, "why", "too many wrong passwords for this account from there: see ban list")
		return errLoginsPaused
	case errors.Is(err, errHeldLogin): // the password is right: no guess, and counted nowhere
		s.log.Warn("login refused", "user", v.user, "remote", s.ip, "mech", mech)
		return errHeldLogin
	case !errors.Is(err, sasl.ErrCredentials):
		return &Reply{454, "4.7.0", "logins cannot be checked now, try again later", err}
	}
	var wait time.Duration
	if g := s.srv.deps.Guard; g != nil {
		g.Failed(s.ip, strings.ToLower(v.user))
		wait = g.Wait(s.ip, strings.ToLower(v.user))
	}
	s.log.Warn("login failed", "user", v.user, "remote", s.ip, "mech", mech, "wait_s", int(wait.Seconds()))
	return errLogin
}

// verifier asks the directory, and remembers whom.
type verifier struct {
	store   Store
	paused  func(user string) bool
	user    string
	account *store.Account
}

func (v *verifier) Plain(ctx context.Context, user, password string) error {
	v.user = user
	if v.paused(user) {
		return errLoginsPaused
	}
	a, err := v.store.Login(ctx, user, password)
	switch {
	case errors.Is(err, store.ErrBadPassword):
		return sasl.ErrCredentials
	case errors.Is(err, store.ErrAccountState):
		return errHeldLogin
	}
	v.account = a
	return err
}

func (v *verifier) Scram(ctx context.Context, user string) ([]byte, int, []byte, []byte, error) {
	v.user = user
	if v.paused(user) {
		return nil, 0, nil, nil, errLoginsPaused
	}
	a, k, err := v.store.ScramKeys(ctx, user)
	v.account = a
	return k.Salt, k.Iterations, k.StoredKey, k.ServerKey, err
}

func (v *verifier) Proved(context.Context, string) error {
	switch {
	case v.account == nil:
		return sasl.ErrCredentials
	case !v.account.Active():
		return errHeldLogin
	}
	return nil
}
