package smtpin

import (
	"context"

	"sampul/store"
)

// mail is MAIL, RFC 5321 section 4.1.1.2, and on submission RFC 6409 section 6.1:
// a logged-in account may use its own addresses alone.
func (s *session) mail(ctx context.Context, arg string) error {
	cfg := &s.srv.cfg
	if cfg.Kind != MX && s.account == nil {
		if !s.mayAuth() {
			return reply(530, "5.7.0", "start TLS, then log in")
		}
		return errAuthFirst
	}
	args, err := parseMail(arg)
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
	if s.account != nil {
		if args.from == "" {
			return errNullSubmission
		}
		own, err := s.srv.deps.Store.Owns(ctx, s.account.ID, args.from)
		if err != nil {
			return err
		}
		if !own {
			return reply(553, "5.7.1", "this account may send as "+s.account.Address+" and its aliases only")
		}
	}
	s.tx = &transaction{args: args}
	return reply(250, "2.1.0", "ok")
}
