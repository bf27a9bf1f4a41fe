package smtpin

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"slices"

	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/mta/filter"
	"sampul/store"
)

// Filters asks other programs about a message that policy let pass: package filter. An
// error means that one could not be asked whose word is needed.
type Filters interface {
	Run(ctx context.Context, m *filter.Mail) (*filter.Outcome, error)
}

// Quarantine keeps what a filter wants a person to look at: a store's.
type Quarantine interface {
	Quarantine(ctx context.Context, q store.Quarantined, e *store.Envelope, b store.Body, passed gate.Passed) error
}

// filter asks the filters and does what they say. The reply is not nil when the message
// has found its end with them.
func (d *delivery) filter(ctx context.Context) (*Reply, error) {
	s := d.s
	if s.srv.deps.Filters == nil {
		return nil, nil
	}
	m := d.filterMail()
	out, err := s.srv.deps.Filters.Run(ctx, m)
	if err != nil {
		return nil, &Reply{451, "4.7.1", "Tapisan tidak dapat dibuat, cuba lagi. The message could not be filtered, try again later.", err}
	}
	if out == nil {
		return nil, nil
	}
	defer out.Close()
	d.noteFilter(out)
	before := s.parts(s.event("dropped"))
	switch out.Action {
	case filter.Reject, filter.Tempfail:
		return nil, filterReply(out)
	case filter.Discard:
		return d.discard(out, before), nil
	}
	if out.Changed {
		if err := d.change(ctx, m, out); err != nil {
			return nil, err
		}
		if len(s.tx.rcpts) == 0 { // it took all recipients away
			return d.discard(out, before), nil
		}
		if err := d.judge(ctx); err != nil {
			return nil, err
		}
	}
	if out.Action == filter.Quarantine {
		return d.quarantine(ctx, out)
	}
	d.junk = d.junk || out.Action == filter.Junk
	return nil, nil
}

func (d *delivery) filterMail() *filter.Mail {
	s := d.s
	m := &filter.Mail{
		ID: s.tx.id, Scope: s.scope(), IP: s.ip, Port: s.port, HELO: s.helo,
		From: s.tx.args.from, To: slices.Clone(s.tx.given), Prefix: d.prefix, Body: d.body, Index: d.index,
		Log: func(msg string, args ...any) { s.log.Info(msg, append([]any{"id", s.tx.id}, args...)...) },
	}
	if d.results != nil {
		m.Hostname = d.results.Hostname
	}
	if s.tls != nil {
		m.TLS = tls.VersionName(s.tls.Version) + " " + tls.CipherSuiteName(s.tls.CipherSuite)
	}
	if s.account != nil {
		m.Account, m.AuthType, m.Agency = s.account.Address, s.mech, s.account.Agency
		return m
	}
	for i := range s.tx.rcpts {
		if m.Agency = s.tx.rcpts[i].Agency; m.Agency != "" {
			break
		}
	}
	return m
}

// scope is the way that the message goes.
func (s *session) scope() filter.Scope {
	switch {
	case s.account == nil:
		return filter.In
	case s.account.Kind == store.Application:
		return filter.Relay
	}
	return filter.Out
}

func filterReply(out *filter.Outcome) *Reply {
	code, enhanced := 550, "5.7.1"
	text := "Disekat oleh tapisan. Refused by a filter."
	if out.Action == filter.Tempfail {
		code, enhanced = 451, "4.7.1"
		text = "Tapisan meminta cuba lagi. A filter asks to try again later."
	}
	if out.Code/100 == code/100 {
		code = out.Code
	}
	if out.Enhanced != "" && out.Enhanced[0] == enhanced[0] {
		enhanced = out.Enhanced
	}
	return reply(code, enhanced, cmp.Or(out.Text, text))
}

// noteFilter remembers a verdict that is more than a nod; the chain logs each filter's.
func (d *delivery) noteFilter(out *filter.Outcome) {
	if out.Action == filter.Accept && out.Reason == "" {
		return
	}
	s := d.s
	if s.srv.deps.Trace != nil {
		e := s.event("filter")
		e.Text = out.Filter + ": " + out.Action.String()
		if out.Reason != "" {
			e.Text += " (" + out.Reason + ")"
		}
		s.noteEach(e)
	}
}

// discard takes a message and drops it, as a filter wants.
func (d *delivery) discard(out *filter.Outcome, told []store.Event) *Reply {
	d.s.log.Info("discarded", "id", d.s.tx.id, "from", d.s.tx.args.from, "filter", out.Filter, "reason", out.Reason)
	if d.s.srv.deps.Trace != nil {
		for _, e := range told {
			d.s.srv.deps.Trace.Note(e)
		}
	}
	return reply(250, "2.0.0", "queued as "+d.s.tx.id)
}

// change does what filters want changed: recipients, sender, header and content.
func (d *delivery) change(ctx context.Context, m *filter.Mail, out *filter.Outcome) error {
	s := d.s
	if out.From != nil && (*out.From == "" || validAddress(*out.From)) {
		s.tx.args.from = *out.From
	}
	for _, a := range out.DropTo {
		s.tx.drop(a)
	}
	for _, a := range out.AddTo {
		if err := s.addRecipient(ctx, a); err != nil {
			return err
		}
	}
	if len(out.Edits) == 0 && out.Body == nil {
		return nil
	}
	return d.rewrite(m, out)
}

// addRecipient takes an address that a filter adds, as if one from inside had named it.
// One that is refused is left out: the filter cannot be told.
func (s *session) addRecipient(ctx context.Context, address string) error {
	f, err := found{}, error(errBadRecipient)
	if validAddress(address) {
		f, err = s.lead(ctx, address, true)
	}
	if err != nil {
		if r := replyFor(err); r.Code < 500 {
			return err
		}
		s.log.Warn("a filter adds a recipient that is refused", "id", s.tx.id, "to", address, "err", err)
		return nil
	}
	if len(s.tx.rcpts)+len(f.rcpts) > s.srv.cfg.MaxExpanded {
		return errFull
	}
	s.tx.given = append(s.tx.given, address)
	for _, r := range f.rcpts {
		r.Notify = "NEVER" // nobody asked for this delivery
		s.tx.add(r)
	}
	return nil
}

// rewrite makes a new message of what was edited. What filters add does not make it too
// big, and its line ends are made right whatever they wrote.
func (d *delivery) rewrite(m *filter.Mail, out *filter.Outcome) error {
	prefix, msg, err := filter.Apply(m, out)
	if err != nil {
		return err
	}
	d.prefix = prefix
	if msg == nil {
		return nil
	}
	in := d.s.newIncoming(false)
	in.max = max(in.max, d.body.Size()+out.BodySize) + int64(message.DefaultLimits.HeaderBytes)
	_, err = io.Copy(feeder{in.body}, msg)
	in.body.finish()
	if in, err = in.finish(err); err != nil {
		return err
	}
	d.take(in)
	return nil
}

// feeder makes line ends right.
type feeder struct{ b *body }

func (f feeder) Write(p []byte) (int, error) { return f.b.feed(p), nil }

// quarantine keeps the message for an administrator, and tells the sender no more than
// that it was taken.
func (d *delivery) quarantine(ctx context.Context, out *filter.Outcome) (*Reply, error) {
	s := d.s
	if s.srv.deps.Quarantine == nil {
		return nil, reply(550, "5.7.1", "Disekat oleh tapisan. Refused by a filter.")
	}
	v, err := d.verdictFor(ctx, gate.Quarantine)
	if err != nil {
		return nil, err
	}
	q := store.Quarantined{
		ID: s.tx.id, Time: d.now, Until: d.now.AddDate(0, 0, store.QuarantineDays), Agency: s.decides(),
		From: s.tx.args.from, Recipients: s.tx.given, MessageID: s.tx.msgID, Size: d.body.Size(),
		Filter: out.Filter, Reason: out.Reason,
	}
	if err := s.srv.deps.Quarantine.Quarantine(ctx, q, d.envelope(), d.body, v.Passed); err != nil {
		return nil, err
	}
	s.log.Info("quarantined", "id", s.tx.id, "from", s.tx.args.from, "filter", out.Filter, "reason", out.Reason)
	s.note("quarantined", nil)
	return reply(250, "2.0.0", "queued as "+s.tx.id), nil
}

// decides is the agency whose administrators see a message in quarantine and let it out:
// the sender's, else that of all recipients. A message to officers of several agencies is
// nobody's ("") but the operator's: it goes to all of them or to none, and no agency hears
// who else has it.
func (s *session) decides() (agency string) {
	if s.account != nil {
		return s.account.Agency
	}
	for i := range s.tx.rcpts {
		switch a := s.tx.rcpts[i].Agency; {
		case a == "" || a == agency:
		case agency != "":
			return ""
		default:
			agency = a
		}
	}
	return agency
}
