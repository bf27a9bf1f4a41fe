package storetest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sampul/store"
)

const (
	site  = "1b2c3d4e-0000-4000-8000-0123456789ab"
	label = "9f8e7d6c-0000-4000-8000-ba9876543210"
)

var security = store.Actor{Agency: "agensi-a", Role: store.RoleSecurity, Name: "keselamatan@agensi-a.test"}

// agencyPolicy is what holds for agensi-a.
func (r *rig) agencyPolicy() store.AgencyPolicy {
	if a := r.Policy().Agencies["agensi-a"]; a != nil {
		return *a
	}
	return store.AgencyPolicy{}
}

func policyKept(t *testing.T, r *rig) {
	before := r.Policy()
	if before.Seq != 0 || len(before.Agencies) != 0 {
		t.Fatalf("a new store has policy: %+v", before)
	}
	until := time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)
	r.ok(r.SetPolicySettings(ctx, admin, "agensi-a", store.PolicySettings{AttachmentMax: 10 << 20, Macros: "reject",
		Guidance: "Guna pautan.", Officers: []string{"Keselamatan@AGENSI-A.test"}}, "kotak kecil"))
	for _, name := range []string{"malam", "besar"} {
		_, err := r.PutPolicyRule(ctx, security, store.PolicyRule{Agency: "agensi-a", Name: name, When: "hour >= 22", Do: "reject"}, "aduan")
		r.ok(err)
	}
	_, err := r.PutPolicyRule(ctx, store.System, store.PolicyRule{Agency: store.Suite, Name: "semua", When: "true", Do: "tag", Off: true}, "")
	r.ok(err)
	_, err = r.PutPolicyKind(ctx, security, store.PolicyKind{Agency: "agensi-a", Name: "lukisan", Magic: "41 43 31 30", Extension: ".DWG"}, "pelan")
	r.ok(err)
	_, err = r.PutPolicyPermission(ctx, security, store.PolicyPermission{Agency: "agensi-a", Address: "Peguam@Luar.test", Until: until}, "kes")
	r.ok(err)
	_, err = r.PutPolicyLabel(ctx, store.System, store.PolicyLabel{Site: "{" + strings.ToUpper(site) + "}", GUID: label, Class: "sulit"}, "")
	r.ok(err)
	if before.Seq != 0 || len(before.Agencies) != 0 {
		t.Errorf("a set that was handed out has changed: %+v", before)
	}
	policyStands(t, r, until)
	r.restart()
	policyStands(t, r, until)
	r.ok(r.RemovePolicyKind(ctx, security, "agensi-a", "lukisan", "tidak perlu"))
	r.ok(r.RemovePolicyPermission(ctx, security, "agensi-a", "PEGUAM@luar.test", ""))
	r.ok(r.RemovePolicyLabel(ctx, store.System, site, label, ""))
	r.ok(r.RemovePolicyRule(ctx, security, "agensi-a", "besar", ""))
	r.ok(r.SetPolicySettings(ctx, admin, "agensi-a", store.PolicySettings{}, ""))
	r.restart()
	a := r.agencyPolicy()
	if len(a.Kinds)+len(a.Permissions)+len(r.Policy().Labels) != 0 || len(a.Rules) != 1 || a.Settings.AttachmentMax != 0 || r.Policy().Seq != 12 {
		t.Errorf("removed: %+v, %+v", a, r.Policy())
	}
}

func policyStands(t *testing.T, r *rig, until time.Time) {
	t.Helper()
	p, a := r.Policy(), r.agencyPolicy()
	s := a.Settings
	if s.AttachmentMax != 10<<20 || s.Macros != "reject" || s.Guidance != "Guna pautan." || s.Version != 1 || s.Reason != "kotak kecil" ||
		!reflect.DeepEqual(s.Officers, []string{"keselamatan@agensi-a.test"}) {
		t.Errorf("settings: %+v", s)
	}
	if len(a.Rules) != 2 || a.Rules[0].Name != "besar" || a.Rules[1].Name != "malam" || a.Rules[1].By != "keselamatan@agensi-a.test" || a.Rules[1].Reason != "aduan" || a.Rules[1].Time.IsZero() {
		t.Errorf("rules: %+v", a.Rules)
	}
	if len(a.Kinds) != 1 || a.Kinds[0].Magic != "41433130" || a.Kinds[0].Extension != "dwg" {
		t.Errorf("kinds: %+v", a.Kinds)
	}
	if len(a.Permissions) != 1 || a.Permissions[0].Address != "peguam@luar.test" || !a.Permissions[0].Until.Equal(until) ||
		a.Permissions[0].Ended(until.Add(-1)) || !a.Permissions[0].Ended(until) {
		t.Errorf("permissions: %+v", a.Permissions)
	}
	if len(p.Labels) != 1 || p.Labels[0].Site != site || p.Labels[0].Class != "SULIT" || p.LabelsSeq == 0 {
		t.Errorf("labels: %+v", p.Labels)
	}
	if all := p.Agencies[store.Suite]; all == nil || len(all.Rules) != 1 || !all.Rules[0].Off || all.Rules[0].By != "operator" {
		t.Errorf("the suite's: %+v", all)
	}
	if p.Seq != 7 || a.Seq != 6 {
		t.Errorf("seq: %d and %d, after 7 changes of which the sixth was the agency's last", p.Seq, a.Seq)
	}
}

func policyVersions(t *testing.T, r *rig) {
	rule := store.PolicyRule{Agency: "agensi-a", Name: "malam", When: "hour >= 22", Do: "reject", Off: true}
	for i := range 12 {
		rule.Off = i%2 == 0
		got, err := r.PutPolicyRule(ctx, security, rule, fmt.Sprint("sebab ", i))
		r.ok(err)
		if got.Version != i+1 {
			t.Fatalf("version %d, want %d", got.Version, i+1)
		}
	}
	_, err := r.PutPolicyRule(ctx, security, store.PolicyRule{Agency: "agensi-a", Name: "malam-minggu", When: "true", Do: "tag"}, "")
	r.ok(err)
	r.ok(r.RemovePolicyRule(ctx, admin, "agensi-a", "malam", "sudah"))
	r.restart()
	rule.When = "hour >= 23"
	_, err = r.PutPolicyRule(ctx, as(r.satu), rule, "")
	refused(t, store.ErrForbidden, map[string]error{"an officer": err})
	boss, err := r.AddAccount(ctx, store.System, store.Account{Address: "ketua@agensi-a.test", Role: store.RoleAdmin}, "")
	r.ok(err)
	_, err = r.PutPolicyRule(ctx, store.Actor{Agency: "agensi-a", Account: boss.ID, Role: store.RoleAdmin}, rule, "semula")
	r.ok(err)
	h, err := r.PolicyRuleHistory(ctx, security, "agensi-a", "malam")
	r.ok(err)
	if len(h) != 14 {
		t.Fatalf("%d versions, want 14: %+v", len(h), h)
	}
	for i, v := range h {
		if v.Version != i+1 || v.Removed != (i == 12) || i > 0 && v.Seq <= h[i-1].Seq || v.Time.IsZero() {
			t.Errorf("version %d: %+v", i+1, v)
		}
	}
	if h[3].Reason != "sebab 3" || h[3].By != security.Name || !h[4].Off || h[3].Off || h[12].Reason != "sudah" || h[13].By != "ketua@agensi-a.test" || h[13].When != "hour >= 23" {
		t.Errorf("history: %+v", h)
	}
	r.ok(r.SetPolicySettings(ctx, admin, "agensi-a", store.PolicySettings{AttachmentCount: 3}, "satu"))
	r.ok(r.SetPolicySettings(ctx, admin, "agensi-a", store.PolicySettings{AttachmentCount: 5}, "dua"))
	s, err := r.PolicySettingsHistory(ctx, admin, "agensi-a")
	if err != nil || len(s) != 2 || s[0].AttachmentCount != 3 || s[1].Reason != "dua" {
		t.Errorf("settings: %+v, %v", s, err)
	}
}

func policyGuarded(t *testing.T, r *rig) {
	rule := func(by store.Actor, change func(*store.PolicyRule)) error {
		v := store.PolicyRule{Agency: "agensi-a", Name: "malam", When: "true", Do: "reject"}
		change(&v)
		return errOf(r.PutPolicyRule(ctx, by, v, ""))
	}
	settings := func(s store.PolicySettings) error { return r.SetPolicySettings(ctx, admin, "agensi-a", s, "") }
	kind := func(magic, ext string) error {
		return errOf(r.PutPolicyKind(ctx, security, store.PolicyKind{Agency: "agensi-a", Name: "x", Magic: magic, Extension: ext}, ""))
	}
	allow := func(by store.Actor, agency, address string) error {
		return errOf(r.PutPolicyPermission(ctx, by, store.PolicyPermission{Agency: agency, Address: address}, ""))
	}
	refused(t, store.ErrForbidden, map[string]error{
		"an officer's settings":         r.SetPolicySettings(ctx, as(r.satu), "agensi-a", store.PolicySettings{}, ""),
		"another agency's settings":     r.SetPolicySettings(ctx, admin, "agensi-b", store.PolicySettings{}, ""),
		"another agency's rule":         rule(security, func(v *store.PolicyRule) { v.Agency = "agensi-b" }),
		"a rule for all":                rule(admin, func(v *store.PolicyRule) { v.Agency = store.Suite }),
		"a permission of others":        allow(security, "agensi-b", "orang@luar.test"),
		"a label":                       errOf(r.PutPolicyLabel(ctx, admin, store.PolicyLabel{Site: site, GUID: label, Class: "SULIT"}, "")),
		"history of others":             errOf(r.PolicyRuleHistory(ctx, security, "agensi-b", "malam")),
		"an actor of no agency":         r.SetPolicySettings(ctx, store.Actor{Role: store.RoleSecurity}, "", store.PolicySettings{}, ""),
		"an officer removes what is on": r.RemovePolicyKind(ctx, as(r.satu), "agensi-a", "x", ""),
	})
	refused(t, store.ErrNotFound, map[string]error{
		"settings of no agency": r.SetPolicySettings(ctx, store.System, "tiada", store.PolicySettings{}, ""),
		"a rule of no agency":   rule(store.System, func(v *store.PolicyRule) { v.Agency = "tiada" }),
		"no such rule":          r.RemovePolicyRule(ctx, security, "agensi-a", "tiada", ""),
		"no such kind":          r.RemovePolicyKind(ctx, security, "agensi-a", "tiada", ""),
		"no such permission":    r.RemovePolicyPermission(ctx, security, "agensi-a", "a@luar.test", ""),
		"no such label":         r.RemovePolicyLabel(ctx, store.System, site, label, ""),
		"history of nothing":    errOf(r.PolicyRuleHistory(ctx, security, "agensi-a", "tiada")),
	})
	refused(t, store.ErrName, map[string]error{
		"more than 25 MiB":       settings(store.PolicySettings{AttachmentMax: store.MaxAttachments + 1}),
		"less than nothing":      settings(store.PolicySettings{AttachmentMax: -1}),
		"fewer than none":        settings(store.PolicySettings{AttachmentCount: -1}),
		"a handling":             settings(store.PolicySettings{Executables: "mungkin"}),
		"secrets accepted":       settings(store.PolicySettings{InternetSecret: "accept"}),
		"guidance of two lines":  settings(store.PolicySettings{Guidance: "a\r\nb"}),
		"guidance beyond ASCII":  settings(store.PolicySettings{Guidance: "caf\u00e9"}),
		"an officer's address":   settings(store.PolicySettings{Officers: []string{"bukan"}}),
		"a name with a blank":    rule(security, func(v *store.PolicyRule) { v.Name = "a b" }),
		"no name":                rule(security, func(v *store.PolicyRule) { v.Name = "" }),
		"an action":              rule(security, func(v *store.PolicyRule) { v.Do = "deliver" }),
		"no condition":           rule(security, func(v *store.PolicyRule) { v.When = "  " }),
		"a very long condition":  rule(security, func(v *store.PolicyRule) { v.When = strings.Repeat("x", store.MaxExpression+1) }),
		"a reply of two lines":   rule(security, func(v *store.PolicyRule) { v.Text = "a\nb" }),
		"a magic that is short":  kind("4143", "dwg"),
		"a magic that is no hex": kind("zzzzzz", "dwg"),
		"no extension":           kind("41433130", ""),
		"an odd extension":       kind("41433130", "d/g"),
		"a permission inside":    allow(security, "agensi-a", "pegawai1@agensi-b.test"),
		"a permission for all":   allow(store.System, store.Suite, "orang@luar.test"),
		"a permission of nobody": allow(security, "agensi-a", "bukan"),
		"a class":                errOf(r.PutPolicyLabel(ctx, store.System, store.PolicyLabel{Site: site, GUID: label, Class: "BIASA"}, "")),
		"a GUID":                 errOf(r.PutPolicyLabel(ctx, store.System, store.PolicyLabel{Site: site, GUID: "*", Class: "SULIT"}, "")),
		"a reason of two lines":  r.SetPolicySettings(ctx, admin, "agensi-a", store.PolicySettings{}, "a\nb"),
	})
	if p := r.Policy(); p.Seq != 0 {
		t.Errorf("what was refused left something: %+v", p)
	}
	for i := range store.MaxKinds {
		r.ok(errOf(r.PutPolicyKind(ctx, security, store.PolicyKind{Agency: "agensi-a", Name: fmt.Sprint("k", i), Magic: "41433130", Extension: "dwg"}, "")))
	}
	refused(t, store.ErrLimit, map[string]error{"one kind too many": kind("41433130", "dwg")})
	r.ok(r.RemovePolicyKind(ctx, security, "agensi-a", "k7", ""))
	r.ok(kind("41433130", "dwg"))
}
