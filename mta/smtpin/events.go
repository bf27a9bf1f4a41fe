package smtpin

import (
	"cmp"
	"slices"
	"strings"

	"sampul/internal/message"
	"sampul/mta/authres"
	"sampul/store"
)

// Tracer remembers what became of messages: a store's Trace.
type Tracer interface {
	Note(e store.Event)
}

// note remembers one step of the transaction; err is a refusal, nil for none.
func (s *session) note(event string, err error) {
	if s.srv.deps.Trace == nil {
		return
	}
	e := s.event(event)
	if err != nil {
		r := replyFor(err)
		e.Code, e.Enhanced, e.Text = r.Code, r.Enhanced, r.Text
	}
	s.noteEach(e)
}

// noteEach notes an event of the whole transaction, in its parts.
func (s *session) noteEach(e store.Event) {
	for _, p := range s.parts(e) {
		s.srv.deps.Trace.Note(p)
	}
}

// parts are an event for all addresses, or, when these lead to several agencies, one for
// those that lead to the same ones: an agency does not hear whom else a message was for.
// The sender's hears all.
func (s *session) parts(e store.Event) []store.Event {
	if len(e.To) < 2 || len(e.Agencies) < 2 {
		return []store.Event{e}
	}
	var parts []store.Event
	for _, to := range e.To {
		agencies := s.leadsTo(to)
		at := slices.IndexFunc(parts, func(p store.Event) bool { return slices.Equal(p.Agencies, agencies) })
		if at < 0 {
			part := e
			part.To, part.Agencies = nil, agencies
			at, parts = len(parts), append(parts, part)
		}
		parts[at].To = append(parts[at].To, to)
	}
	return parts
}

// leadsTo are the sender's agency and those that an address of RCPT leads to.
func (s *session) leadsTo(address string) (out []string) {
	if s.account != nil {
		out = addAgency(out, s.account.Agency)
	}
	for i := range s.tx.rcpts {
		if r := &s.tx.rcpts[i]; strings.EqualFold(r.Path, address) || strings.EqualFold(r.Via, address) {
			out = addAgency(out, r.Agency)
		}
	}
	slices.Sort(out)
	return out
}

// noteRefused remembers a recipient that was refused.
func (s *session) noteRefused(r *Reply, address, agency string) {
	if s.srv.deps.Trace == nil {
		return
	}
	e := s.event("refused")
	e.To, e.Agencies = []string{address}, addAgency(nil, agency)
	if s.account != nil {
		e.Agencies = addAgency(e.Agencies, s.account.Agency)
	}
	e.Code, e.Enhanced, e.Text = r.Code, r.Enhanced, r.Text
	s.srv.deps.Trace.Note(e)
}

// maxNoted bounds the addresses of one event.
const maxNoted = 100

// noteAccepted remembers what was found out about a message that is taken, and in whose
// mailboxes it is, or by way of which group, alias or forward it goes on.
func (d *delivery) noteAccepted(env *store.Envelope) {
	s := d.s
	if s.srv.deps.Trace == nil {
		return
	}
	e := s.event("accepted")
	e.Code, e.Enhanced, e.Text = 250, "2.0.0", "class "+d.verdict.Class.String()
	if r := d.results; r != nil {
		e.Text += ", spf=" + string(r.SPF.Result) + ", dkim=" + d.signed() + ", dmarc=" + string(r.DMARC.Result) + ", arc=" + string(r.ARC.Result)
	}
	s.noteEach(e)

	// One event for those who are alike. Each agency sees its own.
	type alike struct{ agency, mailbox, via string }
	filed := map[alike]*store.Event{}
	var order []alike
	for i := range env.Recipients {
		r := &env.Recipients[i]
		k := alike{r.Agency, "", r.Via}
		switch {
		case r.Account != 0:
			k.mailbox = cmp.Or(r.Mailbox, "INBOX")
		case r.Via == "":
			continue // whom the client named, and the runner tells of
		}
		f := filed[k]
		if f == nil {
			f = &store.Event{Time: e.Time, ID: e.ID, Event: "filed", Text: k.mailbox}
			switch {
			case k.mailbox == "":
				f.Event, f.Text = "queued", "by way of "+k.via
			case k.via != "":
				f.Text += ", by way of " + k.via
			}
			f.Agencies = addAgency(f.Agencies, r.Agency)
			if r.Agency == "" && len(e.Agencies) == 1 {
				f.Agencies = slices.Clone(e.Agencies) // no doubt whose group it was
			}
			if s.account != nil {
				f.Agencies = addAgency(f.Agencies, s.account.Agency)
			}
			filed[k], order = f, append(order, k)
		}
		if len(f.To) < maxNoted {
			f.To = append(f.To, r.Path)
		}
	}
	for _, k := range order {
		s.srv.deps.Trace.Note(*filed[k])
	}
}

// signed is the best that signatures came to.
func (d *delivery) signed() string {
	best := authres.None
	for i := range d.results.DKIM {
		if r := d.results.DKIM[i].Result; best == authres.None || r == authres.Pass {
			best = r
		}
	}
	return string(best)
}

func (s *session) event(name string) store.Event {
	e := store.Event{Time: s.srv.deps.Clock(), ID: s.tx.id, MessageID: s.tx.msgID, Event: name, From: s.tx.args.from, Host: s.host()}
	e.To = slices.Clone(s.tx.given[:min(len(s.tx.given), maxNoted)])
	if s.account != nil {
		e.Agencies = addAgency(e.Agencies, s.account.Agency)
	}
	for i := range s.tx.rcpts {
		e.Agencies = addAgency(e.Agencies, s.tx.rcpts[i].Agency)
	}
	return e
}

func addAgency(all []string, a string) []string {
	if a == "" || slices.Contains(all, a) {
		return all
	}
	return append(all, a)
}

// host is the client as events name it.
func (s *session) host() string {
	if !s.ip.IsValid() {
		return ""
	}
	return s.helo + "[" + s.ip.String() + "]"
}

// messageID is the Message-ID as it stands, cut to what a field can hold.
func messageID(x *message.Index) string {
	id := strings.TrimSpace(message.DecodeHeader([]byte(x.Parts[0].Get("Message-ID"))))
	if len(id) > 998 {
		id = id[:998]
	}
	return id
}
