package bolt_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"sampul/store"
	"sampul/store/bolt"
)

// The end of an alias is the first instant at which it means nobody.
func TestAliasEndsOnTheInstant(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	end := time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)
	var now atomic.Int64 // of the engine's own goroutines too
	now.Store(end.Add(-time.Hour).UnixNano())
	e, err := bolt.Open(ctx, bolt.Options{Dir: dir, KeyFile: keyFile(t, dir), Reserve: 1, Clock: func() time.Time { return time.Unix(0, now.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, err := range []error{
		e.AddAgency(ctx, store.System, store.Agency{Name: "a"}),
		e.AddDomain(ctx, store.System, store.Domain{Name: "a.test", Agency: "a"}),
		second(e.AddAccount(ctx, store.System, store.Account{Address: "p@a.test"}, "")),
		e.AddAlias(ctx, store.System, store.Alias{Address: "pinjaman@a.test", Target: "p@a.test", Until: end}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		at   time.Time
		here bool
	}{{end.Add(-1), true}, {end, false}, {end.Add(1), false}} {
		now.Store(c.at.UnixNano())
		r, err := e.Resolve(ctx, "pinjaman@a.test")
		if err != nil || (r.Account != nil) != c.here {
			t.Errorf("at %v: %+v, %v", c.at, r.Account, err)
		}
	}
}

func second(_ *store.Account, err error) error { return err }
