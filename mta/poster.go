package mta

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"strings"
	"sync"
	"time"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/internal/spool"
	"sampul/mta/dsn"
	"sampul/mta/route"
	"sampul/policy"
	"sampul/store"
)

// A Told is a recipient in a report, and what is told of it.
type Told struct {
	Recipient *store.Recipient
	Status    string
	Code      int
	Text      string
	Remote    string
	Until     time.Time // delays: how long it will be tried
}

// PosterDeps are the rooms below. Trace and Log may be nil.
type PosterDeps struct {
	Store interface {
		Accept(ctx context.Context, e *store.Envelope, b store.Body, x *message.Index, passed gate.Passed) error
		QueueEnvelope(ctx context.Context, id string) (*store.Envelope, error)
	}
	Judge interface {
		Judge(ctx context.Context, m *policy.Mail) (*policy.Verdict, error)
	}
	Router interface {
		Rcpt(ctx context.Context, r route.Request) (*route.Decision, error)
	}
	Spool *spool.Area
	Host  string // the suite's name
	Trace interface{ Note(store.Event) }
	Log   *slog.Logger
	Clock func() time.Time
}

// Poster writes the suite's own mail: reports to senders, notices to administrators. All
// of it has a null reverse-path, and what has one never makes more of it.
type Poster struct {
	deps      PosterDeps
	releasing sync.Mutex // one release at a time: two of one message would deliver it twice
}

// NewPoster makes a poster.
func NewPoster(deps PosterDeps) *Poster {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	return &Poster{deps: deps}
}

// errNotPassed says that policy refused a notice.
var errNotPassed = errors.New("policy does not let the notice pass")

// Report tells the senders of e what became of recipients, in one message for each
// reverse-path. header is the beginning of the message. The queue ID of a report is made
// from what it tells, so that a repetition after a crash has the same, and is left away
// while the first one is in the queue.
func (p *Poster) Report(ctx context.Context, e *store.Envelope, header []byte, a dsn.Action, told []Told) error {
	if e.From == "" { // a notice itself, or another's
		return nil
	}
	by := make(map[string][]Told)
	var order []string
	for _, t := range told {
		if !dsn.Wants(t.Recipient.Notify, a) {
			continue
		}
		from := e.From
		if t.Recipient.From != "" {
			from = t.Recipient.From
		}
		if by[from] == nil {
			order = append(order, from)
		}
		by[from] = append(by[from], t)
	}
	for _, to := range order {
		if err := p.report(ctx, e, header, a, to, by[to]); err != nil {
			return fmt.Errorf("report to <%s>: %w", to, err)
		}
	}
	return nil
}

func (p *Poster) report(ctx context.Context, e *store.Envelope, header []byte, a dsn.Action, to string, told []Told) error {
	id := reportID(e.QueueID, a, to, told)
	if _, err := p.deps.Store.QueueEnvelope(ctx, id); err == nil {
		return nil // posted before a crash
	}
	d, err := p.resolve(ctx, to, e.QueueID)
	if d == nil || err != nil {
		return err
	}
	host := p.deps.Host
	if _, domain, ok := strings.Cut(to, "@"); ok && d.Agency != "" {
		host = domain
	}
	now := p.deps.Clock()
	rep := &dsn.Report{Action: a, Host: p.deps.Host, From: "postmaster@" + host, To: to, QueueID: e.QueueID, EnvID: e.EnvID,
		Arrival: e.Received, Date: now, MessageID: fmt.Sprintf("<%s@%s>", id, p.deps.Host), Header: header}
	for _, t := range told {
		r := dsn.Recipient{Address: t.Recipient.Path, ORcpt: t.Recipient.ORcpt, Status: t.Status, Code: t.Code, Text: t.Text,
			Remote: t.Remote, Last: now}
		if a == dsn.Expanded || a == dsn.Delivered && t.Recipient.Via != "" {
			r.Address = t.Recipient.Via // whom the sender wrote to: members are the group's own affair
		}
		rep.Recipients = append(rep.Recipients, r)
		if rep.Until = t.Until; a != dsn.Delayed {
			rep.Until = time.Time{}
		}
	}
	m := rep.Write()
	err = p.post(ctx, id, d, m)
	if errors.Is(err, errNotPassed) { // a mark in the header: without it, then
		rep.Header = nil
		err = p.post(ctx, id, d, rep.Write())
	}
	if errors.Is(err, errNotPassed) {
		p.deps.Log.Error("report not sent", "id", e.QueueID, "to", to, "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	p.deps.Log.Info("reported", "id", e.QueueID, "report", id, "to", to, "action", a, "rcpts", len(told))
	if p.deps.Trace != nil {
		p.deps.Trace.Note(store.Event{Time: now, ID: e.QueueID, Event: "reported", To: []string{to}, Text: string(a) + ", as " + id,
			Agencies: agencies(d)})
	}
	return nil
}

// reportID is a queue ID for what is told: ten letters and digits, as all have.
func reportID(id string, a dsn.Action, to string, told []Told) string {
	h := sha256.New()
	fmt.Fprintf(h, "report\x00%s\x00%s\x00%s", id, a, to)
	for _, t := range told {
		fmt.Fprintf(h, "\x00%s", t.Recipient.Path)
	}
	return letters(h.Sum(nil))
}

const idLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// letters makes ten letters and digits of 32 octets.
func letters(sum []byte) string {
	out := make([]byte, 10)
	for i := range out {
		out[i] = idLetters[(int(sum[2*i])<<8|int(sum[2*i+1]))%62]
	}
	return string(out)
}

// resolve finds out where a notice goes. Nobody there, for good, is nil: nothing is sent
// then, as a bounce of a bounce has no one to go to.
func (p *Poster) resolve(ctx context.Context, to, about string) (*route.Decision, error) {
	d, err := p.deps.Router.Rcpt(ctx, route.Request{Address: to, Inside: true})
	if err != nil {
		return nil, err
	}
	if f := d.Refused; f != nil && f.Code < 500 {
		return nil, fmt.Errorf("%s: %d %s", to, f.Code, f.Text)
	}
	if d.Refused != nil || len(d.Recipients) == 0 {
		why := "nobody has this address"
		if d.Refused != nil {
			why = d.Refused.Text
		}
		p.deps.Log.Warn("notice not sent: its address takes none", "id", about, "to", to, "err", why)
		return nil, nil
	}
	return d, nil
}

func agencies(d *route.Decision) []string {
	if d.Agency == "" {
		return nil
	}
	return []string{d.Agency}
}

// post has a notice judged and accepted.
func (p *Poster) post(ctx context.Context, id string, d *route.Decision, m dsn.Message) error {
	body := p.deps.Spool.Open()
	defer body.Close()
	x := message.NewIndexer(message.DefaultLimits)
	x.Write(m.Bytes)
	if _, err := body.Write(m.Bytes); err != nil {
		return err
	}
	if err := body.Seal(); err != nil {
		return err
	}
	index := x.Finish()
	mail := &policy.Mail{Body: body, Index: index, SHA256: body.Sum(), Purpose: gate.OwnNotice, Listener: "notice", QueueID: id}
	env := &store.Envelope{QueueID: id, Received: p.deps.Clock(), EightBit: m.EightBit, SMTPUTF8: m.UTF8}
	for _, rc := range d.Recipients {
		rc.From = "" // null for whoever it is forwarded to
		rc.Notify, rc.ORcpt = "", ""
		env.Recipients = append(env.Recipients, rc)
		mail.Recipients = append(mail.Recipients, policy.Recipient{Address: rc.Path, Agency: rc.Agency})
	}
	v, err := p.deps.Judge.Judge(ctx, mail)
	if err != nil {
		return err
	}
	if !v.Passed.Valid() {
		return fmt.Errorf("%w: class %s, incident %s", errNotPassed, v.Class, v.Incident)
	}
	env.VerdictID, env.Class = v.ID, v.Class.String()
	env.Prefix = fmt.Appendf(nil, "Return-Path: <>\r\nReceived: by %s (Sampul)\r\n\tid %s;\r\n\t%s\r\n", p.deps.Host, id,
		env.Received.Format(time.RFC1123Z))
	env.Prefix = append(env.Prefix, v.TagHeaders...)
	if err := p.deps.Store.Accept(ctx, env, body, index, v.Passed); err != nil {
		return err
	}
	if p.deps.Trace != nil {
		to := make([]string, len(env.Recipients))
		for i := range to {
			to[i] = env.Recipients[i].Path
		}
		p.deps.Trace.Note(store.Event{Time: env.Received, ID: id, MessageID: strings.TrimSpace(index.Parts[0].Get("Message-ID")),
			Event: "accepted", To: to, Agencies: agencies(d), Text: "a notice of this suite"})
	}
	return nil
}

// Notice sends words to somebody inside, such as an administrator: plain text, lines
// ended by LF or CRLF. That nobody has the address is an error.
func (p *Poster) Notice(ctx context.Context, to, subject, text string) error {
	var raw [32]byte
	rand.Read(raw[:])
	id := letters(raw[:])
	d, err := p.resolve(ctx, to, id)
	if err != nil {
		return err
	}
	if d == nil {
		return fmt.Errorf("notice to <%s>: nobody has this address", to)
	}
	host := p.deps.Host
	now := p.deps.Clock()
	var b strings.Builder
	fmt.Fprintf(&b, "From: \"Sistem Mel / Mail System\" <postmaster@%s>\r\nTo: <%s>\r\n", host, to)
	fmt.Fprintf(&b, "Subject: %s\r\n", mime.QEncoding.Encode("utf-8", strings.Map(printable, subject)))
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: <%s@%s>\r\nAuto-Submitted: auto-generated\r\n", now.Format(time.RFC1123Z), id, host)
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	b.WriteString(dsn.QuotedPrintable(text))
	return p.post(ctx, id, d, dsn.Message{Bytes: []byte(b.String())})
}

func printable(c rune) rune {
	if c < ' ' || c == 0x7f {
		return ' '
	}
	return c
}

// Accepted tells the sender that mailboxes here have a message, where NOTIFY=SUCCESS asks
// for it (RFC 3461 section 5.2). Whoever accepts mail calls it, after Accept; header is
// the beginning of the message. Nothing is done, quickly, for mail that asks for nothing.
func (p *Poster) Accepted(ctx context.Context, e *store.Envelope, header func() []byte) {
	if e.From == "" {
		return
	}
	var delivered, expanded []Told
	members := make(map[string]int)
	for i := range e.Recipients {
		rc := &e.Recipients[i]
		if rc.Notify == "" || !dsn.Wants(rc.Notify, dsn.Delivered) {
			continue
		}
		members[rc.Via]++
		if rc.Account != 0 {
			delivered = append(delivered, Told{Recipient: rc})
		}
	}
	if len(delivered) == 0 {
		return
	}
	// An address that led to several recipients is a group: that it was sent on is all
	// that is told, once (RFC 3461 section 5.2.7.3).
	one := delivered[:0]
	for _, t := range delivered {
		via := t.Recipient.Via
		switch {
		case via == "" || members[via] == 1:
			one = append(one, t)
		case members[via] > 1:
			members[via] = -1
			expanded = append(expanded, t)
		}
	}
	for _, r := range []struct {
		a    dsn.Action
		told []Told
	}{{dsn.Delivered, one}, {dsn.Expanded, expanded}} {
		if len(r.told) == 0 {
			continue
		}
		if err := p.Report(ctx, e, header(), r.a, r.told); err != nil {
			p.deps.Log.Error("report not posted", "id", e.QueueID, "action", r.a, "err", err)
		}
	}
}
