package smtpin

import (
	"context"

	"sampul/mta/authres"
)

// Authenticator finds out who a message really comes from: package authres.
type Authenticator interface {
	Check(ctx context.Context, m *authres.Mail) (*authres.Results, error)
}

// authenticate checks mail from outside. What its domain's policy has refused ends here;
// what it has put aside goes among the junk. Fields that pretend to be our word go, whoever
// sends them: only a server of ours may hand them on.
func (d *delivery) authenticate(ctx context.Context) error {
	s := d.s
	if s.srv.cfg.Kind == LMTP || s.trusted {
		return nil
	}
	if s.srv.deps.Auth == nil || s.account != nil {
		return d.removeForged(authres.ForgedResults(d.index, s.srv.cfg.Hostname))
	}
	res, err := s.srv.deps.Auth.Check(ctx, &authres.Mail{IP: s.ip, HELO: s.helo, From: s.tx.args.from, Index: d.index, Body: d.body})
	if err != nil {
		return &Reply{451, "4.7.0", "the message could not be authenticated, try again later", err}
	}
	d.results = res
	if code, enhanced, text, refuse := res.Refusal(); refuse {
		s.log.Info("refused", "id", s.tx.id, "from", s.tx.args.from, "remote", s.ip, "dmarc", res.DMARC.Domain, "reply", code)
		return reply(code, enhanced, text)
	}
	d.junk = d.junk || res.DMARC.Disposition == "quarantine"
	d.prefix = append(d.prefix, res.Header(s.srv.cfg.Hostname)...)
	return d.removeForged(authres.ForgedResults(d.index, s.srv.cfg.Hostname))
}

// removeForged takes away fields that pretend to be our word (RFC 8601 section 5).
func (d *delivery) removeForged(fields []int) error {
	if len(fields) == 0 {
		return nil
	}
	in := d.s.newIncoming(false)
	at := int64(0)
	var err error
	for _, i := range fields {
		f := &d.index.Parts[0].Fields[i]
		if err == nil {
			err = in.copy(d.body, at, f.Start)
		}
		at = f.End
	}
	if err == nil {
		err = in.copy(d.body, at, d.body.Size())
	}
	in, err = in.finish(err)
	if err != nil {
		return err
	}
	d.s.log.Info("forged Authentication-Results removed", "id", d.s.tx.id, "fields", len(fields))
	d.take(in)
	return nil
}
