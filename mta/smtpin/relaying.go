package smtpin

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sampul/internal/message"
	"sampul/relay"
	"sampul/store"
)

// Relay holds applications to what was approved: package relay.
type Relay interface {
	Begin(ctx context.Context, id store.AccountID, c relay.Client, from string, size int64) (*relay.Ticket, error)
}

// isApp says whether an application is logged in, and is held to what was approved.
func (s *session) isApp() bool {
	return s.account != nil && s.account.Kind == store.Application && s.srv.deps.Relay != nil
}

// beginApp asks whether the application may send a message now, from here and as from.
func (s *session) beginApp(ctx context.Context, args *mailArgs) (*relay.Ticket, error) {
	if args.from == "" {
		return nil, errNullSubmission
	}
	if err := s.active(ctx); err != nil {
		return nil, err
	}
	t, err := s.srv.deps.Relay.Begin(ctx, s.account.ID, relay.Client{IP: s.ip, Certificate: s.cert}, args.from, args.size)
	if err != nil {
		return nil, s.relayed(err)
	}
	return t, nil
}

// relayed makes the reply of a refusal.
func (s *session) relayed(err error) error {
	var r *relay.Refusal
	if !errors.As(err, &r) {
		return err
	}
	s.log.Info("application refused", "account", s.account.Address, "remote", s.ip, "reason", r.Reason)
	switch {
	case r.Temporary:
		return reply(450, "4.7.1", r.Text)
	case r.Reason == relay.ReasonSize:
		return reply(552, "5.3.4", r.Text)
	}
	return reply(550, "5.7.1", r.Text)
}

// appRecipient asks for what one address of RCPT led to.
func (s *session) appRecipient(ctx context.Context, address string, f found) error {
	return s.relayed(s.tx.ticket.Recipient(ctx, address, f.agency, f.agency != "", uint64(len(f.rcpts))))
}

// appMessage looks at the header of an application's message.
func (s *session) appMessage(x *message.Index) (err error) {
	defer func() { s.tx.counted = err != nil }()
	p := &x.Parts[0]
	h := &relay.Header{Size: x.Size}
	for _, field := range []string{"From", "Sender"} {
		for _, a := range p.Addresses(field) {
			if a.Group == message.NoGroup {
				h.From = append(h.From, a.Addr())
			}
		}
	}
	if len(p.Addresses("From")) == 0 {
		return errNoFrom
	}
	for i := range p.Fields {
		f, to := &p.Fields[i], (*[]string)(nil)
		switch {
		case strings.EqualFold(f.Name, runField):
			to = &h.Run
		case strings.EqualFold(f.Name, "List-Unsubscribe"):
			to = &h.Unsubscribe
		case strings.EqualFold(f.Name, "List-Unsubscribe-Post"):
			to = &h.UnsubPost
		default:
			continue
		}
		*to = append(*to, strings.TrimSpace(string(f.Value)))
	}
	return s.relayed(s.tx.ticket.Message(h))
}

// runField is the header field by which an application tells which run a message is of.
const runField = "X-Sampul-Run"

// appAccept counts the message, and says in the envelope what follows.
func (s *session) appAccept(ctx context.Context, e *store.Envelope) (note string, err error) {
	defer func() { s.tx.counted = err != nil }()
	terms, err := s.tx.ticket.Accept(ctx)
	if err != nil {
		return "", s.relayed(err)
	}
	e.AppCounted, e.AppAt, e.Run, e.NotBefore = terms.Counted, terms.At, terms.Run, terms.NotBefore
	paused := s.srv.deps.RunPaused
	if !e.NotBefore.IsZero() || e.Run != "" && paused != nil && paused(s.account.ID, e.Run) {
		// It waits in the queue, also for mailboxes here: the runner files it when it is time.
		e.Recipients = slices.Clone(e.Recipients)
		for i := range e.Recipients {
			e.Recipients[i].Account = 0
		}
	}
	return " " + terms.Note, nil
}
