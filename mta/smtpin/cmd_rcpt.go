package smtpin

import (
	"context"
	"strings"

	"sampul/store"
)

// maxBadRecipients ends a session that asks for many addresses nobody has.
const maxBadRecipients = 100

// rcpt is RCPT, RFC 5321 section 4.1.1.3. Who is here is known now, so that nothing
// has to bounce later; mail for others is taken from logged-in accounts and servers of
// ours alone.
func (s *session) rcpt(ctx context.Context, arg string) error {
	args, err := parseRcpt(arg, s.tx.args.utf8)
	if err != nil {
		return err
	}
	if len(s.tx.given) >= s.srv.cfg.MaxRecipients {
		return errFull
	}
	if args.to == "postmaster" {
		args.to = s.srv.cfg.Postmaster
	}
	s.st.Address = args.to
	own := s.ownPostmaster(args.to)
	found, err := s.lead(ctx, args.to, s.inside() && !own)
	if err != nil && own {
		found, err = s.lead(ctx, s.srv.cfg.Postmaster, s.inside())
	}
	if err == nil {
		err = s.hooks(ctx, onRcpt)
	}
	if err != nil {
		return s.rcptRefused(args.to, found.agency, err)
	}
	if n := s.srv.cfg.MaxExpanded; len(found.rcpts) > n {
		return s.rcptRefused(args.to, found.agency, reply(550, "5.2.4", "this address leads to too many recipients"))
	} else if len(s.tx.rcpts)+len(found.rcpts) > n {
		return errFull
	}
	if s.tx.bounce != nil || found.bounce != nil && len(s.tx.given) > 0 {
		return errBounceAlone
	}
	if s.tx.bounce = found.bounce; found.bounce != nil {
		s.tx.bounceOf = found.agency
	}
	if s.account == nil && !s.together(found.rcpts) {
		return errApart
	}
	if s.tx.ticket != nil {
		if err := s.appRecipient(ctx, args.to, found); err != nil {
			s.noteRefused(replyFor(err), args.to, found.agency)
			return err // no search for addresses: the relay knows the application
		}
	}
	s.tx.given = append(s.tx.given, args.to)
	for _, r := range found.rcpts {
		r.Notify, r.ORcpt = args.notify, args.orcpt
		if r.From != "" && r.Notify != "NEVER" {
			// Notices go to the new reverse-path, whose owner asked for nothing (RFC 3461 section 5.2.7.3).
			r.Notify, r.ORcpt = "", ""
		}
		s.tx.add(r)
	}
	return reply(250, "2.1.5", "ok")
}

// together says whether one answer to the message serves new recipients and those before
// them alike. Where the rules of their agencies differ the sender sends them apart, so that
// what one agency refuses still reaches the other. What one address leads to cannot be taken
// apart: there the strictest decides.
func (s *session) together(more []store.Recipient) bool {
	same := s.srv.deps.SameRules
	if same == nil || len(s.tx.rcpts) == 0 || len(more) == 0 {
		return true
	}
	last := "" // most have the agency of the one before
	for i := range s.tx.rcpts {
		a := s.tx.rcpts[i].Agency
		if i > 0 && a == last {
			continue
		}
		last = a
		for k := range more {
			if b := more[k].Agency; b != a && !same(a, b) {
				return false
			}
		}
	}
	return true
}

// ownPostmaster says whether an address is that from which this server writes: answers to
// it are for the postmaster, though its name is no domain of the directory.
func (s *session) ownPostmaster(address string) bool {
	return strings.EqualFold(address, "postmaster@"+s.srv.cfg.Hostname)
}

// rcptRefused counts a refusal and remembers it.
func (s *session) rcptRefused(address, agency string, err error) error {
	r := replyFor(err)
	if agency != "" || s.account != nil {
		s.noteRefused(r, address, agency)
	}
	if r.Code < 500 || r.Code == 554 {
		return err
	}
	return s.badRecipient(r)
}

// badRecipient counts a refusal: many of them are a search for addresses.
func (s *session) badRecipient(r *Reply) error {
	s.badRcpts++
	s.errors-- // counted here, with a limit of its own
	if d := s.srv.deps.Defence; d != nil {
		d.badRecipient(s)
	}
	if s.badRcpts > maxBadRecipients {
		return errTooManyErrors
	}
	return r
}
