package smtpin

import "context"

// rset is RSET, RFC 5321 section 4.1.1.5.
func (s *session) rset(context.Context, string) error {
	s.reset()
	return ok
}

// noop is NOOP, RFC 5321 section 4.1.1.9.
func (s *session) noop(context.Context, string) error { return ok }

// quit is QUIT, RFC 5321 section 4.1.1.10. What was sent after it is not read.
func (s *session) quit(context.Context, string) error {
	return reply(221, "2.0.0", "goodbye")
}

// help is HELP, RFC 5321 section 4.1.1.8.
func (s *session) help(context.Context, string) error {
	return reply(214, "2.0.0", "EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT STARTTLS AUTH: RFC 5321")
}

// vrfy is VRFY, RFC 5321 section 4.1.1.6: who has an address is not disclosed.
func (s *session) vrfy(context.Context, string) error {
	return reply(252, "2.5.0", "try RCPT")
}

// expn is EXPN, RFC 5321 section 4.1.1.7.
func (s *session) expn(context.Context, string) error {
	return reply(502, "5.5.1", "not offered")
}
