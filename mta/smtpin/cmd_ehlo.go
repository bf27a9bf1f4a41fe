package smtpin

import (
	"context"
	"fmt"
	"strings"

	"sampul/internal/sasl"
)

// ehlo is EHLO, RFC 5321 section 4.1.1.1. It ends a transaction.
func (s *session) ehlo(ctx context.Context, arg string) error {
	if s.srv.cfg.Kind == LMTP {
		return reply(500, "5.5.1", "this is LMTP: say LHLO")
	}
	return s.hello(ctx, arg)
}

// lhlo is LHLO, RFC 2033 section 4.1.
func (s *session) lhlo(ctx context.Context, arg string) error {
	if s.srv.cfg.Kind != LMTP {
		return errUnknown
	}
	return s.hello(ctx, arg)
}

func (s *session) hello(ctx context.Context, arg string) error {
	if err := s.greet(ctx, arg, true); err != nil {
		return err
	}
	cfg := &s.srv.cfg
	lines := []string{
		cfg.Hostname,
		"PIPELINING",
		fmt.Sprintf("SIZE %d", cfg.MaxSize),
		"8BITMIME",
		"ENHANCEDSTATUSCODES",
		"CHUNKING",
		"SMTPUTF8",
		"DSN",
		fmt.Sprintf("LIMITS MAILMAX=%d RCPTMAX=%d", cfg.MaxMessages, cfg.MaxRecipients),
	}
	if s.tls != nil {
		lines = append(lines, "REQUIRETLS")
	}
	if s.mayXclient() {
		lines = append(lines, "XCLIENT "+xclientNames)
	}
	if s.tls == nil && cfg.TLS != nil {
		lines = append(lines, "STARTTLS")
	}
	if s.mayAuth() && s.account == nil {
		mechs := strings.Join(sasl.Mechanisms, " ")
		if s.external() {
			mechs = "EXTERNAL " + mechs
		}
		lines = append(lines, "AUTH "+mechs)
	}
	for i, l := range lines {
		sep := byte('-')
		if i == len(lines)-1 {
			sep = ' '
		}
		fmt.Fprintf(s.out, "250%c%s\r\n", sep, l)
	}
	s.srv.deps.Replied(cfg.Kind, 250, "")
	return nil
}

// heloOld is HELO: no extensions.
func (s *session) heloOld(ctx context.Context, arg string) error {
	if s.srv.cfg.Kind == LMTP {
		return reply(500, "5.5.1", "this is LMTP: say LHLO")
	}
	if err := s.greet(ctx, arg, false); err != nil {
		return err
	}
	return reply(250, "", s.srv.cfg.Hostname)
}

// greet takes the client's name.
func (s *session) greet(ctx context.Context, arg string, esmtp bool) error {
	name, err := heloName(arg)
	if err != nil {
		return err
	}
	s.reset()
	s.helo, s.esmtp = name, esmtp
	if err := s.hooks(ctx, onEhlo); err != nil {
		s.helo = ""
		return err
	}
	return nil
}

// heloName takes what clients really say; it goes into the Received field, so
// nothing that could end that field is let through.
func heloName(arg string) (string, error) {
	name := strings.TrimSpace(arg)
	if name == "" || len(name) > 255 {
		return "", reply(501, "5.5.4", "EHLO needs your host name")
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 127 || strings.IndexByte("()<>;\\\"", c) >= 0 {
			return "", reply(501, "5.5.4", "that is no host name")
		}
	}
	return name, nil
}

// mayAuth says whether passwords can be sent here now.
func (s *session) mayAuth() bool {
	return s.submission() && (s.tls != nil || s.srv.cfg.AllowPlaintextAuth)
}
