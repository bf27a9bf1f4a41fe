package bolt

import (
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// AddGroup keeps a new group.
func (d *directory) AddGroup(_ context.Context, by store.Actor, g store.Group) error {
	return d.putGroup(by, g, true)
}

// SetGroup replaces a group that is there.
func (d *directory) SetGroup(_ context.Context, by store.Actor, g store.Group) error {
	return d.putGroup(by, g, false)
}

func (d *directory) putGroup(by store.Actor, g store.Group, isNew bool) error {
	full, domain, err := canonical(g.Address)
	if err != nil {
		return err
	}
	g.Address = full
	d.change.Lock()
	defer d.change.Unlock()
	dom, ok := d.people.domains[domain]
	if !ok {
		return fmt.Errorf("domain %s: %w", domain, store.ErrNotFound)
	}
	if err := permit(by, dom.Agency); err != nil {
		return err
	}
	if err := d.checkGroup(&g); err != nil {
		return err
	}
	old, there := d.people.groups[full]
	switch {
	case isNew && d.inUse(full):
		return fmt.Errorf("address %s: %w", full, store.ErrExists)
	case !isNew && !there:
		return fmt.Errorf("group %s: %w", full, store.ErrNotFound)
	}
	if g.Agency, g.Created = dom.Agency, old.Created; isNew {
		g.Created = d.clock().UTC()
	}
	return d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketGroups, []byte(full), g) },
		func(p *people) { p.groups[full] = g })
}

// checkGroup makes addresses canonical and each member one. It makes new slices: those
// given stay the caller's.
func (d *directory) checkGroup(g *store.Group) (err error) {
	if g.Members, err = addressSet(g.Members, store.MaxMembers); err != nil {
		return err
	}
	words := []string{store.SendersAnyone, store.SendersInside, store.SendersAgency, store.SendersMembers}
	var senders []string
	for _, s := range g.Senders {
		if slices.Contains(words, s) {
			senders = append(senders, s)
			continue
		}
		full, _, err := canonical(s)
		if err != nil {
			return fmt.Errorf("who may send is an address, or anyone, inside, agency or members: %w", err)
		}
		senders = append(senders, full)
	}
	if g.Senders = senders; len(senders) > store.MaxMembers {
		return fmt.Errorf("%w: a group names %d senders", store.ErrLimit, store.MaxMembers)
	}
	if g.Owner == "" {
		return fmt.Errorf("%w: a group needs an owner, who gets bounces", store.ErrName)
	}
	full, domain, err := canonical(g.Owner)
	if err != nil {
		return err
	}
	if full == g.Address {
		return fmt.Errorf("%w: a group cannot own itself", store.ErrName)
	}
	if dom, ok := d.people.domains[domain]; ok && isLocal(dom) && !d.inUse(full) {
		return fmt.Errorf("owner %s: %w", full, store.ErrNotFound)
	}
	g.Owner = full
	return nil
}

func isLocal(v store.Domain) bool { return v.Route.Kind == "" || v.Route.Kind == store.RouteLocal }

// addressSet is addresses in canonical form, each one once, in the order given.
func addressSet(list []string, most int) ([]string, error) {
	seen := make(map[string]bool, len(list))
	var out []string
	for _, a := range list {
		full, _, err := canonical(a)
		if err != nil {
			return nil, err
		}
		if !seen[full] {
			seen[full] = true
			out = append(out, full)
		}
	}
	if len(out) > most {
		return nil, fmt.Errorf("%w: %d addresses, and at most %d can stand here", store.ErrLimit, len(out), most)
	}
	return out, nil
}

// RemoveGroup takes a group away; its members stay.
func (d *directory) RemoveGroup(_ context.Context, by store.Actor, address string) error {
	full, _, err := canonical(address)
	if err != nil {
		return err
	}
	d.change.Lock()
	defer d.change.Unlock()
	g, ok := d.people.groups[full]
	if !ok {
		return fmt.Errorf("group %s: %w", full, store.ErrNotFound)
	}
	if err := permit(by, g.Agency); err != nil {
		return err
	}
	return d.commit(func(tx *bbolt.Tx) error { return tx.Bucket(bucketGroups).Delete([]byte(full)) },
		func(p *people) { delete(p.groups, full) })
}

// Groups are those that the actor may see, in order of address.
func (d *directory) Groups(_ context.Context, by store.Actor) ([]store.Group, error) {
	return list(d, by, func(p *people) map[string]store.Group { return p.groups }, func(g store.Group) string { return g.Agency })
}
