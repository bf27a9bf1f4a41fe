package mta

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	e := store.Event{Time: p.deps.Clock(), ID: id, Event: "released", From: env.From, Text: "from quarantine",
		MessageID: strings.TrimSpace(index.Parts[0].Get("Message-ID"))}
	for _, rc := range env.Recipients {
		mail.Recipients = append(mail.Recipients, policy.Recipient{Address: rc.Path, Agency: rc.Agency})
		e.To = append(e.To, rc.Path)
		if rc.Agency != "" {
			e.Agencies = append(e.Agencies, rc.Agency)
		}
	}
	v, err := p.deps.Judge.Judge(ctx, mail)
	if err != nil {
		return err
	}
	if !v.Passed.Valid() {
		return fmt.Errorf("quarantine %s: policy refuses it, it stays there: %s", id, v.Text)
	}
	env.Received, env.VerdictID, env.Class = e.Time, v.ID, v.Class.String()
	if err := p.deps.Store.Accept(ctx, env, body, index, v.Passed); err != nil {
		return err
	}
	if p.deps.Trace != nil {
		p.deps.Trace.Note(e)
	}
	p.deps.Log.Info("released from quarantine", "id", id, "from", env.From, "rcpts", len(env.Recipients))
	return from.DropQuarantined(ctx, by, id)
}
