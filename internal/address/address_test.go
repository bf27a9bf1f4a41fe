package address

import (
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, c := range []struct{ in, want string }{
		{"Pegawai1@Agensi-A.TEST", "pegawai1@agensi-a.test"},
		{"a+b@agensi-a.test.", "a+b@agensi-a.test"},
		{"é@bücher.test", "é@xn--bcher-kva.test"},
		{"E\u0301@a.test", "é@a.test"}, // NFC, lower case
		{long + "@a.test", long + "@a.test"},
		{long + "a@a.test", ""},
		{"@a.test", ""},
		{"a", ""},
		{"a b@a.test", ""},
		{"a@-a.test", ""},
		{"a@[127.0.0.1]", ""},
		{"\xff@a.test", ""},
	} {
		got, err := Canonical(c.in)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q: got %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestDomainOf(t *testing.T) {
	for in, want := range map[string]string{
		"a@B.test": "b.test", "": "", "a": "", `"a b"@b.test`: "b.test", "a@[IPv6:::1]": "[ipv6:::1]", "a@x@b.test": "b.test",
	} {
		if got := DomainOf(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestIn(t *testing.T) {
	for domain, want := range map[string]bool{
		"a.gov.my": true, "A.GOV.MY": true, "b.a.gov.my": true, "gov.my": false, "agov.my": false, "a.gov.my.test": false, "mampu.test": true,
	} {
		if got := In([]string{"*.gov.my", "mampu.test"}, domain); got != want {
			t.Errorf("%s: %v", domain, got)
		}
	}
}
