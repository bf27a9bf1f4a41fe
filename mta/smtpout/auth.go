package smtpout

import (
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/emersion/go-sasl"
)

// mechanism picks PLAIN or LOGIN, what the other side offers.
func mechanism(offered []string, user, secret string) (sasl.Client, error) {
	switch {
	case slices.Contains(offered, "PLAIN"):
		return sasl.NewPlainClient("", user, secret), nil
	case slices.Contains(offered, "LOGIN"):
		return sasl.NewLoginClient(user, secret), nil
	}
	return nil, fmt.Errorf("login as %s: %w", user, errNoMechanism)
}

// maxChallenges bounds a server that asks without end.
const maxChallenges = 8

// auth is the exchange of RFC 4954 section 4.
func (s *session) auth(c sasl.Client) (*reply, error) {
	mech, first, err := c.Start()
	if err != nil {
		return nil, err
	}
	cmd := "AUTH " + mech
	if first != nil {
		if enc := base64.StdEncoding.EncodeToString(first); enc != "" {
			cmd += " " + enc
		} else {
			cmd += " ="
		}
	}
	r, err := s.ask(s.pool.times.Command, cmd)
	for range maxChallenges {
		if err != nil || r.code != 334 {
			return r, err
		}
		answer := "*" // gives up; the other side says 501
		challenge, derr := base64.StdEncoding.DecodeString(r.lines[0])
		if derr == nil {
			if b, nerr := c.Next(challenge); nerr == nil {
				answer = base64.StdEncoding.EncodeToString(b)
			}
		}
		r, err = s.ask(s.pool.times.Command, answer)
	}
	return r, err
}
