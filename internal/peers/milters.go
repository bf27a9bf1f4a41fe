package peers

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Milter is a running milter.
type Milter struct {
	*Process
	Address string // unix:/path

	Selector string // OpenDKIM: of its key
	Record   string // OpenDKIM: the TXT record to publish at Selector._domainkey.DOMAIN
}

// OpenDKIM runs opendkim as signer for a domain and as verifier under a name (the first
// word of its Authentication-Results). It signs what comes with a login or from
// 127.0.0.1, verifies the rest, and knows no key but that of the domain: it asks no DNS.
func OpenDKIM(t testing.TB, domain, name string) *Milter {
	t.Helper()
	Need(t, "opendkim")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	const selector = "uji"
	record := "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)
	dir := Dir(t)
	private := write(t, dir, "key", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	keys := write(t, dir, "keys", fmt.Sprintf("%s._domainkey.%s %s\n", selector, domain, record))
	socket := filepath.Join(dir, "s")
	conf := write(t, dir, "opendkim.conf", fmt.Sprintf(`Background no
AutoRestart no
Syslog no
Socket local:%s
UMask 000
Mode sv
Domain %s
Selector %s
KeyFile %s
RequireSafeKeys no
TestPublicKeys %s
AuthservID %s
AlwaysAddARHeader yes
Canonicalization relaxed/simple
InternalHosts 127.0.0.1
Nameservers 127.0.0.1
DNSTimeout 1
`, socket, domain, selector, private, keys, name))
	p := start(t, dir, "opendkim", "-f", "-x", conf)
	p.idle = true // libmilter looks for signals every five seconds only
	p.await(t, answers("unix", socket))
	return &Milter{Process: p, Address: "unix:" + socket, Selector: selector, Record: record}
}

// ClamavMilter runs clamav-milter with a clamd; onInfected is what becomes of a message
// with a virus: Quarantine, Reject, Blackhole or Accept. A clean one gets the field
// X-Virus-Scanned.
func ClamavMilter(t testing.TB, clamd *Scanner, onInfected string) *Milter {
	t.Helper()
	Need(t, "clamav-milter")
	dir := Dir(t)
	socket := filepath.Join(dir, "s")
	conf := write(t, dir, "clamav-milter.conf", fmt.Sprintf(`Foreground yes
MilterSocket unix:%s
MilterSocketMode 666
FixStaleSocket yes
ClamdSocket unix:%s
TemporaryDirectory %s
OnInfected %s
OnFail Defer
AddHeader Add
LogTime yes
LogInfected Basic
LogVerbose yes
`, socket, strings.TrimPrefix(clamd.Unix, "unix:"), memory(t), onInfected))
	p := start(t, dir, "clamav-milter", "--config-file="+conf)
	p.idle = true
	p.await(t, answers("unix", socket))
	p.await(t, func() error { // until then it defers every message
		if !strings.Contains(p.Log(), "returned: success") {
			return errors.New("it has not reached clamd yet")
		}
		return nil
	})
	return &Milter{Process: p, Address: "unix:" + socket}
}
