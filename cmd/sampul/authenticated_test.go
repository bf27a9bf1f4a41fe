package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"sampul/internal/dnstest"
	"sampul/internal/peers"
)

// A foreign signs as a domain elsewhere, with other implementations.
type foreign struct {
	t   *testing.T
	key *rsa.PrivateKey
}

func newForeign(t *testing.T) *foreign {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &foreign{t, key}
}

// record is the key at selector s of a domain, for a zone.
func (f *foreign) record(domain string) string {
	f.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	if err != nil {
		f.t.Fatal(err)
	}
	p := base64.StdEncoding.EncodeToString(der)
	return fmt.Sprintf("s._domainkey.%s. IN TXT \"v=DKIM1; k=rsa; p=%s\" \"%s\"\n", domain, p[:200], p[200:])
}

func (f *foreign) sign(domain, text string, expires time.Time) string {
	f.t.Helper()
	var b bytes.Buffer
	err := dkim.Sign(&b, strings.NewReader(text), &dkim.SignOptions{Domain: domain, Selector: "s", Signer: f.key,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		HeaderKeys: []string{"From", "Subject", "Date", "Message-ID"}, Expiration: expires})
	if err != nil {
		f.t.Fatal(err)
	}
	return b.String()
}

// seal adds an ARC set that says dmarc=pass, by another implementation.
func (f *foreign) seal(domain, text string) string {
	f.t.Helper()
	file := pathOf(f.t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(f.key)})))
	script := `
import sys, dkim
m = sys.stdin.buffer.read()
for h in dkim.arc_sign(m, b's', sys.argv[1].encode(), open(sys.argv[2], 'rb').read(), sys.argv[1].encode()):
    sys.stdout.buffer.write(h)
sys.stdout.buffer.write(m)
`
	c := exec.Command(peers.Python(f.t, "dkim"), "-c", script, domain, file)
	c.Stdin = strings.NewReader(text)
	var bad strings.Builder
	c.Stderr = &bad
	out, err := c.Output()
	if err != nil || !bytes.Contains(out, []byte("ARC-Seal")) {
		f.t.Fatalf("arc_sign: %v %s", err, bad.String())
	}
	return string(out)
}

// The table: mails through a test zone, and each field of Authentication-Results.
func TestAuthenticationResults(t *testing.T) {
	f := newForeign(t)
	zone := dnstest.New(t, `
lulus.test.  IN TXT "v=spf1 ip4:127.0.0.1 -all"
gagal.test.  IN TXT "v=spf1 -all"
lembut.test. IN TXT "v=spf1 ~all"
_dmarc.tiada-aras.test. IN TXT "v=DMARC1; p=none"
_dmarc.kuarantin.test.  IN TXT "v=DMARC1; p=quarantine"
_dmarc.tolak.test.      IN TXT "v=DMARC1; p=reject"
_dmarc.jajar.test.      IN TXT "v=DMARC1; p=reject; adkim=s"
1.0.0.127.in-addr.arpa. IN PTR klien.test.
klien.test. IN A 127.0.0.1
`+f.record("tanda.test")+f.record("jajar.test")+f.record("senarai.gov.my")+f.record("senarai.test"))
	r := startDemo(t, "--resolver", zone.Addr)
	msg := func(domain, subject string) string {
		return note("orang@"+domain, "pegawai1@agensi-a.test", subject)
	}
	claim := func(domain, text string) string {
		return "Authentication-Results: " + domain + "; dmarc=pass header.from=tolak.test; spf=pass smtp.mailfrom=tolak.test\r\n" + text
	}
	for _, m := range []struct {
		name, from, text string
		want             []string
		reply            string // of a refusal
		box              string
	}{
		{"spf pass", "orang@lulus.test", msg("lulus.test", "1"), []string{"spf=pass", "smtp.mailfrom=", "lulus.test", "iprev=pass", "policy.iprev=127.0.0.1", "dmarc=none", "header.from=lulus.test", "dkim=none", "arc=none"}, "", "INBOX"},
		{"spf fail", "orang@gagal.test", msg("gagal.test", "2"), []string{"spf=fail", "gagal.test"}, "", "INBOX"},
		{"spf softfail", "orang@lembut.test", msg("lembut.test", "3"), []string{"spf=softfail"}, "", "INBOX"},
		{"dkim good", "orang@lembut.test", f.sign("tanda.test", msg("tanda.test", "4"), time.Time{}), []string{"dkim=pass", "header.d=tanda.test", "header.s=s", "header.a=rsa-sha256", "header.b="}, "", "INBOX"},
		{"dkim body changed", "orang@lembut.test", f.sign("tanda.test", msg("tanda.test", "5"), time.Time{}) + "Tambahan.\r\n", []string{"dkim=fail", "header.d=tanda.test"}, "", "INBOX"},
		{"dkim expired", "orang@lembut.test", f.sign("tanda.test", msg("tanda.test", "6"), time.Now().Add(-time.Hour)), []string{"dkim=fail", "header.d=tanda.test", "expired"}, "", "INBOX"},
		{"dmarc aligned", "orang@lembut.test", f.sign("jajar.test", msg("jajar.test", "7"), time.Time{}), []string{"dkim=pass", "dmarc=pass", "header.from=jajar.test", "policy.dmarc=reject"}, "", "INBOX"},
		{"dmarc unaligned, none", "orang@lulus.test", msg("tiada-aras.test", "8"), []string{"spf=pass", "dmarc=fail", "policy.dmarc=none"}, "", "INBOX"},
		{"dmarc unaligned, quarantine", "orang@lulus.test", msg("kuarantin.test", "9"), []string{"dmarc=fail", "policy.dmarc=quarantine"}, "", "Junk"},
		{"dmarc unaligned, reject", "orang@lulus.test", msg("tolak.test", "10"), nil, "550 5.7.26", ""},
		{"arc of a trusted sealer", "orang@lulus.test", f.seal("senarai.gov.my", claim("senarai.gov.my", msg("tolak.test", "11"))), []string{"arc=pass", "dmarc=fail", "policy.dmarc=reject"}, "", "INBOX"},
		{"arc of an untrusted sealer", "orang@lulus.test", f.seal("senarai.test", claim("senarai.test", msg("tolak.test", "12"))), nil, "550 5.7.26", ""},
		{"forged results", "orang@lulus.test", "Authentication-Results: mail.agensi-a.test; dmarc=pass header.from=palsu.test\r\n" + msg("lulus.test", "13"), []string{"spf=pass"}, "", "INBOX"},
	} {
		t.Run(m.name, func(t *testing.T) {
			before := len(r.messages("pegawai1@agensi-a.test", "INBOX")) + len(r.messages("pegawai1@agensi-a.test", "Junk"))
			err := r.offer(m.from, []string{"pegawai1@agensi-a.test"}, m.text)
			if m.reply != "" {
				if err == nil || !strings.HasPrefix(detail(err), m.reply) {
					t.Fatalf("%s, want %s", detail(err), m.reply)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got string
			eventually(t, "the message", func() bool {
				inbox, junk := r.messages("pegawai1@agensi-a.test", "INBOX"), r.messages("pegawai1@agensi-a.test", "Junk")
				if len(inbox)+len(junk) <= before {
					return false
				}
				box := map[string][]string{"INBOX": inbox, "Junk": junk}[m.box]
				if len(box) == 0 {
					t.Fatalf("it is not in %s", m.box)
				}
				got = box[len(box)-1]
				return true
			})
			head, _, _ := strings.Cut(got, "\r\n\r\n")
			_, results, ok := strings.Cut(head, "Authentication-Results: mail.agensi-a.test")
			if !ok {
				t.Fatalf("no field of ours in\n%s", head)
			}
			results, _, _ = strings.Cut(strings.ReplaceAll(results, "\r\n\t", " "), "\r\n")
			for _, want := range m.want {
				if !strings.Contains(results, want) {
					t.Errorf("no %q in %s", want, results)
				}
			}
			if strings.Contains(head, "palsu.test") {
				t.Error("a forged field is there still")
			}
		})
	}
}
