package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sampul/internal/address"
	"sampul/mta/route"
	"sampul/store"
	"sampul/store/bolt"
)

// changing is held by operations that read, change and write back: two administrators at
// once lose nothing.
var changing sync.Mutex

func changed[A any](f func(ctx context.Context, st store.Store, a A, emit func(any) error) error) operation {
	return op(func(ctx context.Context, st store.Store, a A, emit func(any) error) error {
		changing.Lock()
		defer changing.Unlock()
		return f(ctx, st, a, emit)
	})
}

// Arguments of the operations on routes and addresses. A nil pointer leaves things as they are.
type (
	nameArgs  struct{ Name string }
	whyArgs   struct{ Name, Why string } // "" releases
	routeArgs struct {
		Domain string
		Route  store.Route
		Keep   bool // split: server and default stay, as far as Route does not say
		Table  map[string]string
		DryRun bool
	}
	catchAllArgs struct{ Domain, Address string }
	agencyArgs   struct {
		Name                string
		Title, Source, HELO *string
		ForwardOutside      *bool
		Policy              *policySettingsArgs
		Reason              string // of a change of policy
	}
	forwardArgs struct {
		Address string
		To      []string
		Only    bool
	}
	aliasArgs struct {
		Address string
		Target  *string
		Until   *time.Time // zero is for ever
	}
	groupArgs struct {
		Address     string
		Members     *[]string
		Senders     *[]string
		Owner       *string
		VERP        *bool
		Add, Remove []string // members
	}
)

// An explainer is the store of a running suite, whose router knows the configuration too.
type explainer interface {
	Explain(ctx context.Context, address string) (*route.Decision, error)
}

// routed is such a store.
type routed struct {
	*bolt.Engine
	*route.Routes
}

var routeOperations = map[string]operation{
	"agency.show": op(func(_ context.Context, st store.Store, a nameArgs, emit func(any) error) error {
		agency, err := agencyOf(st, a.Name)
		if err != nil {
			return err
		}
		return emit(viewOf(st, agency))
	}),
	"agency.set":   changed(setAgency),
	"domain.show":  op(showDomain),
	"domain.route": changed(setRoute),
	"domain.hold": op(func(ctx context.Context, st store.Store, a whyArgs, _ func(any) error) error {
		return st.HoldDomain(ctx, store.System, a.Name, a.Why)
	}),
	"domain.catchall": op(func(ctx context.Context, st store.Store, a catchAllArgs, _ func(any) error) error {
		return st.SetCatchAll(ctx, store.System, a.Domain, a.Address)
	}),
	"route.explain": op(func(ctx context.Context, st store.Store, a nameArgs, emit func(any) error) error {
		explain := route.New(route.Options{Directory: st}).Explain
		if running, ok := st.(explainer); ok {
			explain = running.Explain
		}
		d, err := explain(ctx, a.Name)
		if err != nil {
			return err
		}
		return emit(d)
	}),
	"account.show": op(func(ctx context.Context, st store.Store, a nameArgs, emit func(any) error) error {
		account, err := accountOf(ctx, st, a.Name)
		if err != nil {
			return err
		}
		return emit(account)
	}),
	"account.hold": changed(holdAccount),
	"account.forward": op(func(ctx context.Context, st store.Store, a forwardArgs, _ func(any) error) error {
		return st.SetForward(ctx, store.System, a.Address, a.To, a.Only)
	}),
	"alias.set": changed(setAlias),
	"alias.remove": op(func(ctx context.Context, st store.Store, a nameArgs, _ func(any) error) error {
		return st.RemoveAlias(ctx, store.System, a.Name)
	}),
	"group.add": op(func(ctx context.Context, st store.Store, g store.Group, _ func(any) error) error {
		return st.AddGroup(ctx, store.System, g)
	}),
	"group.set": changed(setGroup),
	"group.remove": op(func(ctx context.Context, st store.Store, a nameArgs, _ func(any) error) error {
		return st.RemoveGroup(ctx, store.System, a.Name)
	}),
	"group.list": op(func(ctx context.Context, st store.Store, _ none, emit func(any) error) error {
		return eachOf(emit, st.Groups)(ctx)
	}),
	"group.show": op(func(ctx context.Context, st store.Store, a nameArgs, emit func(any) error) error {
		g, err := groupOf(ctx, st, a.Name)
		if err != nil {
			return err
		}
		return emit(g)
	}),
}

func agencyOf(st store.Store, name string) (store.Agency, error) {
	a, ok := st.AgencyByName(name)
	if !ok {
		return a, fmt.Errorf("agency %s: %w", name, store.ErrNotFound)
	}
	return a, nil
}

func domainOf(ctx context.Context, st store.Store, name string) (store.Domain, error) {
	e, err := st.Find(ctx, "postmaster@"+name)
	if err == nil && e.Domain == nil {
		err = fmt.Errorf("domain %s: %w", name, store.ErrNotFound)
	}
	if err != nil {
		return store.Domain{}, err
	}
	return *e.Domain, nil
}

func accountOf(ctx context.Context, st store.Store, name string) (store.Account, error) {
	e, err := st.Find(ctx, name)
	if err == nil && e.Account == nil {
		err = fmt.Errorf("account %s: %w", name, store.ErrNotFound)
	}
	if err != nil {
		return store.Account{}, err
	}
	return *e.Account, nil
}

func groupOf(ctx context.Context, st store.Store, name string) (store.Group, error) {
	e, err := st.Find(ctx, name)
	if err == nil && e.Group == nil {
		err = fmt.Errorf("group %s: %w", name, store.ErrNotFound)
	}
	if err != nil {
		return store.Group{}, err
	}
	return *e.Group, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func setAgency(ctx context.Context, st store.Store, a agencyArgs, _ func(any) error) error {
	agency, err := agencyOf(st, a.Name)
	if err != nil {
		return err
	}
	set(&agency.Title, a.Title)
	set(&agency.Source, a.Source)
	set(&agency.HELO, a.HELO)
	set(&agency.ForwardOutside, a.ForwardOutside)
	if a.Policy != nil {
		if err := setSettings(ctx, st, agency.Name, a.Policy, a.Reason); err != nil {
			return err
		}
	}
	return st.SetAgency(ctx, store.System, agency)
}

func setAlias(ctx context.Context, st store.Store, a aliasArgs, _ func(any) error) error {
	e, err := st.Find(ctx, a.Address)
	if err != nil {
		return err
	}
	if e.Alias == nil {
		return fmt.Errorf("alias %s: %w", a.Address, store.ErrNotFound)
	}
	set(&e.Alias.Target, a.Target)
	set(&e.Alias.Until, a.Until)
	return st.SetAlias(ctx, store.System, *e.Alias)
}

func setGroup(ctx context.Context, st store.Store, a groupArgs, _ func(any) error) error {
	g, err := groupOf(ctx, st, a.Address)
	if err != nil {
		return err
	}
	set(&g.Members, a.Members)
	set(&g.Senders, a.Senders)
	set(&g.Owner, a.Owner)
	set(&g.VERP, a.VERP)
	g.Members = slices.Concat(g.Members, a.Add)
	for _, m := range a.Remove {
		full, err := address.Canonical(m)
		if err != nil {
			return fmt.Errorf("%w: %w", store.ErrName, err)
		}
		i := slices.Index(g.Members, full)
		if i < 0 {
			return fmt.Errorf("member %s: %w", full, store.ErrNotFound)
		}
		g.Members = slices.Delete(slices.Clone(g.Members), i, i+1)
	}
	return st.SetGroup(ctx, store.System, g)
}

// A domainView is a domain with its table in numbers.
type domainView struct {
	store.Domain
	Split map[string]int `json:"split,omitempty"` // addresses in the table: here, elsewhere, moving
}

func showDomain(ctx context.Context, st store.Store, a nameArgs, emit func(any) error) error {
	d, err := domainOf(ctx, st, a.Name)
	if err != nil {
		return err
	}
	d.Route.Secret = ""
	v := domainView{Domain: d}
	table, err := st.SplitTable(ctx, store.System, d.Name)
	if err != nil {
		return err
	}
	if len(table) > 0 {
		v.Split = count(table)
	}
	return emit(v)
}

func count(table map[string]string) map[string]int {
	n := map[string]int{store.Here: 0, store.Elsewhere: 0, store.Moving: 0}
	for _, where := range table {
		n[where]++
	}
	return n
}

// A routePlan says what a new route changes.
type routePlan struct {
	Domain  string         `json:"domain"`
	Route   store.Route    `json:"route"` // without its secret
	DryRun  bool           `json:"dry_run,omitempty"`
	Add     int            `json:"add"`    // addresses that were not in the table
	Change  int            `json:"change"` // that were, with another answer
	Remove  int            `json:"remove"`
	Same    int            `json:"same"`
	Split   map[string]int `json:"split,omitempty"`
	Missing int            `json:"missing"`          // addresses that are to be here, and nobody has them
	Sample  []planLine     `json:"sample,omitempty"` // some of what changes
	Nobody  []string       `json:"nobody,omitempty"` // some of what is missing
}

type planLine struct {
	Address string `json:"address"`
	Was     string `json:"was"`     // "": not in the table
	Becomes string `json:"becomes"` // alike
}

const planSample = 10

// setRoute changes the route of a domain; with DryRun it only says what would change.
func setRoute(ctx context.Context, st store.Store, a routeArgs, emit func(any) error) error {
	d, err := domainOf(ctx, st, a.Domain)
	if err != nil {
		return err
	}
	r := a.Route
	if a.Keep && r.Kind == store.RouteSplit && d.Route.Kind == store.RouteSplit {
		keepSplit(&r, d.Route)
	}
	if r.Kind == store.RouteSplit && r.Host == "" {
		return usagef("split --to HOST:PORT: where is the agency's other server?")
	}
	plan := routePlan{Domain: d.Name, Route: r, DryRun: a.DryRun}
	plan.Route.Secret = ""
	if a.Table != nil {
		old, err := st.SplitTable(ctx, store.System, d.Name)
		if err != nil {
			return err
		}
		if err := plan.compare(ctx, st, old, a.Table); err != nil {
			return err
		}
	}
	if a.DryRun {
		return emit(plan)
	}
	if a.Table != nil { // first, so that the route never stands without it
		if err := st.SetSplit(ctx, store.System, d.Name, a.Table); err != nil {
			return err
		}
	}
	if err := st.SetRoute(ctx, store.System, d.Name, r); err != nil {
		return err
	}
	return emit(plan)
}

// keepSplit fills in what was not said anew.
func keepSplit(r *store.Route, old store.Route) {
	if r.Host == "" {
		r.Host, r.User, r.Secret = old.Host, old.User, old.Secret
	}
	if r.TLS == "" {
		r.TLS = old.TLS
	}
	if r.Default == "" {
		r.Default = old.Default
	}
}

func (p *routePlan) compare(ctx context.Context, st store.Store, old, table map[string]string) error {
	p.Split = count(table)
	names := map[string]bool{}
	for _, t := range []map[string]string{old, table} {
		for name := range t {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, becomes := old[name], table[name]
		switch {
		case was == becomes:
			p.Same++
		case was == "":
			p.Add++
		case becomes == "":
			p.Remove++
		default:
			p.Change++
		}
		if was != becomes && len(p.Sample) < planSample {
			p.Sample = append(p.Sample, planLine{name, was, becomes})
		}
		if becomes != store.Here {
			continue
		}
		e, err := st.Find(ctx, name)
		if err != nil {
			return err
		}
		if e.Account == nil && e.Alias == nil && e.Group == nil {
			if p.Missing++; len(p.Nobody) < planSample {
				p.Nobody = append(p.Nobody, name)
			}
		}
	}
	return nil
}

// A heldAccount is what account hold and release say.
type heldAccount struct {
	Address string `json:"address"`
	Held    string `json:"held,omitempty"`
	Queued  int    `json:"queued"` // messages of the account in the queue that stopped, or go on
}

// holdAccount stops an account and what it sent that is still here, or lets both go on.
// Messages that were held for another reason stay held.
func holdAccount(ctx context.Context, st store.Store, a whyArgs, emit func(any) error) error {
	account, err := accountOf(ctx, st, a.Name)
	if err != nil {
		return err
	}
	if err := st.HoldAccount(ctx, store.System, a.Name, a.Why); err != nil {
		return err
	}
	out := heldAccount{Address: account.Address, Held: a.Why}
	if a.Why != "" {
		out.Queued, err = stopSent(ctx, st, account.ID, a.Why)
	} else {
		out.Queued, err = releaseSent(ctx, st, account.ID)
	}
	if err != nil {
		return err
	}
	return emit(out)
}

// stopSent holds what an account sent and still waits; what is held already keeps its reason.
func stopSent(ctx context.Context, st store.Store, id store.AccountID, why string) (int, error) {
	return st.QueueHold(ctx, store.System, store.QueueFilter{Sender: id, State: store.Waiting}, heldWhy(why))
}

// heldWhy is why messages of a held account are held; account release goes by it.
func heldWhy(why string) string { return "the sender's account is held: " + why }

// releaseSent lets go on what stopSent held.
func releaseSent(ctx context.Context, st store.Store, id store.AccountID) (int, error) {
	var ids []string
	// By prefix: the account may have been held twice, for two reasons.
	const page = 1000
	for after := ""; ; {
		entries, err := st.QueueList(ctx, store.System, store.QueueFilter{Sender: id, State: store.Holding}, after, page)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			if after = e.ID; strings.HasPrefix(e.Why, heldWhy("")) {
				ids = append(ids, e.ID)
			}
		}
		if len(entries) < page {
			break
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	return st.QueueRelease(ctx, store.System, store.QueueFilter{IDs: ids})
}
