package smtpin

import (
	"context"
	"io"
)

// bounce reads a message for the reverse-path of an application. Its success is a 250: it
// goes nowhere, and is kept nowhere but for what it tells of the recipient.
func (d *delivery) bounce(ctx context.Context) error {
	s := d.s
	err := s.srv.deps.Bounce(ctx, s.tx.bounce, io.NewSectionReader(d.body, 0, d.body.Size()))
	if err != nil {
		return &Reply{451, "4.3.0", "local problem, try again later", err}
	}
	if s.srv.deps.Trace != nil {
		e := s.event("bounce")
		if to := s.tx.bounce.Recipient; to != "" {
			e.To = append(e.To, to)
		}
		e.Agencies, e.Text = addAgency(nil, s.tx.bounceOf), "of an application's message; read, and sent to nobody"
		s.srv.deps.Trace.Note(e)
	}
	s.log.Info("bounce read", "id", s.tx.id, "app", s.tx.bounce.App, "size", d.body.Size())
	return reply(250, "2.0.0", "bounce taken as "+s.tx.id)
}
