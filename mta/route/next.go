package route

import (
	"context"
	"strings"

	"sampul/internal/address"
	"sampul/store"
)

// Next is where a recipient in the queue goes now, by the directory as it is now.
func (r *Routes) Next(ctx context.Context, addr, senderAgency string) (Hop, error) {
	hop, err := r.next(ctx, addr, 0)
	if err != nil {
		return Hop{}, err
	}
	if senderAgency != "" {
		hop.Agency = senderAgency
	}
	if a, ok := r.dir.AgencyByName(hop.Agency); ok {
		hop.Source, hop.HELO = a.Source, a.HELO
	}
	return hop, nil
}

func (r *Routes) next(ctx context.Context, addr string, depth int) (Hop, error) {
	e, err := r.dir.Find(ctx, addr)
	if err != nil {
		return Hop{}, err
	}
	if e.Domain == nil {
		return Hop{Kind: ToMX, Domain: address.DomainOf(addr)}, nil
	}
	hop := hopOf(e.Domain)
	switch {
	case e.Domain.Held != "":
		hop.Kind, hop.Why = Wait, "the domain "+e.Domain.Name+" is held: "+e.Domain.Held
		return hop, nil
	case depth > maxDepth:
		return hop.nobody(550, "5.4.6", "this address leads on and on"), nil
	case e.Domain.Route.Kind == store.RouteReject:
		text := oneLine(e.Domain.Route.Text)
		if text == "" {
			text = "mail for " + e.Domain.Name + " is not taken"
		}
		return hop.nobody(550, "5.7.1", text), nil
	case e.Domain.Route.Kind == store.RouteSplit && e.Split == store.Elsewhere:
		return hop, nil
	case e.Alias != nil && !e.Alias.Ended(r.o.Clock()):
		return r.next(ctx, e.Alias.Target, depth+1)
	case e.Group != nil:
		return hop.nobody(550, "5.2.4", "a group has this address now: send the message again"), nil
	}
	account, split, alias := e.Account, e.Split, ""
	if account == nil && split == "" {
		if user, _, ok := strings.Cut(addr, "+"); ok {
			_, domain := cut(addr)
			base, err := r.dir.Find(ctx, user+"@"+domain)
			if err != nil {
				return Hop{}, err
			}
			account, split = base.Account, base.Split
			if base.Alias != nil && !base.Alias.Ended(r.o.Clock()) {
				alias = base.Alias.Target
			}
		}
	}
	switch e.Domain.Route.Kind {
	case store.RouteSmarthost, store.RouteLMTP:
		return hop, nil
	case store.RouteSplit:
		if split == "" && alias == "" {
			split = e.Domain.Route.Default
		}
		switch split {
		case store.Elsewhere:
			return hop, nil
		case store.Moving:
			hop.Kind, hop.Moving, hop.Why = Wait, true, addr+" is moving: the table of "+e.Domain.Name+" will say where it lives"
			return hop, nil
		}
	}
	hop = Hop{Kind: ToMailbox, Domain: e.Domain.Name, Agency: e.Domain.Agency}
	switch local, _ := cut(addr); {
	case alias != "":
		return r.next(ctx, alias, depth+1)
	case account != nil && account.Kind == store.Application:
		return hop.nobody(550, "5.1.1", "an application takes no mail"), nil
	case account != nil:
		hop.Account = account.ID
		return hop, nil
	case r.o.Postmaster != "" && strings.EqualFold(local, "postmaster") && !strings.EqualFold(addr, r.o.Postmaster):
		return r.next(ctx, r.o.Postmaster, depth+1)
	case e.Domain.CatchAll != "" && e.Domain.CatchAll != addr:
		return r.next(ctx, e.Domain.CatchAll, depth+1)
	}
	return hop.nobody(550, "5.1.1", "nobody has this address here"), nil
}

// hopOf is the server that the route of a domain names, if it does.
func hopOf(d *store.Domain) Hop {
	h := Hop{Domain: d.Name, Agency: d.Agency, Kind: ToMailbox}
	switch d.Route.Kind {
	case store.RouteSmarthost, store.RouteSplit:
		h.Kind = ToHost
	case store.RouteLMTP:
		h.Kind = ToLMTP
	default:
		return h
	}
	h.Host, h.TLS, h.User, h.Secret = d.Route.Host, d.Route.TLS, d.Route.User, d.Route.Secret
	if h.TLS == "" {
		h.TLS = "may"
	}
	return h
}

func (h Hop) nobody(code int, enhanced, text string) Hop {
	return Hop{Kind: ToNobody, Domain: h.Domain, Agency: h.Agency, Refused: refuse(code, enhanced, text)}
}
