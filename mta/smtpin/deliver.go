package smtpin

import (
	"context"
	"fmt"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/internal/spool"
	"sampul/mta/authres"
	"sampul/policy"
	"sampul/relay"
	"sampul/store"
)

// junk is the mailbox for what is most likely spam.
const junk = "Junk"

// delivery is one message between its end and its reply. What is changed on the way is a
// new work file; the message as it came stays with whoever read it.
type delivery struct {
	s     *session
	began time.Time
	now   time.Time
	body  *spool.Spool
	index *message.Index

	prefix  []byte // our fields, before the message: Received first
	results *authres.Results
	verdict *policy.Verdict
	junk    bool        // local recipients find it among their junk
	copies  []*incoming // work files made here
}

// deliver takes a message through authentication, policy and filters to the store, in
// this order and once each. Its success is the 250 with the queue ID.
func (s *session) deliver(ctx context.Context, in *incoming) error {
	s.messages++
	d := &delivery{s: s, began: time.Now(), now: s.srv.deps.Clock(), body: in.spool, index: in.index.Finish()}
	s.tx.msgID = messageID(d.index)
	defer d.drop()
	ctx, cancel := context.WithTimeout(ctx, s.srv.cfg.JudgeTime)
	defer cancel()
	steps := []func(context.Context) error{d.check, d.authenticate, d.bodyHooks, d.judge}
	if s.tx.bounce != nil { // read and forgotten: there is nothing to be judged or kept
		steps = []func(context.Context) error{d.check, d.authenticate, d.bounce}
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	decided, err := d.filter(ctx)
	if err != nil || decided != nil {
		return errOrReply(err, decided)
	}
	if time.Since(d.began) > time.Second && s.hungUp() {
		s.log.Info("dropped, the client has gone", "id", s.tx.id)
		s.over = true
		return nil
	}
	if err := s.hooks(ctx, onEnd); err != nil {
		return err
	}
	if err := s.active(ctx); err != nil { // it may have been held while filters thought
		return err
	}
	d.addFields()
	return d.accept(ctx)
}

// errOrReply is err, or else the reply, as one error.
func errOrReply(err error, r *Reply) error {
	if err != nil {
		return err
	}
	return r
}

func (d *delivery) drop() {
	for _, in := range d.copies {
		in.drop()
	}
}

// take makes a copy the message.
func (d *delivery) take(in *incoming) {
	d.copies = append(d.copies, in)
	d.body, d.index = in.spool, in.index.Finish()
}

// check is what needs the message alone: loops, and that an account sends as itself.
func (d *delivery) check(ctx context.Context) error {
	s := d.s
	if d.looped() {
		return errLoop
	}
	d.prefix = s.receivedField(d.now)
	if s.account == nil {
		return nil
	}
	if err := s.active(ctx); err != nil {
		return err
	}
	if s.tx.ticket != nil {
		if err := s.appMessage(d.index); err != nil {
			return err
		}
	} else if err := s.checkSender(ctx, d.index); err != nil {
		return err
	}
	full, err := s.complete(d.body, d.index)
	if err != nil {
		return err
	}
	if full != nil {
		d.take(full)
	}
	return nil
}

// bodyHooks lets hooks see the whole message, and takes the fields that they add.
func (d *delivery) bodyHooks(ctx context.Context) error {
	st := d.s.stage()
	st.Index, st.Body, st.Results = d.index, d.body, d.results
	st.Header = &d.index.Parts[0]
	if err := d.s.hooks(ctx, onBody); err != nil {
		return err
	}
	d.addFields()
	return nil
}

// addFields takes the fields that hooks have added.
func (d *delivery) addFields() {
	d.prefix = append(d.prefix, d.s.st.fields...)
	d.s.st.fields = nil
}

// judge asks policy, and refuses what it refuses.
func (d *delivery) judge(ctx context.Context) error {
	v, err := d.verdictFor(ctx, gate.Mailbox)
	if err != nil {
		return err
	}
	d.verdict = v
	return nil
}

func (d *delivery) verdictFor(ctx context.Context, purpose gate.Purpose) (*policy.Verdict, error) {
	s := d.s
	m := &policy.Mail{
		Body: d.body, Index: d.index, SHA256: d.body.Sum(),
		Sender:   s.tx.args.from,
		Purpose:  purpose,
		Listener: string(s.srv.cfg.Kind),
		Remote:   s.ip.String(),
		QueueID:  s.tx.id,
	}
	if s.account != nil {
		m.Account, m.Agency, m.App = s.account.Address, s.account.Agency, s.account.Kind == store.Application
	}
	for i := range s.tx.rcpts {
		r := &s.tx.rcpts[i]
		m.Recipients = append(m.Recipients, policy.Recipient{Address: r.Path, Agency: r.Agency, Given: r.Via})
	}
	m.Auth = authOf(d.results)
	v, err := s.srv.deps.Judge.Judge(ctx, m)
	if err != nil {
		return nil, &Reply{errUndecided.Code, errUndecided.Enhanced, errUndecided.Text, err}
	}
	if v.Action >= policy.SecureLink {
		s.tx.refused = relay.ReasonClass
		s.log.Info("refused", "id", s.tx.id, "from", s.tx.args.from, "rcpts", len(s.tx.rcpts), "size", d.body.Size(),
			"class", v.Class, "incident", v.Incident, "reply", v.Code, "took_ms", time.Since(d.began).Milliseconds())
		return nil, reply(v.Code, v.Enhanced, v.Text)
	}
	return v, nil
}

// authOf is what rules may ask of authentication.
func authOf(r *authres.Results) policy.Auth {
	if r == nil {
		return policy.Auth{}
	}
	dkim := authres.None
	for _, s := range r.DKIM {
		if dkim != authres.Pass { // one good signature is enough
			dkim = s.Result
		}
	}
	return policy.Auth{SPF: string(r.SPF.Result), DKIM: string(dkim), DMARC: string(r.DMARC.Result), IPRev: string(r.IPRev)}
}

// accept makes the message the store's.
func (d *delivery) accept(ctx context.Context) error {
	s := d.s
	env := d.envelope()
	note := ""
	if s.tx.ticket != nil {
		var err error
		if note, err = s.appAccept(ctx, env); err != nil {
			return err
		}
	}
	if err := s.srv.deps.Store.Accept(ctx, env, d.body, d.index, d.verdict.Passed); err != nil {
		r := *replyFor(err)
		r.Err = fmt.Errorf("id %s: %w", s.tx.id, err)
		return &r
	}
	s.log.Info("accepted", "id", env.QueueID, "from", env.From, "rcpts", len(env.Recipients), "size", d.body.Size(),
		"class", d.verdict.Class, "junk", d.junk, "took_ms", time.Since(d.began).Milliseconds())
	if s.tx.ticket != nil {
		s.tx.ticket.Done()
	}
	d.noteAccepted(env)
	if s.srv.deps.Accepted != nil {
		s.srv.deps.Accepted(ctx, env, d.index)
	}
	return reply(250, "2.0.0", "queued as "+env.QueueID+note)
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
