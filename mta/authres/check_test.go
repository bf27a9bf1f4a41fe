package authres

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"sampul/internal/dkim"
	"sampul/internal/dns"
	"sampul/internal/dnstest"
	"sampul/internal/message"
)

var now = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

const zone = `
pas.test         IN TXT "v=spf1 ip4:192.0.2.1 -all"
gagal.test       IN TXT "v=spf1 -all"
lembut.test      IN TXT "v=spf1 ~all"
_dmarc.tiada-dasar.test IN TXT "v=DMARC1; p=none"
_dmarc.kuarantin.test   IN TXT "v=DMARC1; p=quarantine"
_dmarc.tolak.test       IN TXT "v=DMARC1; p=reject"
tolak.test       IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.ketat.test       IN TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
a.ketat.test     IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.cuba.test        IN TXT "v=DMARC1; p=reject; t=y"
_dmarc.pct.test         IN TXT "v=DMARC1; p=reject; pct=0"
_dmarc.bawah.test       IN TXT "v=DMARC1; p=reject; sp=quarantine; np=reject"
ada.bawah.test   IN A 192.0.2.9
_dmarc.dua.test         IN TXT "v=DMARC1; p=reject"
_dmarc.dua.test         IN TXT "v=DMARC1; p=none"
_dmarc.rosak.test       IN TXT "v=DMARC1; p=mungkin"
_dmarc.laporan.test     IN TXT "v=DMARC1; p=mungkin; rua=mailto:a@laporan.test"
_dmarc.bukan.test       IN TXT "v=DMARC1.1; p=reject"
_dmarc.awam             IN TXT "v=DMARC1; p=none; np=reject; psd=y"
_dmarc.anak.awam        IN TXT "v=DMARC1; p=reject"
x.anak.awam      IN TXT "v=spf1 ip4:192.0.2.1 -all"
jiran.awam       IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.sendiri.anak.awam IN TXT "v=DMARC1; p=quarantine; psd=n"
1.2.0.192.in-addr.arpa IN PTR mx.luar.test
mx.luar.test     IN A 192.0.2.1
2.2.0.192.in-addr.arpa IN PTR bohong.test
`

var keys = sync.OnceValue(func() map[string][]byte {
	out := map[string][]byte{}
	for _, a := range []string{dkim.RSA, dkim.Ed25519} {
		der, err := dkim.Generate(a)
		if err != nil {
			panic(err)
		}
		out[a] = der
	}
	return out
})

// key makes a key of the domain, and publishes it.
func key(t testing.TB, z *dnstest.Zone, domain, algorithm string) dkim.Key {
	t.Helper()
	k, err := dkim.NewKey(domain, map[string]string{dkim.RSA: "r", dkim.Ed25519: "e"}[algorithm], keys()[algorithm])
	if err != nil {
		t.Fatal(err)
	}
	txt, err := k.Record()
	if err != nil {
		t.Fatal(err)
	}
	z.Remove(k.Name())
	var parts []string
	for ; len(txt) > 200; txt = txt[200:] {
		parts = append(parts, txt[:200])
	}
	z.Add(k.Name() + ` IN TXT "` + strings.Join(append(parts, txt), `" "`) + `"`)
	return k
}

func letter(from string) string {
	return "From: " + from + "\r\nTo: pegawai1@agensi-a.test\r\nSubject: Mesyuarat\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\r\nHadir.\r\n"
}

func signed(t testing.TB, msg string, o dkim.SignOptions, ks ...dkim.Key) string {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now
	}
	fields, err := dkim.Sign(strings.NewReader(msg), ks, o)
	if err != nil {
		t.Fatal(err)
	}
	return string(fields) + msg
}

func mail(msg, from string) *Mail {
	return &Mail{IP: netip.MustParseAddr("192.0.2.1"), HELO: "mx.luar.test", From: from, Index: message.Parse([]byte(msg)), Body: strings.NewReader(msg)}
}

func check(t testing.TB, z *dnstest.Zone, m *Mail) *Results {
	t.Helper()
	c := New(Options{Hostname: "mx.agensi-a.test", Resolver: dns.New(z.Addr), Clock: func() time.Time { return now },
		TrustedSealers: func(d string) bool { return d == "dipercayai.test" || d == "juga.test" }})
	r, err := c.Check(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	// Whatever was found, our own field can be read again.
	v, ok := strings.CutPrefix(string(r.Header("mx.agensi-a.test")), "Authentication-Results:")
	f, err := Parse(v)
	if !ok || err != nil || f.ServID != "mx.agensi-a.test" || !strings.HasSuffix(v, "\r\n") {
		t.Fatalf("our field: %v\n%s", err, v)
	}
	for line := range strings.SplitSeq(v, "\r\n") {
		if len(line) > 998 {
			t.Errorf("a line of %d octets", len(line))
		}
	}
	return r
}

// Twelve mails, each with the whole field that stands in them afterwards.
func TestTwelveMails(t *testing.T) {
	z := dnstest.New(t, zone)
	luar, tolak := key(t, z, "luar.test", dkim.RSA), key(t, z, "tolak.test", dkim.RSA)
	tiada, kuarantin := key(t, z, "tiada-dasar.test", dkim.Ed25519), key(t, z, "kuarantin.test", dkim.Ed25519)
	list := func(domain string) string {
		k := key(t, z, domain, dkim.RSA)
		msg := signed(t, letter("a@tolak.test"), dkim.SignOptions{}, tolak)
		set, err := dkim.Seal(strings.NewReader(msg), dkim.SealOptions{Key: k, Now: now, Results: domain + "; dkim=pass header.d=tolak.test; dmarc=pass header.from=tolak.test"})
		if err != nil {
			t.Fatal(err)
		}
		// The list changes the subject; its own signature over the changed message comes on top.
		changed := strings.Replace(string(set)+msg, "Subject: ", "Subject: [senarai] ", 1)
		set2, err := dkim.Seal(strings.NewReader(changed), dkim.SealOptions{Key: k, Now: now, CV: dkim.Pass, Results: domain + "; arc=pass"})
		if err != nil {
			t.Fatal(err)
		}
		return string(set2) + changed
	}
	const iprev = "iprev=pass (mx.luar.test) policy.iprev=192.0.2.1"
	for _, tt := range []struct {
		name, msg, from string
		want            []string
		refuse          bool
	}{
		{"SPF pass", letter("a@pas.test"), "a@pas.test",
			[]string{"spf=pass smtp.mailfrom=a@pas.test", iprev, "dkim=none", "dmarc=none header.from=pas.test", "arc=none"}, false},
		{"SPF fail", letter("a@gagal.test"), "a@gagal.test",
			[]string{`spf=fail reason="matched all" smtp.mailfrom=a@gagal.test`, iprev, "dkim=none", "dmarc=none header.from=gagal.test", "arc=none"}, false},
		{"SPF softfail", letter("a@lembut.test"), "a@lembut.test",
			[]string{"spf=softfail smtp.mailfrom=a@lembut.test", iprev, "dkim=none", "dmarc=none header.from=lembut.test", "arc=none"}, false},
		{"DKIM good", signed(t, letter("a@luar.test"), dkim.SignOptions{}, luar), "",
			[]string{"spf=none smtp.helo=mx.luar.test", iprev, "dkim=pass header.d=luar.test header.i=@luar.test header.s=r header.a=rsa-sha256 header.b=*", "dmarc=none header.from=luar.test", "arc=none"}, false},
		{"DKIM, body changed", signed(t, letter("a@luar.test"), dkim.SignOptions{}, luar) + "lagi\r\n", "",
			[]string{"spf=none smtp.helo=mx.luar.test", iprev, `dkim=fail reason="the body was changed" header.d=luar.test header.i=@luar.test header.s=r header.a=rsa-sha256 header.b=*`, "dmarc=none header.from=luar.test", "arc=none"}, false},
		{"DKIM expired", signed(t, letter("a@luar.test"), dkim.SignOptions{Now: now.Add(-2 * time.Hour), Expire: time.Hour}, luar), "",
			[]string{"spf=none smtp.helo=mx.luar.test", iprev, `dkim=fail reason="the signature has expired" header.d=luar.test header.i=@luar.test header.s=r header.a=rsa-sha256 header.b=*`, "dmarc=none header.from=luar.test", "arc=none"}, false},
		{"none, aligned", signed(t, letter("a@tiada-dasar.test"), dkim.SignOptions{}, tiada), "a@pas.test",
			[]string{"spf=pass smtp.mailfrom=a@pas.test", iprev, "dkim=pass header.d=tiada-dasar.test header.i=@tiada-dasar.test header.s=e header.a=ed25519-sha256 header.b=*", "dmarc=pass (p=none dis=none) header.from=tiada-dasar.test policy.dmarc=none", "arc=none"}, false},
		{"quarantine, aligned", signed(t, letter("a@kuarantin.test"), dkim.SignOptions{}, kuarantin), "a@gagal.test",
			[]string{`spf=fail reason="matched all" smtp.mailfrom=a@gagal.test`, iprev, "dkim=pass header.d=kuarantin.test header.i=@kuarantin.test header.s=e header.a=ed25519-sha256 header.b=*", "dmarc=pass (p=quarantine dis=none) header.from=kuarantin.test policy.dmarc=quarantine", "arc=none"}, false},
		{"quarantine, unaligned", letter("a@kuarantin.test"), "a@pas.test",
			[]string{"spf=pass smtp.mailfrom=a@pas.test", iprev, "dkim=none", `dmarc=fail (p=quarantine dis=quarantine) reason="neither SPF nor DKIM passed for the domain" header.from=kuarantin.test policy.dmarc=quarantine`, "arc=none"}, false},
		{"reject, unaligned", signed(t, letter("a@tolak.test"), dkim.SignOptions{}, luar), "a@pas.test",
			[]string{"spf=pass smtp.mailfrom=a@pas.test", iprev, "dkim=pass header.d=luar.test header.i=@luar.test header.s=r header.a=rsa-sha256 header.b=*", `dmarc=fail (p=reject dis=reject) reason="neither SPF nor DKIM passed for the domain" header.from=tolak.test policy.dmarc=reject`, "arc=none"}, true},
		{"reject, ARC of a trusted sealer", list("dipercayai.test"), "a@pas.test",
			[]string{"spf=pass smtp.mailfrom=a@pas.test", iprev, `dkim=fail reason="the header was changed, or the key is another one" header.d=tolak.test header.i=@tolak.test header.s=r header.a=rsa-sha256 header.b=*`, `dmarc=fail (p=reject dis=none override=arc) reason="neither SPF nor DKIM passed for the domain; a trusted ARC sealer found that it passed" header.from=tolak.test policy.dmarc=reject`, "arc=pass (i=2 d=dipercayai.test trusted)"}, false},
		{"reject, ARC of another sealer", list("sesiapa.test"), "a@pas.test",
			[]string{"spf=pass smtp.mailfrom=a@pas.test", iprev, `dkim=fail reason="the header was changed, or the key is another one" header.d=tolak.test header.i=@tolak.test header.s=r header.a=rsa-sha256 header.b=*`, `dmarc=fail (p=reject dis=reject) reason="neither SPF nor DKIM passed for the domain" header.from=tolak.test policy.dmarc=reject`, "arc=pass (i=2 d=sesiapa.test)"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := check(t, z, mail(tt.msg, tt.from))
			got := strings.Split(strings.Join(strings.Fields(string(r.Header("mx.agensi-a.test"))), " "), "; ")
			want := append([]string{"Authentication-Results: mx.agensi-a.test"}, tt.want...)
			if tt.name == "reject, ARC of a trusted sealer" { // a reason with a semicolon in it
				got = strings.Split(strings.ReplaceAll(strings.Join(got, "; "), "domain; a", "domain, a"), "; ")
				want[4] = strings.ReplaceAll(want[4], "domain; a", "domain, a")
			}
			if len(got) != len(want) {
				t.Fatalf("got %d methods: %q", len(got), got)
			}
			for i := range got {
				if w, b, _ := strings.Cut(want[i], "*"); b != "" || !strings.HasSuffix(want[i], "*") && got[i] != want[i] || !strings.HasPrefix(got[i], w) {
					t.Errorf("got  %s\nwant %s", got[i], want[i])
				}
			}
			code, enhanced, text, refuse := r.Refusal()
			if refuse != tt.refuse || refuse && (code != 550 || enhanced != "5.7.26" || !strings.Contains(text, r.DMARC.Domain)) {
				t.Errorf("refusal: %v %d %s %s", refuse, code, enhanced, text)
			}
		})
	}
}

func TestDMARC(t *testing.T) {
	z := dnstest.New(t, zone)
	z.Fail("_dmarc.lewat.test")
	z.Bogus("_dmarc.palsu.test")
	z.Fail("_dmarc.induk-lewat.test")
	z.Add(`_dmarc.anak.induk-lewat.test IN TXT "v=DMARC1; p=reject"`)
	z.Fail("spf-lewat.tolak.test")
	for _, tt := range []struct {
		name, from, path string
		result           Result
		policy, dispose  string
		override         string
	}{
		{"SPF aligned", "a@tolak.test", "b@tolak.test", Pass, "reject", "none", ""},
		{"case does not matter", "a@TOLAK.test", "b@ToLaK.TEST", Pass, "reject", "none", ""},
		{"SPF of a neighbour", "a@tolak.test", "b@pas.test", Fail, "reject", "reject", ""},
		{"no record", "a@pas.test", "a@pas.test", None, "", "none", ""},
		{"strict, and below", "a@ketat.test", "b@a.ketat.test", Fail, "reject", "reject", ""},
		{"testing", "a@cuba.test", "a@pas.test", Fail, "reject", "quarantine", "testing"},
		{"percentages are not known", "a@pct.test", "a@pas.test", Fail, "reject", "reject", ""},
		{"subdomain that exists", "a@ada.bawah.test", "", Fail, "quarantine", "quarantine", ""},
		{"subdomain that does not", "a@tiada.bawah.test", "", Fail, "reject", "reject", ""},
		{"subdomain of reject", "a@x.y.z.tolak.test", "", Fail, "reject", "reject", ""},
		{"two records", "a@dua.test", "", None, "", "none", ""},
		{"no valid policy", "a@rosak.test", "", PermError, "", "none", ""},
		{"no valid policy, wants reports", "a@laporan.test", "", Fail, "none", "none", ""},
		{"another version", "a@bukan.test", "", None, "", "none", ""},
		{"public suffix", "a@tiada.awam", "", Fail, "reject", "reject", ""},
		{"below a public suffix", "a@x.anak.awam", "a@x.anak.awam", Pass, "reject", "none", ""},
		{"neighbours below a public suffix", "a@anak.awam", "a@jiran.awam", Fail, "reject", "reject", ""},
		{"relaxed below a public suffix", "a@anak.awam", "a@x.anak.awam", Pass, "reject", "none", ""},
		{"psd=n is an organization of its own", "a@sendiri.anak.awam", "a@x.anak.awam", Fail, "quarantine", "quarantine", ""},
		{"DNS does not answer", "a@lewat.test", "", TempError, "", "none", ""},
		{"DNS is bogus", "a@palsu.test", "", TempError, "", "none", ""},
		{"organization does not answer", "a@anak.induk-lewat.test", "", Fail, "reject", "reject", ""},
		{"organization does not answer, and matters", "a@anak.induk-lewat.test", "b@pas.test", TempError, "reject", "none", ""},
		{"SPF has no result yet", "a@tolak.test", "a@spf-lewat.tolak.test", TempError, "reject", "none", ""},
		{"two domains, the strictest", "a@pas.test, b@tolak.test", "a@pas.test", Fail, "reject", "reject", ""},
		{"two domains, one passes", "a@tolak.test, b@kuarantin.test", "a@tolak.test", Fail, "quarantine", "quarantine", ""},
		{"the same twice", "a@tolak.test, b@tolak.test", "a@tolak.test", Pass, "reject", "none", ""},
		{"too many domains", "a@a.test, a@b.test, a@c.test, a@d.test, a@e.test, a@f.test", "", PermError, "", "reject", ""},
		{"too many addresses", strings.Repeat("a@pas.test, ", 5000) + "b@tolak.test", "", PermError, "", "reject", ""},
		{"too many without a domain", strings.Repeat("a, ", 300) + "b@tolak.test", "", PermError, "", "reject", ""},
		{"two fields", "a@tolak.test\r\nFrom: b@tolak.test", "a@tolak.test", Fail, "reject", "reject", ""},
		{"no domain", "pentadbir", "", PermError, "", "none", ""},
		{"address literal", "a@[192.0.2.1]", "", PermError, "", "none", ""},
		{"domain in pieces", "a@tolak .\r\n test", "a@pas.test", Fail, "reject", "reject", ""},
		{"comments in the domain", "a@pas.test, b@(x)tolak.(y)test", "a@pas.test", Fail, "reject", "reject", ""},
		{"control characters", "a@tolak.\x00test\x07", "a@pas.test", Fail, "reject", "reject", ""},
		{"two at signs", "a@pas.test@tolak.test", "a@pas.test", Fail, "reject", "reject", ""},
		{"name with an address", `"a@pas.test" <b@tolak.test>`, "a@pas.test", Fail, "reject", "reject", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := check(t, z, mail(letter(tt.from), tt.path)).DMARC
			if d.Result != tt.result || d.Policy != tt.policy || d.Disposition != tt.dispose || d.Override != tt.override {
				t.Errorf("got %+v, want %s, %q, %s", d, tt.result, tt.policy, tt.dispose)
			}
		})
	}
}

// Long names cost eight questions, however long they are.
func TestTreeWalkIsShort(t *testing.T) {
	for labels, want := range map[int]int{2: 2, 7: 7, 8: 8, 9: 8, 40: 8} {
		z := dnstest.New(t, "")
		c := New(Options{Resolver: dns.New(z.Addr)})
		domain := strings.Repeat("a.", labels-1) + "test"
		if w := c.treeWalk(context.Background(), domain); w.org() != domain || w.err != nil {
			t.Errorf("%d labels: %s, %v", labels, w.org(), w.err)
		}
		if n := z.Asked(""); n != want {
			t.Errorf("%d labels: %d questions, want %d", labels, n, want)
		}
	}
}

func TestIPRev(t *testing.T) {
	z := dnstest.New(t, zone)
	z.Fail("4.2.0.192.in-addr.arpa")
	for ip, want := range map[string]Result{"192.0.2.1": Pass, "::ffff:192.0.2.1": Pass, "192.0.2.2": Fail, "192.0.2.3": PermError, "192.0.2.4": TempError, "2001:db8::1": PermError} {
		m := mail(letter("a@pas.test"), "a@pas.test")
		m.IP = netip.MustParseAddr(ip)
		if r := check(t, z, m); r.IPRev != want || (r.Hostname != "") != (want == Pass) {
			t.Errorf("%s: got %s %q, want %s", ip, r.IPRev, r.Hostname, want)
		}
	}
}

func TestWithoutAResolver(t *testing.T) {
	r, err := New(Options{}).Check(context.Background(), mail(letter("a@tolak.test"), "a@tolak.test"))
	if err != nil || r.SPF.Result != None || r.DMARC.Disposition != "none" {
		t.Errorf("%+v, %v", r, err)
	}
	if h := string(r.Header("mx.test")); !strings.Contains(h, "spf=none") || !strings.Contains(h, "dmarc=none") {
		t.Error(h)
	}
}

// A resolver that is silent ends in temperror when the caller's time is over.
func TestSilentResolver(t *testing.T) {
	z := dnstest.New(t, zone)
	z.Silent("*")
	k := key(t, z, "luar.test", dkim.Ed25519)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := New(Options{Resolver: dns.New(z.Addr)}).Check(ctx, mail(signed(t, letter("a@tolak.test"), dkim.SignOptions{}, k), "a@tolak.test"))
	if err != nil {
		t.Fatal(err)
	}
	if r.SPF.Result != TempError || r.IPRev != TempError || r.DKIM[0].Result != TempError || r.DMARC.Result != TempError {
		t.Errorf("%+v", r)
	}
	if _, _, _, refuse := r.Refusal(); refuse {
		t.Error("refused without a decision")
	}
}

type brokenBody struct{}

func (brokenBody) ReadAt([]byte, int64) (int, error) { return 0, errors.New("disk") }

func TestBrokenBodyIsAFault(t *testing.T) {
	z := dnstest.New(t, zone)
	m := mail(letter("a@tolak.test"), "")
	m.Body = brokenBody{}
	if _, err := New(Options{Resolver: dns.New(z.Addr)}).Check(context.Background(), m); err == nil {
		t.Error("no error: the message would be judged on what was not read")
	}
}

// What others wrote cannot leave its place in our field.
func TestHeaderQuotes(t *testing.T) {
	r := &Results{
		SPF:   SPF{Result: Pass, Scope: "mailfrom", Sender: "a\r\nX: y; dmarc=pass \"b\"@c.test"},
		IPRev: Pass, Hostname: "a) ;dmarc=pass (", IP: netip.MustParseAddr("2001:db8::1"),
		DKIM:  []Signature{{Result: Fail, Reason: `x" ; dmarc=pass header.from="bank.test`, Domain: "a b", Selector: "é", Identity: "p q@luar.test", Algorithm: "rsa-sha256", Prefix: "ab/+cd=="}},
		DMARC: DMARC{Result: Fail, Domain: strings.Repeat("a", 3000)},
		ARC:   ARC{Result: Fail, Sets: 3, Reason: "\\"},
	}
	h := string(r.Header("mx.test"))
	f, err := Parse(strings.TrimPrefix(h, "Authentication-Results:"))
	if err != nil || len(f.Methods) != 5 {
		t.Fatalf("%v\n%s", err, h)
	}
	if strings.Count(h, "\n") != strings.Count(h, "\r\n\t")+1 {
		t.Errorf("a line that is no continuation: %q", h)
	}
	for i, want := range []map[string]string{
		{"smtp.mailfrom": `aX: y; dmarc=pass "b"@c.test`}, {"policy.iprev": "2001:db8::1"},
		{"header.d": "a b", "header.i": "p q@luar.test", "header.b": "ab/+cd=="}, {"header.from": strings.Repeat("a", 254)}, {},
	} {
		for k, v := range want {
			if f.Methods[i].Props[k] != v {
				t.Errorf("%s: got %q, want %q", k, f.Methods[i].Props[k], v)
			}
		}
	}
	if !strings.Contains(h, `header.b="ab/+cd=="`) || f.Methods[4].Reason != `\` {
		t.Error(h)
	}
}

func TestForgedResults(t *testing.T) {
	for value, forged := range map[string]bool{
		"mx.agensi-a.test; dmarc=pass":                  true,
		"MX.Agensi-A.TEST.; dmarc=pass":                 true,
		"\r\n\tmx.agensi-a.test 1;\r\n dmarc=pass":      true,
		"(a (b) \\) c) mx.agensi-a.test(x); dmarc=pass": true,
		`"mx.agensi-a.test"; dmarc=pass`:                true,
		`"mx.agensi\-a.test"; dmarc=pass`:               true,
		"mx.agensi-a.test":                              true,
		"<mx.agensi-a.test>; dmarc=pass":                true,
		"(never closed mx.lain.test; dmarc=pass":        true,
		`"never closed; dmarc=pass`:                     true,
		"; dmarc=pass":                                  true,
		"":                                              true,
		"mx.lain.test; dmarc=pass (mx.agensi-a.test)":   false,
		"mx.agensi-a.test.lain.test; dmarc=pass":        false,
		"smx.agensi-a.test; dmarc=pass":                 false,
		"a-mx.agensi-a.test; none":                      false,
	} {
		msg := "Received: x\r\nAUTHENTICATION-results: " + value + "\r\nX-Authentication-Results: mx.agensi-a.test; none\r\nFrom: a@b.test\r\n\r\nx"
		got := ForgedResults(message.Parse([]byte(msg)), "Mx.agensi-a.test")
		if (len(got) == 1 && got[0] == 1) != forged || len(got) > 1 {
			t.Errorf("%q: got %v, want forged %v", value, got, forged)
		}
	}
}

// A message that came with a chain goes on with one more set, whose state is what was
// found when it came.
func TestSeal(t *testing.T) {
	z := dnstest.New(t, zone)
	first, ours := key(t, z, "dipercayai.test", dkim.RSA), key(t, z, "agensi-a.test", dkim.RSA)
	plain := letter("a@tolak.test")
	set, err := dkim.Seal(strings.NewReader(plain), dkim.SealOptions{Key: first, Now: now, Results: "mx.dipercayai.test; dmarc=pass"})
	if err != nil {
		t.Fatal(err)
	}
	chained := string(set) + plain
	broken := strings.Replace(chained, "Hadir", "Jangan hadir", 1)
	for _, tt := range []struct {
		name, msg string
		trust     bool // the prefix has what was found
		want      Result
		sets      int
		err       error
	}{
		{"no chain", plain, true, Pass, 1, nil},
		{"no chain, nothing known", plain, false, Pass, 1, nil},
		{"a good chain", chained, true, Pass, 2, nil},
		{"a broken chain", broken, true, Fail, 2, nil},
		{"a chain that was not checked", chained, false, "", 0, ErrUnchecked},
		{"one that says itself that it was", "Authentication-Results: mx.agensi-a.test; arc=pass\r\n" + broken, false, "", 0, ErrUnchecked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			prefix := "Return-Path: <a@tolak.test>\r\nReceived: from x by y; z\r\n"
			if tt.trust {
				prefix += string(check(t, z, mail(tt.msg, "a@tolak.test")).Header("mx.agensi-a.test"))
			}
			out := prefix + tt.msg
			set, err := Seal(strings.NewReader(out), SealOptions{Key: ours, Hostname: "mx.agensi-a.test", Prefix: []byte(prefix), Now: now})
			if !errors.Is(err, tt.err) || (set == nil) != (err != nil) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			a := check(t, z, mail(string(set)+out, "")).ARC
			if a.Result != tt.want || a.Sets != tt.sets {
				t.Errorf("the next one finds %+v", a)
			}
			if tt.want == Pass && tt.trust && !strings.Contains(a.Claims, "spf=pass") {
				t.Errorf("claims: %q", a.Claims)
			}
			if again, err := Seal(strings.NewReader(string(set)+out), SealOptions{Key: ours, Hostname: "mx.agensi-a.test",
				Prefix: []byte("Authentication-Results: mx.agensi-a.test; arc=fail\r\n"), Now: now}); tt.want == Fail && (again != nil || err != nil) {
				t.Errorf("a closed chain was sealed again: %v", err)
			}
		})
	}
}

// The word of a trusted sealer counts only while every sealer after it is trusted too.
func TestWhoVouches(t *testing.T) {
	pass := func(from string) string { return "mx.test; dmarc=pass header.from=" + from }
	c := New(Options{TrustedSealers: func(d string) bool { return strings.HasPrefix(d, "baik") }})
	for _, tt := range []struct {
		name string
		sets []dkim.Set
		want bool
	}{
		{"one", []dkim.Set{{Sealer: "baik.test", Claims: pass("tolak.test")}}, true},
		{"without a domain", []dkim.Set{{Sealer: "baik.test", Claims: "mx.test; dmarc=pass"}}, true},
		{"for another domain", []dkim.Set{{Sealer: "baik.test", Claims: pass("lain.test")}}, false},
		{"it failed there too", []dkim.Set{{Sealer: "baik.test", Claims: "mx.test; dmarc=fail header.from=tolak.test"}}, false},
		{"not trusted", []dkim.Set{{Sealer: "jahat.test", Claims: pass("tolak.test")}}, false},
		{"earlier one", []dkim.Set{{Sealer: "baik.test", Claims: pass("tolak.test")}, {Sealer: "baik2.test", Claims: "mx.test; arc=pass; dmarc=fail"}}, true},
		{"passed on by a stranger", []dkim.Set{{Sealer: "baik.test", Claims: pass("tolak.test")}, {Sealer: "jahat.test", Claims: "x; none"}}, false},
		{"stranger's word before", []dkim.Set{{Sealer: "jahat.test", Claims: pass("tolak.test")}, {Sealer: "baik.test", Claims: "x; arc=pass"}}, false},
		{"DKIM alone", []dkim.Set{{Sealer: "baik.test", Claims: "mx.test; spf=fail; dkim=pass header.d=tolak.test"}}, true},
		{"DKIM by its identity", []dkim.Set{{Sealer: "baik.test", Claims: "mx.test; dkim=pass header.i=@tolak.test"}}, true},
		{"SPF alone", []dkim.Set{{Sealer: "baik.test", Claims: "mx.test; spf=pass smtp.mailfrom=a@tolak.test"}}, true},
		{"DKIM of another", []dkim.Set{{Sealer: "baik.test", Claims: "mx.test; dkim=pass header.d=lain.test; spf=pass"}}, false},
		{"DKIM, but not DMARC", []dkim.Set{{Sealer: "baik.test", Claims: "mx.test; dkim=pass header.d=tolak.test; dmarc=fail"}}, false},
		{"in a comment", []dkim.Set{{Sealer: "baik.test", Claims: "mx.test; spf=fail (; dmarc=pass)"}}, false},
	} {
		d := &decision{c: c, ctx: t.Context(), w: &walk{domain: "tolak.test"}, r: &Results{ARC: ARC{Result: Pass, sets: tt.sets}}, walks: map[string]*walk{}}
		if got := d.vouched(&Record{}); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
		if d.r.ARC.Result = Fail; d.vouched(&Record{}) {
			t.Errorf("%s: a broken chain vouches", tt.name)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("v=DMARC1; p=reject; sp=none; np=quarantine; adkim=s; aspf=s; psd=y; t=y; rua=mailto:a@b.test")
	f.Add("v=DMARC1;p=none;;=;p=reject")
	f.Fuzz(func(t *testing.T, txt string) {
		r, ok := ParseRecord(txt)
		if !ok {
			return
		}
		if r.usable() {
			for _, p := range []string{r.Policy, r.Subdomains, r.Missing} {
				if p != "" && p != "none" && p != "quarantine" && p != "reject" || r.Policy == "" {
					t.Fatalf("%q: %+v", txt, r)
				}
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(" mx.test 1; spf=pass smtp.mailfrom=a@b.test; dkim=fail (c (d)) reason=\"x\\\"y\" header.d=b.test; none")
	f.Add("(\\")
	f.Fuzz(func(t *testing.T, v string) {
		field, err := Parse(v)
		if err != nil {
			return
		}
		// What was read is written by our own rules and read again the same.
		w := &fieldWriter{}
		w.write(value(strings.Map(plain, field.ServID)))
		for _, m := range field.Methods {
			w.method(m.Method, Result(m.Result), m.Reason, "")
		}
		if !token(strings.Map(plain, field.ServID)) {
			return
		}
		for _, m := range field.Methods {
			if !token(m.Method) || !token(m.Result) {
				return
			}
		}
		again, err := Parse(string(w.b))
		if err != nil || len(again.Methods) != len(field.Methods) {
			t.Fatalf("%q: read again as %+v, %v", string(w.b), again, err)
		}
	})
}

func FuzzCheck(f *testing.F) {
	z := dnstest.New(f, zone)
	k := key(f, z, "tolak.test", dkim.Ed25519)
	f.Add(signed(f, letter("a@tolak.test"), dkim.SignOptions{}, k), "a@tolak.test", "mx.test")
	f.Add("From: a@tolak.test, b@kuarantin.test\r\nFrom: x\r\nAuthentication-Results: (\r\n\r\n", "", "[1.2.3.4]")
	c := New(Options{Hostname: "mx.test", Resolver: dns.New(z.Addr), Clock: func() time.Time { return now }})
	f.Fuzz(func(t *testing.T, msg, from, helo string) {
		if len(msg) > 1<<16 || len(from) > 300 || len(helo) > 300 {
			return
		}
		m := mail(msg, from)
		m.HELO = helo
		r, err := c.Check(context.Background(), m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(strings.TrimPrefix(string(r.Header("mx.test")), "Authentication-Results:")); err != nil {
			t.Fatalf("our field: %v\n%s", err, r.Header("mx.test"))
		}
		ForgedResults(m.Index, "mx.test")
	})
}
