package smtpin

import (
	"strings"
	"testing"

	"sampul/internal/message"
)

func ours() *lookAlikes {
	return newLookAlikes([]string{"*.gov.my", "kawan-a.test"}, DefenceDeps{
		Clock:      newClock().Now,
		OurDomains: func() []string { return []string{"agensi-a.test", "moh.gov.my", "kawan.test"} },
		Officer:    func(name string) bool { return strings.EqualFold(name, "Siti binti Contoh") },
	})
}

func TestLookAlikeDomains(t *testing.T) {
	for _, tt := range []struct{ domain, want string }{
		{"agensi-a.test", ""},
		{"mail.agensi-a.test", ""},
		{"AGENSI-A.TEST.", ""},
		{"luar.test", ""},
		{"", ""},
		{"agens1-a.test", "agensi-a.test"},
		{"agensl-a.test", "agensi-a.test"},
		{"mail.agens1-a.test", "agensi-a.test"},
		{"agensia.test", "agensi-a.test"},
		{"agensii-a.test", "agensi-a.test"},
		{"agesni-a.test", "agensi-a.test"},
		{"agenzi-a.test", "agensi-a.test"},
		{"agensi-aaa.test", ""},
		{"\u0430gensi-a.test", "agensi-a.test"},      // Cyrillic a
		{"xn--gensi-a-1fg.test", "agensi-a.test"},    // the same as it goes over the wire
		{"\u00e1gensi-a.test", "agensi-a.test"},      // an accent
		{"agensi\u2010a.test", "agensi-a.test"},      // another hyphen
		{"agensi-a.test.luar.test", "agensi-a.test"}, // in front of another
		{"nagensi-a.test.luar.test", ""},             // one letter more, in front of another
		{"m0h.gov.my", ""},                           // nobody outside gets a name there
		{"moh.gov.my.luar.test", "moh.gov.my"},       // but in front of others
		{"mof.luar.test", ""},                        // too short for one letter
		{"kawan-a.test", ""},                         // said to be known
		{"xn--\xff.test", ""},                        // what is no name
		{strings.Repeat("a.", 200) + "test", ""},     // nor this
	} {
		if got := ours().like(tt.domain); got != tt.want {
			t.Errorf("%s (%s) looks like %q, want %q", tt.domain, skeleton(tt.domain), got, tt.want)
		}
	}
}

func TestDisplayNames(t *testing.T) {
	for _, tt := range []struct{ from, want string }{
		{`"Ketua" <ketua@luar.test>`, ""},
		{`"ketua@agensi-a.test" <x@luar.test>`, "display-name; shows=agensi-a.test; from=luar.test"},
		{`"Helpdesk Agensi-A.test" <x@luar.test>`, "display-name; shows=agensi-a.test; from=luar.test"},
		{`=?utf-8?q?ketua=40agensi-a=2Etest?= <x@luar.test>`, "display-name; shows=agensi-a.test; from=luar.test"},
		{`"ketua@agens1-a.test" <x@luar.test>`, "display-name; shows=agens1-a.test; from=luar.test"},
		{`"ketua@agensi-a.test" <ketua@agensi-a.test>`, ""},
		{`Siti  Binti Contoh <x@luar.test>`, "display-name; shows=officer; from=luar.test"},
		{`Siti binti Lain <x@luar.test>`, ""},
		{`Siti <x@agens1-a.test>`, "look-alike; domain=agens1-a.test; like=agensi-a.test"},
	} {
		x := message.Parse([]byte("From: " + tt.from + "\r\n\r\n"))
		got := strings.Join(ours().warnings("a@luar.test", &x.Parts[0]), " | ")
		if got != tt.want {
			t.Errorf("From: %s: %q, want %q", tt.from, got, tt.want)
		}
	}
}

func TestImitationsAreTagged(t *testing.T) {
	f := &fake{}
	d := NewDefence(DefenceOptions{LookAlike: true}, DefenceDeps{OurDomains: func() []string { return []string{"agensi-a.test"} }})
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Defence: d})
	must(t, send(t, addr, "From: Ketua <ketua@agens1-a.test>\r\n\r\n"), "queued as")
	if got := string(f.last(t).env.Prefix); !strings.Contains(got, "\r\nX-Sampul-Warning: look-alike; domain=agens1-a.test; like=agensi-a.test\r\n") {
		t.Errorf("the prefix is %q", got)
	}
	must(t, send(t, addr, "From: Ketua <ketua@agensi-a.test>\r\n\r\n"), "queued as")
	if got := string(f.last(t).env.Prefix); strings.Contains(got, "X-Sampul-Warning") {
		t.Errorf("our own domain is tagged: %q", got)
	}
}

func FuzzLookAlike(f *testing.F) {
	f.Add("agens1-a.test", "Ketua ketua@agensi-a.test")
	f.Add("xn--gensi-a-1fg.test", "")
	l := ours()
	f.Fuzz(func(t *testing.T, domain, name string) {
		for _, w := range []string{l.domainWarning(domain), l.nameWarning(name, domain)} {
			for i := range len(w) {
				if w[i] < ' ' || w[i] > '~' {
					t.Fatalf("%q %q: the warning %q cannot stand in a header", domain, name, w)
				}
			}
		}
	})
}
