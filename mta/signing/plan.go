package signing

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sampul/internal/dkim"
	"sampul/store"
)

// Times of the plan.
const (
	Wait  = 48 * time.Hour     // published, before a key signs: no cache denies it then
	Keep  = 7 * 24 * time.Hour // retired, before a key is gone: mail waits so long in queues
	every = time.Hour
)

// A Plan takes each key to its next state when its time has come.
type Plan struct {
	Store    store.Signing
	Resolver dkim.Resolver // nil: nothing can be seen, so that no key takes over by itself
	Clock    func() time.Time
	Log      *slog.Logger
}

// A Change is one step that was taken.
type Change struct {
	Domain, Selector string
	State            string // the new one, "" when the key is gone
}

// Run takes the steps once an hour until ctx is over. What cannot be done now is tried in
// an hour again.
func (p *Plan) Run(ctx context.Context) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if _, err := p.Advance(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("DKIM keys: a step was not taken; it is tried again in an hour", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Advance takes all steps whose time has come. An error at one domain does not keep the
// others from theirs.
func (p *Plan) Advance(ctx context.Context) ([]Change, error) {
	keys, err := p.Store.DKIMKeys(ctx, store.System, "")
	if err != nil {
		return nil, err
	}
	var changes []Change
	var errs []error
	for i, k := range keys {
		var err error
		switch {
		case k.State == Published && p.due(k):
			if !newest(keys, i, p.due) || !p.seen(ctx, k) {
				continue
			}
			if err = take(ctx, p.Store, store.System, keys, k); err == nil {
				changes = append(changes, Change{k.Domain, k.Selector, Active})
				p.Log.Info("a DKIM key signs from now on", "domain", k.Domain, "selector", k.Selector)
			}
		case k.State == Retired && p.Clock().Sub(k.Changed) >= Keep:
			if err = p.Store.RemoveDKIMKey(ctx, store.System, k.Domain, k.Selector); err == nil {
				changes = append(changes, Change{k.Domain, k.Selector, ""})
				p.Log.Info("a DKIM key is gone: its record may be taken out of DNS", "domain", k.Domain, "selector", k.Selector)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("key %s of %s: %w", k.Selector, k.Domain, err))
		}
	}
	return changes, errors.Join(errs...)
}

// due says whether a published key has waited long enough.
func (p *Plan) due(k store.DKIMKey) bool { return p.Clock().Sub(k.Changed) >= Wait }

// seen says whether DNS has the record of the key.
func (p *Plan) seen(ctx context.Context, k store.DKIMKey) bool {
	if p.Resolver == nil {
		return false
	}
	name := k.Selector + "._domainkey." + k.Domain
	txts, _, err := p.Resolver.TXT(ctx, name)
	for _, txt := range txts {
		if SameKey(txt, k.Record) {
			return true
		}
	}
	p.Log.Warn("a DKIM key waits for its record in DNS: see `sampul domain dns`", "domain", k.Domain, "name", name, "err", err)
	return false
}

// SameKey says whether two records hold the same key, whatever else they say.
func SameKey(a, b string) bool {
	x, err := dkim.ParseKeyRecord(a)
	if err != nil {
		return false
	}
	y, err := dkim.ParseKeyRecord(b)
	if err != nil {
		return false
	}
	pub, ok := x.Public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && pub.Equal(y.Public)
}
