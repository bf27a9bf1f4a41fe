package storetest

import (
	"errors"
	"fmt"
	"testing"

	"sampul/store"
)

func loginsChecked(t *testing.T, r *rig) {
	r.ok(r.SetPassword(ctx, store.System, r.satu.Address, "lama sekali"))
	a, err := r.Login(ctx, "PEGAWAI1@Agensi-A.test", "lama sekali")
	r.ok(err)
	if a.ID != r.satu.ID {
		t.Errorf("account %d logged in as %d", r.satu.ID, a.ID)
	}
	for _, bad := range [][2]string{
		{r.satu.Address, "lama sekal"}, {r.satu.Address, ""}, {r.dua.Address, "lama sekali"}, {r.dua.Address, ""},
		{"tiada@agensi-a.test", "lama sekali"}, {"", "lama sekali"}, {"pegawai1+tag@agensi-a.test", "lama sekali"},
	} {
		if _, err := r.Login(ctx, bad[0], bad[1]); !errors.Is(err, store.ErrBadPassword) {
			t.Errorf("login %q with %q: %v", bad[0], bad[1], err)
		}
	}
	r.ok(r.AddPassword(ctx, store.System, r.satu.Address, "baharu sekali"))
	for _, p := range []string{"lama sekali", "baharu sekali"} {
		if _, err := r.Login(ctx, r.satu.Address, p); err != nil {
			t.Errorf("during rotation %q: %v", p, err)
		}
	}
	r.ok(r.SetPassword(ctx, store.System, r.satu.Address, "baharu sekali"))
	if _, err := r.Login(ctx, r.satu.Address, "lama sekali"); !errors.Is(err, store.ErrBadPassword) {
		t.Errorf("the old password after the change: %v", err)
	}
	r.restart()
	if _, err := r.Login(ctx, r.satu.Address, "baharu sekali"); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

func scramHidesWhoExists(t *testing.T, r *rig) {
	r.ok(r.SetPassword(ctx, store.System, r.satu.Address, "rahsia dapur"))
	_, known, err := r.ScramKeys(ctx, r.satu.Address)
	r.ok(err)
	a, first, err := r.ScramKeys(ctx, "tiada@agensi-a.test")
	if err != nil || a != nil {
		t.Fatalf("keys of nobody: account %v, %v", a, err)
	}
	_, again, err := r.ScramKeys(ctx, "tiada@agensi-a.test")
	r.ok(err)
	if string(first.Salt) != string(again.Salt) || len(first.Salt) != len(known.Salt) || first.Iterations != known.Iterations {
		t.Error("the keys of nobody can be told from those of somebody")
	}
}

func addressesResolve(t *testing.T, r *rig) {
	r.ok(r.AddAlias(ctx, store.System, store.Alias{Address: "aduan@agensi-a.test", Target: r.satu.Address}))
	r.ok(r.AddAlias(ctx, store.System, store.Alias{Address: "bantuan@agensi-a.test", Target: "aduan@agensi-a.test"}))
	for _, c := range []struct {
		address string
		local   bool
		account store.AccountID
		detail  string
	}{
		{"pegawai1@agensi-a.test", true, r.satu.ID, ""},
		{"Pegawai1@AGENSI-A.TEST", true, r.satu.ID, ""},
		{"pegawai1+bil@agensi-a.test", true, r.satu.ID, "bil"},
		{"aduan@agensi-a.test", true, r.satu.ID, ""},
		{"bantuan+x@agensi-a.test", true, r.satu.ID, "x"},
		{"tiada@agensi-a.test", true, 0, ""},
		{"orang@luar.test", false, 0, ""},
		{"pegawai1@sub.agensi-a.test", false, 0, ""},
	} {
		got, err := r.Resolve(ctx, c.address)
		r.ok(err)
		id := store.AccountID(0)
		if got.Account != nil {
			id = got.Account.ID
		}
		if got.Local != c.local || id != c.account || got.Detail != c.detail && id != 0 {
			t.Errorf("%s: %+v", c.address, got)
		}
	}
	for address, want := range map[string]bool{
		"pegawai1@agensi-a.test": true, "pegawai1+a@agensi-a.test": true, "aduan@agensi-a.test": true,
		"pegawai2@agensi-a.test": false, "pegawai1@agensi-b.test": false, "orang@luar.test": false, "": false,
	} {
		if got, err := r.Owns(ctx, r.satu.ID, address); err != nil || got != want {
			t.Errorf("owns %q: %v, %v", address, got, err)
		}
	}
}

func directoryGuarded(t *testing.T, r *rig) {
	admin := store.Actor{Agency: "agensi-a", Role: store.RoleAdmin}
	if _, err := r.AddAccount(ctx, admin, store.Account{Address: "pegawai3@agensi-a.test"}, ""); err != nil {
		t.Errorf("an administrator in the own agency: %v", err)
	}
	for what, err := range map[string]error{
		"account of another agency": second(r.AddAccount(ctx, admin, store.Account{Address: "pegawai3@agensi-b.test"}, "")),
		"a new agency":              r.AddAgency(ctx, admin, store.Agency{Name: "agensi-c"}),
		"a new domain":              r.AddDomain(ctx, admin, store.Domain{Name: "c.test", Agency: "agensi-a"}),
		"another's password":        r.SetPassword(ctx, admin, r.lain.Address, "x y z"),
		"an alias elsewhere":        r.AddAlias(ctx, admin, store.Alias{Address: "a@agensi-b.test", Target: r.lain.Address}),
		"an officer adds":           second(r.AddAccount(ctx, as(r.satu), store.Account{Address: "z@agensi-a.test"}, "")),
	} {
		if !errors.Is(err, store.ErrForbidden) {
			t.Errorf("%s: %v", what, err)
		}
	}
	accounts, err := r.Accounts(ctx, admin)
	r.ok(err)
	for _, a := range accounts {
		if a.Agency != "agensi-a" {
			t.Errorf("an administrator of agensi-a sees %s", a.Address)
		}
	}
	for what, err := range map[string]error{
		"taken address":  second(r.AddAccount(ctx, store.System, store.Account{Address: "PEGAWAI1@agensi-a.test"}, "")),
		"taken by alias": r.AddAlias(ctx, store.System, store.Alias{Address: "pegawai1@agensi-a.test", Target: r.dua.Address}),
		"taken agency":   r.AddAgency(ctx, store.System, store.Agency{Name: "agensi-a"}),
		"taken domain":   r.AddDomain(ctx, store.System, store.Domain{Name: "AGENSI-A.test", Agency: "agensi-b"}),
	} {
		if !errors.Is(err, store.ErrExists) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := r.AddAccount(ctx, store.System, store.Account{Address: "a@luar.test"}, ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an account in a domain that nobody has: %v", err)
	}
}

func second(_ *store.Account, err error) error { return err }

func accountsTogether(t *testing.T, r *rig) {
	var many []store.Account
	for i := range 300 {
		many = append(many, store.Account{Address: fmt.Sprintf("officer%04d@agensi-a.test", i)})
	}
	got, err := r.AddAccounts(ctx, store.System, many, "kata laluan")
	r.ok(err)
	if len(got) != len(many) {
		t.Fatalf("%d accounts of %d", len(got), len(many))
	}
	if _, err := r.AddAccounts(ctx, store.System, []store.Account{{Address: "baharu@agensi-a.test"}, many[7]}, ""); !errors.Is(err, store.ErrExists) {
		t.Errorf("one of several is taken: %v", err)
	}
	if res, err := r.Resolve(ctx, "baharu@agensi-a.test"); err != nil || res.Account != nil {
		t.Errorf("some of a refused set were kept: %+v, %v", res, err)
	}
	r.restart()
	a, err := r.Login(ctx, "officer0299@agensi-a.test", "kata laluan")
	r.ok(err)
	boxes, err := r.Mailboxes(ctx, as(a), a.ID)
	if err != nil || len(boxes) != 6 {
		t.Errorf("mailboxes %v, %v", boxes, err)
	}
}

func incidentsKept(t *testing.T, r *rig) {
	in := store.Incident{Agency: "agensi-a", Class: "RAHSIA", Action: "reject", Direction: "in", Listener: "mx",
		Sender: "orang@luar.test", Recipients: []string{r.satu.Address},
		Evidence: []store.IncidentEvidence{{Path: "body", Where: "first-lines", Rule: "E4", Class: "RAHSIA"}}}
	seen := map[string]bool{}
	var last string
	for range 20 {
		id, err := r.AddIncident(ctx, in)
		r.ok(err)
		if id == "" || seen[id] {
			t.Fatalf("incident number %q was given before", id)
		}
		seen[id], last = true, id
	}
	in.Agency = "agensi-b"
	other, err := r.AddIncident(ctx, in)
	r.ok(err)
	r.restart()
	officer := store.Actor{Agency: "agensi-a", Role: store.RoleSecurity}
	list, err := r.Incidents(ctx, officer, store.IncidentFilter{})
	r.ok(err)
	if len(list) != 20 || list[0].ID != last {
		t.Errorf("a security officer sees %d incidents, the newest %v", len(list), list[0].ID)
	}
	got, err := r.IncidentByID(ctx, officer, last)
	r.ok(err)
	if got.Class != "RAHSIA" || got.State != "open" || got.Time.IsZero() || len(got.Evidence) != 1 {
		t.Errorf("incident: %+v", got)
	}
	if _, err := r.IncidentByID(ctx, officer, other); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an incident of another agency: %v", err)
	}
	if _, err := r.Incidents(ctx, as(r.satu), store.IncidentFilter{}); !errors.Is(err, store.ErrForbidden) {
		t.Errorf("an officer lists incidents: %v", err)
	}
	if list, err := r.Incidents(ctx, store.System, store.IncidentFilter{Max: 5}); err != nil || len(list) != 5 {
		t.Errorf("at most 5: %d, %v", len(list), err)
	}
}
