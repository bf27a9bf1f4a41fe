package smtpin

import (
	"context"
	"slices"
	"strings"

	"sampul/mta/route"
	"sampul/store"
)

// Router says where an address leads: package route.
type Router interface {
	Rcpt(ctx context.Context, r route.Request) (*route.Decision, error)
}

// found is where one address leads.
type found struct {
	agency string // of the domain, "" for one outside
	rcpts  []store.Recipient
	bounce *route.AppBounce // it is the reverse-path of an application, and leads to nobody
}

// inside says whether the client may send anywhere. LMTP brings mail from outside: it
// comes from a server of ours and is for recipients here.
func (s *session) inside() bool {
	return s.account != nil || s.trusted && s.srv.cfg.Kind == MX
}

// lead finds out what an address means, or refuses it.
func (s *session) lead(ctx context.Context, address string, inside bool) (found, error) {
	if s.srv.deps.Router == nil {
		return s.resolve(ctx, address, inside)
	}
	d, err := s.srv.deps.Router.Rcpt(ctx, route.Request{Address: address, From: s.tx.args.from, Sender: s.account, Client: s.ip, Inside: inside})
	switch {
	case err != nil:
		return found{}, err
	case d.Refused != nil:
		return found{agency: d.Agency}, reply(d.Refused.Code, d.Refused.Enhanced, d.Refused.Text)
	}
	if d.Bounce != nil && s.srv.deps.Bounce == nil {
		return found{agency: d.Agency}, errNobody
	}
	return found{d.Agency, d.Recipients, d.Bounce}, nil
}

// resolve asks the directory alone: mailboxes here, everything else elsewhere.
func (s *session) resolve(ctx context.Context, address string, inside bool) (found, error) {
	res, err := s.srv.deps.Store.Resolve(ctx, address)
	if err != nil {
		return found{}, err
	}
	r := store.Recipient{Path: address, Agency: res.Agency}
	f := found{agency: res.Agency}
	switch {
	case res.Local && res.Account == nil:
		return f, errNobody
	case res.Local && res.Account.Kind == store.Application:
		return f, reply(550, "5.1.1", "an application takes no mail")
	case res.Local:
		r.Account = res.Account.ID
	case !inside:
		return f, errRelay
	}
	f.rcpts = []store.Recipient{r}
	return f, nil
}

// target is what makes two recipients the same one.
type target struct {
	account store.AccountID
	where   string // mailbox, or address elsewhere
}

func targetOf(r *store.Recipient) target {
	if r.Account != 0 {
		return target{r.Account, r.Mailbox}
	}
	local, domain := splitAddress(r.Path)
	return target{0, local + "@" + strings.ToLower(domain)}
}

// add takes a recipient unless it is there: by group and by name, nobody gets a message
// twice.
func (t *transaction) add(r store.Recipient) {
	if t.seen == nil {
		t.seen = make(map[target]struct{}, 4)
	}
	k := targetOf(&r)
	if _, twice := t.seen[k]; twice {
		return
	}
	t.seen[k] = struct{}{}
	t.rcpts = append(t.rcpts, r)
}

// drop takes away what an address of RCPT led to. It tells whether it was there.
func (t *transaction) drop(address string) bool {
	n := len(t.rcpts)
	t.rcpts = slices.DeleteFunc(t.rcpts, func(r store.Recipient) bool {
		gone := strings.EqualFold(r.Path, address) || strings.EqualFold(r.Via, address)
		if gone {
			delete(t.seen, targetOf(&r))
		}
		return gone
	})
	t.given = slices.DeleteFunc(t.given, func(a string) bool { return strings.EqualFold(a, address) })
	return len(t.rcpts) < n
}

func splitAddress(a string) (local, domain string) {
	at := strings.LastIndexByte(a, '@')
	if at < 0 {
		return a, ""
	}
	return a[:at], a[at+1:]
}
