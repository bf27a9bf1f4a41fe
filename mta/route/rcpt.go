package route

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sampul/internal/address"
	"sampul/store"
)

// A walk follows one RCPT to all it leads to.
type walk struct {
	r   *Routes
	ctx context.Context
	req Request
	d   *Decision
	now time.Time

	explain bool            // asks no other server
	more    int             // steps that were not told
	legs    int             // addresses that were followed
	kinds   []string        // of each recipient, for people
	taken   map[string]bool // recipients that are there: each one once
	open    map[string]bool // accounts and groups that are being followed now
	done    map[string]bool // those that were followed: whether they led to anybody
}

// A leg is an address to be followed, and how it was come to.
type leg struct {
	address string
	from    string // reverse-path from here on, "" is the envelope's
	via     string // address that led here
	depth   int
	inner   bool   // by a group, a forward or a bounce: it need not be asked for by the client
	nested  bool   // by a group, whose own rule said who may send
	verp    string // group that gives each member outside a reverse-path of its own
	forward string // account that forwards: its address
	plain   bool   // a bounce for an account: it is filed, never forwarded
	prefix  []byte // header fields for who is reached
}

// next is the leg that an address leads to.
func (l leg) next(address string) leg {
	n := l
	n.address, n.depth = address, l.depth+1
	if n.via == "" {
		n.via = l.address
	}
	return n
}

// Rcpt decides about an address at RCPT.
func (r *Routes) Rcpt(ctx context.Context, req Request) (*Decision, error) {
	return r.decide(ctx, req, false)
}

// Explain is Rcpt from a stranger, or, for other domains, from somebody who has logged in;
// nobody else is asked.
func (r *Routes) Explain(ctx context.Context, addr string) (*Decision, error) {
	if _, _, err := address.Split(addr); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrName, err)
	}
	return r.decide(ctx, Request{Address: addr, From: "stranger@outside.invalid"}, true)
}

func (r *Routes) decide(ctx context.Context, req Request, explain bool) (*Decision, error) {
	w := &walk{r: r, ctx: ctx, req: req, d: &Decision{Address: req.Address}, now: r.o.Clock(), explain: explain}
	no, err := w.follow(leg{address: req.Address})
	if err != nil {
		return nil, err
	}
	if no == nil && len(w.d.Recipients) == 0 && w.d.Bounce == nil {
		no = refuse(550, "5.1.1", "nobody has this address here")
	}
	if w.more > 0 {
		w.d.Steps = append(w.d.Steps, Step{"more", fmt.Sprintf("%d steps more are not told", w.more)})
	}
	switch {
	case no != nil:
		w.d.Refused, w.d.Recipients, w.d.Bounce = no, nil, nil
		w.d.Final = "refused: " + no.Text
	case len(w.kinds) == 1:
		w.d.Final = w.kinds[0]
	default:
		w.d.Final = fmt.Sprintf("%d recipients", len(w.kinds))
		if len(w.kinds) <= 10 {
			w.d.Final += ": " + strings.Join(w.kinds, ", ")
		}
	}
	return w.d, nil
}

var errTooMany = refuse(550, "5.2.4", fmt.Sprintf("this address leads to more than %d recipients", maxRecipients))

func refuse(code int, enhanced, text string) *Refusal { return &Refusal{code, enhanced, text} }

// step tells an administrator what a rule said.
func (w *walk) step(rule, result string) {
	if len(w.d.Steps) >= maxSteps {
		w.more++
		return
	}
	w.d.Steps = append(w.d.Steps, Step{rule, result})
}

func (w *walk) stepf(rule, format string, args ...any) {
	if len(w.d.Steps) >= maxSteps { // ten thousand members are not written down to be counted
		w.more++
		return
	}
	w.step(rule, fmt.Sprintf(format, args...))
}

// follow adds what a leg leads to. A refusal says why it leads to nobody.
func (w *walk) follow(l leg) (*Refusal, error) {
	if l.depth > maxDepth {
		w.stepf("depth", "%s: more than %d aliases, groups and forwards in a row", l.address, maxDepth)
		return refuse(550, "5.4.6", "this address leads on and on: ask its administrator"), nil
	}
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	if w.legs++; w.legs > maxLegs {
		w.stepf("limit", "more than %d addresses were followed", maxLegs)
		return errTooMany, nil
	}
	e, err := w.r.dir.Find(w.ctx, l.address)
	if err != nil {
		return nil, err
	}
	if e.Domain == nil {
		return w.outside(l)
	}
	if l.depth == 0 {
		w.d.Agency = e.Domain.Agency
	}
	w.stepf("domain", "%s belongs to agency %s, route %s", e.Domain.Name, e.Domain.Agency, kindOf(e.Domain))
	if e.Domain.Held != "" {
		w.stepf("hold", "mail for %s stays in the queue: %s", e.Domain.Name, e.Domain.Held)
	}
	if e.Domain.Route.Kind == store.RouteReject {
		text := oneLine(e.Domain.Route.Text)
		if text == "" {
			text = "mail for " + e.Domain.Name + " is not taken"
		}
		w.step("route", "reject: "+text)
		return refuse(550, "5.7.1", text), nil
	}
	if over, no, err := w.srs(l, &e); over || err != nil {
		return no, err
	}
	if over, no := w.appBounce(l, &e); over {
		return no, nil
	}
	if over, no, err := w.bounce(l, &e); over || err != nil {
		return no, err
	}
	return w.entry(l, &e)
}

func kindOf(d *store.Domain) store.RouteKind {
	if d.Route.Kind == "" {
		return store.RouteLocal
	}
	return d.Route.Kind
}

// outside is an address of a domain that is not ours.
func (w *walk) outside(l leg) (*Refusal, error) {
	domain := address.DomainOf(l.address)
	w.stepf("domain", "%s is not in the directory", domain)
	switch {
	case l.inner || w.req.Sender != nil || w.req.Inside:
	case w.explain:
		w.step("relay", "for those who have logged in; strangers are refused (550 5.7.1)")
	default:
		w.step("relay", "refused: only those who have logged in send to other domains")
		return refuse(550, "5.7.1", "relaying denied: the recipient is not here, and you are not logged in"), nil
	}
	rcpt := store.Recipient{Path: l.address, From: w.reversePath(l), Via: l.via, Prefix: l.prefix}
	w.step("route", "to the exchangers (MX) of "+domain)
	return w.add(rcpt, "MX of "+domain), nil
}

// entry follows what the directory has for an address of ours.
func (w *walk) entry(l leg, e *store.Entry) (*Refusal, error) {
	split := e.Domain.Route.Kind == store.RouteSplit
	if split && e.Split == store.Elsewhere {
		w.stepf("table", "%s: elsewhere", l.address)
		return w.elsewhere(l, e)
	}
	if e.Alias != nil {
		if !e.Alias.Ended(w.now) {
			w.stepf("alias", "%s is %s", e.Alias.Address, e.Alias.Target)
			return w.follow(l.next(e.Alias.Target))
		}
		w.stepf("alias", "%s ended on %s and means nobody", e.Alias.Address, e.Alias.Until.Format(time.RFC3339))
		return w.nobody(l, e)
	}
	if e.Group != nil {
		return w.group(l, e)
	}
	base, detail, err := w.subaddress(l, e)
	if err != nil {
		return nil, err
	}
	if base != nil {
		w.stepf("subaddress", "%s with the tag %s", base.address, detail)
		if base.entry.Alias != nil {
			n := l.next(base.entry.Alias.Target)
			w.stepf("alias", "%s is %s", base.entry.Alias.Address, base.entry.Alias.Target)
			return w.follow(n)
		}
		e = &base.entry
	}
	switch kindOf(e.Domain) {
	case store.RouteSmarthost, store.RouteLMTP:
		return w.elsewhere(l, e)
	case store.RouteSplit:
		return w.split(l, e)
	}
	return w.mailbox(l, e)
}

type baseEntry struct {
	entry   store.Entry
	address string
}

// subaddress finds user for user+tag, when nobody has the whole address: an account, an
// alias that has not ended, or a line in the table of a split domain. Groups have no tags.
func (w *walk) subaddress(l leg, e *store.Entry) (*baseEntry, string, error) {
	if e.Account != nil || e.Split != "" {
		return nil, "", nil
	}
	local, domain := cut(l.address)
	user, detail, ok := strings.Cut(local, "+")
	if !ok || user == "" {
		return nil, "", nil
	}
	b := &baseEntry{address: user + "@" + domain}
	var err error
	if b.entry, err = w.r.dir.Find(w.ctx, b.address); err != nil || b.entry.Domain == nil {
		return nil, "", err
	}
	if b.entry.Account == nil && b.entry.Split == "" && (b.entry.Alias == nil || b.entry.Alias.Ended(w.now)) {
		return nil, "", nil
	}
	return b, detail, nil
}

// split follows the table of a split domain.
func (w *walk) split(l leg, e *store.Entry) (*Refusal, error) {
	where, rule := e.Split, "table"
	if where == "" {
		if where, rule = e.Domain.Route.Default, "default"; where == "" {
			where = store.Here
		}
	}
	w.stepf(rule, "%s: %s", l.address, where)
	switch where {
	case store.Elsewhere:
		return w.elsewhere(l, e)
	case store.Moving:
		w.step("moving", "kept in the queue until the table says where")
		return w.add(w.away(l, e), "queue: "+l.address+" is moving"), nil
	}
	return w.mailbox(l, e)
}

// away is a recipient of a domain of ours that the queue keeps.
func (w *walk) away(l leg, e *store.Entry) store.Recipient {
	from := l.from
	if l.verp != "" {
		from = w.reversePath(l)
	}
	return store.Recipient{Path: l.address, From: from, Via: l.via, Agency: e.Domain.Agency, Prefix: l.prefix}
}

// elsewhere is an address that lives on another server of the agency.
func (w *walk) elsewhere(l leg, e *store.Entry) (*Refusal, error) {
	hop := hopOf(e.Domain)
	what := string(e.Domain.Route.Kind) + " " + hop.Host
	if e.Domain.Route.Kind == store.RouteSplit {
		what = "elsewhere " + hop.Host
	}
	switch {
	case e.Domain.Held != "":
		what = "queue: " + e.Domain.Name + " is held: " + e.Domain.Held
	case e.Domain.Route.Kind != store.RouteSplit:
		w.stepf("route", "%s %s", e.Domain.Route.Kind, hop.Host)
	case w.explain:
		w.stepf("ask", "%s says at RCPT whether it takes the address; it was not asked now", hop.Host)
	case l.inner:
		w.stepf("route", "elsewhere %s, not asked: who sent it on gets its bounce", hop.Host)
	default:
		if no := w.r.ask(w.ctx, hop, w.req, l.address); no != nil {
			w.stepf("ask", "%s: %d %s %s", hop.Host, no.Code, no.Enhanced, no.Text)
			return no, nil
		}
		w.stepf("ask", "%s takes mail for %s", hop.Host, l.address)
	}
	return w.add(w.away(l, e), what), nil
}

// mailbox is an address that lives here, if somebody has it.
func (w *walk) mailbox(l leg, e *store.Entry) (*Refusal, error) {
	a := e.Account
	if a == nil {
		return w.nobody(l, e)
	}
	if a.Kind == store.Application {
		w.stepf("account", "%s is an application and takes no mail", a.Address)
		return refuse(550, "5.1.1", "an application takes no mail"), nil
	}
	w.stepf("account", "%s", a.Address)
	if !l.plain {
		kept, no, err := w.forwards(l, e)
		if err != nil || no != nil || !kept {
			return no, err
		}
	}
	rcpt := store.Recipient{Path: l.address, From: l.from, Via: l.via, Account: a.ID, Agency: a.Agency, Prefix: l.prefix}
	what := "mailbox " + a.Address
	if e.Domain.Held != "" {
		rcpt.Account, rcpt.Path = 0, a.Address // who lives there is known already
		what = "queue: " + e.Domain.Name + " is held: " + e.Domain.Held
	}
	return w.add(rcpt, what), nil
}

// nobody is an address of ours that nobody has: the catch-all may.
func (w *walk) nobody(l leg, e *store.Entry) (*Refusal, error) {
	local, _ := cut(l.address)
	if to := w.r.o.Postmaster; to != "" && strings.EqualFold(local, "postmaster") && !strings.EqualFold(to, l.address) {
		w.stepf("postmaster", "nobody has %s; the suite's postmaster is %s", l.address, to) // RFC 5321 section 4.5.1
		return w.follow(l.next(to))
	}
	if c := e.Domain.CatchAll; c != "" {
		if found, err := w.r.dir.Find(w.ctx, c); err != nil {
			return nil, err
		} else if c != l.address && (found.Account != nil || found.Group != nil || found.Alias != nil && !found.Alias.Ended(w.now)) {
			w.stepf("catch-all", "nobody has %s; %s gets it", l.address, c)
			return w.follow(l.next(c))
		}
		w.stepf("catch-all", "nobody has %s, and nobody is %s, which should get it", l.address, c)
	}
	w.stepf("account", "nobody has %s", l.address)
	return refuse(550, "5.1.1", "nobody has this address here"), nil
}

// add keeps a recipient, each one once. It refuses more than a message can have.
func (w *walk) add(rcpt store.Recipient, what string) *Refusal {
	key := rcpt.Path
	if rcpt.Account != 0 {
		key = fmt.Sprint("#", rcpt.Account)
	} else if full, err := address.Canonical(key); err == nil {
		key = full
	}
	if w.taken[key] {
		w.stepf("once", "%s is among the recipients already", rcpt.Path)
		return nil
	}
	if len(w.d.Recipients) >= maxRecipients {
		return errTooMany
	}
	mark(&w.taken, key)
	w.d.Recipients = append(w.d.Recipients, rcpt)
	w.kinds = append(w.kinds, what)
	return nil
}

// mark puts a name into a set that is made when it is first needed.
func mark(set *map[string]bool, name string) { note(set, name, true) }

func note(set *map[string]bool, name string, v bool) {
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[name] = v
}
