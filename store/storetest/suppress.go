package storetest

import (
	"errors"
	"testing"
	"time"

	"sampul/store"
)

func suppressionsHold(t *testing.T, r *rig) {
	a, b := r.application("notis@agensi-a.test"), r.application("lain@agensi-a.test")
	a, err := r.step(store.System, a, store.AppRequested)
	r.ok(err)
	b, err = r.step(store.System, b, store.AppRequested)
	r.ok(err)
	r.ok(r.AddSuppressions(ctx, store.System, []store.Suppression{
		{Sender: a.Address, Address: "Tiada@luar.test", Kind: store.SuppressHard, Code: 550, Status: "5.1.1"},
		{Sender: a.Address, Address: "lama@luar.test", Until: time.Now().Add(-time.Hour)},
		{Agency: "agensi-a", Address: "semua@luar.test"},
	}))
	r.restart()
	for _, c := range []struct {
		app     store.App
		address string
		want    bool
	}{{a, "tiada@LUAR.test", true}, {b, "tiada@luar.test", false}, {a, "lama@luar.test", false}, {a, "semua@luar.test", true}, {b, "semua@luar.test", true}, {a, "x@luar.test", false}} {
		s, err := r.Suppressed(ctx, c.app.Account, c.app.Agency, c.address)
		r.ok(err)
		if (s != nil) != c.want {
			t.Errorf("%s to %s: %+v", c.app.Address, c.address, s)
		}
	}
	all, err := r.Suppressions(ctx, administrator, store.SuppressionFilter{App: a.Address})
	r.ok(err)
	if len(all) != 2 || all[1].Code != 550 || all[1].Sender != a.Address {
		t.Errorf("%+v", all)
	}
	other := store.Actor{Agency: "agensi-b", Role: store.RoleAdmin}
	if _, err := r.Suppressions(ctx, other, store.SuppressionFilter{App: a.Address}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another agency lists them: %v", err)
	}
	if all, err := r.Suppressions(ctx, other, store.SuppressionFilter{}); err != nil || len(all) != 0 {
		t.Errorf("another agency lists %+v, %v", all, err)
	}
	if err := r.AddSuppressions(ctx, administrator, []store.Suppression{{Sender: a.Address, Address: "baik@luar.test"}, {Sender: a.Address, Address: "bukan alamat"}}); !errors.Is(err, store.ErrName) {
		t.Errorf("a line that is no address: %v", err)
	}
	if s, err := r.Suppressed(ctx, a.Account, a.Agency, "baik@luar.test"); s != nil || err != nil {
		t.Errorf("half of a list was kept: %+v, %v", s, err)
	}
	r.ok(r.RemoveSuppression(ctx, administrator, a.Address, "", "tiada@luar.test"))
	if err := r.RemoveSuppression(ctx, administrator, a.Address, "", "tiada@luar.test"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}
