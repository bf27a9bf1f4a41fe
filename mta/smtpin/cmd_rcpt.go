package smtpin

import (
	"context"

	"sampul/store"
)

// maxBadRecipients ends a session that asks for many addresses nobody has.
const maxBadRecipients = 100

// rcpt is RCPT, RFC 5321 section 4.1.1.3. Who is here is known now, so that nothing
// has to bounce later; mail for others is taken from logged-in accounts alone.
func (s *session) rcpt(ctx context.Context, arg string) error {
	path, err := parseRcpt(arg, s.tx.args.utf8)
	if err != nil {
		return err
	}
	if len(s.tx.rcpts) >= s.srv.cfg.MaxRecipients {
		return errFull
	}
	if path == "postmaster" {
		path = s.srv.cfg.Postmaster
	}
	found, err := s.srv.deps.Store.Resolve(ctx, path)
	if err != nil {
		return err
	}
	r := store.Recipient{Path: path, Agency: found.Agency}
	switch {
	case found.Local && found.Account == nil:
		return s.badRecipient(errNobody)
	case found.Local && found.Account.Kind == store.Application:
		return s.badRecipient(reply(550, "5.1.1", "an application takes no mail"))
	case found.Local:
		r.Account = found.Account.ID
	case s.account == nil:
		return s.badRecipient(errRelay)
	}
	s.tx.rcpts = append(s.tx.rcpts, r)
	return reply(250, "2.1.5", "ok")
}

// badRecipient counts a refusal: many of them are a search for addresses.
func (s *session) badRecipient(r *Reply) error {
	s.badRcpts++
	s.errors-- // counted here, with a limit of its own
	if s.badRcpts > maxBadRecipients {
		return errTooManyErrors
	}
	return r
}
