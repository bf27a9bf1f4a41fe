package smtpout

import (
	"context"
	"testing"

	"sampul/internal/dns"
	"sampul/internal/dnstest"
	"sampul/internal/peers"
	"sampul/mta/tlsrpt"
)

// DANE with a real validating resolver before a signed zone.
func TestDANEBehindUnbound(t *testing.T) {
	own := newCA(t)
	server := own.leaf(-hour, "lain.test")
	good := tlsa(3, 1, 1, leafOf(t, server))
	bad := tlsa(3, 1, 1, own.cert)
	const zone = host1 + "lain.test. MX 10 mx1.jauh.test.\ntanpa.jauh.test. MX 10 mx2.jauh.test.\nmx2.jauh.test. A 127.0.0.1\n"
	for _, tt := range []struct {
		name, domain, tlsa string
		spoil              string
		want, tls          string
		counts             string
	}{
		{"signed and right", "jauh.test", good, "", "delivered dot 2.0.0", "TLS 1.3, DANE", "tlsa 1/0"},
		{"signed and of another key", "jauh.test", bad, "", "temporary starttls 4.7.5", "required by DANE", "tlsa 0/1 validation-failure"},
		{"signature expired", "jauh.test", good, "_25._tcp.mx1.jauh.test", "temporary dns 4.7.5", "required by DANE", "tlsa 0/1 dnssec-invalid"},
		{"address with a bad signature", "jauh.test", good, "mx1.jauh.test", "temporary dns 4.4.3", "", ""},
		{"exchangers with a bad signature", "jauh.test", good, "jauh.test", "temporary dns 4.4.3", "", ""},
		{"an unsigned domain at a signed exchanger", "lain.test", bad, "", "delivered dot 2.0.0", "TLS 1.3, unverified", ""},
		{"no records there, and that is signed", "tanpa.jauh.test", good, "", "delivered dot 2.0.0", "TLS 1.3, unverified", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := dnstest.NewSigned(t, "jauh.test", zone+"_25._tcp.mx1.jauh.test. TLSA "+tt.tlsa)
			if tt.spoil != "" {
				s.Spoil(tt.spoil)
			}
			resolver := dns.New(peers.Unbound(t, s.Addr, s.Anchor))
			peer := &fakeMX{tls: server}
			rec := tlsrpt.New(nil, nil, nil)
			p := New(Options{Hostname: "sampul.agensi-a.test", Resolver: resolver, RemotePort: peer.listen(t, "127.0.0.1", 0), AllowLoopback: true, Report: rec})
			t.Cleanup(p.Close)
			got := p.Send(context.Background(), Hop{Domain: tt.domain}, letterTo("b@"+tt.domain))[0]
			if got.line() != tt.want || got.TLS != tt.tls {
				t.Errorf("got %q, TLS %q (%s); want %q, %q", got.line(), got.TLS, got.Text, tt.want, tt.tls)
			}
			if c := counted(rec); tt.domain == "jauh.test" && c != tt.counts {
				t.Errorf("report %q, want %q", c, tt.counts)
			}
			if n := len(peer.deliveries()); (n == 1) != got.Delivered {
				t.Errorf("%d messages arrived", n)
			}
		})
	}
}
