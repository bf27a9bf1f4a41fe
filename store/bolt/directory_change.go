package bolt

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// permit says whether the actor may change or list what belongs to the agency.
func permit(by store.Actor, agency string) error {
	if by.Role == store.RoleOperator || by.Role == store.RoleAdmin && agency != "" && by.Agency == agency {
		return nil
	}
	return store.ErrForbidden
}

// AddAgency keeps a new agency. Only the operator may.
func (d *directory) AddAgency(_ context.Context, by store.Actor, a store.Agency) error {
	if by.Role != store.RoleOperator {
		return store.ErrForbidden
	}
	if err := agencyName(a.Name); err != nil {
		return err
	}
	d.change.Lock()
	defer d.change.Unlock()
	if _, ok := d.people.agencies[a.Name]; ok {
		return fmt.Errorf("agency %s: %w", a.Name, store.ErrExists)
	}
	if err := checkAgency(a); err != nil {
		return err
	}
	a.Created = d.clock().UTC()
	return d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketAgencies, []byte(a.Name), a) },
		func(p *people) { p.agencies[a.Name] = a })
}

// AddDomain keeps a new domain of an agency that is there. Only the operator may.
func (d *directory) AddDomain(_ context.Context, by store.Actor, v store.Domain) error {
	if by.Role != store.RoleOperator {
		return store.ErrForbidden
	}
	name, err := domainName(v.Name)
	if err != nil {
		return err
	}
	v.Name = name
	d.change.Lock()
	defer d.change.Unlock()
	if _, ok := d.people.agencies[v.Agency]; !ok {
		return fmt.Errorf("agency %s: %w", v.Agency, store.ErrNotFound)
	}
	if _, ok := d.people.domains[name]; ok {
		return fmt.Errorf("domain %s: %w", name, store.ErrExists)
	}
	if v.Route, err = checkRoute(v.Route); err != nil {
		return err
	}
	if v.CatchAll, err = d.catchAll(v, v.CatchAll, by); err != nil {
		return err
	}
	v.Created = d.clock().UTC()
	return d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketDomains, []byte(name), v) },
		func(p *people) { p.domains[name] = v })
}

// AddAccount keeps one new account.
func (d *directory) AddAccount(ctx context.Context, by store.Actor, a store.Account, password string) (*store.Account, error) {
	out, err := d.AddAccounts(ctx, by, []store.Account{a}, password)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// AddAccounts keeps new accounts, all or none. They share one salt, so that a
// thousand demonstration accounts cost one key derivation: whoever gives people a
// password each calls AddAccount.
func (d *directory) AddAccounts(ctx context.Context, by store.Actor, as []store.Account, password string) ([]*store.Account, error) {
	var vs []verifier
	if password != "" {
		v, err := newVerifier(password)
		if err != nil {
			return nil, err
		}
		vs = []verifier{v}
	}
	d.change.Lock()
	defer d.change.Unlock()
	out, err := d.prepare(by, as)
	if err != nil {
		return nil, err
	}
	err = d.commit(func(tx *bbolt.Tx) error {
		for _, a := range out {
			if err := d.putRow(tx, bucketAccounts, accountKey(a.ID), a); err != nil {
				return err
			}
			if vs == nil {
				continue
			}
			if err := d.putRow(tx, bucketVerifiers, accountKey(a.ID), vs); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketAccounts).SetSequence(uint64(out[len(out)-1].ID))
	}, func(p *people) {
		for _, a := range out {
			p.add(a)
			p.lastID = a.ID
			if vs != nil {
				p.verifiers[a.ID] = vs
			}
		}
	})
	if err != nil || d.onAccount == nil {
		return out, err
	}
	var filed []store.Account
	for _, a := range out {
		if a.Kind != store.Application {
			filed = append(filed, *a)
		}
	}
	if len(filed) > 0 {
		err = d.onAccount(ctx, filed)
	}
	return out, err
}

// prepare checks new accounts and gives them IDs and shards.
func (d *directory) prepare(by store.Actor, as []store.Account) ([]*store.Account, error) {
	if len(as) == 0 {
		return nil, fmt.Errorf("%w: no account given", store.ErrName)
	}
	now := d.clock().UTC()
	loads := slices.Clone(d.people.loads)
	taken := map[string]bool{}
	var out []*store.Account
	for i, a := range as {
		local, domain, err := splitAddress(a.Address)
		if err != nil {
			return nil, err
		}
		if strings.Contains(local, "+") {
			return nil, fmt.Errorf("%w: + begins a subaddress, so no account can have it: %q", store.ErrName, local)
		}
		a.Address = local + "@" + domain
		dom, ok := d.people.domains[domain]
		if !ok {
			return nil, fmt.Errorf("domain %s: %w", domain, store.ErrNotFound)
		}
		if a.Agency == "" {
			a.Agency = dom.Agency
		}
		if a.Agency != dom.Agency {
			return nil, fmt.Errorf("%w: domain %s belongs to agency %s", store.ErrForbidden, domain, dom.Agency)
		}
		if err := permit(by, a.Agency); err != nil {
			return nil, err
		}
		if by.Role != store.RoleOperator && a.Role >= store.RoleOperator {
			return nil, store.ErrForbidden
		}
		switch a.Kind {
		case "":
			a.Kind = store.Personal
		case store.Personal, store.Shared, store.Application:
		default:
			return nil, fmt.Errorf("%w: no kind of account is %q", store.ErrName, a.Kind)
		}
		if d.inUse(a.Address) || taken[a.Address] {
			return nil, fmt.Errorf("account %s: %w", a.Address, store.ErrExists)
		}
		if !utf8.ValidString(a.Name) || a.Quota < 0 {
			return nil, fmt.Errorf("%w: name or quota of %s", store.ErrName, a.Address)
		}
		taken[a.Address] = true
		if a.Role == store.RoleNone {
			a.Role = store.RoleOfficer
		}
		a.ID = d.people.lastID + store.AccountID(i) + 1
		a.Created = now
		least := slices.Index(loads, slices.Min(loads))
		loads[least]++
		a.Shard = uint8(least)
		out = append(out, &a)
	}
	return out, nil
}

// inUse says whether an account, an alias or a group has the address.
func (d *directory) inUse(address string) bool {
	if _, ok := d.people.addresses[address]; ok {
		return true
	}
	if _, ok := d.people.groups[address]; ok {
		return true
	}
	_, ok := d.people.aliases[address]
	return ok
}

// commit makes a change durable, then visible. The caller holds d.change.
func (d *directory) commit(write func(*bbolt.Tx) error, show func(*people)) error {
	if err := d.durably(d.db.Update, write); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	show(&d.people)
	return nil
}

// durably writes by db.Update or db.Batch. When the commit itself fails the engine has:
// what the disk has is known only after a new start.
func (d *directory) durably(by func(func(*bbolt.Tx) error) error, write func(*bbolt.Tx) error) error {
	if d.alive != nil {
		if err := d.alive(); err != nil {
			return err
		}
	}
	var refused error
	err := by(func(tx *bbolt.Tx) error {
		refused = write(tx)
		return refused
	})
	if err != nil && refused == nil {
		if d.onFail != nil {
			d.onFail(fmt.Errorf("directory: %w", err))
		}
		return store.ErrFailed
	}
	return err
}

// Agencies are those that the actor may see.
func (d *directory) Agencies(_ context.Context, by store.Actor) ([]store.Agency, error) {
	return list(d, by, func(p *people) map[string]store.Agency { return p.agencies }, func(a store.Agency) string { return a.Name })
}

// Domains are those that the actor may see, without the secrets of their routes.
func (d *directory) Domains(_ context.Context, by store.Actor) ([]store.Domain, error) {
	out, err := list(d, by, func(p *people) map[string]store.Domain { return p.domains }, func(v store.Domain) string { return v.Agency })
	for i := range out {
		out[i].Route.Secret = ""
	}
	return out, err
}

// Aliases are those that the actor may see.
func (d *directory) Aliases(_ context.Context, by store.Actor) ([]store.Alias, error) {
	return list(d, by, func(p *people) map[string]store.Alias { return p.aliases }, func(a store.Alias) string { return a.Agency })
}

// list gives what the actor may see, in order of name.
func list[T any](d *directory, by store.Actor, from func(*people) map[string]T, agency func(T) string) ([]T, error) {
	if by.Role != store.RoleOperator && by.Role != store.RoleAdmin {
		return nil, store.ErrForbidden
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := from(&d.people)
	var out []T
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if permit(by, agency(all[name])) == nil {
			out = append(out, all[name])
		}
	}
	return out, nil
}

// Accounts are those that the actor may see, in order of address.
func (d *directory) Accounts(_ context.Context, by store.Actor) ([]store.Account, error) {
	if by.Role != store.RoleOperator && by.Role != store.RoleAdmin {
		return nil, store.ErrForbidden
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []store.Account
	for _, a := range d.people.accounts {
		if permit(by, a.Agency) == nil {
			out = append(out, *a)
		}
	}
	slices.SortFunc(out, func(a, b store.Account) int { return strings.Compare(a.Address, b.Address) })
	return out, nil
}
