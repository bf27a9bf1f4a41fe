package route

import (
	"strings"
	"testing"

	"sampul/store"
)

func TestForwards(t *testing.T) {
	f := world()
	f.account(40, "satu@b.test", "orang@luar.test")
	f.account(41, "hanya@b.test", "orang@luar.test")
	f.only("hanya@b.test")
	f.account(42, "ditarik@a.test", "orang@luar.test", "p1@a.test")
	f.only("ditarik@a.test")
	f.account(43, "kerajaan@a.test", "saya@kementerian.gov.my")
	f.only("kerajaan@a.test")
	f.account(44, "ulang1@b.test", "ulang2@b.test")
	f.only("ulang1@b.test")
	f.account(45, "ulang2@b.test", "ulang1@b.test")
	f.only("ulang2@b.test")
	f.account(46, "rantai@b.test", "hanya@b.test", "p1@a.test")
	f.account(47, "hilang@b.test", "tiada@a.test")
	f.only("hilang@b.test")
	f.account(48, "pintar@b.test", "x@pintar.test")
	f.only("pintar@b.test")
	f.account(49, "ahli@b.test", "ramai@b.test")
	f.only("ahli@b.test")
	f.group("ramai@b.test", []string{"anyone"}, "ahli@b.test")
	f.group("lain@b.test", []string{"anyone"}, "satu@b.test", "hanya@b.test")
	f.account(50, "tahan@b.test", "orang@luar.test")
	f.only("tahan@b.test")
	a := f.accounts["tahan@b.test"]
	a.Held = "kata laluan dicuri"
	f.accounts[a.Address] = a
	r := routes(f, nil)
	srs := func(from string) string {
		out, ok := r.srs.encode(from, "b.test", now)
		if !ok {
			t.Fatalf("%s does not fit", from)
		}
		return out
	}
	ksrs, _ := r.srs.encode("a@luar2.test", "a.test", now)
	long := strings.Repeat("p", 50) + "@luar2.test"
	lain := r.bounces.path("lain@b.test", "")
	for _, c := range []struct{ name, address, from, want, rule string }{
		{"a copy, under a reverse-path of ours", "satu@b.test", "a@luar2.test", "orang@luar.test<" + srs("a@luar2.test") + "^satu@b.test #40", "srs"},
		{"with a tag", "satu+x@b.test", "a@luar2.test", "orang@luar.test<" + srs("a@luar2.test") + "^satu@b.test #40", "srs"},
		{"nothing kept", "hanya@b.test", "a@luar2.test", "orang@luar.test<" + srs("a@luar2.test") + "^hanya@b.test", ""},
		{"a bounce stays one", "hanya@b.test", "", "orang@luar.test^hanya@b.test", ""},
		{"a sender of ours stays", "hanya@b.test", "p1@a.test", "orang@luar.test^hanya@b.test", ""},
		{"a sender that does not fit", "hanya@b.test", long, "orang@luar.test<" + r.bounces.path("hanya@b.test", "") + "^hanya@b.test", "srs"},
		{"outside government is not allowed any more: kept", "ditarik@a.test", "a@luar2.test", "#1^ditarik@a.test #42", "forward"},
		{"government", "kerajaan@a.test", "a@luar2.test", "saya@kementerian.gov.my<" + ksrs + "^kerajaan@a.test", ""},
		{"in a circle: the last keeps it", "ulang1@b.test", "a@luar2.test", "#45^ulang1@b.test", "loop"},
		{"in a row", "rantai@b.test", "a@luar2.test", "orang@luar.test<" + srs("a@luar2.test") + "^hanya@b.test #1^rantai@b.test #46", ""},
		{"to nobody: kept", "hilang@b.test", "a@luar2.test", "#47", "forward"},
		{"to a server of ours, under the reverse-path as it is", "pintar@b.test", "a@luar2.test", "x@pintar.test^pintar@b.test", ""},
		{"to a group that leads back: kept", "ahli@b.test", "a@luar2.test", "#49", "loop"},
		{"of members of a group: the group's reverse-path, each one once", "lain@b.test", "a@luar2.test",
			"orang@luar.test<" + lain + "^satu@b.test #40<" + lain + "^lain@b.test", "once"},
		{"a held account sends nothing on", "tahan@b.test", "a@luar2.test", "#50", "forward"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := r.Rcpt(ctx, Request{Address: c.address, From: c.from})
			if err != nil {
				t.Fatal(err)
			}
			if got := show(d); got != c.want {
				t.Errorf("got  %s\nwant %s\n%v", got, c.want, d.Steps)
			}
			if c.rule != "" && !hasStep(d, c.rule, "") {
				t.Errorf("no step %s in %v", c.rule, d.Steps)
			}
		})
	}
	if b, err := r.Rcpt(ctx, Request{Address: r.bounces.path("hanya@b.test", "")}); err != nil || show(b) != "#41" {
		t.Errorf("a bounce of what did not fit is forwarded in turn: %s, %v", show(b), err)
	}
	if b, err := r.Rcpt(ctx, Request{Address: "p1+bounces-saya@b.test"}); err != nil || show(b) != "#11" {
		t.Errorf("a tag that only looks like a bounce: %s, %v", show(b), err)
	}
}

func TestBouncesOfForwardedMail(t *testing.T) {
	f := world()
	f.account(60, "srs0@a.test")
	r := routes(f, &prober{says: map[string]string{"SRS0=abcdef=aa=luar.test=a@pindah.test": "250 its own"}})
	good, _ := r.srs.encode("Orang@luar.test", "a.test", now)
	old, _ := r.srs.encode("Orang@luar.test", "a.test", now.AddDate(0, 0, -srsLife-1))
	twice, _ := r.srs.encode("SRS0=abcd=aa=luar.test=a@lain.test", "a.test", now)
	inside, _ := r.srs.encode("p1@b.test", "a.test", now)
	for _, c := range []struct{ name, address, from, want string }{
		{"to who sent it", good, "", "Orang@luar.test^" + good},
		{"in capitals, as some servers do", strings.ToUpper(good), "", "ORANG@LUAR.TEST^" + strings.ToUpper(good)},
		{"what is no bounce", good, "mailer@lain.test", "550 5.7.1"},
		{"to the other forwarder", twice, "", "SRS0=abcd=aa=luar.test=a@lain.test^" + twice},
		{"a domain that has become ours", inside, "", "#11^" + inside},
		{"too old", old, "", "550 5.1.1"},
		{"forged", strings.Replace(good, "Orang", "korban", 1), "", "550 5.1.1"},
		{"another domain of ours", strings.Replace(good, "@a.test", "@b.test", 1), "", "Orang@luar.test^" + strings.Replace(good, "@a.test", "@b.test", 1)},
		{"forged, where there is a catch-all", "SRS0=abcdef=aa=luar.test=a@b.test", "", "550 5.1.1"},
		{"in a domain that is elsewhere, whose server may have made it", "SRS0=abcdef=aa=luar.test=a@pindah.test", "", "SRS0=abcdef=aa=luar.test=a@pindah.test"},
		{"an account with such a name", "srs0@a.test", "", "#60"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := r.Rcpt(ctx, Request{Address: c.address, From: c.from})
			if err != nil {
				t.Fatal(err)
			}
			if got := show(d); got != c.want {
				t.Errorf("got %s, want %s\n%v", got, c.want, d.Steps)
			}
		})
	}
}

func TestSRS(t *testing.T) {
	s := srs{[]byte("kunci")}
	for _, from := range []string{"a@b.test", "Orang.Ramai+x@sub.luar.test", "a=b@c.test", "SRS0=x=y=z=w@lain.test", "SRS0+x=y=z=w@lain.test",
		"SRS1=hash=satu.test==x=y=z=w@lain.test", "SRS0x@lain.test", "SRS1=rosak@lain.test"} {
		out, ok := s.encode(from, "a.test", now)
		local, domain := cut(out)
		if !ok || domain != "a.test" || len(local) > 64 {
			t.Errorf("%s: %s, %v", from, out, ok)
			continue
		}
		back, err := s.decode(local, now.AddDate(0, 0, srsLife))
		want := from
		if strings.HasPrefix(from, "SRS1=hash") { // the middle one is left out
			want = "SRS0=x=y=z=w@satu.test"
		}
		if err != nil || back != want {
			t.Errorf("%s became %s and came back as %s, %v", from, out, back, err)
		}
		for i := range local {
			if i < 5 {
				continue
			}
			bad := []byte(local)
			if bad[i]++; strings.EqualFold(string(bad), local) {
				continue
			}
			if back, err := s.decode(string(bad), now); err == nil {
				t.Errorf("%s was taken, as %s", bad, back)
			}
		}
	}
	for _, from := range []string{"", "a", "@b.test", "a@[192.0.2.1]", `"a b"@b.test`, "é@b.test", strings.Repeat("a", 50) + "@b.test"} {
		if out, ok := s.encode(from, "a.test", now); ok {
			t.Errorf("%q became %s", from, out)
		}
	}
	out, _ := s.encode("a@b.test", "a.test", now)
	local, _ := cut(out)
	for days, want := range map[int]error{-1: nil, 0: nil, srsLife: nil, srsLife + 1: errExpired, -2: errExpired, srsDays: nil} {
		if _, err := s.decode(local, now.AddDate(0, 0, days)); err != want {
			t.Errorf("after %d days: %v, want %v", days, err, want)
		}
	}
}

// What was made here, and only that, is read again as it was.
func FuzzReversePaths(f *testing.F) {
	s, b := srs{[]byte("kunci")}, bounces{[]byte("kunci")}
	for _, seed := range []string{"a@b.test", "SRS0=abcdef=aa=luar.test=a@a.test", "SRS1=abcdef=luar.test==x=y=z=w@a.test", "SRS0+a=b@c.test",
		"ramai+bounces-aaaaaaaaaa@a.test", "ramai+bounces-aaaaaaaaaa-x=y.test@a.test", "SRS0=@", "srs1-=@x", "a+bounces-"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		local, _ := cut(addr)
		if back, err := s.decode(local, now); err == nil {
			t.Fatalf("%q, which was not made here, was read as %q", addr, back)
		}
		if of, rest, ok := b.split(addr); ok {
			if member, ok := b.check(of, rest); ok {
				t.Fatalf("%q, which was not made here, was read as %q", addr, member)
			}
		}
		out, ok := s.encode(addr, "a.test", now)
		if !ok {
			return
		}
		made, _ := cut(out)
		back, err := s.decode(made, now)
		if kind, _ := srsKind(local); kind != 1 && (err != nil || back != addr && !(kind == 0 && strings.EqualFold(back, addr))) {
			t.Fatalf("%q became %q and came back as %q", addr, out, back)
		}
		path := b.path("ramai@a.test", addr)
		_, rest, ok := b.split(path)
		member, good := b.check("ramai@a.test", rest)
		if !ok || !good || member != "" && member != addr {
			t.Fatalf("%q became %q and came back as %q, %v", addr, path, member, good)
		}
	})
}

func TestLoopField(t *testing.T) {
	secret := world().SuiteSecret(LoopPurpose)
	addresses := []string{"a@pindah.test", "B@pindah.test", "c@pindah.test", "d@pindah.test", "e@pindah.test", "f@bücher.test"}
	field := string(LoopField(secret, addresses))
	name, value, _ := strings.Cut(field, ": ")
	if name != LoopName || !strings.HasSuffix(value, "\r\n") || strings.Contains(field, "pindah") {
		t.Fatalf("field %q", field)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(field, "\r\n"), "\r\n") {
		if len(line) > 78 {
			t.Errorf("a line of %d: %q", len(line), line)
		}
	}
	value = strings.TrimSuffix(value, "\r\n")
	for _, a := range append(addresses, "A@PINDAH.test", "b@pindah.test", "F@xn--bcher-kva.test") {
		if !Looped(secret, []string{"lain", "", value}, a) {
			t.Errorf("%s is not recognised", a)
		}
	}
	for _, fields := range [][]string{nil, {""}, {"x"}, {value}} {
		if Looped(secret, fields, "z@pindah.test") {
			t.Errorf("z is recognised in %q", fields)
		}
	}
	if Looped([]byte("lain"), []string{value}, "a@pindah.test") {
		t.Error("another suite's field is taken for ours")
	}
	if again := string(LoopField(secret, addresses)); again == field {
		t.Error("two messages to the same people can be told to be so")
	}
}

func TestNext(t *testing.T) {
	f := world()
	f.alias("aduan@a.test", "p1@a.test")
	f.alias("alih@pindah.test", "sini@pindah.test")
	f.alias("lama@a.test", "p1@a.test", now)
	f.alias("x1@a.test", "x2@a.test")
	f.alias("x2@a.test", "x1@a.test")
	f.group("ramai@a.test", nil, "p1@a.test")
	f.splits["tetap@rumah.test"] = store.Moving
	r := routes(f, nil)
	for _, c := range []struct {
		address, agency string
		want            Hop
	}{
		{"orang@Luar.test", "agensi-a", Hop{Kind: ToMX, Domain: "luar.test", Agency: "agensi-a", Source: "127.0.0.5", HELO: "keluar.a.test"}},
		{"orang@luar.test", "agensi-b", Hop{Kind: ToMX, Domain: "luar.test", Agency: "agensi-b"}},
		{"orang@luar.test", "", Hop{Kind: ToMX, Domain: "luar.test"}},
		{"x@pintar.test", "", Hop{Kind: ToHost, Domain: "pintar.test", Host: "10.0.0.1:25", TLS: "verify", User: "u", Secret: "s", Agency: "agensi-a", Source: "127.0.0.5", HELO: "keluar.a.test"}},
		{"x@lmtp.test", "agensi-b", Hop{Kind: ToLMTP, Domain: "lmtp.test", Host: "10.0.0.2:24", TLS: "may", Agency: "agensi-b"}},
		{"x@pindah.test", "agensi-b", Hop{Kind: ToHost, Domain: "pindah.test", Host: "10.0.0.3:25", TLS: "may", Agency: "agensi-b"}},
		{"jauh@rumah.test", "agensi-b", Hop{Kind: ToHost, Domain: "rumah.test", Host: "10.0.0.4:25", TLS: "may", Agency: "agensi-b"}},
		{"sini@pindah.test", "agensi-b", Hop{Kind: ToMailbox, Domain: "pindah.test", Account: 20, Agency: "agensi-b"}},
		{"sini+x@pindah.test", "agensi-b", Hop{Kind: ToMailbox, Domain: "pindah.test", Account: 20, Agency: "agensi-b"}},
		{"p1+x@a.test", "agensi-b", Hop{Kind: ToMailbox, Domain: "a.test", Account: 1, Agency: "agensi-b"}},
		{"aduan@a.test", "agensi-b", Hop{Kind: ToMailbox, Domain: "a.test", Account: 1, Agency: "agensi-b"}},
		{"aduan+x@a.test", "agensi-b", Hop{Kind: ToMailbox, Domain: "a.test", Account: 1, Agency: "agensi-b"}},
		{"alih+x@pindah.test", "agensi-b", Hop{Kind: ToMailbox, Domain: "pindah.test", Account: 20, Agency: "agensi-b"}},
		{"sesiapa@b.test", "agensi-b", Hop{Kind: ToMailbox, Domain: "b.test", Account: 10, Agency: "agensi-b"}},
		{"postmaster@a.test", "agensi-b", Hop{Kind: ToMailbox, Domain: "a.test", Account: 3, Agency: "agensi-b"}},
		{"dua@pindah.test", "agensi-b", Hop{Kind: Wait, Moving: true, Why: "moving"}},
		{"dua+x@pindah.test", "agensi-b", Hop{Kind: Wait, Moving: true, Why: "moving"}},
		{"tetap@rumah.test", "agensi-b", Hop{Kind: Wait, Moving: true, Why: "moving"}},
		{"p@tahan.test", "agensi-b", Hop{Kind: Wait, Why: "penyelenggaraan"}},
		{"p@tahan-s.test", "agensi-b", Hop{Kind: Wait, Why: "penyelenggaraan"}},
		{"tiada@a.test", "agensi-b", Hop{Kind: ToNobody, Refused: refuse(550, "5.1.1", "")}},
		{"lama@a.test", "agensi-b", Hop{Kind: ToNobody, Refused: refuse(550, "5.1.1", "")}},
		{"apl@a.test", "agensi-b", Hop{Kind: ToNobody, Refused: refuse(550, "5.1.1", "")}},
		{"tiada@pindah.test", "agensi-b", Hop{Kind: ToNobody, Refused: refuse(550, "5.1.1", "")}},
		{"p@tutup.test", "agensi-b", Hop{Kind: ToNobody, Refused: refuse(550, "5.7.1", "")}},
		{"ramai@a.test", "agensi-b", Hop{Kind: ToNobody, Refused: refuse(550, "5.2.4", "")}},
		{"x1@a.test", "agensi-b", Hop{Kind: ToNobody, Refused: refuse(550, "5.4.6", "")}},
	} {
		got, err := r.Next(ctx, c.address, c.agency)
		if err != nil {
			t.Fatal(err)
		}
		switch c.want.Kind {
		case Wait:
			if got.Kind != Wait || got.Moving != c.want.Moving || !strings.Contains(got.Why, c.want.Why) {
				t.Errorf("%s: %+v", c.address, got)
			}
		case ToNobody:
			if got.Kind != ToNobody || got.Refused == nil || got.Refused.Code != c.want.Refused.Code || got.Refused.Enhanced != c.want.Refused.Enhanced {
				t.Errorf("%s: %+v %v", c.address, got, got.Refused)
			}
		default:
			if got != c.want {
				t.Errorf("%s: got %+v, want %+v", c.address, got, c.want)
			}
		}
	}
	// The table says at last where a moving address lives.
	f.splits["dua@pindah.test"] = store.Elsewhere
	if got, err := r.Next(ctx, "dua@pindah.test", ""); err != nil || got.Kind != ToHost {
		t.Errorf("elsewhere now: %+v, %v", got, err)
	}
	f.splits["dua@pindah.test"] = store.Here
	f.account(70, "dua@pindah.test")
	if got, err := r.Next(ctx, "dua@pindah.test", ""); err != nil || got.Kind != ToMailbox || got.Account != 70 {
		t.Errorf("here now: %+v, %v", got, err)
	}
}
