package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sampul/store"
)

// Pages of a list follow one another over applications, each suppression once.
func suppressionsInPages(t *testing.T, r *rig) {
	a, b := r.application("notis@agensi-a.test"), r.application("lain@agensi-a.test")
	a, err := r.step(store.System, a, store.AppRequested)
	r.ok(err)
	b, err = r.step(store.System, b, store.AppRequested)
	r.ok(err)
	var add []store.Suppression
	for i := range 25 {
		for _, s := range []store.Suppression{{Sender: a.Address}, {Sender: b.Address}, {Agency: "agensi-a"}} {
			s.Address = fmt.Sprintf("orang%02d@luar.test", i)
			add = append(add, s)
		}
	}
	r.ok(r.AddSuppressions(ctx, store.System, add))
	for _, f := range []store.SuppressionFilter{{}, {Agency: "agensi-a"}, {App: b.Address}} {
		want := 75
		if f.App != "" {
			want = 25
		}
		var got []string
		f.Max = 7
		for {
			page, err := r.Suppressions(ctx, administrator, f)
			r.ok(err)
			if len(page) == 0 {
				break
			}
			for i := range page {
				got = append(got, page[i].Position())
			}
			f.After = page[len(page)-1].Position()
		}
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != want || len(got) != want {
			t.Errorf("%+v: %d of %d in pages, sorted %t", f, len(got), want, slices.IsSorted(got))
		}
	}
	if _, err := r.Suppressions(ctx, administrator, store.SuppressionFilter{After: "tiada"}); err == nil {
		t.Error("a position that is none was taken")
	}
}

func bouncesSuppress(t *testing.T, r *rig) {
	a := r.application("notis@agensi-a.test")
	a, err := r.step(store.System, a, store.AppRequested)
	r.ok(err)
	rule := store.SoftRule{Times: 3, Within: 7 * 24 * time.Hour, For: 7 * 24 * time.Hour}
	year := time.Now().Add(365 * 24 * time.Hour)
	note := func(kind, address string, until time.Time) []store.Suppression {
		t.Helper()
		made, err := r.NoteBounces(ctx, []store.Suppression{{App: a.Account, Address: address, Kind: kind, Code: 550, Until: until}}, rule)
		r.ok(err)
		return made
	}
	held := func(address string) *store.Suppression {
		t.Helper()
		s, err := r.Suppressed(ctx, a.Account, a.Agency, address)
		r.ok(err)
		return s
	}
	if made := note(store.SuppressHard, "Tiada@luar.test", year); len(made) != 1 || made[0].Sender != a.Address || made[0].Address != "tiada@luar.test" {
		t.Errorf("hard: %+v", made)
	}
	if s := held("tiada@luar.test"); s == nil || s.Kind != store.SuppressHard || s.App != a.Account {
		t.Errorf("hard: %+v", s)
	}
	for i := range 3 {
		if s := held("penuh@luar.test"); s != nil {
			t.Errorf("suppressed after %d failures that may pass: %+v", i, s)
		}
		if i == 2 {
			r.restart()
		}
		if made := note(store.SuppressSoft, "penuh@luar.test", time.Time{}); (len(made) == 1) != (i == 2) {
			t.Errorf("failure %d: %+v", i+1, made)
		}
	}
	if s := held("penuh@luar.test"); s == nil || s.Kind != store.SuppressSoft || time.Until(s.Until) < 6*24*time.Hour {
		t.Errorf("soft: %+v", s)
	}
	for range 3 {
		note(store.SuppressSoft, "tiada@luar.test", time.Time{})
	}
	if s := held("tiada@luar.test"); s == nil || s.Kind != store.SuppressHard {
		t.Errorf("what holds longer was replaced: %+v", s)
	}
	r.ok(r.RemoveSuppression(ctx, administrator, a.Address, "", "penuh@luar.test"))
	if made := note(store.SuppressSoft, "penuh@luar.test", time.Time{}); len(made) != 0 || held("penuh@luar.test") != nil {
		t.Errorf("old failures count after a removal: %+v", made)
	}
	made, err := r.NoteBounces(ctx, []store.Suppression{{App: 1 << 40, Address: "a@luar.test", Kind: store.SuppressHard}, {App: a.Account, Address: "bukan", Kind: store.SuppressHard}}, rule)
	r.ok(err)
	if len(made) != 0 {
		t.Errorf("made for nobody: %+v", made)
	}
}
