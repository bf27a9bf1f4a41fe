package bolt_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"sampul/store"
)

// BenchmarkSuppressed is what each RCPT of an application asks, with 100,000 suppressions,
// or as many as COUNT says.
func BenchmarkSuppressed(b *testing.B) {
	count := 100_000
	if n, err := strconv.Atoi(os.Getenv("COUNT")); err == nil {
		count = n
	}
	ctx, dir := context.Background(), b.TempDir()
	e := open(b, dir)
	ok := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	ok(e.AddAgency(ctx, store.System, store.Agency{Name: "agensi-a"}))
	ok(e.AddDomain(ctx, store.System, store.Domain{Name: "agensi-a.test", Agency: "agensi-a"}))
	app, err := e.AddAccount(ctx, store.System, store.Account{Address: "notis@agensi-a.test", Kind: store.Application}, "")
	ok(err)
	added := time.Now()
	for n := 0; n < count; {
		all := make([]store.Suppression, min(store.MaxSuppressions, count-n))
		for i := range all {
			all[i] = store.Suppression{Sender: app.Address, Address: fmt.Sprintf("orang%d@luar.test", n+i), Kind: store.SuppressHard, Reason: "user unknown"}
		}
		ok(e.AddSuppressions(ctx, store.System, all))
		n += len(all)
	}
	b.Logf("%d added in %s", count, time.Since(added))
	ok(e.Close())
	opened := time.Now()
	e = open(b, dir)
	b.Logf("opened in %s", time.Since(opened))
	defer e.Close()
	for _, c := range []struct{ name, address string }{{"not", "baik@luar.test"}, {"suppressed", "orang77@luar.test"}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if s, err := e.Suppressed(ctx, app.ID, "agensi-a", c.address); err != nil || (s != nil) != (c.name == "suppressed") {
					b.Fatal(s, err)
				}
			}
		})
	}
}
