package smtpin

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync"
	"time"

	"sampul/internal/guard"
	"sampul/store"
)

// Outgoing bounds what one account sends: a stolen password is used for thousands of
// messages to people the officer never wrote to. Applications have quotas of their own.
// Zero values bound nothing.
type Outgoing struct {
	Hour, Day                     int // messages
	RecipientsHour, RecipientsDay int // recipients that the account has not written to lately
}

// DefaultOutgoing fits an officer who writes much.
var DefaultOutgoing = Outgoing{Hour: 300, Day: 2000, RecipientsHour: 500, RecipientsDay: 2000}

// outgoing counts by account.
type outgoing struct {
	o    Outgoing
	deps DefenceDeps
	log  *slog.Logger
	seed maphash.Seed

	hour, day, newHour, newDay *guard.Rates[store.AccountID]

	holding sync.Mutex // one at a time is held, so that it happens once

	mu    sync.Mutex
	knows map[store.AccountID]*acquaintances
	all   int // addresses in knows
}

// acquaintances are the addresses an account wrote to, as hashes, the oldest forgotten.
type acquaintances struct {
	known map[uint64]struct{}
	ring  []uint64
	next  int
}

const (
	maxKnown = 4000      // addresses of one account
	maxAll   = 1_000_000 // of all accounts: some 40 MB
)

func newOutgoing(o Outgoing, deps DefenceDeps) *outgoing {
	rate := func(n int, per time.Duration) *guard.Rates[store.AccountID] {
		return guard.NewRates[store.AccountID](deps.Clock, guard.Rate{Max: n, Per: per})
	}
	return &outgoing{
		o: o, deps: deps, log: deps.Log, seed: maphash.MakeSeed(),
		hour: rate(o.Hour, time.Hour), day: rate(o.Day, 24*time.Hour),
		newHour: rate(o.RecipientsHour, time.Hour), newDay: rate(o.RecipientsDay, 24*time.Hour),
		knows: map[store.AccountID]*acquaintances{},
	}
}

// recipient counts an address that is new to the account.
func (g *outgoing) recipient(ctx context.Context, a *store.Account, address string) error {
	if a.Kind == store.Application || g.o.RecipientsHour == 0 && g.o.RecipientsDay == 0 {
		return nil
	}
	if !g.isNew(a.ID, address) {
		return nil
	}
	if !g.newHour.Add(a.ID, 1) {
		return g.cross(ctx, a, fmt.Sprintf("more than %d new recipients in an hour", g.o.RecipientsHour))
	}
	if !g.newDay.Add(a.ID, 1) {
		return g.cross(ctx, a, fmt.Sprintf("more than %d new recipients in a day", g.o.RecipientsDay))
	}
	return nil
}

// message counts a message that is about to be accepted.
func (g *outgoing) message(ctx context.Context, a *store.Account) error {
	if a.Kind == store.Application {
		return nil
	}
	if !g.hour.Add(a.ID, 1) {
		return g.cross(ctx, a, fmt.Sprintf("more than %d messages in an hour", g.o.Hour))
	}
	if !g.day.Add(a.ID, 1) {
		return g.cross(ctx, a, fmt.Sprintf("more than %d messages in a day", g.o.Day))
	}
	return nil
}

// ErrAlreadyHeld is what HoldAccount says of an account that another session had held just
// before: its administrators know.
var ErrAlreadyHeld = errors.New("the account is held already")

// cross holds the account. Where that cannot be done the client waits, and comes again.
func (g *outgoing) cross(ctx context.Context, a *store.Account, why string) error {
	if g.deps.HoldAccount == nil {
		g.log.Warn("account passes its limits", "account", a.Address, "why", why)
		return reply(450, "4.7.1", "this account has sent too much: "+why)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	g.holding.Lock()
	defer g.holding.Unlock()
	held := reply(550, "5.7.1", "this account is held, ask your administrator: "+why)
	err := g.deps.HoldAccount(ctx, a.ID, why)
	if errors.Is(err, ErrAlreadyHeld) {
		return held
	}
	g.log.Warn("account passes its limits", "account", a.Address, "why", why)
	if err != nil {
		return &Reply{450, "4.7.1", "this account has sent too much: " + why, err}
	}
	// Released, it begins anew: the administrator has looked.
	g.hour.Forget(a.ID)
	g.day.Forget(a.ID)
	g.newHour.Forget(a.ID)
	g.newDay.Forget(a.ID)
	if g.deps.Notify != nil {
		g.deps.Notify(ctx, a, why)
	}
	return held
}

// isNew says whether the account has not written to the address lately, and notes it.
func (g *outgoing) isNew(id store.AccountID, address string) bool {
	h := maphash.String(g.seed, strings.ToLower(address))
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.knows[id]
	if k == nil {
		k = &acquaintances{known: map[uint64]struct{}{}}
		g.knows[id] = k
	}
	if _, old := k.known[h]; old {
		return false
	}
	if len(k.ring) < maxKnown {
		g.room(id)
		g.all++
		k.known[h] = struct{}{}
		k.ring = append(k.ring, h)
		return true
	}
	k.known[h] = struct{}{}
	delete(k.known, k.ring[k.next])
	k.ring[k.next] = h
	k.next = (k.next + 1) % maxKnown
	return true
}

// room forgets the addresses of other accounts, any of them, when there are too many.
func (g *outgoing) room(id store.AccountID) {
	for other, k := range g.knows {
		if g.all < maxAll {
			return
		}
		if other != id {
			g.all -= len(k.ring)
			delete(g.knows, other)
		}
	}
}
