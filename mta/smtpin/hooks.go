package smtpin

import (
	"context"
	"crypto/tls"
	"io"
	"net/netip"

	"sampul/internal/message"
	"sampul/mta/authres"
	"sampul/store"
)

// A Stage is where a session is and what is known there. It is one object for the whole
// session; what comes later is empty before. A hook may keep none of it beyond its call.
type Stage struct {
	Kind    Kind
	Session string     // number in the log
	IP      netip.Addr // of the client, as PROXY or XCLIENT told; invalid on a Unix socket
	Port    uint16
	Peer    netip.Addr // of who is connected
	Trusted bool       // a server of ours
	TLS     *tls.ConnectionState

	HELO    string         // Ehlo
	Account *store.Account // after a login

	ID      string // Mail: queue ID that the message will have
	From    string
	Address string // Rcpt: the one in question

	Recipients []store.Recipient // those taken so far

	Header  *message.Part    // Header: fields of the message
	Index   *message.Index   // Body, End
	Body    io.ReaderAt      // Body, End: Index.Size octets
	Results *authres.Results // Body, End; nil where nothing was authenticated

	s      *session
	fields []byte // that hooks add
}

// Add puts a header field before the message. value holds neither CR nor LF. It is for
// hooks of Header, Body and End.
func (st *Stage) Add(name, value string) {
	st.fields = append(st.fields, name+": "+value+"\r\n"...)
}

// A Hook may refuse: a *Reply is what the client hears, any other error is temporary and
// a fault of ours. 421 closes the connection.
type Hook func(ctx context.Context, st *Stage) error

// Hooks are called at each stage of a session, nil ones are not. They are the one way to
// take part in a session from outside of its commands, and stand inside the code.
//
// Connect comes before the greeting, and again when XCLIENT names another client. Ehlo,
// Mail and Rcpt come after the command was read and found to be in order. Header comes
// once the header is complete, before the body is in: a refusal is told after the end of
// data. Body comes after the whole content, before policy judges it; End right before
// the message is accepted.
type Hooks struct {
	Connect, Ehlo, Mail, Rcpt, Header, Body, End Hook
}

// hooks runs one stage of all, in order, until one refuses.
func (s *session) hooks(ctx context.Context, pick func(*Hooks) Hook) error {
	all := s.srv.hooks
	if len(all) == 0 {
		return nil
	}
	for i := range all {
		if h := pick(&all[i]); h != nil {
			if err := h(ctx, s.stage()); err != nil {
				return err
			}
		}
	}
	return nil
}

func onConnect(h *Hooks) Hook { return h.Connect }
func onEhlo(h *Hooks) Hook    { return h.Ehlo }
func onMail(h *Hooks) Hook    { return h.Mail }
func onRcpt(h *Hooks) Hook    { return h.Rcpt }
func onHeader(h *Hooks) Hook  { return h.Header }
func onBody(h *Hooks) Hook    { return h.Body }
func onEnd(h *Hooks) Hook     { return h.End }

// stage brings the session's stage up to date.
func (s *session) stage() *Stage {
	st := &s.st
	st.Kind, st.Session, st.s = s.srv.cfg.Kind, s.number, s
	st.IP, st.Port, st.Peer, st.Trusted = s.ip, s.port, s.peer, s.trusted
	st.TLS, st.HELO, st.Account = s.tls, s.helo, s.account
	if s.tx != nil {
		st.ID, st.From, st.Recipients = s.tx.id, s.tx.args.from, s.tx.rcpts
	}
	return st
}

// forget empties what belongs to one transaction.
func (st *Stage) forget() {
	st.ID, st.From, st.Address, st.Recipients = "", "", "", nil
	st.Header, st.Index, st.Body, st.Results, st.fields = nil, nil, nil, nil, nil
}

// hasHeaderHook says whether anybody looks at headers while the body comes in.
func (s *Server) hasHeaderHook() bool {
	for i := range s.hooks {
		if s.hooks[i].Header != nil {
			return true
		}
	}
	return false
}
