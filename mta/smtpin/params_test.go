package smtpin

import (
	"net/netip"
	"strings"
	"testing"
)

func TestXtext(t *testing.T) {
	for _, tt := range []struct {
		in, out string
		ok      bool
	}{
		{"", "", true},
		{"abc", "abc", true},
		{"a+2Bb", "a+b", true},
		{"a+3Db+00", "a=b\x00", true},
		{"a+2bb", "", false}, // capitals alone, RFC 3461 section 4
		{"a+2", "", false},
		{"a+", "", false},
		{"a=b", "", false},
		{"a b", "", false},
		{"\u00e9", "", false},
	} {
		if got, ok := decodeXtext(tt.in); got != tt.out || ok != tt.ok {
			t.Errorf("%q: %q, %t; want %q, %t", tt.in, got, ok, tt.out, tt.ok)
		}
	}
}

func TestDSNParameters(t *testing.T) {
	for _, tt := range []struct {
		in   string
		utf8 bool
		ok   bool
	}{
		{"TO:<a@b.test>", false, true},
		{"TO:<a@b.test> NOTIFY=never", false, true},
		{"TO:<a@b.test> NOTIFY=DELAY,FAILURE,SUCCESS", false, true},
		{"TO:<a@b.test> NOTIFY=NEVER,FAILURE", false, false},
		{"TO:<a@b.test> NOTIFY=FAILURE,", false, false},
		{"TO:<a@b.test> NOTIFY=OFTEN", false, false},
		{"TO:<a@b.test> ORCPT=rfc822;a+40b.test", false, true},
		{"TO:<a@b.test> ORCPT=rfc822;", false, false},
		{"TO:<a@b.test> ORCPT=;a", false, false},
		{"TO:<a@b.test> ORCPT=r(c;a", false, false},
		{"TO:<a@b.test> ORCPT=rfc822;a+0D", false, false},
		{"TO:<a@b.test> ORCPT=rfc822;" + strings.Repeat("a", 493), false, true},
		{"TO:<a@b.test> ORCPT=rfc822;" + strings.Repeat("a", 494), false, false},
		{"TO:<a@b.test> ORCPT=utf-8;\u00e9@b.test", true, true},
		{"TO:<a@b.test> ORCPT=utf-8;\u00e9@b.test", false, false},
		{"TO:<a@b.test> ORCPT=rfc822;\u00e9@b.test", true, false},
		{"TO:<a@b.test> ORCPT=utf-8;\xe9@b.test", true, false},
	} {
		if _, err := parseRcpt(tt.in, tt.utf8); (err == nil) != tt.ok {
			t.Errorf("RCPT %q: %v, want ok %t", tt.in, err, tt.ok)
		}
	}
	for envid, ok := range map[string]bool{"QQ314159": true, "a+20b": true, "a+0Ab": false, "a+80": false, "+": false,
		strings.Repeat("a", 100): true, strings.Repeat("a", 101): false} {
		if _, err := parseMail("FROM:<a@b.test> ENVID="+envid, false); (err == nil) != ok {
			t.Errorf("ENVID=%s: %v, want ok %t", envid, err, ok)
		}
	}
}

func FuzzXtext(f *testing.F) {
	f.Add("a+2Bb")
	f.Fuzz(func(t *testing.T, in string) {
		if got, ok := decodeXtext(encodeXtext(in)); !ok || got != in {
			t.Fatalf("%q is written as %q and read as %q, %t", in, encodeXtext(in), got, ok)
		}
		if text, ok := decodeXtext(in); ok {
			if again, _ := decodeXtext(encodeXtext(text)); again != text {
				t.Fatalf("%q is read as %q, then as %q", in, text, again)
			}
		}
	})
}

// Whatever DSN parameters are taken can stand in a command again as they are.
func FuzzDSN(f *testing.F) {
	f.Add("TO:<a@b.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c.test")
	f.Add("TO:<a@b.test> ORCPT=utf-8;\u00e9@b.test NOTIFY=never")
	f.Fuzz(func(t *testing.T, in string) {
		a, err := parseRcpt(in, true)
		if err != nil {
			return
		}
		out := "TO:<a@b.test>"
		if a.notify != "" {
			out += " NOTIFY=" + a.notify
		}
		if a.orcpt != "" {
			out += " ORCPT=" + a.orcpt
		}
		again, err := parseRcpt(out, true)
		if err != nil || again.notify != a.notify || again.orcpt != a.orcpt || len(a.orcpt) > maxORcpt {
			t.Fatalf("%q gave %+v, which gives %+v, %v", in, a, again, err)
		}
	})
}

func TestXclientArguments(t *testing.T) {
	a, err := parseXclient("NAME=klien.test ADDR=IPV6:::ffff:192.0.2.1 PORT=65535 PROTO=smtp HELO=[192.0.2.1] LOGIN=a+40b@c.test REVERSE_NAME=[unavailable] DESTADDR=192.0.2.2 DESTPORT=25")
	if err == nil {
		t.Fatalf("LOGIN with two @ is taken: %+v", a)
	}
	a, err = parseXclient("name=klien.test ADDR=IPV6:::ffff:192.0.2.1 PORT=65535 PROTO=smtp HELO=mx+2Ea.test LOGIN=a+2Bb@c.test REVERSE_NAME=[unavailable] DESTADDR=192.0.2.2 DESTPORT=25")
	want := xclientArgs{"klien.test", "", netip.MustParseAddr("192.0.2.1"), 65535, "SMTP", "mx.a.test", "a+b@c.test", netip.MustParseAddr("192.0.2.2"), 25}
	if err != nil || a != want {
		t.Fatalf("%+v, %v; want %+v", a, err, want)
	}
	for _, bad := range []string{"", " ", "NAME", "ADDR=1.2.3", "ADDR=::1", "ADDR=IPV6:fe80::1%eth0", "PORT=0x1", "PORT=-1", "HELO=a+0D+0Ab",
		"NAME=a..b", "LOGIN=a", "PROTO=QMTP", "ADDR=192.0.2.1 ADDR=192.0.2.1", "OTHER=1", "NAME=a=b", "DESTADDR=x", "DESTPORT=99999"} {
		if a, err := parseXclient(bad); err == nil {
			t.Errorf("XCLIENT %s is taken: %+v", bad, a)
		}
	}
}

// What XCLIENT says ends up in header fields and logs: it is never more than a word.
func FuzzXclient(f *testing.F) {
	f.Add("NAME=klien.test ADDR=192.0.2.1 PORT=25 PROTO=ESMTP HELO=a.test LOGIN=a@b.test")
	f.Add("ADDR=IPV6:2001:db8::1 NAME=[TEMPUNAVAIL]")
	f.Fuzz(func(t *testing.T, in string) {
		a, err := parseXclient(in)
		if err != nil {
			return
		}
		for _, s := range []string{a.name, a.reverse, a.helo, a.login, a.proto} {
			if strings.ContainsAny(s, "\r\n\x00") || len(s) > 255 {
				t.Fatalf("%q gave %+v", in, a)
			}
		}
		if a.addr.IsValid() && a.addr.Zone() != "" {
			t.Fatalf("%q gave the address %s", in, a.addr)
		}
	})
}

func FuzzGreylistState(f *testing.F) {
	f.Add(encodeGrey(map[uint64]*triplet{1: {2, 3, 1}}, map[uint64]*triplet{4: {5, 6, 2}}))
	f.Add([]byte{greyVersion, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		known, nets := decodeGrey(b)
		if len(known)+len(nets) > len(b)/28 {
			t.Fatalf("%d rows of %d octets", len(known)+len(nets), len(b))
		}
		k2, n2 := decodeGrey(encodeGrey(known, nets))
		if len(k2) != len(known) || len(n2) != len(nets) {
			t.Fatalf("%d and %d rows, then %d and %d", len(known), len(nets), len(k2), len(n2))
		}
	})
}
