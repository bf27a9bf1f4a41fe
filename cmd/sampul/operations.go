package main

import (
	"context"
	"fmt"
	"maps"

	"sampul/store"
)

// Arguments of operations, as they go over the socket.
type (
	none        struct{}
	idArgs      struct{ ID string }
	accountArgs struct {
		Address, Kind, Role, Name string
		Quota                     int64
		Password                  string
	}
	passwordArgs struct {
		Address, Password string
		Keep              bool // the old ones stay too
	}
)

var roles = map[string]store.Role{
	"": store.RoleNone, "officer": store.RoleOfficer, "security": store.RoleSecurity, "admin": store.RoleAdmin,
}

// operations are all that the socket answers to.
var operations = joined(firstOperations, banOperations, routeOperations, keyOperations, queueOperations,
	incidentOperations, appOperations, usageOperations, runOperations, suppressionOperations, policyOperations)

// joined makes one table of those that stand in several files.
func joined(sets ...map[string]operation) map[string]operation {
	all := map[string]operation{}
	for _, s := range sets {
		maps.Copy(all, s)
	}
	return all
}

var firstOperations = map[string]operation{
	"agency.add": op(func(ctx context.Context, st store.Store, a store.Agency, _ func(any) error) error {
		return st.AddAgency(ctx, store.System, a)
	}),
	"agency.list": op(func(ctx context.Context, st store.Store, _ none, emit func(any) error) error {
		return eachOf(emit, st.Agencies)(ctx)
	}),
	"domain.add": op(func(ctx context.Context, st store.Store, d store.Domain, _ func(any) error) error {
		return st.AddDomain(ctx, store.System, d)
	}),
	"domain.list": op(func(ctx context.Context, st store.Store, _ none, emit func(any) error) error {
		return eachOf(emit, st.Domains)(ctx)
	}),
	"account.add": op(addAccount),
	"account.list": op(func(ctx context.Context, st store.Store, _ none, emit func(any) error) error {
		return eachOf(emit, st.Accounts)(ctx)
	}),
	"account.password": op(func(ctx context.Context, st store.Store, a passwordArgs, _ func(any) error) error {
		if a.Keep {
			return st.AddPassword(ctx, store.System, a.Address, a.Password)
		}
		return st.SetPassword(ctx, store.System, a.Address, a.Password)
	}),
	"alias.add": op(func(ctx context.Context, st store.Store, a store.Alias, _ func(any) error) error {
		return st.AddAlias(ctx, store.System, a)
	}),
	"alias.list": op(func(ctx context.Context, st store.Store, _ none, emit func(any) error) error {
		return eachOf(emit, st.Aliases)(ctx)
	}),
	"report.tlsrpt": op(reportTLS),
	"clock": op(func(ctx context.Context, _ store.Store, _ none, emit func(any) error) error {
		return emit(clockOf(ctx))
	}),
}

func each[T any](emit func(any) error, all []T, err error) error {
	for i := range all {
		if err == nil {
			err = emit(all[i])
		}
	}
	return err
}

// eachOf emits what the operator sees of a list.
func eachOf[T any](emit func(any) error, list func(context.Context, store.Actor) ([]T, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		all, err := list(ctx, store.System)
		return each(emit, all, err)
	}
}

func addAccount(ctx context.Context, st store.Store, a accountArgs, emit func(any) error) error {
	role, ok := roles[a.Role]
	if !ok {
		return usagef("role: officer, security or admin, not %q", a.Role)
	}
	if a.Quota < 0 {
		return usagef("quota: a number of octets, not %d", a.Quota)
	}
	acct, err := st.AddAccount(ctx, store.System, store.Account{
		Address: a.Address, Kind: store.Kind(a.Kind), Role: role, Name: a.Name, Quota: a.Quota,
	}, a.Password)
	if err != nil {
		return fmt.Errorf("account %s: %w", a.Address, err)
	}
	return emit(acct)
}
