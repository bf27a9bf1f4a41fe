package mta

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"sampul/mta/dsn"
	"sampul/mta/route"
	"sampul/mta/smtpout"
	"sampul/store"
)

// said is what an attempt tells of its destination.
type said struct {
	verdict verdict
	last    smtpout.Result
}

// A part is recipients of a job that go out in one transaction.
type part struct {
	hop   route.Hop
	from  string
	extra string // header fields for these alone
	verp  bool   // from is ours, for bounces alone
	to    []target
}

// A target is a recipient in an attempt.
type target struct {
	i        uint32 // in entry.rcpts
	attempts int    // before this one
	rc       *store.Recipient
}

// attempt carries a job out. A panic holds the message, and the worker goes on. Whatever
// stops it halfway, what was delivered before is recorded, and not sent again.
func (r *Runner) attempt(j *job) (s said) {
	var results []settled
	defer func() {
		if p := recover(); p != nil {
			s = said{}
			stack := debug.Stack()
			r.recordDelivered(j, results)
			r.poisoned(j.e, fmt.Sprintf("delivery failed: %v", p), stack)
		}
	}()
	j.retry.now = 0
	ctx, cancel := context.WithTimeout(r.ctx, r.o.AttemptTime)
	defer cancel()
	env, err := r.deps.Queue.QueueEnvelope(ctx, j.e.id)
	if err != nil {
		r.fault(j, err)
		return said{}
	}
	for _, p := range r.parts(ctx, j, env) {
		var of said
		var got []settled
		switch p.hop.Kind {
		case route.ToMX, route.ToHost, route.ToLMTP:
			if keyOf(&p.hop) != j.d.key {
				r.again(j, p.to) // its route has changed: under that destination, then
				continue
			}
			if got, of, err = r.send(ctx, j, env, &p); err != nil {
				if r.ctx.Err() != nil {
					results = onlyDone(results)
				}
				if len(results) > 0 {
					r.settle(j, env, results)
				}
				r.fault(j, err)
				return said{}
			}
		default:
			got = r.here(ctx, j, &p)
		}
		s = worse(s, of)
		results = append(results, got...)
	}
	if r.begin.Err() != nil { // broken off: what is not certain is tried after the next start
		results = onlyDone(results)
	}
	r.settle(j, env, results)
	return s
}

// recordDelivered records no more than who has the message. It stands apart from settle,
// which may be what failed.
func (r *Runner) recordDelivered(j *job, list []settled) {
	var outs []store.Outcome
	for i := range list {
		if s := &list[i]; s.event == "delivered" {
			outs = append(outs, s.out)
		}
	}
	if len(outs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), time.Minute)
	defer cancel()
	if err := r.deps.Queue.QueueDone(ctx, j.e.id, outs); err != nil && !errors.Is(err, store.ErrNotFound) {
		r.log.Error("outcome not recorded", "id", j.e.id, "err", err)
	}
}

// worse joins what two transactions told: an answer to one outweighs silence to another.
func worse(a, b said) said {
	switch {
	case a.verdict == noWord:
		return b
	case b.verdict == noWord:
		return a
	case a.verdict == slower || b.verdict == slower:
		return said{verdict: slower}
	case a.verdict == answers || b.verdict == answers:
		return said{verdict: answers}
	}
	return b
}

func onlyDone(in []settled) []settled {
	out := in[:0]
	for _, s := range in {
		if s.out.Done {
			out = append(out, s)
		}
	}
	return out
}

// parts asks again where each recipient goes, and puts together what may go together.
func (r *Runner) parts(ctx context.Context, j *job, env *store.Envelope) []part {
	r.mu.Lock()
	targets := make([]target, 0, len(j.idx))
	for _, i := range j.mine() {
		targets = append(targets, target{i: i, attempts: int(j.e.rcpts[i].attempts)})
	}
	r.mu.Unlock()
	parts := make([]part, 0, 1)
	var gone []target
	for _, t := range targets {
		address := j.e.rcpts[t.i].address
		if t.rc = findRecipient(env, address, int(t.i)); t.rc == nil {
			gone = append(gone, t)
			continue
		}
		hop, err := r.deps.Router.Next(ctx, address, j.e.agency)
		if err != nil {
			r.log.Error("route not known", "id", j.e.id, "to", address, "next_s", 60, "err", err)
			r.postpone(j, []target{t}, time.Minute)
			continue
		}
		from, verp := r.reversePath(ctx, env, t.rc, &hop)
		at := -1
		for k := range parts {
			if p := &parts[k]; p.from == from && p.verp == verp && p.extra == string(t.rc.Prefix) && together(&p.hop, &hop) {
				at = k
			}
		}
		if at < 0 {
			at = len(parts)
			parts = append(parts, part{hop: hop, from: from, extra: string(t.rc.Prefix), verp: verp})
		}
		parts[at].to = append(parts[at].to, t)
	}
	if len(gone) > 0 {
		r.drop(j, gone)
	}
	return parts
}

// findRecipient is the recipient with an address; it mostly stands at its old place.
func findRecipient(env *store.Envelope, address string, i int) *store.Recipient {
	for n := range env.Recipients {
		if c := &env.Recipients[(i+n)%len(env.Recipients)]; c.Path == address && c.Account == 0 {
			return c
		}
	}
	return nil
}

// together says whether one transaction can serve both hops.
func together(a, b *route.Hop) bool {
	if a.Kind == route.ToMX {
		return *a == *b
	}
	x, y := *a, *b
	x.Domain, y.Domain = "", ""
	return x == y && x.Kind != route.ToMailbox && x.Kind != route.ToNobody && x.Kind != route.Wait
}

// send makes one transaction. An error is a fault of ours with the message.
func (r *Runner) send(ctx context.Context, j *job, env *store.Envelope, p *part) ([]settled, said, error) {
	pc, err := r.newParcel(ctx, env, j.e.agency, []byte(p.extra))
	if err != nil {
		return nil, said{}, err
	}
	defer pc.close()
	m := &smtpout.Message{
		ID: env.QueueID, From: p.from, To: make([]smtpout.Rcpt, len(p.to)), Size: pc.size(),
		EightBit: env.EightBit, UTF8: env.SMTPUTF8, RequireTLS: env.RequireTLS, Ret: env.Ret, EnvID: env.EnvID,
		Open: pc.open, Opening: r.begin,
	}
	for k, t := range p.to {
		m.To[k] = smtpout.Rcpt{Address: t.rc.Path, Notify: t.rc.Notify, ORcpt: t.rc.ORcpt}
		if p.verp { // what was asked for is ours to answer (RFC 3461 section 5.2.7.3)
			m.To[k].Notify, m.Ret = "FAILURE", "HDRS"
		}
	}
	results := r.deps.Sender.Send(ctx, OutHop(&p.hop), m)
	if len(results) != len(p.to) {
		return nil, said{}, fmt.Errorf("%d answers for %d recipients", len(results), len(p.to))
	}
	of := judge(results, env.RequireTLS)
	if pc.err != nil { // ours, unless some were delivered before
		some := false
		for _, res := range results {
			some = some || res.Delivered
		}
		if !some {
			return nil, said{}, pc.err
		}
	}
	got := make([]settled, len(p.to))
	for k, t := range p.to {
		got[k] = r.answered(j, t, &p.hop, &results[k])
	}
	return got, of, nil
}

// judge is what answers say of the destination.
func judge(results []smtpout.Result, requireTLS bool) said {
	s := said{verdict: silent}
	for i := range results {
		res := &results[i]
		switch {
		case res.Slow && !early(res, requireTLS):
			return said{verdict: slower}
		case res.Delivered || res.Permanent || !early(res, requireTLS):
			s.verdict = answers
		case s.verdict == silent:
			s.last = *res
		}
	}
	return s
}

// early says whether a host was given up before it heard of the message. What the message
// itself asks for (REQUIRETLS) says nothing about others.
func early(res *smtpout.Result, requireTLS bool) bool {
	if res.Delivered || res.Permanent {
		return false
	}
	switch res.Stage {
	case "dns", "connect", "greeting", "ehlo":
		return true
	case "policy", "starttls", "auth":
		return !requireTLS
	}
	return false
}

// answered makes an outcome of one answer.
func (r *Runner) answered(j *job, t target, h *route.Hop, res *smtpout.Result) settled {
	s := settled{target: t, before: res.Before, out: store.Outcome{Recipient: t.rc.Path, Code: res.Code, Enhanced: res.Enhanced,
		Text: res.Text, Remote: res.Remote, TLS: res.TLS}, atRcpt: res.Stage == "rcpt"}
	switch {
	case res.Delivered:
		s.event, s.out.Done = "delivered", true
		switch {
		case h.Kind == route.ToLMTP:
			s.report = dsn.Delivered
		case !res.DSN:
			s.report = dsn.Relayed
		}
	case res.Permanent:
		s.event, s.out.Done, s.report = "bounced", true, dsn.Failed
	default:
		if res.Unsure && s.out.Text == "" {
			s.out.Text = "the connection broke before the last answer: the message may have arrived"
		}
		r.retryLater(j, &s)
	}
	return s
}

// retryLater sets when a recipient is tried again, or that it is not.
func (r *Runner) retryLater(j *job, s *settled) {
	c := &j.e.rcpts[s.i]
	now := r.now()
	end := r.expires(j.e, c)
	if now >= end {
		s.event, s.out.Done, s.report = "expired", true, dsn.Failed
		return
	}
	s.event = "deferred"
	// Who was tried together is tried together again, in one transaction.
	if j.retry.now == 0 {
		j.retry.now, j.retry.spread = now, spread()
	}
	wait := r.wait(s.attempts)
	wait += time.Duration(j.retry.spread * float64(wait))
	next := min(j.retry.now+wait.Milliseconds(), end)
	s.out.NextTry = time.UnixMilli(next)
}

// here does what needs no other server.
func (r *Runner) here(ctx context.Context, j *job, p *part) []settled {
	var got []settled
	for _, t := range p.to {
		s := settled{target: t, out: store.Outcome{Recipient: t.rc.Path}}
		switch p.hop.Kind {
		case route.ToMailbox:
			if err := r.deps.Queue.QueueFile(ctx, j.e.id, t.rc.Path, p.hop.Account, t.rc.Mailbox); err != nil {
				if errors.Is(err, store.ErrNotFound) {
					r.log.Warn("not filed", "id", j.e.id, "to", t.rc.Path, "err", err)
				} else {
					r.log.Error("not filed", "id", j.e.id, "to", t.rc.Path, "next_s", 60, "err", err)
				}
				r.postpone(j, []target{t}, time.Minute)
				continue
			}
			s.event, s.filed, s.report = "filed", true, dsn.Delivered
			s.out.Done = true
		case route.ToNobody:
			s.event, s.out.Done, s.report = "bounced", true, dsn.Failed
			s.out.Code, s.out.Enhanced, s.out.Text = 550, "5.1.1", "nobody has this address"
			if f := p.hop.Refused; f != nil {
				s.out.Code, s.out.Enhanced, s.out.Text = f.Code, f.Enhanced, f.Text
			}
			if s.out.Code < 500 { // not for good
				r.retryLater(j, &s)
				s.out.Done = s.event == "expired"
				if !s.out.Done {
					s.report = ""
				}
			}
		default: // it waits
			s.event = "waiting"
			s.moving = p.hop.Moving
			s.out.NoAttempt, s.out.Text = true, p.hop.Why
			s.out.NextTry = time.UnixMilli(r.now() + rewait.Milliseconds())
		}
		got = append(got, s)
	}
	return got
}

// fault handles an error of ours with a message: what is damaged is held, the rest tried
// again soon. The whole job is over with that.
func (r *Runner) fault(j *job, err error) {
	switch {
	case r.ctx.Err() != nil:
	case errors.Is(err, store.ErrNotFound):
		r.mu.Lock()
		r.forget(j.e)
		r.mu.Unlock()
	case errors.Is(err, store.ErrDamaged):
		r.poisoned(j.e, err.Error(), nil)
	default:
		r.log.Error("message cannot be sent now", "id", j.e.id, "next_s", 300, "err", err)
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, i := range j.mine() {
			r.back(j, i, r.now()+(5*time.Minute).Milliseconds())
		}
		r.schedule(j.e)
	}
}

// back gives a recipient back to the plan. mu is held.
func (r *Runner) back(j *job, i uint32, next int64) {
	c := &j.e.rcpts[i]
	if c.job != j {
		return
	}
	c.job, c.next, c.state = nil, next, waiting
	if c.held {
		c.state = held
	}
}

// postpone gives recipients back, for a while; again, for now.
func (r *Runner) postpone(j *job, ts []target, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range ts {
		r.back(j, t.i, r.now()+d.Milliseconds())
	}
	r.schedule(j.e)
}

func (r *Runner) again(j *job, ts []target) { r.postpone(j, ts, 0) }

// drop forgets recipients that the store has no more.
func (r *Runner) drop(j *job, ts []target) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range ts {
		if c := &j.e.rcpts[t.i]; c.job == j {
			c.job, c.state = nil, done
		}
	}
	for i := range j.e.rcpts {
		if j.e.rcpts[i].state != done {
			return
		}
	}
	r.forget(j.e)
}
