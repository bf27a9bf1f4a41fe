package bolt

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"sampul/internal/address"
	"sampul/store"
)

// Algorithms and states of signing keys.
var (
	dkimAlgorithms = []string{"rsa-sha256", "ed25519-sha256"}
	dkimStates     = []string{"published", "active", "retired"}
)

func dkimRow(domain, selector string) []byte { return []byte(domain + "\x00" + selector) }

// DKIMKeys are the keys of a domain, or of all, without their private halves.
func (d *directory) DKIMKeys(_ context.Context, by store.Actor, domain string) ([]store.DKIMKey, error) {
	if by.Role != store.RoleOperator && by.Role != store.RoleAdmin {
		return nil, store.ErrForbidden
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	names := slices.Sorted(maps.Keys(d.people.dkim))
	if domain != "" {
		name, err := domainName(domain)
		if err != nil {
			return nil, err
		}
		dom, ok := d.people.domains[name]
		if !ok {
			return nil, fmt.Errorf("domain %s: %w", name, store.ErrNotFound)
		}
		if err := permit(by, dom.Agency); err != nil {
			return nil, err
		}
		names = []string{name}
	}
	var out []store.DKIMKey
	for _, name := range names {
		if permit(by, d.people.domains[name].Agency) != nil {
			continue
		}
		for _, k := range d.people.dkim[name] {
			k.Private = nil
			out = append(out, k)
		}
	}
	return out, nil
}

// PutDKIMKey adds a key, or changes the state of one that is there: its private half
// stays as it is, given or not.
func (d *directory) PutDKIMKey(_ context.Context, by store.Actor, k store.DKIMKey) error {
	name, err := domainName(k.Domain)
	if err != nil {
		return err
	}
	if k.Domain = name; !address.Plain(k.Selector) || len(k.Selector) > 63 {
		return fmt.Errorf("%w: a selector is a name in the DNS, in lower case, not %q", store.ErrName, k.Selector)
	}
	if !slices.Contains(dkimStates, k.State) {
		return fmt.Errorf("%w: state of a key: published, active or retired, not %q", store.ErrName, k.State)
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
	keys := slices.Clone(d.people.dkim[name])
	i := slices.IndexFunc(keys, func(o store.DKIMKey) bool { return o.Selector == k.Selector })
	now := d.clock().UTC()
	if i < 0 {
		if err := checkPrivate(k); err != nil {
			return err
		}
		k.Created, k.Changed = now, now
		k.Private = slices.Clone(k.Private)
		keys = append(keys, k)
		slices.SortFunc(keys, func(a, b store.DKIMKey) int { return strings.Compare(a.Selector, b.Selector) })
	} else {
		old := keys[i]
		if k.Algorithm != "" && k.Algorithm != old.Algorithm {
			return fmt.Errorf("selector %s of %s, with another algorithm: %w", k.Selector, name, store.ErrExists)
		}
		if old.State != k.State {
			old.State, old.Changed = k.State, now
		}
		k, keys[i] = old, old
	}
	return d.commit(func(tx *bbolt.Tx) error { return d.putRow(tx, bucketDKIM, dkimRow(name, k.Selector), k) },
		func(p *people) { p.dkim[name] = keys })
}

func checkPrivate(k store.DKIMKey) error {
	if !slices.Contains(dkimAlgorithms, k.Algorithm) {
		return fmt.Errorf("%w: algorithm of a key: rsa-sha256 or ed25519-sha256, not %q", store.ErrName, k.Algorithm)
	}
	key, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		return fmt.Errorf("%w: the private key is not PKCS#8", store.ErrName)
	}
	_, isRSA := key.(*rsa.PrivateKey)
	_, isEd := key.(ed25519.PrivateKey)
	if isRSA != (k.Algorithm == "rsa-sha256") || isEd != (k.Algorithm == "ed25519-sha256") {
		return fmt.Errorf("%w: the private key is not one of %s", store.ErrName, k.Algorithm)
	}
	return nil
}

// RemoveDKIMKey takes a key away for good.
func (d *directory) RemoveDKIMKey(_ context.Context, by store.Actor, domain, selector string) error {
	name, err := domainName(domain)
	if err != nil {
		return err
	}
	d.change.Lock()
	defer d.change.Unlock()
	if err := permit(by, d.people.domains[name].Agency); err != nil {
		return err
	}
	keys := slices.Clone(d.people.dkim[name])
	i := slices.IndexFunc(keys, func(k store.DKIMKey) bool { return k.Selector == selector })
	if i < 0 {
		return fmt.Errorf("key %s of %s: %w", selector, name, store.ErrNotFound)
	}
	keys = slices.Delete(keys, i, i+1)
	return d.commit(func(tx *bbolt.Tx) error { return tx.Bucket(bucketDKIM).Delete(dkimRow(name, selector)) },
		func(p *people) {
			if len(keys) == 0 {
				delete(p.dkim, name)
			} else {
				p.dkim[name] = keys
			}
		})
}

// SigningKeys are the active keys of a domain. Private is not to be written to.
func (d *directory) SigningKeys(domain string) []store.DKIMKey {
	name, err := domainName(domain)
	if err != nil {
		return nil
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []store.DKIMKey
	for _, k := range d.people.dkim[name] {
		if k.State == "active" {
			out = append(out, k)
		}
	}
	return out
}

var suiteSecret = []byte("suite")

// loadSecret reads what SuiteSecret derives from, and makes it once.
func (d *directory) loadSecret(tx *bbolt.Tx) error {
	if sealed := tx.Bucket(bucketSecrets).Get(suiteSecret); sealed != nil {
		if err := d.openRow(bucketSecrets, suiteSecret, sealed, &d.secret); err != nil {
			return fmt.Errorf("%s: %w", bucketSecrets, err)
		}
		if len(d.secret) != 32 {
			return fmt.Errorf("%s: %w", bucketSecrets, errRow)
		}
		return nil
	}
	d.secret = make([]byte, 32)
	rand.Read(d.secret)
	return d.putRow(tx, bucketSecrets, suiteSecret, d.secret)
}

// SuiteSecret is for one purpose, the same for ever. Another purpose's tells nothing of it.
func (d *directory) SuiteSecret(purpose string) []byte {
	h := hmac.New(sha256.New, d.secret)
	h.Write([]byte("sampul/" + purpose))
	return h.Sum(nil)
}
