package authres

import (
	"context"
	"strings"
	"testing"
	"time"

	"sampul/internal/dkim"
	"sampul/internal/dns"
	"sampul/internal/dnstest"
)

// A message of 4 KB with an RSA and an Ed25519 signature, everything in the cache of the
// resolver: what authentication costs a busy server, by each message.
func BenchmarkCheck4K(b *testing.B) {
	z := dnstest.New(b, zone)
	msg := letter("a@tolak.test") + strings.Repeat("satu baris surat yang biasa sahaja panjangnya\r\n", 80)
	msg = signed(b, msg, dkim.SignOptions{}, key(b, z, "tolak.test", dkim.RSA), key(b, z, "tolak.test", dkim.Ed25519))
	c := New(Options{Hostname: "mx.test", Resolver: dns.New(z.Addr), Clock: func() time.Time { return now }})
	m := mail(msg, "a@tolak.test")
	for b.Loop() {
		r, err := c.Check(context.Background(), m)
		if err != nil || r.DMARC.Result != Pass {
			b.Fatalf("%+v, %v", r, err)
		}
	}
}
