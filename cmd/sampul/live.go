package main

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"sampul/internal/guard"
	"sampul/mta"
	"sampul/mta/tlsrpt"
	"sampul/store"
)

// A liveSuite is what operations can ask of a suite that runs, beyond its store.
type liveSuite interface {
	TLSReport(domain string, day time.Time) *tlsrpt.Report
	Release(ctx context.Context, id string) error // from quarantine
	Bans() []guard.Ban
	Unban(n netip.Prefix) int
	Trying() map[string][]string // queue IDs and recipients that are being delivered at this moment
	Backlogs() map[string]mta.Backlog
	Now() time.Time                      // on the suite's clock
	KeepUsage(ctx context.Context) error // what applications did until now is in the store then
	QuotaUsed(ctx context.Context, app *store.App, window string) (used uint64, opens time.Time, err error)
}

type liveKey struct{}

// withLive lets operations under ctx ask the running suite.
func withLive(ctx context.Context, l liveSuite) context.Context {
	return context.WithValue(ctx, liveKey{}, l)
}

// live is the running suite, nil while a command works on the data directory itself.
func live(ctx context.Context) liveSuite {
	l, _ := ctx.Value(liveKey{}).(liveSuite)
	return l
}

// errNotRunning is for what needs a running suite.
var errNotRunning = &fault{5, "unreachable", errors.New("this needs the running server: start it, then try again")}
