package smtpin

import (
	"context"
	"errors"
	"io"
)

// starttls is STARTTLS, RFC 3207. What was sent in clear after it is not read as
// commands: it could come from anyone on the way.
func (s *session) starttls(ctx context.Context, _ string) error {
	switch {
	case s.tls != nil:
		return reply(503, "5.5.1", "TLS is on already")
	case s.srv.cfg.TLS == nil:
		return reply(502, "5.5.1", "not offered")
	case s.in.Buffered() > 0:
		s.over = true
		return reply(501, "5.5.1", "nothing may be sent with STARTTLS before its reply")
	}
	s.say(reply(220, "2.0.0", "go ahead"))
	if err := s.out.Flush(); err != nil {
		return s.gone(err)
	}
	if !s.handshake(ctx) {
		s.over = true
		return nil
	}
	s.reset()
	s.helo, s.esmtp = "", false // what was learned before TLS is forgotten
	return nil
}

// gone ends a session whose client cannot be answered any more.
func (s *session) gone(err error) error {
	s.over = true
	if !errors.Is(err, io.EOF) {
		s.log.Info("connection lost", "remote", s.ip, "err", err)
	}
	return nil
}
