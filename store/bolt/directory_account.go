package bolt

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.etcd.io/bbolt"

	"sampul/store"
)

// told are those who want to know of a kind of change, once it is durable.
type told[T any] struct {
	mu sync.Mutex
	f  []func(T)
}

func (o *told[T]) add(f func(T)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.f = append(o.f, f)
}

func (o *told[T]) tell(v T) {
	o.mu.Lock()
	all := slices.Clone(o.f)
	o.mu.Unlock()
	for _, f := range all {
		f(v)
	}
}

// OnHold calls f whenever an account is held or released.
func (d *directory) OnHold(f func(store.Account)) { d.onHold.add(f) }

// OnRoute calls f with the name of a domain whose mail may go another way now.
func (d *directory) OnRoute(f func(domain string)) { d.onRoute.add(f) }

// changeAccount keeps an account with a change, and gives it as it is then.
func (d *directory) changeAccount(address string, change func(*store.Account) error) (store.Account, error) {
	full, _, err := canonical(address)
	if err != nil {
		return store.Account{}, err
	}
	d.change.Lock()
	defer d.change.Unlock()
	id, ok := d.people.addresses[full]
	if !ok {
		return store.Account{}, fmt.Errorf("account %s: %w", full, store.ErrNotFound)
	}
	next := *d.people.accounts[id]
	if err := change(&next); err != nil {
		return store.Account{}, err
	}
	return next, d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketAccounts, accountKey(id), next) },
		func(p *people) { p.accounts[id] = &next }) // replaced, never changed: readers may hold the old one
}

// SetForward says where mail of an account goes too, or only.
func (d *directory) SetForward(_ context.Context, by store.Actor, address string, to []string, only bool) error {
	to, err := addressSet(to, store.MaxForward)
	if err != nil {
		return err
	}
	_, err = d.changeAccount(address, func(a *store.Account) error {
		if by.Account != a.ID {
			if err := permit(by, a.Agency); err != nil {
				return err
			}
		}
		for _, t := range to {
			if err := d.checkForward(a, t); err != nil {
				return err
			}
		}
		a.Forward, a.ForwardOnly = to, only && len(to) > 0
		return nil
	})
	return err
}

// checkForward refuses an address that mail must not go to, or cannot. The caller holds d.change.
func (d *directory) checkForward(a *store.Account, to string) error {
	local, domain, err := splitAddress(to)
	if err != nil {
		return err
	}
	if a.Kind == store.Application {
		return fmt.Errorf("%w: %s is an application and takes no mail", store.ErrName, a.Address)
	}
	if to == a.Address {
		return fmt.Errorf("%w: %s cannot forward to itself", store.ErrName, to)
	}
	if !d.Government(domain) && !d.people.agencies[a.Agency].ForwardOutside {
		return fmt.Errorf("%w: %s is outside government, and agency %s has not allowed that mail is forwarded there automatically",
			store.ErrForbidden, to, a.Agency)
	}
	user, _, _ := strings.Cut(local, "+")
	if dom, ok := d.people.domains[domain]; ok && isLocal(dom) && !d.inUse(to) && !d.inUse(user+"@"+domain) {
		return fmt.Errorf("address %s: %w", to, store.ErrNotFound)
	}
	return nil
}

// HoldAccount refuses logins and sending; "" releases.
func (d *directory) HoldAccount(_ context.Context, by store.Actor, address, why string) error {
	if err := checkWhy(why); err != nil {
		return err
	}
	a, err := d.changeAccount(address, func(a *store.Account) error {
		if err := permit(by, a.Agency); err != nil {
			return err
		}
		if a.Role > by.Role {
			return store.ErrForbidden
		}
		a.Held = why
		return nil
	})
	if err == nil {
		d.onHold.tell(a)
	}
	return err
}
