// Package signing makes the DKIM keys of domains and carries out their plan.
//
// A pair is made, RSA and Ed25519 with one date in their selectors, and published: it does
// not sign yet. When it has been published for two days, so that no cache denies it any
// more, and DNS has its records, it signs in place of the old pair, whose records stay for
// a week, since mail under way is still to be verified. Then the old pair is gone. Only
// the very first pair of a domain signs at once: unsigned mail gains nothing by waiting.
//
// A plan is resumable: each step is one change of one key, decided from states and times
// that are stored, so that it does not matter when or how often it is taken.
package signing

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sampul/internal/dkim"
	"sampul/store"
)

// States of a key.
const (
	Published = "published"
	Active    = "active"
	Retired   = "retired"
)

// letters are what selectors of an algorithm end with.
var letters = []struct{ algorithm, letter string }{{dkim.RSA, "r"}, {dkim.Ed25519, "e"}}

// Add makes a pair of keys for a domain. Without a selector it is the month, and a number
// where that is taken; the letters r and e are added. The keys sign at once when the domain
// has none that does, and wait for the plan otherwise.
func Add(ctx context.Context, st store.Signing, by store.Actor, domain, selector string, now time.Time) ([]store.DKIMKey, error) {
	keys, err := st.DKIMKeys(ctx, by, domain)
	if err != nil {
		return nil, err
	}
	taken := func(s string) bool {
		return slices.ContainsFunc(keys, func(k store.DKIMKey) bool {
			return k.Selector == s+"r" || k.Selector == s+"e"
		})
	}
	switch {
	case selector == "":
		month := now.UTC().Format("200601")
		selector = month
		for n := 2; taken(selector); n++ {
			selector = fmt.Sprintf("%s-%d", month, n)
		}
	case taken(selector):
		return nil, fmt.Errorf("selector %s of %s: %w", selector, domain, store.ErrExists)
	}
	state := Active
	if has(keys, Active) {
		state = Published
	}
	var made []store.DKIMKey
	for _, l := range letters {
		k, err := newKey(domain, selector+l.letter, l.algorithm, state)
		if err == nil {
			err = st.PutDKIMKey(ctx, by, *k)
		}
		if err != nil {
			for _, k := range made { // half a pair would sign for ever beside the next one
				st.RemoveDKIMKey(ctx, by, k.Domain, k.Selector)
			}
			return nil, err
		}
		made = append(made, *k)
	}
	return list(ctx, st, by, domain, func(k store.DKIMKey) bool { return strings.HasPrefix(k.Selector, selector) && hasKey(made, k) })
}

func newKey(domain, selector, algorithm, state string) (*store.DKIMKey, error) {
	der, err := dkim.Generate(algorithm)
	if err != nil {
		return nil, err
	}
	k, err := dkim.NewKey(domain, selector, der)
	if err != nil {
		return nil, err
	}
	record, err := k.Record()
	if err != nil {
		return nil, err
	}
	return &store.DKIMKey{Domain: domain, Selector: selector, Algorithm: algorithm, State: state, Private: der, Record: record}, nil
}

// Rotate begins the plan: a new pair is published. One plan runs at a time.
func Rotate(ctx context.Context, st store.Signing, by store.Actor, domain string, now time.Time) ([]store.DKIMKey, error) {
	keys, err := st.DKIMKeys(ctx, by, domain)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.State == Published {
			return nil, fmt.Errorf("key %s of %s waits already to take over; `sampul dkim use %s` makes it sign at once: %w", k.Selector, domain, domain, store.ErrExists)
		}
	}
	if !has(keys, Active) {
		return nil, fmt.Errorf("%s has no key that signs; `sampul dkim add %s` makes the first: %w", domain, domain, store.ErrNotFound)
	}
	return Add(ctx, st, by, domain, "", now)
}

// Use makes the published keys of a domain sign at once, and retires those that did.
func Use(ctx context.Context, st store.Signing, by store.Actor, domain string) ([]store.DKIMKey, error) {
	keys, err := st.DKIMKeys(ctx, by, domain)
	if err != nil {
		return nil, err
	}
	if !has(keys, Published) {
		return nil, fmt.Errorf("%s has no published key that could take over: %w", domain, store.ErrNotFound)
	}
	for i, k := range keys {
		if k.State == Published && newest(keys, i, func(store.DKIMKey) bool { return true }) {
			if err := take(ctx, st, by, keys, k); err != nil {
				return nil, err
			}
		}
	}
	return list(ctx, st, by, domain, nil)
}

// RetireOld ends the use of the pair that signs, in favour of the published one.
func RetireOld(ctx context.Context, st store.Signing, by store.Actor, domain string) ([]store.DKIMKey, error) {
	keys, err := st.DKIMKeys(ctx, by, domain)
	switch {
	case err != nil:
		return nil, err
	case has(keys, Published):
		return Use(ctx, st, by, domain)
	case has(keys, Active):
		return nil, fmt.Errorf("no other pair of %s is published that could sign in place of the one that does; `sampul dkim rotate %s` makes it: %w",
			domain, domain, store.ErrExists)
	}
	return nil, fmt.Errorf("%s has no key that signs: %w", domain, store.ErrNotFound)
}

// newest says whether no other published key for the same use, of those that count, came
// later than keys[i]: of several only one is to sign.
func newest(keys []store.DKIMKey, i int, counts func(store.DKIMKey) bool) bool {
	for j, o := range keys {
		if j != i && o.Domain == keys[i].Domain && o.Algorithm == keys[i].Algorithm && o.State == Published && counts(o) &&
			(o.Changed.After(keys[i].Changed) || o.Changed.Equal(keys[i].Changed) && j > i) {
			return false
		}
	}
	return true
}

// take makes k sign, then retires those of its algorithm that did, and those that waited
// before it: there is no moment without a key. What is left of a step that was cut short
// does no harm: a second active key of an algorithm signs too.
func take(ctx context.Context, st store.Signing, by store.Actor, keys []store.DKIMKey, k store.DKIMKey) error {
	if err := state(ctx, st, by, k, Active); err != nil {
		return err
	}
	for _, old := range keys {
		waited := old.State == Published && !old.Changed.After(k.Changed)
		if old.Domain == k.Domain && (old.State == Active || waited) && old.Algorithm == k.Algorithm && old.Selector != k.Selector {
			if err := state(ctx, st, by, old, Retired); err != nil {
				return err
			}
		}
	}
	return nil
}

func state(ctx context.Context, st store.Signing, by store.Actor, k store.DKIMKey, to string) error {
	k.State = to
	return st.PutDKIMKey(ctx, by, k)
}

// Retire ends the use of one key: its record stays for a week. The last key that signs
// stays, since a domain whose mail was signed and is no more looks forged.
func Retire(ctx context.Context, st store.Signing, by store.Actor, domain, selector string) (*store.DKIMKey, error) {
	keys, err := st.DKIMKeys(ctx, by, domain)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(keys, func(k store.DKIMKey) bool { return k.Selector == selector })
	if i < 0 {
		return nil, fmt.Errorf("key %s of %s: %w", selector, domain, store.ErrNotFound)
	}
	k := keys[i]
	if k.State == Active {
		keys[i].State = Retired
		if !has(keys, Active) {
			return nil, fmt.Errorf("key %s is the last of %s that signs; `sampul dkim add %s` and `sampul dkim use %s` put others in its place: %w",
				selector, domain, domain, domain, store.ErrExists)
		}
	}
	if k.State != Retired {
		if err := state(ctx, st, by, k, Retired); err != nil {
			return nil, err
		}
	}
	out, err := list(ctx, st, by, domain, func(o store.DKIMKey) bool { return o.Selector == selector })
	if err != nil || len(out) == 0 {
		return nil, err
	}
	return &out[0], nil
}

func has(keys []store.DKIMKey, state string) bool {
	return slices.ContainsFunc(keys, func(k store.DKIMKey) bool { return k.State == state })
}

func hasKey(keys []store.DKIMKey, k store.DKIMKey) bool {
	return slices.ContainsFunc(keys, func(o store.DKIMKey) bool { return o.Selector == k.Selector })
}

// list gives keys as the store has them now.
func list(ctx context.Context, st store.Signing, by store.Actor, domain string, keep func(store.DKIMKey) bool) ([]store.DKIMKey, error) {
	keys, err := st.DKIMKeys(ctx, by, domain)
	if err != nil || keep == nil {
		return keys, err
	}
	return slices.DeleteFunc(keys, func(k store.DKIMKey) bool { return !keep(k) }), nil
}
