package mta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/policy"
	"sampul/store"
)

// QuarantineStore is what of a store a release uses.
type QuarantineStore interface {
	OpenQuarantined(ctx context.Context, by store.Actor, id string) (*store.Envelope, store.BodyReader, error)
	DropQuarantined(ctx context.Context, by store.Actor, id string) error
	AccountByID(ctx context.Context, id store.AccountID) (*store.Account, error)
}

// Release lets a message out of quarantine: policy judges it once more, by the rules of
// today, then it is accepted as if it came now, and leaves quarantine. The filters are not
// asked again, since one of them is who kept it. After a crash between the two it is in
// both places.
func (p *Poster) Release(ctx context.Context, by store.Actor, from QuarantineStore, id string) error {
	p.releasing.Lock()
	defer p.releasing.Unlock()
	env, stored, err := from.OpenQuarantined(ctx, by, id)
	if err != nil {
		return err
	}
	defer stored.Close()
	body, x := p.deps.Spool.Open(), message.NewIndexer(message.DefaultLimits)
	defer body.Close()
	if _, err := io.Copy(io.MultiWriter(body, x), io.NewSectionReader(stored, 0, stored.Size())); err != nil {
		return fmt.Errorf("quarantine %s: %w", id, err)
	}
	if err := body.Seal(); err != nil {
		return err
	}
	index := x.Finish()
	mail := &policy.Mail{Body: body, Index: index, SHA256: body.Sum(), Purpose: gate.Mailbox, Sender: env.From,
		Listener: "quarantine", QueueID: id}
	if env.Sender != 0 {
		a, err := from.AccountByID(ctx, env.Sender)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if a != nil {
			mail.Account, mail.Agency, mail.App = a.Address, a.Agency, a.Kind == store.Application
		}
	}
	for _, rc := range env.Recipients {
		mail.Recipients = append(mail.Recipients, policy.Recipient{Address: rc.Path, Agency: rc.Agency})
	}
	v, err := p.deps.Judge.Judge(ctx, mail)
	if err != nil {
		return err
	}
	if !v.Passed.Valid() {
		return fmt.Errorf("quarantine %s: policy refuses it, it stays there: %s", id, v.Text)
	}
	env.Received, env.VerdictID, env.Class = p.deps.Clock(), v.ID, v.Class.String()
	if err := p.deps.Store.Accept(ctx, env, body, index, v.Passed); err != nil {
		return err
	}
	p.noteReleased(env, mail.Agency, strings.TrimSpace(index.Parts[0].Get("Message-ID")))
	p.deps.Log.Info("released from quarantine", "id", id, "from", env.From, "rcpts", len(env.Recipients))
	return from.DropQuarantined(ctx, by, id)
}

// noteReleased tells the trace, each agency of its own recipients, the sender's of all.
func (p *Poster) noteReleased(env *store.Envelope, sender, messageID string) {
	if p.deps.Trace == nil {
		return
	}
	var order []string
	to := map[string][]string{}
	for _, rc := range env.Recipients {
		if to[rc.Agency] == nil {
			order = append(order, rc.Agency)
		}
		to[rc.Agency] = append(to[rc.Agency], rc.Path)
	}
	for _, agency := range order {
		e := store.Event{Time: env.Received, ID: env.QueueID, MessageID: messageID, Event: "released", From: env.From,
			To: to[agency], Text: "from quarantine"}
		for _, a := range []string{sender, agency} {
			if a != "" && !slices.Contains(e.Agencies, a) {
				e.Agencies = append(e.Agencies, a)
			}
		}
		p.deps.Trace.Note(e)
	}
}
