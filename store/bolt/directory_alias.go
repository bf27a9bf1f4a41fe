package bolt

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// AddAlias keeps an alias. Its target must be an account, alias or group of the same
// agency; the operator may reach across.
func (d *directory) AddAlias(_ context.Context, by store.Actor, a store.Alias) error {
	return d.putAlias(by, a, true)
}

// SetAlias changes target and end of an alias.
func (d *directory) SetAlias(_ context.Context, by store.Actor, a store.Alias) error {
	return d.putAlias(by, a, false)
}

func (d *directory) putAlias(by store.Actor, a store.Alias, isNew bool) error {
	var domain, toDomain string
	var err error
	if a.Address, domain, err = canonical(a.Address); err != nil {
		return err
	}
	if a.Target, toDomain, err = canonical(a.Target); err != nil {
		return err
	}
	d.change.Lock()
	defer d.change.Unlock()
	dom, ok := d.people.domains[domain]
	if !ok {
		return fmt.Errorf("domain %s: %w", domain, store.ErrNotFound)
	}
	if err := permit(by, dom.Agency); err != nil {
		return err
	}
	if to, ok := d.people.domains[toDomain]; !ok || isLocal(to) && !d.inUse(a.Target) { // another server knows its own
		return fmt.Errorf("target %s: %w", a.Target, store.ErrNotFound)
	} else if to.Agency != dom.Agency && by.Role != store.RoleOperator {
		return store.ErrForbidden
	}
	old, there := d.people.aliases[a.Address]
	switch {
	case isNew && d.inUse(a.Address):
		return fmt.Errorf("address %s: %w", a.Address, store.ErrExists)
	case !isNew && !there:
		return fmt.Errorf("alias %s: %w", a.Address, store.ErrNotFound)
	}
	if d.people.leadsTo(a.Target, a.Address) {
		return fmt.Errorf("%w: %s leads back to %s", store.ErrName, a.Target, a.Address)
	}
	if a.Agency, a.Created = dom.Agency, old.Created; isNew {
		a.Created = d.clock().UTC()
	}
	if !a.Until.IsZero() {
		a.Until = a.Until.UTC()
	}
	return d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketAliases, []byte(a.Address), a) },
		func(p *people) { p.aliases[a.Address] = a })
}

// leadsTo says whether aliases lead from one address to another, or are too many in a row.
func (p *people) leadsTo(from, to string) bool {
	for range maxAliases {
		if from == to {
			return true
		}
		alias, ok := p.aliases[from]
		if !ok {
			return false
		}
		from = alias.Target
	}
	return true
}

// RemoveAlias takes an alias away.
func (d *directory) RemoveAlias(_ context.Context, by store.Actor, address string) error {
	full, _, err := canonical(address)
	if err != nil {
		return err
	}
	d.change.Lock()
	defer d.change.Unlock()
	a, ok := d.people.aliases[full]
	if !ok {
		return fmt.Errorf("alias %s: %w", full, store.ErrNotFound)
	}
	if err := permit(by, a.Agency); err != nil {
		return err
	}
	return d.commit(func(tx *bbolt.Tx) error { return tx.Bucket(bucketAliases).Delete([]byte(full)) },
		func(p *people) { delete(p.aliases, full) })
}
