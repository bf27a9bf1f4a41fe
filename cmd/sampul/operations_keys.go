package main

import (
	"context"

	"sampul/mta/signing"
	"sampul/store"
)

// Arguments of the operations on signing keys and DNS records.
type (
	keyArgs struct{ Domain, Selector string }
	dnsArgs struct {
		Domain, Reports, DMARC string
		Check                  bool
		Resolver               string // "" is the configured one
	}
)

var keyOperations = map[string]operation{
	"dkim.list": op(func(ctx context.Context, st store.Store, a keyArgs, emit func(any) error) error {
		keys, err := st.DKIMKeys(ctx, store.System, a.Domain)
		return each(emit, keys, err)
	}),
	"dkim.add": changed(func(ctx context.Context, st store.Store, a keyArgs, emit func(any) error) error {
		keys, err := signing.Add(ctx, st, store.System, a.Domain, a.Selector, clockOf(ctx))
		return each(emit, keys, err)
	}),
	"dkim.rotate": changed(func(ctx context.Context, st store.Store, a keyArgs, emit func(any) error) error {
		keys, err := signing.Rotate(ctx, st, store.System, a.Domain, clockOf(ctx))
		return each(emit, keys, err)
	}),
	"dkim.use": changed(func(ctx context.Context, st store.Store, a keyArgs, emit func(any) error) error {
		keys, err := signing.Use(ctx, st, store.System, a.Domain)
		return each(emit, keys, err)
	}),
	"dkim.retire": changed(func(ctx context.Context, st store.Store, a keyArgs, emit func(any) error) error {
		if a.Selector == "" {
			keys, err := signing.RetireOld(ctx, st, store.System, a.Domain)
			return each(emit, keys, err)
		}
		k, err := signing.Retire(ctx, st, store.System, a.Domain, a.Selector)
		if err != nil {
			return err
		}
		return emit(k)
	}),
	"domain.dns": op(domainDNS),
}

// keyPlan is what the suite does with signing keys by itself.
func (s *suite) keyPlan() *signing.Plan {
	p := &signing.Plan{Store: s.store, Clock: s.clock, Log: s.log}
	if s.mail.resolver.On() {
		p.Resolver = s.mail.resolver
	}
	return p
}
