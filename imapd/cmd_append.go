package imapd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sampul/imapd/wire"
	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/internal/spool"
	"sampul/policy"
	"sampul/store"
)

// maxAppends is how many messages one APPEND may bring.
const maxAppends = 100

// tryCreate says that the mailbox that is missing could be made.
func tryCreate(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return refuse("TRYCREATE", "there is no such mailbox; make it first")
	}
	return err
}

// appendMessages is APPEND, of one message or several (RFC 3502): all or none. Each is
// judged before any is kept; what is refused was never stored.
func appendMessages(ctx context.Context, s *session, c *call) error {
	name, err := s.boxName()
	if err != nil {
		return err
	}
	if err := s.in.SP(); err != nil {
		return err
	}
	if _, err := s.srv.deps.Store.MailboxStatus(ctx, s.actor, s.actor.Account, name); err != nil {
		return tryCreate(err)
	}
	if err := s.srv.deps.Store.Ready(store.LanePeople); err != nil {
		return err
	}
	a := &appending{s: s}
	defer a.close()
	for more := true; more; {
		if err := a.one(); err != nil {
			return err
		}
		if more, err = s.in.More(); err != nil {
			return err
		}
	}
	if err := s.in.CRLF(); err != nil {
		return err
	}
	for i := range a.msgs {
		if err := a.judge(ctx, i); err != nil {
			return err
		}
	}
	validity, uids, err := s.srv.deps.Store.AppendMessages(ctx, s.actor, s.actor.Account, name, a.msgs)
	if err != nil {
		return tryCreate(err)
	}
	code := wire.AppendUint([]byte("APPENDUID "), validity)
	c.code = string(wire.AppendSet(append(code, ' '), uids))
	return nil
}

// An appending is one APPEND under way.
type appending struct {
	s    *session
	msgs []store.Append
	held []*spool.Spool
	size int64
}

func (a *appending) close() {
	for _, sp := range a.held {
		sp.Close()
	}
}

// one reads flags, date and literal of a message.
func (a *appending) one() error {
	s := a.s
	if len(a.msgs) == maxAppends {
		return refuse("LIMIT", "too many messages in one APPEND")
	}
	var m store.Append
	c, err := s.in.Next()
	if err != nil {
		return err
	}
	if c == '(' {
		names, err := s.in.Flags()
		if err != nil {
			return err
		}
		if m.Flags, m.Keywords, err = parseFlags(names); err != nil {
			return err
		}
		if err := s.in.SP(); err != nil {
			return err
		}
		if c, err = s.in.Next(); err != nil {
			return err
		}
	}
	if c == '"' {
		if m.Internal, err = s.in.DateTime(); err != nil {
			return err
		}
		if err := s.in.SP(); err != nil {
			return err
		}
		if c, err = s.in.Next(); err != nil {
			return err
		}
	}
	utf8Data := c == 'U' || c == 'u' // UTF8 (~{n}...), RFC 6855 section 4
	if utf8Data {
		if w, err := s.in.Word(); err != nil {
			return err
		} else if w != "UTF8" {
			return wire.SyntaxError("a literal is expected")
		}
		if err := s.in.SP(); err != nil {
			return err
		}
		if err := s.in.Byte('('); err != nil {
			return err
		}
	}
	if err := a.literal(&m); err != nil {
		return err
	}
	a.msgs = append(a.msgs, m)
	if utf8Data {
		return s.in.Byte(')')
	}
	return nil
}

// literal takes the message itself.
func (a *appending) literal(m *store.Append) error {
	s := a.s
	l, err := s.in.Announcement()
	if err != nil {
		return err
	}
	if l.Size > s.srv.cfg.MaxMessage {
		return refuse("TOOBIG", "%s", fmt.Sprintf("a message of %d octets is too big: at most %d are taken", l.Size, s.srv.cfg.MaxMessage))
	}
	if a.size += l.Size; a.size > 4*s.srv.cfg.MaxMessage {
		return refuse("LIMIT", "too much in one APPEND")
	}
	if l.Size == 0 {
		return wire.SyntaxError("an empty message")
	}
	if err := s.in.Accept(l); err != nil {
		return err
	}
	sp := s.srv.deps.Spool.Open()
	a.held = append(a.held, sp)
	x := message.NewIndexer(message.DefaultLimits)
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := l.Read(*buf)
		if n > 0 {
			x.Write((*buf)[:n])
			if _, werr := sp.Write((*buf)[:n]); werr != nil {
				if derr := l.Discard(); derr != nil {
					return derr
				}
				s.log.Error("no room for a work file", "err", werr)
				return refuse("UNAVAILABLE", "there is no room to look at this message now")
			}
		}
		if errors.Is(err, io.EOF) && n == 0 {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	if err := sp.Seal(); err != nil {
		s.log.Error("work file", "err", err)
		return refuse("UNAVAILABLE", "there is no room to look at this message now")
	}
	m.Body, m.Index = sp, x.Finish()
	return nil
}

// judge asks policy about message i.
func (a *appending) judge(ctx context.Context, i int) error {
	s := a.s
	ctx, cancel := context.WithTimeout(ctx, s.srv.cfg.JudgeTime)
	defer cancel()
	began := time.Now()
	m := &a.msgs[i]
	v, err := s.srv.deps.Judge.Judge(ctx, &policy.Mail{
		Body: m.Body, Index: m.Index, SHA256: a.held[i].Sum(),
		Sender: s.account.Address, Account: s.account.Address, Agency: s.account.Agency,
		Append: true, Purpose: gate.Mailbox, Listener: string(s.srv.cfg.Kind), Remote: s.ip.String(),
	})
	if err != nil {
		s.log.Error("not judged", "err", err)
		return refuse("UNAVAILABLE", "the message could not be checked now, try again later")
	}
	if v.Action >= policy.SecureLink {
		s.log.Info("refused", "size", m.Body.Size(), "class", v.Class, "incident", v.Incident,
			"took_ms", time.Since(began).Milliseconds())
		return refuse("NOPERM", "%s", v.Text)
	}
	m.Passed = v.Passed
	return nil
}
