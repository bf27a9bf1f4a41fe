package bolt

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sampul/store"
)

// maxAliases is how many aliases in a row are followed.
const maxAliases = 8

// AccountByID gives an account, also one that is not active.
func (d *directory) AccountByID(_ context.Context, id store.AccountID) (*store.Account, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	a, ok := d.people.accounts[id]
	if !ok {
		return nil, fmt.Errorf("account %d: %w", id, store.ErrNotFound)
	}
	out := *a
	return &out, nil
}

// Resolve says where an address leads.
func (d *directory) Resolve(_ context.Context, address string) (store.Resolution, error) {
	local, domain, err := splitAddress(address)
	if err != nil { // nobody has an address that cannot be
		if at := strings.LastIndexByte(address, '@'); at >= 0 {
			if domain, err = domainName(address[at+1:]); err == nil {
				d.mu.RLock()
				defer d.mu.RUnlock()
				dom, ok := d.people.domains[domain]
				return store.Resolution{Local: ok, Agency: dom.Agency}, nil
			}
		}
		return store.Resolution{}, nil
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	dom, ok := d.people.domains[domain]
	if !ok {
		return store.Resolution{}, nil
	}
	r := store.Resolution{Local: true, Agency: dom.Agency}
	now := d.clock()
	a := d.people.find(local+"@"+domain, now)
	if a == nil {
		user, tag, ok := strings.Cut(local, "+")
		if !ok || user == "" {
			return r, nil
		}
		if a = d.people.find(user+"@"+domain, now); a != nil {
			r.Detail = tag
		}
	}
	if a != nil {
		account := *a
		r.Account = &account
	}
	return r, nil
}

// find follows aliases to an account; nil for nobody, for a group, and for a loop.
func (p *people) find(address string, now time.Time) *store.Account {
	for range maxAliases + 1 {
		if id, ok := p.addresses[address]; ok {
			return p.accounts[id]
		}
		alias, ok := p.aliases[address]
		if !ok || alias.Ended(now) {
			return nil
		}
		address = alias.Target
	}
	return nil
}

// Owns says whether address leads to the account.
func (d *directory) Owns(ctx context.Context, id store.AccountID, address string) (bool, error) {
	r, err := d.Resolve(ctx, address)
	return err == nil && r.Account != nil && r.Account.ID == id, err
}
