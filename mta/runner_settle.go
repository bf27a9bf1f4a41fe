package mta

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"sampul/mta/dsn"
	"sampul/mta/smtpout"
	"sampul/store"
)

// A settled recipient is what became of it in an attempt, or in the sweeper's hands.
type settled struct {
	target
	event  string // delivered, deferred, bounced, expired, filed, waiting, delayed
	out    store.Outcome
	report dsn.Action       // what the sender may be told, "" for nothing
	filed  bool             // the store has recorded it already
	before []smtpout.Result // hosts that were passed over before the answer
	moving bool
	atRcpt bool // the answer was to RCPT
}

// settle tells senders, records outcomes, and brings the plan up to date, in this order:
// a report that was posted twice does less harm than one that is lost.
func (r *Runner) settle(j *job, env *store.Envelope, list []settled) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), 2*time.Minute)
	defer cancel()
	list = r.stillOurs(j, list)
	r.keepBounces(ctx, env, list)
	r.tell(ctx, j, env, list)
	outs := make([]store.Outcome, 0, len(list))
	for i := range list {
		if !list[i].filed {
			outs = append(outs, list[i].out)
		}
	}
	if len(outs) > 0 {
		// Whether it could be recorded or not: it has happened, and is not done again
		// while this process lives.
		if err := r.deps.Queue.QueueDone(ctx, j.e.id, outs); err != nil && !errors.Is(err, store.ErrNotFound) {
			r.log.Error("outcome not recorded", "id", j.e.id, "err", err)
		}
	}
	r.tellLog(j, env, list)
	r.mu.Lock()
	defer r.mu.Unlock()
	left := false
	for i := range list {
		s := &list[i]
		c := &j.e.rcpts[s.i]
		if c.job != j {
			continue
		}
		if s.out.Done {
			c.job, c.state = nil, done
			continue
		}
		c.moving = s.moving
		c.why = textHash(s.out.Text)
		c.delayed = c.delayed || s.out.Delayed
		if !s.out.NoAttempt {
			c.attempts = clampAttempts(s.attempts + 1)
		}
		r.back(j, s.i, s.out.NextTry.UnixMilli())
	}
	// Whatever the attempt had nothing to say of, since it was broken off.
	for _, i := range j.mine() {
		r.back(j, i, r.now()+time.Minute.Milliseconds())
		left = true
	}
	if left || !j.e.over {
		r.schedule(j.e)
	}
}

// stillOurs leaves away what the sweeper took from an attempt that did not end, but for
// what has happened: that is recorded whoever asks.
func (r *Runner) stillOurs(j *job, list []settled) []settled {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(list, func(s settled) bool {
		c := &j.e.rcpts[s.i]
		return c.job != j && !s.filed && !(c.state != done && s.event == "delivered")
	})
}

// tell posts reports. Where a failure cannot be told now, the recipient stays in the
// queue, and is tried once more; what was delivered is over in any case.
func (r *Runner) tell(ctx context.Context, j *job, env *store.Envelope, list []settled) {
	if env.From == "" || r.deps.Report == nil {
		return
	}
	var header []byte
	for _, a := range []dsn.Action{dsn.Failed, dsn.Delayed, dsn.Relayed, dsn.Delivered} {
		var told []Told
		for i := range list {
			if s := &list[i]; s.report == a && dsn.Wants(s.rc.Notify, a) {
				told = append(told, Told{Recipient: s.rc, Status: s.out.Enhanced, Code: s.out.Code, Text: s.out.Text,
					Remote: s.out.Remote, Until: time.UnixMilli(r.expires(j.e, &j.e.rcpts[s.i]))})
			}
		}
		if len(told) == 0 {
			continue
		}
		if header == nil {
			header = r.header(ctx, j.e.id)
		}
		err := r.deps.Report.Report(ctx, env, header, a, told)
		if err == nil {
			continue
		}
		r.log.Error("report not posted", "id", j.e.id, "action", a, "err", err)
		for i := range list {
			if s := &list[i]; s.report == a && (a == dsn.Failed || a == dsn.Delayed) {
				s.event, s.report = "deferred", ""
				s.out.Done, s.out.Delayed, s.out.NoAttempt = false, false, true
				s.out.NextTry = time.UnixMilli(r.now() + (5 * time.Minute).Milliseconds())
				s.out.Text += " (the report to the sender could not be written yet)"
			}
		}
	}
}

// header is the header of a message, as much of it as a report carries. Without one the
// report is still worth sending.
func (r *Runner) header(ctx context.Context, id string) []byte {
	body, err := r.deps.Queue.OpenQueueBody(ctx, id)
	if err != nil {
		return []byte{}
	}
	defer body.Close()
	b := make([]byte, min(body.Size(), dsn.MaxHeader))
	n, err := body.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		r.log.Warn("header not read", "id", id, "err", err)
	}
	return b[:n]
}

// tellLog writes the log line of each recipient, its trace, and counts it.
func (r *Runner) tellLog(j *job, env *store.Envelope, list []settled) {
	now := r.deps.Clock()
	age := now.UnixMilli() - j.e.created
	for i := range list {
		s := &list[i]
		if s.event == "" {
			continue
		}
		r.o.Counted(s.event, j.e.lane, s.out.Enhanced)
		if env != nil && env.App != 0 {
			r.o.Became(env.App, s.event)
		}
		level := slog.LevelInfo
		attrs := make([]slog.Attr, 0, 10)
		attrs = append(attrs, slog.String("id", j.e.id), slog.String("to", s.out.Recipient))
		if s.out.Remote != "" {
			attrs = append(attrs, slog.String("relay", s.out.Remote))
		}
		if s.out.Enhanced != "" {
			attrs = append(attrs, slog.String("dsn", s.out.Enhanced))
		}
		if s.out.TLS != "" {
			attrs = append(attrs, slog.String("tls", s.out.TLS))
		}
		switch s.event {
		case "delivered", "filed":
			attrs = append(attrs, slog.Int("attempt", s.attempts+1), slog.Int64("delay_ms", age))
		case "deferred":
			level = slog.LevelWarn
			attrs = append(attrs, slog.Int("attempt", s.attempts+1),
				slog.Int64("next_s", (s.out.NextTry.UnixMilli()-now.UnixMilli()+500)/1000), slog.String("err", s.out.Text))
		case "bounced", "expired":
			level = slog.LevelWarn
			attrs = append(attrs, slog.Int("attempt", s.attempts+1), slog.Int("code", s.out.Code), slog.String("err", s.out.Text))
		default:
			attrs = append(attrs, slog.String("why", s.out.Text))
		}
		r.log.LogAttrs(context.Background(), level, s.event, attrs...)
	}
	r.trace(j.e, list)
}

// trace notes one event for all recipients of one agency of whom the same was said: an
// agency does not hear who else was written to.
func (r *Runner) trace(e *entry, list []settled) {
	if r.deps.Trace == nil {
		return
	}
	for i := range list {
		s := &list[i]
		if s.event == "" {
			continue
		}
		same := func(o *settled) bool {
			return o.event == s.event && o.rc.Agency == s.rc.Agency && o.out.Code == s.out.Code && o.out.Text == s.out.Text && o.out.Remote == s.out.Remote && o.rc.Mailbox == s.rc.Mailbox
		}
		if slices.ContainsFunc(list[:i], func(o settled) bool { return same(&o) }) {
			continue
		}
		text := s.out.Text
		if s.filed { // as acceptance tells it
			text = cmp.Or(s.rc.Mailbox, "INBOX")
		}
		ev := tracedOf(s.event, s.out.Remote, s.out.Code, s.out.Enhanced, text, s.out.TLS)
		for k := i; k < len(list); k++ {
			if o := &list[k]; same(o) {
				ev.To = append(ev.To, o.out.Recipient)
			}
		}
		if a := s.rc.Agency; a != "" {
			ev.Agencies = []string{a}
		}
		for k := range s.before {
			b := &s.before[k]
			tried := tracedOf("tried", b.Remote, b.Code, b.Enhanced, b.Text, b.TLS)
			tried.To, tried.Agencies = ev.To, slices.Clone(ev.Agencies)
			r.note(e, tried)
		}
		r.note(e, ev)
	}
}

func tracedOf(event, remote string, code int, enhanced, text, tls string) store.Event {
	if tls != "" {
		text = joinWords(text, "TLS: "+tls)
	}
	return store.Event{Event: event, Host: remote, Code: code, Enhanced: enhanced, Text: text}
}

func joinWords(a, b string) string {
	if a == "" {
		return b
	}
	return a + " (" + b + ")"
}

// note gives an event its time and message.
func (r *Runner) note(e *entry, ev store.Event) {
	if r.deps.Trace == nil {
		return
	}
	ev.Time, ev.ID = r.deps.Clock(), e.id
	if e.agency != "" && !slices.Contains(ev.Agencies, e.agency) {
		ev.Agencies = append(ev.Agencies, e.agency)
	}
	r.deps.Trace.Note(ev)
}
