package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"sampul/relay"
	"sampul/store"
)

// appArgs name an application and what changes; nil stays.
type appArgs struct {
	Address  string
	Owner    *string
	Ref      *string
	Name     *string
	Until    *time.Time
	Password string // of an application that has none yet
	State    string
	Why      string
	Reason   string
	Terms    *termsArgs
}

// termsArgs are terms that change.
type termsArgs struct {
	Senders, Networks, Certificates *[]string
	Reach, Hours, Over              *string
	MaxSize                         *int64
	Burst, Warn, RahsiaLimit        *int
	Unsubscribe, VolumeHold         *bool
	Quota                           map[string]uint64 // relay.NoLimit takes one away
}

func (t *termsArgs) apply(to *store.AppTerms) error {
	if t == nil {
		return nil
	}
	set(&to.Senders, t.Senders)
	set(&to.Networks, t.Networks)
	set(&to.Certificates, t.Certificates)
	set(&to.Reach, t.Reach)
	set(&to.Hours, t.Hours)
	set(&to.Over, t.Over)
	set(&to.MaxSize, t.MaxSize)
	set(&to.Burst, t.Burst)
	set(&to.Warn, t.Warn)
	set(&to.RahsiaLimit, t.RahsiaLimit)
	set(&to.Unsubscribe, t.Unsubscribe)
	set(&to.VolumeHold, t.VolumeHold)
	to.Quota = maps.Clone(to.Quota)
	for w, n := range t.Quota {
		if to.Quota == nil {
			to.Quota = map[string]uint64{}
		}
		if to.Quota[w] = n; n == relay.NoLimit {
			delete(to.Quota, w)
		}
	}
	if err := relay.CheckTerms(to); err != nil {
		return usage(err)
	}
	return nil
}

var appOperations = map[string]operation{
	"app.request": op(func(ctx context.Context, st store.Store, a appArgs, emit func(any) error) error {
		app, err := requestApp(ctx, st, &a)
		return oneOf(emit, app, err)
	}),
	"app.approve": op(func(ctx context.Context, st store.Store, a appArgs, emit func(any) error) error {
		app, err := approveApp(ctx, st, &a)
		return oneOf(emit, app, err)
	}),
	"app.renew": op(func(ctx context.Context, st store.Store, a appArgs, emit func(any) error) error {
		app, err := renewApp(ctx, st, &a)
		return oneOf(emit, app, err)
	}),
	"app.change": op(func(ctx context.Context, st store.Store, a appArgs, emit func(any) error) error {
		app, err := changeApp(ctx, st, &a)
		return oneOf(emit, app, err)
	}),
	"app.list": op(func(ctx context.Context, st store.Store, _ none, emit func(any) error) error {
		return eachOf(emit, st.Apps)(ctx)
	}),
	"app.show": op(func(ctx context.Context, st store.Store, a nameArgs, emit func(any) error) error {
		app, err := st.AppNamed(ctx, store.System, a.Name)
		return oneOf(emit, app, err)
	}),
	"app.history": op(func(ctx context.Context, st store.Store, a nameArgs, emit func(any) error) error {
		all, err := st.AppHistory(ctx, store.System, a.Name)
		return each(emit, all, err)
	}),
}

// requestApp makes the account where there is none, and asks for approval.
func requestApp(ctx context.Context, st store.Store, a *appArgs) (*store.App, error) {
	if a.Owner == nil || *a.Owner == "" {
		return nil, usagef("an owner is needed, who answers for the application")
	}
	r, err := st.Resolve(ctx, a.Address)
	if err != nil {
		return nil, err
	}
	if !r.Local {
		return nil, fmt.Errorf("application %s: its domain is not here: %w", a.Address, store.ErrNotFound)
	}
	if r.Account == nil {
		if _, err := st.AddAccount(ctx, store.System, store.Account{Address: a.Address, Kind: store.Application}, ""); err != nil {
			return nil, fmt.Errorf("application %s: %w", a.Address, err)
		}
	} else if _, err := st.AppNamed(ctx, store.System, a.Address); err == nil {
		return nil, fmt.Errorf("application %s: %w", a.Address, store.ErrExists)
	}
	app := store.App{Address: a.Address, State: store.AppRequested, AppTerms: st.AppDefaults(r.Agency)}
	set(&app.Owner, a.Owner)
	set(&app.Ref, a.Ref)
	set(&app.Name, a.Name)
	if err := a.Terms.apply(&app.AppTerms); err != nil {
		return nil, err
	}
	return st.PutApp(ctx, store.System, app, a.Reason)
}

// approveApp approves, for a year unless another end is given, and makes it active with its
// first password.
func approveApp(ctx context.Context, st store.Store, a *appArgs) (*store.App, error) {
	app, err := st.AppNamed(ctx, store.System, a.Address)
	if err != nil {
		return nil, err
	}
	if app.Until, err = a.until(clockOf(ctx)); err != nil {
		return nil, err
	}
	if err := a.Terms.apply(&app.AppTerms); err != nil {
		return nil, err
	}
	app.State = store.AppApproved
	if app, err = st.PutApp(ctx, store.System, *app, a.Reason); err != nil {
		return nil, err
	}
	if a.Password != "" {
		if err := st.SetPassword(ctx, store.System, app.Address, a.Password); err != nil {
			return nil, err
		}
	}
	app.State = store.AppActive
	return st.PutApp(ctx, store.System, *app, a.Reason)
}

// changeApp changes terms or the state.
func changeApp(ctx context.Context, st store.Store, a *appArgs) (*store.App, error) {
	app, err := st.AppNamed(ctx, store.System, a.Address)
	if err != nil {
		return nil, err
	}
	set(&app.Owner, a.Owner)
	set(&app.Ref, a.Ref)
	set(&app.Name, a.Name)
	if err := a.Terms.apply(&app.AppTerms); err != nil {
		return nil, err
	}
	if a.State != "" {
		app.State, app.Why = a.State, a.Why
	}
	out, err := st.PutApp(ctx, actor(ctx), *app, a.Reason)
	if errors.Is(err, store.ErrName) {
		return nil, usage(err)
	}
	return out, err
}

// until is the end that was asked for, or a year from now.
func (a *appArgs) until(now time.Time) (time.Time, error) {
	if a.Until == nil {
		return now.Add(store.AppTerm), nil
	}
	if !a.Until.After(now) {
		return time.Time{}, usagef("--until: %s has passed already", a.Until.Format(dayForm))
	}
	return *a.Until, nil
}

// renewApp approves what is approved for another year.
func renewApp(ctx context.Context, st store.Store, a *appArgs) (*store.App, error) {
	app, err := st.AppNamed(ctx, store.System, a.Address)
	if err != nil {
		return nil, err
	}
	if app.State != store.AppActive && app.State != store.AppSuspended && app.State != store.AppApproved {
		return nil, fmt.Errorf("application %s is %s, and cannot be renewed: %w", app.Address, app.State, store.ErrExists)
	}
	if app.Until, err = a.until(clockOf(ctx)); err != nil {
		return nil, err
	}
	return st.PutApp(ctx, store.System, *app, a.Reason)
}
