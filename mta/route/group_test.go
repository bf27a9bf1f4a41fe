package route

import (
	"fmt"
	"strings"
	"testing"

	"sampul/store"
)

func TestGroups(t *testing.T) {
	f := world()
	f.group("ramai@a.test", []string{"anyone"}, "p1@a.test", "orang@luar.test", "tiada@a.test", "p1@a.test", "x@pintar.test")
	f.group("luar@a.test", []string{"anyone"}, "ramai@a.test", "p2@a.test", "orang@luar.test", "p1@a.test")
	f.group("bulat1@a.test", []string{"anyone"}, "bulat2@a.test", "p1@a.test")
	f.group("bulat2@a.test", []string{"members"}, "bulat1@a.test", "p2@a.test")
	f.group("diri@a.test", []string{"anyone"}, "diri@a.test")
	f.group("kosong@a.test", []string{"anyone"})
	f.group("hantu@a.test", []string{"anyone"}, "tiada@a.test", "p@tutup.test")
	f.group("jauh@a.test", []string{"anyone"}, "belum@pindah.test")
	f.alias("alias-ramai@a.test", "ramai@a.test")
	for i := range 20 {
		f.group(fmt.Sprintf("dalam%d@a.test", i), []string{"anyone"}, fmt.Sprintf("dalam%d@a.test", i+1))
	}
	f.group("dalam20@a.test", []string{"anyone"}, "p1@a.test")
	p := &prober{}
	r := routes(f, p)
	ramai, luar := r.bounces.path("ramai@a.test", ""), r.bounces.path("luar@a.test", "")
	b1, b2, jauh := r.bounces.path("bulat1@a.test", ""), r.bounces.path("bulat2@a.test", ""), r.bounces.path("jauh@a.test", "")
	for _, c := range []struct{ name, address, from, want string }{
		{"each member once, those who are not there passed over", "ramai@a.test", "a@luar.test",
			"#1<" + ramai + "^ramai@a.test orang@luar.test<" + ramai + "^ramai@a.test x@pintar.test<" + ramai + "^ramai@a.test"},
		{"by an alias", "alias-ramai@a.test", "a@luar.test",
			"#1<" + ramai + "^ramai@a.test orang@luar.test<" + ramai + "^ramai@a.test x@pintar.test<" + ramai + "^ramai@a.test"},
		{"a bounce has no reverse-path, and gets none", "ramai@a.test", "", "#1^ramai@a.test orang@luar.test^ramai@a.test x@pintar.test^ramai@a.test"},
		{"a group in a group", "luar@a.test", "a@luar.test",
			"#1<" + ramai + "^ramai@a.test orang@luar.test<" + ramai + "^ramai@a.test x@pintar.test<" + ramai + "^ramai@a.test #2<" + luar + "^luar@a.test"},
		{"groups in a circle", "bulat1@a.test", "a@luar.test", "#2<" + b2 + "^bulat2@a.test #1<" + b1 + "^bulat1@a.test"},
		{"a group in itself", "diri@a.test", "a@luar.test", "550 5.2.4"},
		{"no members", "kosong@a.test", "a@luar.test", "550 5.2.4"},
		{"no member that is there", "hantu@a.test", "a@luar.test", "550 5.2.4"},
		{"too deep", "dalam0@a.test", "a@luar.test", "550 5.2.4"},
		{"deep enough", "dalam6@a.test", "a@luar.test", "#1<" + r.bounces.path("dalam20@a.test", "") + "^dalam20@a.test"},
		{"nobody is asked about members", "jauh@a.test", "a@luar.test", "belum@pindah.test<" + jauh + "^jauh@a.test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := r.Rcpt(ctx, Request{Address: c.address, From: c.from})
			if err != nil {
				t.Fatal(err)
			}
			if got := show(d); got != c.want {
				t.Errorf("got  %s\nwant %s\n%v", got, c.want, d.Steps)
			}
			if strings.Contains(c.name, "itself") && !hasStep(d, "loop", "in itself") || strings.Contains(c.name, "circle") && !hasStep(d, "loop", "bulat1") {
				t.Errorf("the circle is not told: %v", d.Steps)
			}
		})
	}
	if len(p.asked) != 0 {
		t.Errorf("asked: %v", p.asked)
	}
}

func TestWhoMaySend(t *testing.T) {
	f := world()
	f.group("dalam@a.test", nil, "p1@a.test")
	f.group("agensi@a.test", []string{"agency"}, "p1@a.test")
	f.group("ahli@a.test", []string{"members"}, "anak@a.test", "alias-b@a.test")
	f.group("anak@a.test", []string{"members"}, "ahli@a.test", "p1@a.test")
	f.alias("alias-b@a.test", "p1@b.test")
	f.alias("ketua-alias@a.test", "p1@a.test")
	f.group("nama@a.test", []string{"ketua-alias@a.test", "p1@b.test"}, "p2@a.test")
	f.group("semua@a.test", []string{"anyone"}, "p1@a.test")
	r := routes(f, nil)
	p2 := &store.Account{ID: 2, Address: "p2@a.test", Agency: "agensi-a"}
	for _, c := range []struct {
		group    string
		from     string // of a stranger, or of a server of ours
		sender   *store.Account
		inside   bool
		admitted bool
	}{
		{"semua", "orang@luar.test", nil, false, true},
		{"dalam", "p1@a.test", nil, false, false}, // a reverse-path proves nothing
		{"dalam", "", officerB, true, true},
		{"dalam", "orang@luar.test", nil, true, true},
		{"agensi", "", officer1, true, true},
		{"agensi", "", officerB, true, false},
		{"agensi", "p1@a.test", nil, false, false},
		{"agensi", "x@pindah.test", nil, true, true}, // the agency's other server says so
		{"agensi", "orang@luar.test", nil, true, false},
		{"ahli", "", officer1, true, true}, // by a group in it, which has it in turn
		{"ahli", "", officerB, true, true}, // by an alias
		{"ahli", "", p2, true, false},
		{"ahli", "p1@a.test", nil, true, true},
		{"ahli", "p1@a.test", nil, false, false},
		{"nama", "", officer1, true, true},
		{"nama", "", officerB, true, true},
		{"nama", "", p2, true, false},
		{"nama", "p1@b.test", nil, false, false},
	} {
		d, err := r.Rcpt(ctx, Request{Address: c.group + "@a.test", From: c.from, Sender: c.sender, Inside: c.inside})
		if err != nil {
			t.Fatal(err)
		}
		if got := show(d); (got != "550 5.7.1") != c.admitted {
			t.Errorf("%+v: %s, %v", c, got, d.Steps)
		}
		if d.Refused != nil && (strings.Contains(d.Refused.Text, "p1@") || strings.Contains(d.Refused.Text, "alias")) {
			t.Errorf("a refused sender learns of addresses: %s", d.Refused.Text)
		}
	}
}

func TestGroupsHaveLimits(t *testing.T) {
	f := world()
	var first, second []string
	for i := range maxRecipients {
		first = append(first, fmt.Sprintf("m%d@luar.test", i))
		second = append(second, fmt.Sprintf("n%d@luar.test", i))
	}
	f.group("penuh@a.test", []string{"anyone"}, first...)
	f.group("lebih@a.test", []string{"anyone"}, "penuh@a.test", "satu-lagi@luar.test")
	var sixth []string
	for i := range 6 {
		f.group(fmt.Sprintf("lagi%d@a.test", i), []string{"anyone"}, first...)
		sixth = append(sixth, fmt.Sprintf("lagi%d@a.test", i))
	}
	f.group("enam@a.test", []string{"anyone"}, sixth...)
	f.group("sama@a.test", []string{"anyone"}, "penuh@a.test", "m7@luar.test")
	f.group("dua@a.test", []string{"members"}, append(second, "lebih@a.test")...)
	r := routes(f, nil)
	for address, want := range map[string]int{"penuh@a.test": maxRecipients, "lebih@a.test": 0, "enam@a.test": 0, "sama@a.test": maxRecipients} {
		d, err := r.Rcpt(ctx, Request{Address: address, From: "a@luar.test"})
		if err != nil || len(d.Recipients) != want || want == 0 && show(d) != "550 5.2.4" {
			t.Errorf("%s: %d recipients, %v, %v", address, len(d.Recipients), d.Refused, err)
		}
		if len(d.Steps) > maxSteps+1 {
			t.Errorf("%s: %d steps", address, len(d.Steps))
		}
	}
	if d, err := r.Rcpt(ctx, Request{Address: "dua@a.test", Sender: officer1, Inside: true}); err != nil || show(d) != "550 5.7.1" {
		t.Errorf("looking for a member ended with %s, %v", show(d), err)
	}
}

// VERP: each member outside has a reverse-path of its own, and a bounce to it reaches the
// owner and names the member.
func TestBouncesReachTheOwner(t *testing.T) {
	f := world()
	g := store.Group{Address: "ramai@a.test", Agency: "agensi-a", Senders: []string{"anyone"}, Owner: "ketua@a.test", VERP: true,
		Members: []string{"p1@a.test", "orang@luar.test", "a=b-c@luar.test", strings.Repeat("x", 40) + "@luar.test", "x@pintar.test"}}
	f.groups[g.Address] = g
	r := routes(f, nil)
	d, err := r.Rcpt(ctx, Request{Address: g.Address, From: "a@luar.test"})
	if err != nil || len(d.Recipients) != 5 {
		t.Fatalf("%+v, %v", d, err)
	}
	paths := map[string]bool{}
	for i, rcpt := range d.Recipients {
		named := ""
		switch i {
		case 1, 2, 4:
			named = g.Members[i]
		} // the long one does not fit and has the group's own, as those here have
		paths[rcpt.From] = true
		for _, from := range []string{"", "mailer@luar.test"} {
			for _, to := range []string{rcpt.From, strings.ToUpper(rcpt.From)} {
				b, err := r.Rcpt(ctx, Request{Address: to, From: from})
				if err != nil {
					t.Fatal(err)
				}
				if got := show(b); got != "#3^ramai@a.test" {
					t.Errorf("a bounce to %s: %s", to, got)
					continue
				}
				want := ""
				if named != "" {
					want = "X-Sampul-Bounced-Member: " + named + "\r\n"
				}
				if got := string(b.Recipients[0].Prefix); !strings.EqualFold(got, want) {
					t.Errorf("a bounce to %s is said to be %q, want %q", to, got, want)
				}
			}
		}
		if local, _ := cut(rcpt.From); len(local) > 64 || !dotAtom(local) {
			t.Errorf("%s is no address", rcpt.From)
		}
	}
	if len(paths) != 4 {
		t.Errorf("reverse-paths: %v", paths)
	}
	for _, forged := range []string{
		"ramai+bounces-aaaaaaaaaa@a.test", "ramai+bounces-@a.test", "ramai+bounces-x@a.test",
		strings.Replace(r.bounces.path(g.Address, "orang@luar.test"), "orang", "0rang", 1),
		strings.Replace(r.bounces.path("lain@a.test", ""), "lain", "ramai", 1),
		strings.Replace(r.bounces.path(g.Address, ""), "@", "x@", 1), strings.Replace(r.bounces.path(g.Address, ""), "@", "-a=@", 1),
	} {
		if b, err := r.Rcpt(ctx, Request{Address: forged}); err != nil || show(b) != "550 5.1.1" {
			t.Errorf("%s: %s, %v", forged, show(b), err)
		}
	}
	g.Members = append(g.Members, r.bounces.path(g.Address, ""))
	f.groups[g.Address] = g
	if d, err := r.Rcpt(ctx, Request{Address: g.Address, From: "a@luar.test"}); err != nil || len(d.Recipients) != 5 {
		t.Errorf("a group that has its own bounce address as a member: %s, %v", show(d), err)
	}
	g.Owner = "pemilik@a.test"
	f.groups[g.Address] = g
	f.group("pemilik@a.test", []string{"members"}, g.Address, "p2@a.test")
	if b, err := r.Rcpt(ctx, Request{Address: r.bounces.path(g.Address, "")}); err != nil || show(b) != "#2^pemilik@a.test" {
		t.Errorf("an owner that has the group in it: %s, %v", show(b), err)
	}
}

// Where everybody leads to everybody in the next row, each one is followed once.
func TestManyWaysAreFollowedOnce(t *testing.T) {
	f := world()
	for row := range maxDepth - 1 {
		for i := range 10 {
			var accounts, groups []string
			for j := range 10 {
				accounts = append(accounts, fmt.Sprintf("f%d-%d@b.test", row+1, j))
				groups = append(groups, fmt.Sprintf("g%d-%d@b.test", row+1, j))
			}
			f.account(store.AccountID(1000+row*10+i), fmt.Sprintf("f%d-%d@b.test", row, i), accounts...)
			f.group(fmt.Sprintf("g%d-%d@b.test", row, i), []string{"anyone"}, append(groups, "p1@b.test")...)
		}
	}
	r := routes(f, nil)
	for _, address := range []string{"f0-0@b.test", "g0-0@b.test"} {
		f.finds = 0
		d, err := r.Rcpt(ctx, Request{Address: address, From: "a@luar.test"})
		if err != nil || d.Refused != nil {
			t.Fatalf("%s: %v, %v", address, d, err)
		}
		if f.finds > 10_000 {
			t.Errorf("%s: looked up %d addresses", address, f.finds)
		}
	}
}

// A member here who forwards is the one that a bounce names, not where it was forwarded to.
func TestABounceNamesTheMember(t *testing.T) {
	f := world()
	f.account(80, "kirim@b.test", "orang@luar.test")
	f.groups["g@b.test"] = store.Group{Address: "g@b.test", Agency: "agensi-b", Senders: []string{"anyone"}, Owner: "ketua@a.test", VERP: true, Members: []string{"kirim@b.test"}}
	r := routes(f, nil)
	d, err := r.Rcpt(ctx, Request{Address: "g@b.test", From: "a@luar2.test"})
	if want := r.bounces.path("g@b.test", "kirim@b.test"); err != nil || len(d.Recipients) != 2 || d.Recipients[0].From != want {
		t.Errorf("%s, %v; want %s", show(d), err, want)
	}
}
