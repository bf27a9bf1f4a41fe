package smtpin

import (
	"strings"
	"testing"

	"sampul/internal/dns"
	"sampul/internal/dnstest"
	"sampul/mta/authres"
)

// The real checks stand behind the real session: who sends is what XCLIENT says.
func TestAuthenticationOverTheWire(t *testing.T) {
	z := dnstest.New(t, `
luar.test. TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.luar.test. TXT "v=DMARC1; p=reject"
_dmarc.lunak.test. TXT "v=DMARC1; p=quarantine"
lunak.test. TXT "v=spf1 -all"
7.2.0.192.in-addr.arpa. PTR mx.luar.test.
mx.luar.test. A 192.0.2.7
`)
	f := &fake{}
	auth := authres.New(authres.Options{Hostname: "mx.agensi-a.test", Resolver: dns.New(z.Addr)})
	addr, _ := startWith(t, Config{Kind: MX, XClient: loopback}, Deps{Store: f, Auth: auth})
	for _, tt := range []struct{ name, ip, from, want, mailbox, field string }{
		{"SPF passes and is aligned", "192.0.2.7", "luar.test", "queued as", "", "spf=pass"},
		{"reject", "198.51.100.1", "luar.test", "\r\n550 5.7.26 ", "", ""},
		{"quarantine", "198.51.100.1", "lunak.test", "queued as", "Junk", "dmarc=fail"},
		{"no policy", "198.51.100.1", "lain.test", "queued as", "", "dmarc=none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.got = nil
			out := exchange(t, addr, "EHLO p.test\r\nXCLIENT ADDR="+tt.ip+"\r\nEHLO mx."+tt.from+"\r\nMAIL FROM:<a@"+tt.from+">\r\nRCPT TO:<pegawai1@agensi-a.test>\r\n"+
				"DATA\r\nFrom: a@"+tt.from+"\r\nSubject: a\r\n\r\nisi\r\n.\r\nQUIT\r\n")
			must(t, out, tt.want)
			if tt.field == "" {
				if len(f.got) != 0 {
					t.Fatal("what was refused is kept")
				}
				return
			}
			got := f.last(t)
			if got.env.Recipients[0].Mailbox != tt.mailbox || !strings.Contains(string(got.env.Prefix), tt.field) {
				t.Errorf("filed in %q with %q", got.env.Recipients[0].Mailbox, got.env.Prefix)
			}
		})
	}
}
