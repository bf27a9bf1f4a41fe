package smtpin

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/internal/spool"
	"sampul/policy"
	"sampul/store"
)

// maxReceived is how many servers a message may have passed (RFC 5321 section 6.3).
const maxReceived = 50

// deliver has the message judged and, when it passes, accepted. Its success is the
// 250 with the queue ID.
func (s *session) deliver(ctx context.Context, in *incoming) error {
	began := time.Now()
	s.messages++
	id := newQueueID()
	body, index := in.spool, in.index.Finish()
	if received(index) > maxReceived {
		return errLoop
	}
	if s.account != nil {
		if err := s.checkSender(ctx, index); err != nil {
			return err
		}
		full, err := s.complete(body, index)
		if err != nil {
			return err
		}
		if full != nil {
			defer full.drop()
			body, index = full.spool, full.index.Finish()
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.srv.cfg.JudgeTime)
	defer cancel()
	v, err := s.judge(ctx, id, body, index)
	if err != nil {
		return &Reply{errUndecided.Code, errUndecided.Enhanced, errUndecided.Text, err}
	}
	if v.Action >= policy.SecureLink {
		s.log.Info("refused", "id", id, "from", s.tx.args.from, "rcpts", len(s.tx.rcpts), "size", body.Size(),
			"class", v.Class, "incident", v.Incident, "reply", v.Code, "took_ms", time.Since(began).Milliseconds())
		return reply(v.Code, v.Enhanced, v.Text)
	}
	if time.Since(began) > time.Second && s.hungUp() {
		s.log.Info("dropped, the client has gone", "id", id)
		s.over = true
		return nil
	}
	env := s.envelope(id, v)
	if err := s.srv.deps.Store.Accept(ctx, env, body, index, v.Passed); err != nil {
		r := *replyFor(err)
		r.Err = fmt.Errorf("id %s: %w", id, err)
		return &r
	}
	s.log.Info("accepted", "id", id, "from", env.From, "rcpts", len(env.Recipients), "size", body.Size(),
		"class", v.Class, "took_ms", time.Since(began).Milliseconds())
	return reply(250, "2.0.0", "queued as "+id)
}

func (s *session) judge(ctx context.Context, id string, body *spool.Spool, index *message.Index) (*policy.Verdict, error) {
	m := &policy.Mail{
		Body: body, Index: index, SHA256: body.Sum(),
		Sender:   s.tx.args.from,
		Purpose:  gate.Mailbox,
		Listener: string(s.srv.cfg.Kind),
		Remote:   s.ip.String(),
		QueueID:  id,
	}
	if s.account != nil {
		m.Account, m.Agency, m.App = s.account.Address, s.account.Agency, s.account.Kind == store.Application
	}
	for _, r := range s.tx.rcpts {
		m.Recipients = append(m.Recipients, policy.Recipient{Address: r.Path, Agency: r.Agency})
	}
	return s.srv.deps.Judge.Judge(ctx, m)
}

// hungUp says whether the client closed the connection while it waited.
func (s *session) hungUp() bool {
	if s.in.Buffered() > 0 {
		return false
	}
	_, err := s.peekNow()
	return err != nil && !isTimeout(err)
}

// peekNow fills the input once, under the deadline that is set.
func (s *session) peekNow() ([]byte, error) {
	idle := s.c.idle
	s.c.idle = time.Millisecond
	defer func() { s.c.idle = idle }()
	return s.in.Peek(1)
}

// checkSender holds a logged-in sender to its own addresses in From and Sender.
func (s *session) checkSender(ctx context.Context, x *message.Index) error {
	seen := 0
	for _, field := range []string{"From", "Sender"} {
		for _, a := range x.Parts[0].Addresses(field) {
			if a.Group != message.NoGroup {
				continue
			}
			seen++
			if seen > 100 {
				return errNoFrom
			}
			own, err := s.srv.deps.Store.Owns(ctx, s.account.ID, a.Addr())
			if err != nil {
				return err
			}
			if !own {
				return reply(550, "5.7.1", fmt.Sprintf("the field %s names an address that is not %s or its alias", field, s.account.Address))
			}
		}
	}
	if len(x.Parts[0].Addresses("From")) == 0 {
		return errNoFrom
	}
	return nil
}

// complete adds the fields that a submitted message must have and lacks (RFC 6409
// section 8); nil when it lacks none.
func (s *session) complete(body *spool.Spool, x *message.Index) (*incoming, error) {
	var add strings.Builder
	now := s.srv.deps.Clock()
	if x.Parts[0].Get("Date") == "" {
		fmt.Fprintf(&add, "Date: %s\r\n", now.Format(time.RFC1123Z))
	}
	if x.Parts[0].Get("Message-ID") == "" {
		fmt.Fprintf(&add, "Message-ID: <%s@%s>\r\n", rand.Text(), s.srv.cfg.Hostname)
	}
	if add.Len() == 0 {
		return nil, nil
	}
	in := s.newIncoming(false)
	in.max += int64(add.Len())
	in.write([]byte(add.String()))
	buf := make([]byte, 64<<10)
	for off := int64(0); off < body.Size(); {
		n, err := body.ReadAt(buf[:min(int64(len(buf)), body.Size()-off)], off)
		if n == 0 && err != nil {
			in.drop()
			return nil, err
		}
		in.write(buf[:n])
		off += int64(n)
	}
	if err := errors.Join(in.fault, in.spool.Seal()); err != nil {
		in.drop()
		return nil, err
	}
	return in, nil
}

func received(x *message.Index) int {
	n := 0
	for _, f := range x.Parts[0].Fields {
		if strings.EqualFold(f.Name, "Received") {
			n++
		}
	}
	return n
}

// envelope is what the store keeps of the transaction.
func (s *session) envelope(id string, v *policy.Verdict) *store.Envelope {
	now := s.srv.deps.Clock()
	e := &store.Envelope{
		QueueID:    id,
		From:       s.tx.args.from,
		Recipients: s.tx.rcpts,
		Received:   now,
		EightBit:   s.tx.args.eightBit,
		SMTPUTF8:   s.tx.args.utf8,
		VerdictID:  v.ID,
		Class:      v.Class.String(),
	}
	if s.account != nil {
		e.Sender = s.account.ID
		if s.account.Kind == store.Application {
			e.App, e.AppCounted, e.Lane = s.account.ID, uint32(len(s.tx.rcpts)), store.LaneBulk
		}
	}
	e.Prefix = s.trace(id, now)
	e.Prefix = append(e.Prefix, v.TagHeaders...)
	return e
}

// trace is our header: Return-Path and Received (RFC 5321 section 4.4).
func (s *session) trace(id string, now time.Time) []byte {
	b := fmt.Appendf(nil, "Return-Path: <%s>\r\n", s.tx.args.from)
	b = fmt.Appendf(b, "Received: from %s (%s)\r\n\tby %s (Sampul) with %s", s.helo, literal(s), s.srv.cfg.Hostname, s.protocol())
	if s.tls != nil {
		b = fmt.Appendf(b, " (%s %s)", tls.VersionName(s.tls.Version), tls.CipherSuiteName(s.tls.CipherSuite))
	}
	b = fmt.Appendf(b, "\r\n\tid %s", id)
	if len(s.tx.rcpts) == 1 {
		b = fmt.Appendf(b, "\r\n\tfor <%s>", s.tx.rcpts[0].Path)
	}
	return fmt.Appendf(b, ";\r\n\t%s\r\n", now.Format(time.RFC1123Z))
}

func literal(s *session) string {
	if s.ip.Is6() {
		return "[IPv6:" + s.ip.String() + "]"
	}
	return "[" + s.ip.String() + "]"
}

// protocol is the name of RFC 3848 and RFC 6531 section 4.3.
func (s *session) protocol() string {
	p := "SMTP"
	switch {
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
