package bolt

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"

	"sampul/internal/seal"
	"sampul/store"
)

// maxLogins bounds the cache of checked logins.
const maxLogins = 20000

// logins remembers logins that were checked, so that a client which comes back each
// minute does not cost a key derivation each time. Its key is a MAC, under a key of
// this process, of everything the answer depends on: account and password. It holds
// successes alone, and forgets an account whenever its passwords change.
type logins struct {
	key *seal.DataKey
	mu  sync.Mutex
	ok  map[[32]byte]store.AccountID
	of  map[store.AccountID][][32]byte
	gen map[store.AccountID]uint64 // changes of passwords
}

func (l *logins) init() {
	l.key = seal.Ephemeral()
	l.ok = map[[32]byte]store.AccountID{}
	l.of = map[store.AccountID][][32]byte{}
	l.gen = map[store.AccountID]uint64{}
}

func (l *logins) mac(id store.AccountID, password string) [32]byte {
	return l.key.MAC("login", accountKey(id), []byte(password))
}

// seen also gives the generation that remember wants.
func (l *logins) seen(id store.AccountID, mac [32]byte) (bool, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.ok[mac]
	return ok, l.gen[id]
}

// remember keeps a success, unless passwords changed while it was checked.
func (l *logins) remember(id store.AccountID, mac [32]byte, gen uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gen[id] != gen {
		return
	}
	if len(l.ok) >= maxLogins { // rare enough that forgetting all is good enough
		clear(l.ok)
		clear(l.of)
	}
	l.ok[mac] = id
	l.of[id] = append(l.of[id], mac)
}

func (l *logins) forget(id store.AccountID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, mac := range l.of[id] {
		delete(l.ok, mac)
	}
	delete(l.of, id)
	l.gen[id]++
}

// Login checks a password. An unknown address costs as much as a known one.
func (d *directory) Login(_ context.Context, address, password string) (*store.Account, error) {
	account, vs := d.verifiers(address)
	if account == nil || len(vs) == 0 {
		v := d.madeUp(address)
		if _, err := v.check(password); err != nil {
			return nil, err
		}
		return nil, store.ErrBadPassword
	}
	mac := d.logins.mac(account.ID, password)
	ok, gen := d.logins.seen(account.ID, mac)
	if !ok {
		for i := range vs {
			var err error
			if ok, err = vs[i].check(password); err != nil {
				return nil, err
			}
			if ok {
				d.logins.remember(account.ID, mac, gen)
				break
			}
		}
	}
	switch {
	case !ok:
		return nil, store.ErrBadPassword
	case !account.Active():
		return nil, store.ErrAccountState
	}
	return account, nil
}

// verifiers are those of the account that has the address as its own: aliases and
// subaddresses do not log in.
func (d *directory) verifiers(address string) (*store.Account, []verifier) {
	local, domain, err := splitAddress(address)
	if err != nil {
		return nil, nil
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	id, ok := d.people.addresses[local+"@"+domain]
	if !ok {
		return nil, nil
	}
	account := *d.people.accounts[id]
	return &account, d.people.verifiers[id]
}

// madeUp is the verifier of nobody: always the same for one address, and no
// password fits it.
func (d *directory) madeUp(address string) verifier {
	salt := d.key.MAC("made-up salt", bytes.ToLower([]byte(address)))
	key := d.key.MAC("made-up key", bytes.ToLower([]byte(address)))
	return verifier{V: 1, Kind: "scram-sha-256", Salt: salt[:16], Iterations: scramIterations, StoredKey: key[:], ServerKey: key[:]}
}

// ScramKeys gives the keys of the account's newest SCRAM verifier.
func (d *directory) ScramKeys(_ context.Context, address string) (*store.Account, store.Scram, error) {
	account, vs := d.verifiers(address)
	v := d.madeUp(address)
	known := false
	for i := len(vs) - 1; i >= 0 && !known; i-- {
		if vs[i].Kind == "scram-sha-256" {
			v, known = vs[i], true
		}
	}
	if !known {
		account = nil
	}
	return account, store.Scram{Salt: v.Salt, Iterations: v.Iterations, StoredKey: v.StoredKey, ServerKey: v.ServerKey}, nil
}

// SetPassword replaces all verifiers of the account.
func (d *directory) SetPassword(_ context.Context, by store.Actor, address, password string) error {
	v, err := newVerifier(password)
	if err != nil {
		return err
	}
	return d.putVerifiers(by, address, func([]verifier) []verifier { return []verifier{v} })
}

// SetPasswordArgon2id replaces all verifiers by one that is dearer to guess, and
// that SCRAM cannot use.
func (d *directory) SetPasswordArgon2id(_ context.Context, by store.Actor, address, password string) error {
	v, err := newArgon(password)
	if err != nil {
		return err
	}
	return d.putVerifiers(by, address, func([]verifier) []verifier { return []verifier{v} })
}

// maxVerifiers is how many passwords an account can have: each one is tried.
const maxVerifiers = 4

// AddPassword adds a verifier; the oldest goes when there are too many.
func (d *directory) AddPassword(_ context.Context, by store.Actor, address, password string) error {
	v, err := newVerifier(password)
	if err != nil {
		return err
	}
	return d.putVerifiers(by, address, func(old []verifier) []verifier {
		vs := append(append([]verifier(nil), old...), v)
		return vs[max(0, len(vs)-maxVerifiers):]
	})
}

func (d *directory) putVerifiers(by store.Actor, address string, change func([]verifier) []verifier) error {
	d.change.Lock()
	defer d.change.Unlock()
	account, old := d.verifiers(address)
	if account == nil {
		return fmt.Errorf("account %s: %w", address, store.ErrNotFound)
	}
	if by.Account != account.ID {
		if err := permit(by, account.Agency); err != nil {
			return err
		}
	}
	vs := change(old)
	err := d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketVerifiers, accountKey(account.ID), vs) },
		func(p *people) { p.verifiers[account.ID] = vs })
	d.logins.forget(account.ID)
	return err
}
