package route

import (
	"errors"

	"sampul/internal/address"
	"sampul/store"
)

// reversePath is that of mail which leaves for a server that is not ours: "" is the
// envelope's own.
func (w *walk) reversePath(l leg) string {
	if l.verp != "" {
		member := l.address
		if l.forward != "" {
			member = l.forward
		}
		if from := w.r.bounces.path(l.verp, member); from != "" {
			return from
		}
	}
	if l.from != "" || l.forward == "" || w.req.From == "" {
		return l.from
	}
	if e, err := w.r.dir.Find(w.ctx, w.req.From); err == nil && e.Domain != nil {
		return "" // SPF of our own domains names us already
	}
	_, domain := cut(l.forward)
	if from, ok := w.r.srs.encode(w.req.From, domain, w.now); ok {
		w.step("srs", "the reverse-path becomes "+from)
		return from
	}
	from := w.r.bounces.path(l.forward, "")
	if from == "" {
		from = l.forward
	}
	w.step("srs", "the reverse-path does not fit into an SRS address and becomes "+from)
	return from
}

// forwards sends mail of an account on. It says whether the mailbox keeps it too: always
// when a forward was not done, so that nothing is lost.
func (w *walk) forwards(l leg, e *store.Entry) (keep bool, no *Refusal, err error) {
	a := e.Account
	key := "account " + a.Address
	switch {
	case len(a.Forward) == 0:
		return true, nil, nil
	case a.Held != "":
		w.stepf("forward", "%s is held, so that it sends nothing on: %s", a.Address, a.Held)
		return true, nil, nil
	case w.open[key]:
		w.stepf("loop", "forwarding leads back to %s", a.Address)
		return false, refuse(550, "5.4.6", "forwarding leads back to where it began"), nil
	case w.done[key]:
		w.stepf("once", "%s forwarded it already", a.Address)
		return false, nil, nil // its mailbox has it, if it is to have it
	}
	mark(&w.open, key)
	defer func() {
		delete(w.open, key)
		mark(&w.done, key)
	}()
	keep = !a.ForwardOnly
	for _, to := range a.Forward {
		if domain := address.DomainOf(to); !w.r.dir.Government(domain) {
			if agency, _ := w.r.dir.AgencyByName(a.Agency); !agency.ForwardOutside {
				w.stepf("forward", "not to %s: agency %s does not allow forwarding outside government; kept here", to, a.Agency)
				keep = true
				continue
			}
		}
		w.stepf("forward", "%s forwards to %s", a.Address, to)
		n := leg{address: to, from: l.from, via: a.Address, depth: l.depth + 1, inner: true, nested: l.nested, verp: l.verp, forward: a.Address}
		no, err := w.follow(n)
		if err != nil {
			return false, nil, err
		}
		if no == errTooMany {
			return false, no, nil
		}
		if no != nil {
			w.stepf("forward", "not to %s: %s; kept here", to, no.Text)
			keep = true
		}
	}
	return keep, nil, nil
}

// srs is a bounce of mail that was forwarded: it goes to who sent that.
func (w *walk) srs(l leg, e *store.Entry) (over bool, no *Refusal, err error) {
	local, _ := cut(l.address)
	if e.Account != nil || e.Alias != nil || e.Group != nil {
		return false, nil, nil
	}
	to, err := w.r.srs.decode(local, w.now)
	switch {
	case errors.Is(err, errNotSRS):
		return false, nil, nil
	case err != nil && kindOf(e.Domain) != store.RouteLocal:
		w.stepf("srs", "%v; the agency's other server may have", err)
		return false, nil, nil
	case err != nil:
		w.stepf("srs", "%s: %v", l.address, err)
		return true, refuse(550, "5.1.1", err.Error()), nil
	}
	w.stepf("srs", "%s is %s", l.address, to)
	if w.req.From != "" && !w.explain { // else who got one such address could send on through us
		w.step("srs", "refused: it is for bounces, which have no reverse-path")
		return true, refuse(550, "5.7.1", "this address takes bounces alone"), nil
	}
	no, err = w.follow(leg{address: to, via: l.address, depth: l.depth + 1, inner: true})
	return true, no, err
}
