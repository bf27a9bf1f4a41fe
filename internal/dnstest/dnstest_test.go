package dnstest_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"sampul/internal/dns"
	"sampul/internal/dnstest"
)

const zone = `
luar.test      IN MX 20 mx2.luar.test
luar.test      IN MX 10 mx1.luar.test
mx1.luar.test  IN A 192.0.2.1
nama.luar.test IN CNAME mx1.luar.test
putar.test     IN CNAME pusing.test
pusing.test    IN CNAME putar.test
*.liar.test    IN TXT "apa saja"
_25._tcp.mx1.luar.test IN TLSA 3 1 1 aa55
1.2.0.192.in-addr.arpa IN PTR mx1.luar.test
`

// The resolver of the suite tells apart what the server does.
func TestZoneAndResolver(t *testing.T) {
	z := dnstest.New(t, zone)
	r := dns.New(z.Addr)
	ctx := context.Background()
	mx, _, err := r.MX(ctx, "LUAR.test.")
	if err != nil || len(mx) != 2 || mx[0].Host != "mx1.luar.test" {
		t.Errorf("MX: %v, %v", mx, err)
	}
	ips, info, err := r.IPs(ctx, "nama.luar.test")
	if err != nil || len(ips) != 1 || ips[0] != netip.MustParseAddr("192.0.2.1") || info.Name != "mx1.luar.test" || info.Secure {
		t.Errorf("A by CNAME: %v, %+v, %v", ips, info, err)
	}
	if txt, _, err := r.TXT(ctx, "a.b.liar.test"); err != nil || txt[0] != "apa saja" {
		t.Errorf("wildcard: %q, %v", txt, err)
	}
	if names, _, err := r.PTR(ctx, ips[0]); err != nil || names[0] != "mx1.luar.test" {
		t.Errorf("PTR: %v, %v", names, err)
	}
	z.Add(`petik.test IN TXT "a\"b\\c\233"`)
	if txt, _, err := r.TXT(ctx, "petik.test"); err != nil || txt[0] != "a\"b\\c\xe9" {
		t.Errorf("a text with quotes: %q, %v", txt, err)
	}
	z.Secure(true)
	if tlsa, info, err := r.TLSA(ctx, 25, "mx1.luar.test"); err != nil || len(tlsa) != 1 || !info.Secure {
		t.Errorf("TLSA: %v, %+v, %v", tlsa, info, err)
	}
	long := strings.Repeat("x", 250)
	z.Add(`panjang.test IN TXT "` + strings.Repeat(long+`" "`, 20) + `akhir"`)
	if txt, _, err := r.TXT(ctx, "panjang.test"); err != nil || len(txt[0]) != 20*250+5 {
		t.Errorf("an answer that goes by TCP: %d octets, %v", len(strings.Join(txt, "")), err)
	}
	z.Fail("gagal.test")
	z.Bogus("palsu.test")
	z.Add("palsu.test IN TXT x")
	for _, tt := range []struct {
		name string
		want error
	}{
		{"tiada.test", dns.ErrNone},
		{"tiada.test", dns.ErrName},
		{"luar.test", dns.ErrNone},          // no TXT
		{"_tcp.mx1.luar.test", dns.ErrNone}, // exists, since something is below
		{"gagal.test", dns.ErrTemp},
		{"palsu.test", dns.ErrBogus},
		{"putar.test", dns.ErrTemp},
	} {
		if _, _, err := r.TXT(ctx, tt.name); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	z.Works("gagal.test")
	z.Add("gagal.test IN TXT baik")
	r.Forget()
	if txt, _, err := r.TXT(ctx, "gagal.test"); err != nil || txt[0] != "baik" {
		t.Errorf("after the fault: %q, %v", txt, err)
	}
	if z.Asked("gagal.test") < 2 || z.Asked("") < 10 {
		t.Errorf("asked %d times, %d in all", z.Asked("gagal.test"), z.Asked(""))
	}
	if _, _, err := (*dns.Resolver)(nil).TXT(ctx, "luar.test"); !errors.Is(err, dns.ErrOff) {
		t.Errorf("no resolver: %v", err)
	}
}
