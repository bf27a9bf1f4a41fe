package storetest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sampul/store"
)

var admin = store.Actor{Agency: "agensi-a", Role: store.RoleAdmin}

func (r *rig) find(address string) store.Entry {
	r.t.Helper()
	e, err := r.Find(ctx, address)
	r.ok(err)
	return e
}

// refused fails when a call went through, or failed for another reason.
func refused(t *testing.T, want error, calls map[string]error) {
	t.Helper()
	for what, err := range calls {
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}
}

func routesKept(t *testing.T, r *rig) {
	route := store.Route{Kind: store.RouteSmarthost, Host: "10.0.0.1:25", TLS: "verify", User: "suite", Secret: "kunci rahsia"}
	r.ok(r.SetRoute(ctx, store.System, "AGENSI-A.test", route))
	r.ok(r.HoldDomain(ctx, admin, "agensi-a.test", "pindah rumah"))
	r.ok(r.SetCatchAll(ctx, admin, "agensi-a.test", "PEGAWAI1@agensi-a.test"))
	r.ok(r.SetAgency(ctx, store.System, store.Agency{Name: "agensi-a", Source: "127.0.0.9", HELO: "keluar.agensi-a.test"}))
	r.restart()
	e := r.find("sesiapa@agensi-a.test")
	if e.Domain == nil || e.Domain.Route != route || e.Domain.Held != "pindah rumah" || e.Domain.CatchAll != r.satu.Address {
		t.Errorf("domain: %+v", e.Domain)
	}
	if e.Agency == nil || e.Agency.Source != "127.0.0.9" || e.Agency.HELO != "keluar.agensi-a.test" || e.Agency.Created.IsZero() {
		t.Errorf("agency: %+v", e.Agency)
	}
	domains, err := r.Domains(ctx, store.System)
	r.ok(err)
	b, err := json.Marshal(domains)
	r.ok(err)
	if bytes.Contains(b, []byte("kunci")) || !bytes.Contains(b, []byte("10.0.0.1:25")) {
		t.Errorf("a listing shows the secret of a route, or no route: %s", b)
	}
	r.ok(r.HoldDomain(ctx, admin, "agensi-a.test", ""))
	r.ok(r.SetCatchAll(ctx, admin, "agensi-a.test", ""))
	r.ok(r.SetRoute(ctx, store.System, "agensi-a.test", store.Route{Kind: store.RouteLocal}))
	if e := r.find("sesiapa@agensi-a.test"); e.Domain.Held != "" || e.Domain.CatchAll != "" || e.Domain.Route.Host != "" {
		t.Errorf("undone: %+v", e.Domain)
	}
	refused(t, store.ErrForbidden, map[string]error{
		"an administrator routes":             r.SetRoute(ctx, admin, "agensi-a.test", route),
		"an administrator's source address":   r.SetAgency(ctx, admin, store.Agency{Name: "agensi-a", Source: "127.0.0.1"}),
		"another agency's domain is held":     r.HoldDomain(ctx, admin, "agensi-b.test", "x"),
		"another agency's catch-all":          r.SetCatchAll(ctx, admin, "agensi-b.test", r.lain.Address),
		"a catch-all into another agency":     r.SetCatchAll(ctx, admin, "agensi-a.test", r.lain.Address),
		"another agency's table":              r.SetSplit(ctx, admin, "agensi-b.test", nil),
		"an officer's hold":                   r.HoldDomain(ctx, as(r.satu), "agensi-a.test", "x"),
		"another agency is set":               r.SetAgency(ctx, admin, store.Agency{Name: "agensi-b"}),
		"an officer reads another's table":    errOf(r.SplitTable(ctx, as(r.satu), "agensi-a.test")),
		"an officer lists groups":             errOf(r.Groups(ctx, as(r.satu))),
		"an officer lists signing keys":       errOf(r.DKIMKeys(ctx, as(r.satu), "")),
		"an administrator reads other's keys": errOf(r.DKIMKeys(ctx, admin, "agensi-b.test")),
	})
	refused(t, store.ErrNotFound, map[string]error{
		"route of no domain": r.SetRoute(ctx, store.System, "tiada.test", store.Route{}),
		"hold of no domain":  r.HoldDomain(ctx, store.System, "tiada.test", "x"),
		"catch-all nobody":   r.SetCatchAll(ctx, admin, "agensi-a.test", "tiada@agensi-a.test"),
		"no agency":          r.SetAgency(ctx, store.System, store.Agency{Name: "tiada"}),
	})
	for _, bad := range []store.Route{
		{Kind: "terbang"}, {Kind: store.RouteSmarthost}, {Kind: store.RouteSmarthost, Host: "10.0.0.1"}, {Kind: store.RouteLMTP, Host: "h:0"},
		{Kind: store.RouteSplit, Host: "h:25", Default: "moving"}, {Kind: store.RouteSmarthost, Host: "h:25", TLS: "tentu"},
		{Kind: store.RouteSmarthost, Host: "h:25", User: "u"}, {Kind: store.RouteSmarthost, Host: "h:25", User: "u", Secret: "s", TLS: "none"},
		{Kind: store.RouteReject, Text: "a\r\nb"}, {Kind: store.RouteSmarthost, Host: "a b:25"},
	} {
		refused(t, store.ErrName, map[string]error{fmt.Sprintf("%+v", bad): r.SetRoute(ctx, store.System, "agensi-a.test", bad)})
	}
	refused(t, store.ErrName, map[string]error{
		"a source that is no address": r.SetAgency(ctx, store.System, store.Agency{Name: "agensi-a", Source: "sini"}),
		"a name that is no host":      r.SetAgency(ctx, store.System, store.Agency{Name: "agensi-a", HELO: "a b"}),
		"a reason of two lines":       r.HoldDomain(ctx, admin, "agensi-a.test", "a\nb"),
	})
}

func errOf[T any](_ T, err error) error { return err }

func splitReplaced(t *testing.T, r *rig) {
	first := map[string]string{"pegawai1@agensi-a.test": store.Here, "JAUH@agensi-a.test": store.Elsewhere, "pindah@agensi-a.test": store.Moving}
	r.ok(r.SetSplit(ctx, admin, "agensi-a.test", first))
	for address, want := range map[string]string{"Pegawai1@agensi-a.test": "here", "jauh@agensi-a.test": "elsewhere", "pindah@agensi-a.test": "moving", "lain@agensi-a.test": ""} {
		if got := r.find(address).Split; got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	refused(t, store.ErrName, map[string]error{
		"a place that is none":   r.SetSplit(ctx, admin, "agensi-a.test", map[string]string{"a@agensi-a.test": "bulan"}),
		"another domain's":       r.SetSplit(ctx, admin, "agensi-a.test", map[string]string{"a@agensi-b.test": "here"}),
		"twice with two answers": r.SetSplit(ctx, admin, "agensi-a.test", map[string]string{"a@agensi-a.test": "here", "A@agensi-a.test": "elsewhere"}),
	})
	if got := r.find("jauh@agensi-a.test").Split; got != "elsewhere" {
		t.Errorf("a refused table changed the one that is there: %q", got)
	}
	many := map[string]string{}
	for i := range store.MaxSplit {
		many[fmt.Sprintf("officer%06d@agensi-a.test", i)] = store.Elsewhere
	}
	r.ok(r.SetSplit(ctx, admin, "agensi-a.test", many))
	r.restart()
	if got := r.find("officer099999@agensi-a.test").Split; got != "elsewhere" {
		t.Errorf("the last of many: %q", got)
	}
	if got := r.find("jauh@agensi-a.test").Split; got != "" {
		t.Errorf("the old table is still there: %q", got)
	}
	table, err := r.SplitTable(ctx, admin, "agensi-a.test")
	if err != nil || !reflect.DeepEqual(table, many) {
		t.Errorf("table of %d, want %d: %v", len(table), len(many), err)
	}
	many["satu-lagi@agensi-a.test"] = store.Here
	refused(t, store.ErrLimit, map[string]error{"one too many": r.SetSplit(ctx, admin, "agensi-a.test", many)})
}

func groupsKept(t *testing.T, r *rig) {
	g := store.Group{Address: "Semua@agensi-a.test", Members: []string{"PEGAWAI1@agensi-a.test", "pegawai1@agensi-a.test", "orang@luar.test"},
		Senders: []string{"agency", "Ketua@agensi-b.test"}, Owner: r.dua.Address, VERP: true}
	r.ok(r.AddGroup(ctx, admin, g))
	r.ok(r.AddAlias(ctx, admin, store.Alias{Address: "ramai@agensi-a.test", Target: "semua@agensi-a.test"}))
	r.restart()
	e := r.find("SEMUA@agensi-a.test")
	if e.Group == nil || !reflect.DeepEqual(e.Group.Members, []string{"pegawai1@agensi-a.test", "orang@luar.test"}) ||
		!reflect.DeepEqual(e.Group.Senders, []string{"agency", "ketua@agensi-b.test"}) || !e.Group.VERP || e.Group.Agency != "agensi-a" || e.Group.Owner != r.dua.Address {
		t.Fatalf("group: %+v", e.Group)
	}
	if e := r.find("ramai@agensi-a.test"); e.Alias == nil || e.Alias.Target != "semua@agensi-a.test" || e.Group != nil || e.Account != nil {
		t.Errorf("an alias of a group: %+v", e)
	}
	if res, err := r.Resolve(ctx, "ramai@agensi-a.test"); err != nil || res.Account != nil {
		t.Errorf("a group is no account: %+v, %v", res, err)
	}
	refused(t, store.ErrExists, map[string]error{
		"a group where an account is": r.AddGroup(ctx, admin, store.Group{Address: r.satu.Address, Owner: r.dua.Address}),
		"a group where an alias is":   r.AddGroup(ctx, admin, store.Group{Address: "ramai@agensi-a.test", Owner: r.dua.Address}),
		"an account where a group is": second(r.AddAccount(ctx, store.System, store.Account{Address: "semua@agensi-a.test"}, "")),
		"an alias where a group is":   r.AddAlias(ctx, admin, store.Alias{Address: "semua@agensi-a.test", Target: r.dua.Address}),
		"the group again":             r.AddGroup(ctx, admin, g),
	})
	refused(t, store.ErrForbidden, map[string]error{
		"another agency's group":  r.AddGroup(ctx, admin, store.Group{Address: "g@agensi-b.test", Owner: r.lain.Address}),
		"an officer's":            r.AddGroup(ctx, as(r.satu), store.Group{Address: "g@agensi-a.test", Owner: r.dua.Address}),
		"an officer's removal":    r.RemoveGroup(ctx, as(r.satu), g.Address),
		"an officer removes":      r.RemoveAlias(ctx, as(r.satu), "ramai@agensi-a.test"),
		"an officer's alias":      r.SetAlias(ctx, as(r.satu), store.Alias{Address: "ramai@agensi-a.test", Target: r.satu.Address}),
		"an alias into another's": r.SetAlias(ctx, admin, store.Alias{Address: "ramai@agensi-a.test", Target: r.lain.Address}),
	})
	refused(t, store.ErrName, map[string]error{
		"no owner":          r.AddGroup(ctx, admin, store.Group{Address: "g@agensi-a.test"}),
		"its own owner":     r.AddGroup(ctx, admin, store.Group{Address: "g@agensi-a.test", Owner: "G@agensi-a.test"}),
		"a member that can": r.AddGroup(ctx, admin, store.Group{Address: "g@agensi-a.test", Owner: r.dua.Address, Members: []string{"bukan"}}),
		"senders that can":  r.AddGroup(ctx, admin, store.Group{Address: "g@agensi-a.test", Owner: r.dua.Address, Senders: []string{"raja"}}),
	})
	refused(t, store.ErrNotFound, map[string]error{
		"an owner that nobody is":   r.AddGroup(ctx, admin, store.Group{Address: "g@agensi-a.test", Owner: "tiada@agensi-a.test"}),
		"a group that is not there": r.SetGroup(ctx, admin, store.Group{Address: "g@agensi-a.test", Owner: r.dua.Address}),
		"removal of no group":       r.RemoveGroup(ctx, admin, "g@agensi-a.test"),
	})
	many := make([]string, store.MaxMembers+1)
	for i := range many {
		many[i] = fmt.Sprintf("m%d@luar.test", i)
	}
	refused(t, store.ErrLimit, map[string]error{"too many members": r.SetGroup(ctx, admin, store.Group{Address: g.Address, Owner: g.Owner, Members: many})})
	r.ok(r.SetGroup(ctx, admin, store.Group{Address: g.Address, Owner: g.Owner, Members: many[1:]}))
	groups, err := r.Groups(ctx, admin)
	if err != nil || len(groups) != 1 || len(groups[0].Members) != store.MaxMembers || groups[0].Created != e.Group.Created {
		t.Errorf("groups: %d, %v", len(groups), err)
	}
	r.ok(r.RemoveGroup(ctx, admin, g.Address))
	r.restart()
	if e := r.find("semua@agensi-a.test"); e.Group != nil {
		t.Errorf("a group that was removed: %+v", e.Group)
	}
}

func aliasesEnd(t *testing.T, r *rig) {
	r.ok(r.AddAlias(ctx, admin, store.Alias{Address: "aduan@agensi-a.test", Target: r.satu.Address, Until: time.Now().Add(time.Hour)}))
	r.ok(r.AddAlias(ctx, admin, store.Alias{Address: "lama@agensi-a.test", Target: r.satu.Address, Until: time.Now().Add(-time.Hour)}))
	r.restart()
	account := func(address string) store.AccountID {
		t.Helper()
		res, err := r.Resolve(ctx, address)
		r.ok(err)
		if res.Account == nil {
			return 0
		}
		return res.Account.ID
	}
	if got := account("aduan+x@agensi-a.test"); got != r.satu.ID {
		t.Errorf("an alias before its end leads to account %d", got)
	}
	if got := account("lama@agensi-a.test"); got != 0 {
		t.Errorf("an alias after its end leads to account %d", got)
	}
	if own, err := r.Owns(ctx, r.satu.ID, "lama@agensi-a.test"); own || err != nil {
		t.Errorf("an ended alias is still owned: %v, %v", own, err)
	}
	if e := r.find("lama@agensi-a.test"); e.Alias == nil {
		t.Error("an ended alias is not found")
	}
	r.ok(r.SetAlias(ctx, admin, store.Alias{Address: "lama@agensi-a.test", Target: r.dua.Address}))
	if got := account("lama@agensi-a.test"); got != r.dua.ID {
		t.Errorf("an alias that was changed leads to %d", got)
	}
	r.ok(r.SetAlias(ctx, admin, store.Alias{Address: "aduan@agensi-a.test", Target: "lama@agensi-a.test"}))
	// An officer whose mailbox is on another server of ours.
	away := store.Alias{Address: "pinjam@agensi-a.test", Target: "pegawai9@agensi-b.test"}
	refused(t, store.ErrNotFound, map[string]error{"nobody there": r.AddAlias(ctx, store.System, away)})
	r.ok(r.SetRoute(ctx, store.System, "agensi-b.test", store.Route{Kind: store.RouteSmarthost, Host: "10.0.0.1:25"}))
	r.ok(r.AddAlias(ctx, store.System, away))
	r.ok(r.SetRoute(ctx, store.System, "agensi-b.test", store.Route{Kind: store.RouteLocal}))
	refused(t, store.ErrName, map[string]error{
		"a circle": r.SetAlias(ctx, admin, store.Alias{Address: "lama@agensi-a.test", Target: "aduan@agensi-a.test"}),
		"itself":   r.SetAlias(ctx, admin, store.Alias{Address: "lama@agensi-a.test", Target: "lama@agensi-a.test"}),
	})
	r.ok(r.RemoveAlias(ctx, admin, "LAMA@agensi-a.test"))
	r.restart()
	if got := account("aduan@agensi-a.test"); got != 0 {
		t.Errorf("an alias of an alias that is gone leads to %d", got)
	}
	refused(t, store.ErrNotFound, map[string]error{
		"removed twice": r.RemoveAlias(ctx, admin, "lama@agensi-a.test"),
		"set after":     r.SetAlias(ctx, admin, store.Alias{Address: "lama@agensi-a.test", Target: r.dua.Address}),
	})
}

func forwardsKept(t *testing.T, r *rig) {
	r.ok(r.SetForward(ctx, as(r.satu), r.satu.Address, []string{"PEGAWAI2@agensi-a.test", "saya@kementerian.gov.my", r.lain.Address}, true))
	r.restart()
	a := r.find(r.satu.Address).Account
	if !a.ForwardOnly || strings.Join(a.Forward, " ") != "pegawai2@agensi-a.test saya@kementerian.gov.my pegawai1@agensi-b.test" {
		t.Errorf("forward: %+v", a)
	}
	outside := []string{"saya@luar.test"}
	refused(t, store.ErrForbidden, map[string]error{
		"outside government":     r.SetForward(ctx, as(r.satu), r.satu.Address, outside, false),
		"by the operator alike":  r.SetForward(ctx, store.System, r.satu.Address, outside, false),
		"another's":              r.SetForward(ctx, as(r.dua), r.satu.Address, nil, false),
		"another agency's admin": r.SetForward(ctx, admin, r.lain.Address, nil, false),
	})
	refused(t, store.ErrNotFound, map[string]error{"to nobody": r.SetForward(ctx, admin, r.satu.Address, []string{"tiada@agensi-a.test"}, false)})
	refused(t, store.ErrName, map[string]error{"to itself": r.SetForward(ctx, admin, r.satu.Address, []string{r.satu.Address}, false)})
	r.ok(r.SetAgency(ctx, admin, store.Agency{Name: "agensi-a", ForwardOutside: true}))
	r.ok(r.SetForward(ctx, admin, r.satu.Address, outside, false))
	r.ok(r.SetForward(ctx, admin, r.satu.Address, nil, true))
	if a := r.find(r.satu.Address).Account; a.ForwardOnly || len(a.Forward) != 0 {
		t.Errorf("forwarding that ended: %+v", a)
	}
	for domain, want := range map[string]bool{"agensi-a.test": true, "AGENSI-B.test": true, "x.gov.my": true, "luar.test": false} {
		if r.Government(domain) != want {
			t.Errorf("government: %s is %v", domain, !want)
		}
	}
}

func heldAccounts(t *testing.T, r *rig) {
	r.ok(r.SetPassword(ctx, store.System, r.satu.Address, "kata laluan"))
	_, err := r.Login(ctx, r.satu.Address, "kata laluan")
	r.ok(err)
	var told []store.Account
	r.OnHold(func(a store.Account) { told = append(told, a) })
	r.ok(r.HoldAccount(ctx, admin, r.satu.Address, "kata laluan dicuri"))
	check := func() {
		t.Helper()
		if _, err := r.Login(ctx, r.satu.Address, "kata laluan"); !errors.Is(err, store.ErrAccountState) {
			t.Errorf("login of a held account: %v", err)
		}
		if _, err := r.Login(ctx, r.satu.Address, "salah sekali"); !errors.Is(err, store.ErrBadPassword) {
			t.Errorf("a wrong password learns of the hold: %v", err)
		}
		if a, _, err := r.ScramKeys(ctx, r.satu.Address); err != nil || a == nil || a.Active() {
			t.Errorf("SCRAM of a held account: %+v, %v", a, err)
		}
	}
	check()
	if res, err := r.Resolve(ctx, r.satu.Address); err != nil || res.Account == nil {
		t.Errorf("mail to a held account: %+v, %v", res, err)
	}
	if len(told) != 1 || told[0].ID != r.satu.ID || told[0].Held != "kata laluan dicuri" {
		t.Errorf("told: %+v", told)
	}
	refused(t, store.ErrForbidden, map[string]error{
		"by itself":      r.HoldAccount(ctx, as(r.dua), r.dua.Address, "x"),
		"another agency": r.HoldAccount(ctx, admin, r.lain.Address, "x"),
	})
	r.restart()
	check()
	r.ok(r.HoldAccount(ctx, admin, r.satu.Address, ""))
	if _, err := r.Login(ctx, r.satu.Address, "kata laluan"); err != nil {
		t.Errorf("login after release: %v", err)
	}
}

func signingKeysGuarded(t *testing.T, r *rig) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	r.ok(err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	r.ok(err)
	k := store.DKIMKey{Domain: "Agensi-A.test", Selector: "s1", Algorithm: "ed25519-sha256", State: "published", Private: der}
	r.ok(r.PutDKIMKey(ctx, admin, k))
	if got := r.SigningKeys("agensi-a.test"); len(got) != 0 {
		t.Errorf("a published key signs: %+v", got)
	}
	r.ok(r.PutDKIMKey(ctx, admin, store.DKIMKey{Domain: "agensi-a.test", Selector: "s1", State: "active"}))
	r.restart()
	got := r.SigningKeys("AGENSI-A.test")
	if len(got) != 1 || !bytes.Equal(got[0].Private, der) || got[0].Created.IsZero() || got[0].Changed.IsZero() {
		t.Fatalf("signing keys: %+v", got)
	}
	for _, domain := range []string{"", "agensi-a.test"} {
		list, err := r.DKIMKeys(ctx, admin, domain)
		if err != nil || len(list) != 1 || list[0].State != "active" || list[0].Private != nil {
			t.Errorf("listing: %+v, %v", list, err)
		}
	}
	if list, err := r.DKIMKeys(ctx, store.Actor{Agency: "agensi-b", Role: store.RoleAdmin}, ""); err != nil || len(list) != 0 {
		t.Errorf("another agency sees %+v, %v", list, err)
	}
	k.Selector, k.Private = "s2", nil
	refused(t, store.ErrName, map[string]error{
		"a new key without its private half": r.PutDKIMKey(ctx, admin, k),
		"a state that is none":               r.PutDKIMKey(ctx, admin, store.DKIMKey{Domain: "agensi-a.test", Selector: "s1", State: "tidur"}),
		"another kind of key":                r.PutDKIMKey(ctx, admin, store.DKIMKey{Domain: "agensi-a.test", Selector: "s3", State: "active", Algorithm: "rsa-sha256", Private: der}),
		"a selector that is none":            r.PutDKIMKey(ctx, admin, store.DKIMKey{Domain: "agensi-a.test", Selector: "s 3", State: "active", Algorithm: "ed25519-sha256", Private: der}),
	})
	refused(t, store.ErrForbidden, map[string]error{
		"another agency's key":     r.PutDKIMKey(ctx, admin, store.DKIMKey{Domain: "agensi-b.test", Selector: "s1", State: "active", Algorithm: "ed25519-sha256", Private: der}),
		"another agency's removal": r.RemoveDKIMKey(ctx, admin, "agensi-b.test", "s1"),
	})
	r.ok(r.RemoveDKIMKey(ctx, admin, "agensi-a.test", "s1"))
	r.restart()
	if got := r.SigningKeys("agensi-a.test"); len(got) != 0 {
		t.Errorf("a removed key signs: %+v", got)
	}
}

func secretStays(t *testing.T, r *rig) {
	srs, verp := r.SuiteSecret("srs"), r.SuiteSecret("verp")
	if len(srs) != 32 || bytes.Equal(srs, verp) {
		t.Fatalf("secrets of two purposes: %x and %x", srs, verp)
	}
	r.restart()
	if !bytes.Equal(srs, r.SuiteSecret("srs")) {
		t.Error("a secret changed by a restart: bounces of the last days would be refused")
	}
}
