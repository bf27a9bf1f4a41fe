package route

import (
	"fmt"
	"strings"

	"sampul/internal/address"
	"sampul/store"
)

// group follows a group to its members, each one once.
func (w *walk) group(l leg, e *store.Entry) (*Refusal, error) {
	g := e.Group
	key := "group " + g.Address
	if w.open[key] {
		w.stepf("loop", "group %s is in itself; followed once", g.Address)
		return refuse(550, "5.4.6", "the group "+g.Address+" is in itself"), nil
	}
	if reached, ok := w.done[key]; ok {
		w.stepf("once", "group %s was followed already", g.Address)
		return emptyGroup(reached), nil
	}
	if !l.nested {
		if no, err := w.maySend(g); no != nil || err != nil {
			return no, err
		}
	}
	reached := false
	mark(&w.open, key)
	defer func() {
		delete(w.open, key)
		note(&w.done, key, reached)
	}()
	w.stepf("group", "%s has %d members; bounces go to %s", g.Address, len(g.Members), g.Owner)
	for _, m := range g.Members {
		no, err := w.follow(w.member(l, g, m))
		switch {
		case err != nil:
			return nil, err
		case no == nil:
			reached = true
		case no == errTooMany: // all or none of them
			return no, nil
		default:
			w.stepf("member", "%s is passed over: %s", m, no.Text)
		}
	}
	return emptyGroup(reached), nil
}

// member is the leg to a member of a group. What a machine sent back has no reverse-path,
// and gets none.
func (w *walk) member(l leg, g *store.Group, m string) leg {
	n := leg{address: m, via: g.Address, depth: l.depth + 1, inner: true, nested: true, prefix: l.prefix}
	if w.req.From == "" {
		return n
	}
	if n.from = w.r.bounces.path(g.Address, ""); n.from == "" {
		n.from = g.Owner
	}
	if g.VERP {
		n.verp = g.Address
	}
	return n
}

func emptyGroup(reached bool) *Refusal {
	if reached {
		return nil
	}
	return refuse(550, "5.2.4", "this group has no members that can be reached")
}

// maySend says whether the sender may write to the group. Of mail from outside nothing is
// proved, so that only a group for anyone takes it.
func (w *walk) maySend(g *store.Group) (*Refusal, error) {
	rules := g.Senders
	if len(rules) == 0 {
		rules = []string{store.SendersInside}
	}
	who, agency, err := w.sender()
	if err != nil {
		return nil, err
	}
	for _, rule := range rules {
		ok := false
		switch rule {
		case store.SendersAnyone:
			ok = true
		case store.SendersInside:
			ok = w.req.Sender != nil || w.req.Inside
		case store.SendersAgency:
			ok = agency != "" && agency == g.Agency
		case store.SendersMembers:
			if who != "" {
				left := maxRecipients
				ok, err = w.contains(g, who, map[string]bool{}, &left)
			}
		default:
			if who != "" {
				ok, err = w.same(rule, who)
			}
		}
		if err != nil {
			return nil, err
		}
		if ok {
			w.stepf("senders", "%s: %s may send", g.Address, rule)
			return nil, nil
		}
	}
	w.stepf("senders", "%s takes mail from %s only: others are refused (550 5.7.1)", g.Address, strings.Join(rules, ", "))
	if w.explain { // who sends is not asked: it goes on for those who may
		return nil, nil
	}
	return refuse(550, "5.7.1", "the group "+g.Address+" takes mail from "+senderWords(rules)+" only"), nil
}

// senderWords tells a refused sender the rule, and no addresses.
func senderWords(rules []string) string {
	switch rules[0] {
	case store.SendersInside:
		return "people with an account here who have logged in"
	case store.SendersAgency:
		return "its own agency"
	case store.SendersMembers:
		return "its members"
	}
	return "certain senders"
}

// sender is who sends, as far as it is proved: who has logged in, or whom a server of ours names.
func (w *walk) sender() (addr, agency string, err error) {
	if a := w.req.Sender; a != nil {
		return a.Address, a.Agency, nil
	}
	if !w.req.Inside || w.req.From == "" {
		return "", "", nil
	}
	e, err := w.r.dir.Find(w.ctx, w.req.From)
	if err != nil || e.Domain == nil {
		return "", "", err
	}
	full, err := address.Canonical(w.req.From)
	if err != nil {
		return "", "", nil
	}
	return full, e.Domain.Agency, nil
}

// contains says whether a group, or one in it, has who as a member.
func (w *walk) contains(g *store.Group, who string, seen map[string]bool, left *int) (bool, error) {
	seen[g.Address] = true
	for _, m := range g.Members {
		if *left--; *left < 0 {
			return false, nil
		}
		if ok, err := w.same(m, who); ok || err != nil {
			return ok, err
		}
		e, err := w.r.dir.Find(w.ctx, m)
		if err != nil {
			return false, err
		}
		if e.Group == nil || seen[e.Group.Address] {
			continue
		}
		if ok, err := w.contains(e.Group, who, seen, left); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// same says whether an address is who's, or an alias of it.
func (w *walk) same(addr, who string) (bool, error) {
	for range maxDepth {
		if addr == who {
			return true, nil
		}
		e, err := w.r.dir.Find(w.ctx, addr)
		if err != nil || e.Alias == nil || e.Alias.Ended(w.now) {
			return false, err
		}
		addr = e.Alias.Target
	}
	return false, nil
}

// bounce is mail for a bounce address of ours: it goes to the owner of the group.
func (w *walk) bounce(l leg, e *store.Entry) (over bool, no *Refusal, err error) {
	of, rest, ok := w.r.bounces.split(l.address)
	if !ok || e.Account != nil || e.Alias != nil || e.Group != nil {
		return false, nil, nil
	}
	base, err := w.r.dir.Find(w.ctx, of)
	if err != nil || base.Group == nil && base.Account == nil {
		return false, nil, err
	}
	if base.Account != nil {
		if _, ok := w.r.bounces.check(base.Account.Address, rest); !ok {
			return false, nil, nil // a tag that the officer chose
		}
		w.stepf("bounce", "of mail that %s forwarded", base.Account.Address)
		l.plain = true
		no, err = w.mailbox(l, &base)
		return true, no, err
	}
	g := base.Group
	member, ok := w.r.bounces.check(g.Address, rest)
	key := "group " + g.Address
	if !ok || w.open[key] {
		w.stepf("bounce", "%s was not made here", l.address)
		return true, refuse(550, "5.1.1", errForged.Error()), nil
	}
	mark(&w.open, key) // an owner that leads back to the group leads nowhere
	defer delete(w.open, key)
	n := leg{address: g.Owner, via: g.Address, depth: l.depth + 1, inner: true, nested: true}
	if member != "" {
		w.stepf("bounce", "of the member %s of group %s", member, g.Address)
		n.prefix = fmt.Appendf(nil, "X-Sampul-Bounced-Member: %s\r\n", member)
	} else {
		w.stepf("bounce", "of mail to group %s", g.Address)
	}
	no, err = w.follow(n)
	return true, no, err
}
