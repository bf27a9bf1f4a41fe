package bolt

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"sampul/internal/address"
	"sampul/store"
)

// loadRouting reads groups, tables of split domains and signing keys.
func (d *directory) loadRouting(tx *bbolt.Tx, p *people) error {
	if err := eachRow(d, tx, bucketGroups, func(_ []byte, g store.Group) { p.groups[g.Address] = g }); err != nil {
		return err
	}
	if err := eachRow(d, tx, bucketSplits, func(k []byte, t map[string]string) { p.splits[string(k)] = t }); err != nil {
		return err
	}
	return eachRow(d, tx, bucketDKIM, func(_ []byte, k store.DKIMKey) { p.dkim[k.Domain] = append(p.dkim[k.Domain], k) })
}

// Find looks an address up as it stands.
func (d *directory) Find(_ context.Context, addr string) (store.Entry, error) {
	local, domain, bad := splitAddress(addr)
	if bad != nil {
		domain = address.DomainOf(addr)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	var e store.Entry
	dom, ok := d.people.domains[domain]
	if !ok {
		return e, nil
	}
	e.Domain = &dom
	if agency, ok := d.people.agencies[dom.Agency]; ok {
		e.Agency = copyOf(agency)
	}
	if bad != nil { // nobody has an address that cannot be
		return e, nil
	}
	full := local + "@" + domain
	e.Split = d.people.splits[domain][full]
	if id, ok := d.people.addresses[full]; ok {
		e.Account = copyOf(*d.people.accounts[id])
	} else if alias, ok := d.people.aliases[full]; ok {
		e.Alias = copyOf(alias)
	} else if group, ok := d.people.groups[full]; ok {
		e.Group = copyOf(group)
	}
	return e, nil
}

// copyOf is for what is there alone: a variable whose address is taken costs also where
// there is nothing.
func copyOf[T any](v T) *T { return &v }

// AgencyByName gives an agency.
func (d *directory) AgencyByName(name string) (store.Agency, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	a, ok := d.people.agencies[name]
	return a, ok
}

// Government says whether a domain is in the directory or in the list.
func (d *directory) Government(domain string) bool {
	if name, err := domainName(domain); err == nil {
		domain = name
	}
	d.mu.RLock()
	_, ok := d.people.domains[domain]
	d.mu.RUnlock()
	return ok || address.In(d.gov, domain)
}

// changeDomain keeps a domain with a change. The caller holds no lock; whoever is told of
// it must change nothing in the directory before it returns.
func (d *directory) changeDomain(by store.Actor, name string, change func(*store.Domain) error) error {
	name, err := domainName(name)
	if err != nil {
		return err
	}
	d.change.Lock()
	defer d.change.Unlock()
	dom, ok := d.people.domains[name]
	if !ok {
		return fmt.Errorf("domain %s: %w", name, store.ErrNotFound)
	}
	if err := permit(by, dom.Agency); err != nil {
		return err
	}
	if err := change(&dom); err != nil {
		return err
	}
	err = d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketDomains, []byte(name), dom) },
		func(p *people) { p.domains[name] = dom })
	if err == nil {
		d.onRoute.tell(name)
	}
	return err
}

// SetRoute says where mail of a domain goes.
func (d *directory) SetRoute(_ context.Context, by store.Actor, domain string, r store.Route) error {
	if by.Role != store.RoleOperator {
		return store.ErrForbidden
	}
	r, err := checkRoute(r)
	if err != nil {
		return err
	}
	return d.changeDomain(by, domain, func(v *store.Domain) error {
		v.Route = r
		return nil
	})
}

// checkRoute refuses what could not work, and leaves nothing in a route that its kind does not use.
func checkRoute(r store.Route) (store.Route, error) {
	bad := func(format string, args ...any) (store.Route, error) {
		return store.Route{}, fmt.Errorf("%w: route %s: "+format, append([]any{store.ErrName, r.Kind}, args...)...)
	}
	out := store.Route{Kind: r.Kind}
	switch r.Kind {
	case "", store.RouteLocal:
		return out, nil
	case store.RouteReject:
		out.Text = strings.TrimSpace(r.Text)
		if len(out.Text) > 400 || !printable(out.Text) {
			return bad("the text is one line of at most 400 octets")
		}
		return out, nil
	case store.RouteSmarthost, store.RouteLMTP, store.RouteSplit:
	default:
		return bad("local, reject, smarthost, lmtp or split")
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || host == "" || !printable(host) || strings.ContainsAny(host, " /@") {
		return bad("a server is HOST:PORT, not %q", r.Host)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return bad("a port is a number from 1 to 65535, not %q", port)
	}
	out.Host = r.Host
	if !slices.Contains([]string{"", "none", "may", "verify"}, r.TLS) {
		return bad("tls: none, may or verify, not %q", r.TLS)
	}
	out.TLS, out.User, out.Secret = r.TLS, r.User, r.Secret
	if (r.User == "") != (r.Secret == "") {
		return bad("user and password belong together")
	}
	if r.User != "" && r.TLS == "none" {
		return bad("a password goes out over TLS alone: tls may or verify")
	}
	if r.Kind == store.RouteSplit {
		if out.Default = r.Default; out.Default == "" {
			out.Default = store.Here
		}
		if out.Default != store.Here && out.Default != store.Elsewhere {
			return bad("default: here or elsewhere, not %q", r.Default)
		}
	}
	return out, nil
}

// printable says whether s can stand in one line that people and protocols read.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// SetSplit replaces the table of a domain.
func (d *directory) SetSplit(_ context.Context, by store.Actor, domain string, table map[string]string) error {
	name, err := domainName(domain)
	if err != nil {
		return err
	}
	if len(table) > store.MaxSplit {
		return fmt.Errorf("%w: %d addresses, and a table holds %d", store.ErrLimit, len(table), store.MaxSplit)
	}
	clean := make(map[string]string, len(table))
	for a, where := range table {
		full, dom, err := canonical(a)
		switch {
		case err != nil:
			return err
		case dom != name:
			return fmt.Errorf("%w: %s is not in the domain %s", store.ErrName, full, name)
		case where != store.Here && where != store.Elsewhere && where != store.Moving:
			return fmt.Errorf("%w: %s: here, elsewhere or moving, not %q", store.ErrName, full, where)
		}
		if was, twice := clean[full]; twice && was != where {
			return fmt.Errorf("%w: %s stands there twice", store.ErrName, full)
		}
		clean[full] = where
	}
	d.change.Lock()
	defer d.change.Unlock()
	dom, ok := d.people.domains[name]
	if !ok {
		return fmt.Errorf("domain %s: %w", name, store.ErrNotFound)
	}
	if err := permit(by, dom.Agency); err != nil {
		return err
	}
	err = d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketSplits, []byte(name), clean) },
		func(p *people) { p.splits[name] = clean })
	if err == nil {
		d.onRoute.tell(name)
	}
	return err
}

// SplitTable is a copy of a domain's table.
func (d *directory) SplitTable(_ context.Context, by store.Actor, domain string) (map[string]string, error) {
	name, err := domainName(domain)
	if err != nil {
		return nil, err
	}
	d.mu.RLock()
	dom, ok := d.people.domains[name]
	table := d.people.splits[name]
	d.mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("domain %s: %w", name, store.ErrNotFound)
	}
	if err := permit(by, dom.Agency); err != nil {
		return nil, err
	}
	return maps.Clone(table), nil
}

// SetCatchAll names who gets what nobody in the domain has.
func (d *directory) SetCatchAll(_ context.Context, by store.Actor, domain, to string) error {
	return d.changeDomain(by, domain, func(v *store.Domain) (err error) {
		v.CatchAll, err = d.catchAll(*v, to, by)
		return err
	})
}

// catchAll is to in its canonical form, when the domain can have it. The caller holds d.change.
func (d *directory) catchAll(v store.Domain, to string, by store.Actor) (string, error) {
	if to == "" {
		return "", nil
	}
	full, domain, err := canonical(to)
	if err != nil {
		return "", err
	}
	if !d.inUse(full) {
		return "", fmt.Errorf("address %s: %w", full, store.ErrNotFound)
	}
	if d.people.domains[domain].Agency != v.Agency && by.Role != store.RoleOperator {
		return "", store.ErrForbidden
	}
	return full, nil
}

// HoldDomain keeps mail for the domain in the queue.
func (d *directory) HoldDomain(_ context.Context, by store.Actor, domain, why string) error {
	if err := checkWhy(why); err != nil {
		return err
	}
	return d.changeDomain(by, domain, func(v *store.Domain) error {
		v.Held = why
		return nil
	})
}

func checkWhy(why string) error {
	if len(why) > 400 || !printable(why) {
		return fmt.Errorf("%w: a reason is one line of at most 400 octets", store.ErrName)
	}
	return nil
}

// SetAgency changes the settings of an agency.
func (d *directory) SetAgency(_ context.Context, by store.Actor, a store.Agency) error {
	if err := checkAgency(a); err != nil {
		return err
	}
	if err := permit(by, a.Name); err != nil {
		return err
	}
	d.change.Lock()
	defer d.change.Unlock()
	old, ok := d.people.agencies[a.Name]
	if !ok {
		return fmt.Errorf("agency %s: %w", a.Name, store.ErrNotFound)
	}
	if by.Role != store.RoleOperator && (a.Source != old.Source || a.HELO != old.HELO) {
		return store.ErrForbidden
	}
	a.Created = old.Created
	return d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketAgencies, []byte(a.Name), a) },
		func(p *people) { p.agencies[a.Name] = a })
}

func checkAgency(a store.Agency) error {
	if a.Source != "" {
		if ip, err := netip.ParseAddr(a.Source); err != nil || ip.Zone() != "" {
			return fmt.Errorf("%w: source: an IP address of this machine, not %q", store.ErrName, a.Source)
		}
	}
	if a.HELO != "" && !address.Plain(a.HELO) {
		return fmt.Errorf("%w: helo: a host name in lower case, not %q", store.ErrName, a.HELO)
	}
	return nil
}
