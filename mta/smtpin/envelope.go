package smtpin

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	"sampul/store"
)

// envelope is what the store keeps of the transaction.
func (d *delivery) envelope() *store.Envelope {
	s := d.s
	e := &store.Envelope{
		QueueID:    s.tx.id,
		From:       s.tx.args.from,
		Recipients: s.tx.rcpts,
		Received:   d.now,
		EightBit:   s.tx.args.eightBit,
		SMTPUTF8:   s.tx.args.utf8,
		RequireTLS: s.tx.args.requireTLS,
		Ret:        s.tx.args.ret,
		EnvID:      s.tx.args.envID,
		VerdictID:  d.verdict.ID,
		Class:      d.verdict.Class.String(),
	}
	if s.account != nil {
		e.Sender = s.account.ID
		if s.account.Kind == store.Application {
			e.App, e.AppCounted, e.Lane = s.account.ID, uint32(len(s.tx.rcpts)), store.LaneBulk
		}
	}
	if d.junk {
		for i := range e.Recipients {
			if e.Recipients[i].Account != 0 {
				e.Recipients[i].Mailbox = junk
			}
		}
	}
	if tags := d.verdict.RecipientTags; len(tags) == len(e.Recipients) {
		e.Recipients = slices.Clone(e.Recipients) // the transaction's stay as they are: it may be judged again
		for i, t := range tags {
			r := &e.Recipients[i]
			r.Prefix = append(slices.Clip(r.Prefix), t...)
		}
	}
	e.Prefix = fmt.Appendf(nil, "Return-Path: <%s>\r\n", e.From) // RFC 5321 section 4.4
	e.Prefix = append(e.Prefix, d.prefix...)
	e.Prefix = append(e.Prefix, s.loopField()...)
	e.Prefix = append(e.Prefix, d.verdict.TagHeaders...)
	return e
}

// receivedField is our Received field (RFC 5321 section 4.4).
func (s *session) receivedField(now time.Time) []byte {
	b := fmt.Appendf(nil, "Received: from %s (%s)\r\n\tby %s (Sampul) with %s", s.helo, literal(s), s.srv.cfg.Hostname, s.protocol())
	if s.tls != nil {
		b = fmt.Appendf(b, " (%s %s)", tls.VersionName(s.tls.Version), tls.CipherSuiteName(s.tls.CipherSuite))
	}
	if c := s.cert; c != nil {
		b = fmt.Appendf(b, "\r\n\t%s", certificateNote(c))
	}
	b = fmt.Appendf(b, "\r\n\tid %s", s.tx.id)
	if len(s.tx.given) == 1 {
		b = fmt.Appendf(b, "\r\n\tfor <%s>", s.tx.given[0])
	}
	return fmt.Appendf(b, ";\r\n\t%s\r\n", now.Format(time.RFC1123Z))
}

func literal(s *session) string {
	switch {
	case !s.ip.IsValid():
		return "local"
	case s.ip.Is6():
		return "[IPv6:" + s.ip.String() + "]"
	}
	return "[" + s.ip.String() + "]"
}

// protocol is the name of RFC 3848 and RFC 6531 section 4.3.
func (s *session) protocol() string {
	p := "SMTP"
	switch {
	case s.srv.cfg.Kind == LMTP && s.tx.args.utf8:
		p = "UTF8LMTP"
	case s.srv.cfg.Kind == LMTP:
		p = "LMTP"
	case s.tx.args.utf8:
		p = "UTF8SMTP"
	case s.esmtp:
		p = "ESMTP"
	}
	if s.esmtp && s.tls != nil {
		p += "S"
	}
	if s.esmtp && s.account != nil {
		p += "A"
	}
	return p
}

const idLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newQueueID is ten letters and digits, random: 59 bits.
func newQueueID() string {
	var raw [10]byte
	out := make([]byte, 0, 10)
	for len(out) < 10 {
		rand.Read(raw[:])
		for _, b := range raw {
			if b < 248 && len(out) < 10 {
				out = append(out, idLetters[b%62])
			}
		}
	}
	return string(out)
}
