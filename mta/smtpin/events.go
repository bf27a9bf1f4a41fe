package smtpin

import (
	"slices"
	"strings"

	"sampul/internal/message"
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
	s.srv.deps.Trace.Note(e)
}

// noteRefused remembers a recipient that was refused.
func (s *session) noteRefused(r *Reply, address, agency string) {
	if s.srv.deps.Trace == nil {
		return
	}
	e := s.event("refused")
	e.To = []string{address}
	e.Agencies = addAgency(e.Agencies, agency)
	e.Code, e.Enhanced, e.Text = r.Code, r.Enhanced, r.Text
	s.srv.deps.Trace.Note(e)
}

// maxNoted bounds the addresses of one event.
const maxNoted = 100

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
