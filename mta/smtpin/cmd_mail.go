package smtpin

import (
	"context"
	"errors"

	"sampul/relay"
	"sampul/store"
)

// mail is MAIL, RFC 5321 section 4.1.1.2, and on submission RFC 6409 section 6.1:
// a logged-in account may use its own addresses alone.
func (s *session) mail(ctx context.Context, arg string) error {
	cfg := &s.srv.cfg
	if s.submission() && s.account == nil {
		if !s.mayAuth() {
			return reply(530, "5.7.0", "start TLS, then log in")
		}
		return errAuthFirst
	}
	args, err := parseMail(arg, s.tls != nil)
	switch {
	case err != nil:
		return err
	case args.size > cfg.MaxSize:
		return errTooBig
	case s.messages >= cfg.MaxMessages:
		return reply(421, "4.7.0", "enough messages for one connection, connect again")
	}
	if err := s.srv.deps.Store.Ready(store.LanePeople); err != nil {
		return err
	}
	var ticket *relay.Ticket
	if s.isApp() {
		ticket, err = s.beginApp(ctx, &args)
	} else {
		err = s.mayBeFrom(ctx, args.from)
	}
	if err != nil {
		return err
	}
	s.tx = &transaction{id: newQueueID(), args: args, ticket: ticket}
	if err := s.hooks(ctx, onMail); err != nil {
		s.note("refused", err)
		s.reset()
		return err
	}
	return reply(250, "2.1.0", "ok")
}

// mayBeFrom holds an account to its own addresses, and a held one to silence.
func (s *session) mayBeFrom(ctx context.Context, from string) error {
	if s.account == nil {
		return nil
	}
	if from == "" {
		return errNullSubmission
	}
	if err := s.active(ctx); err != nil {
		return err
	}
	own, err := s.srv.deps.Store.Owns(ctx, s.account.ID, from)
	if err != nil {
		return err
	}
	if !own {
		return reply(553, "5.7.1", "this account may send as "+s.account.Address+" and its aliases only")
	}
	return nil
}

// active asks again whether the account may send: it may have been held since the login.
func (s *session) active(ctx context.Context) error {
	if s.account == nil {
		return nil
	}
	a, err := s.srv.deps.Store.AccountByID(ctx, s.account.ID)
	switch {
	case errors.Is(err, store.ErrNotFound): // it went meanwhile
		return errHeld
	case err != nil:
		return err
	}
	if !a.Active() {
		s.log.Warn("held account tried to send", "account", a.Address, "remote", s.ip, "held", a.Held)
		return errHeld
	}
	return nil
}
